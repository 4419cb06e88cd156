"""`aimg again`: pictures drawn again from what they say about themselves."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from imaginairy.checks import parse_refiner
from imaginairy.cli.common_options import WIDE
from imaginairy.cli.drawing import draw
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.jobs import planned
from imaginairy.cli.options import given
from imaginairy.cli.output import Drawing, Needs, Saved
from imaginairy.cli.paths import NamedPath
from imaginairy.cli.record import Record, read_record
from imaginairy.cli.run import reporting_errors, say, show_log
from imaginairy.cli.sections import SectionedCommand, SectionedOption
from imaginairy.cli.size import asked_size
from imaginairy.cli.stores import Stores
from imaginairy.cli.trust import require_trust
from imaginairy.cli.verdict import Verdict
from imaginairy.errors import UnknownModelError
from imaginairy.log import log
from imaginairy.lora import loras
from imaginairy.precision import Precision
from imaginairy.sources.adapters import with_hash
from imaginairy.sources.fetch import on_disk
from imaginairy.sources.roles import DRAWS, TEXT_ENCODER, VAE

NOT_TAKEN = ("prompts", "prompts_file", "output", "output_kind", "ray", "version")
OF_IMAGINE = [param for param in imagine_cmd.params if param.name not in NOT_TAKEN]
"""Whatever `imagine` takes of single images, this takes too."""


@click.command(
    "again",
    cls=SectionedCommand,
    params=list(OF_IMAGINE),
    context_settings=WIDE,
)
@click.argument(
    "pictures", nargs=-1, required=True, metavar="PICTURE...",
    type=NamedPath(dir_okay=False),
)  # fmt: skip
@click.option("--prompt", help="Generate this in place of the picture's own prompt.")
@click.option(
    "--trust", cls=SectionedOption, section="Model", is_flag=True,
    help="Also read and fetch the images and models that the metadata names; a "
    "terminal asks. Models known by name that are on this machine need no yes.",
)  # fmt: skip
@click.pass_context
@reporting_errors
def again_cmd(
    context: click.Context,
    /,
    pictures: tuple[Path, ...],
    prompt: str | None,
    trust: bool,
    repeats: int,
    schedules: tuple[str, ...],
    device: str | None,
    precision: Precision,
    low_memory: bool,
    log_level: str,
    size: str | None,
    **options: Any,
) -> None:
    """Generate each PICTURE again from its own metadata, changed as options say.

    Reads images of imaginairy, and the `parameters` that other tools write. Where
    nothing is changed the result is compared with the file; the exit code is 1 where
    a picture of ours turned out otherwise.
    """
    show_log(log_level, quiet=options["quiet"])
    drawing = Drawing.asked({**options, "size": asked_size(size, options)})
    changes = given(options) | ({} if prompt is None else {"prompt": prompt})
    records = [read_record(picture, changes) for picture in pictures]
    require_trust(records, changes, trusted=trust)
    if size is not None:
        records = [record.of_size(size) for record in records]
    if repeats > 1 or schedules:
        records = [replace(record, compared=False) for record in records]

    asked = [record.asked for record in records]
    if context.get_parameter_source("extension") is not ParameterSource.DEFAULT:
        asked = [replace(each, extension=None) for each in asked]
    if context.get_parameter_source("precision") is ParameterSource.DEFAULT:
        precision = _as_then(records)
    stores = context.ensure_object(Stores)
    store = stores.get(device, precision, low_memory=low_memory)
    for record in records:
        _require_models(record, store)
    own = "loras" in changes
    records = [_with_loras(record, store, own) for record in records]
    asked = [
        replace(record.asked, extension=each.extension)
        for record, each in zip(records, asked, strict=True)
    ]
    plan = planned(asked, repeats, schedules)
    told = _Teller(drawing, records, plan.of_each)
    draw(plan, Needs(plan, drawing), store, told)
    if told.failed:
        sys.exit(1)


def _as_then(records: Sequence[Record]) -> Precision:
    """Return the precision in which pictures come out as they did, if in any."""
    return "full" if any(each.is_full for each in records) else "autocast"


def _require_models(record: Record, store: Any) -> None:
    """Find the models, and the VAE, before anything is drawn."""
    fields = record.asked.fields
    wanted = [("model", DRAWS, fields.get("model"))]
    if fields.get("vae"):
        wanted.append(("vae", VAE, fields["vae"]))
    for each in fields.get("text_encoders") or ():
        wanted.append(("text-encoder", TEXT_ENCODER, each))
    if fields.get("refiner"):
        wanted.append(("refiner", DRAWS, parse_refiner(fields["refiner"])[0]))
    for option, role, name in wanted:
        try:
            store.locate(name, role=role)
        except UnknownModelError as error:
            raise UnknownModelError(
                f"'{record.path}' cannot be drawn again as it was: {error} Another "
                f"{option.replace('-', ' ')} can be given with --{option}."
            ) from error


def _with_loras(record: Record, store: Any, own: bool) -> Record:
    """Find the LoRAs of a picture: where they were, or else by their hashes.

    Args:
        own: whether those that no prompt names were given by the user.
    """
    given = loras("loras", record.asked.fields.get("loras", ())) if own else ()
    model = store.locate(record.asked.fields.get("model"))
    for lora in record.loras:
        try:
            store.adapters.locate(lora.name, model)
        except UnknownModelError as error:
            if lora in given:
                raise
            start = record.lora_hashes.get(lora.name, "")
            found = with_hash(start, on_disk(model))
            if found is None:
                digest = f" and of SHA-256 {start[:12]}…" if start else ""
                raise UnknownModelError(
                    f"'{record.path}' cannot be drawn again as it was: {error} No file "
                    f"in these folders is of that name{digest}."
                ) from error
            log.info("the LoRA %s is now %s, by its SHA-256", lora.name, found)
            record = record.with_lora(lora.name, found)
    return record


class _Teller:
    """Says of each picture whether it is what the file shows."""

    def __init__(self, drawing: Drawing, records: list[Record], of_each: int) -> None:
        self.drawing = drawing
        self.records = records
        self.of_each = of_each
        self.failed = False

    def __call__(self, number: int, saved: Saved) -> None:
        """Be told of a saved picture, and of which job it is."""
        record = self.records[number // self.of_each % len(self.records)]
        verdict = record.verdict(saved.path, saved.metadata)
        self.failed |= verdict.is_failure
        self.drawing.tell(saved, again=_as_json(record, verdict))
        if self.drawing.as_json:
            log.info("%s: %s", record.path, verdict)
        elif not self.drawing.quiet:
            say(f"{record.path}: {verdict}")


def _as_json(record: Record, verdict: Verdict) -> dict[str, Any]:
    return {
        "of": str(record.path),
        "result": verdict.result,
        "mean_difference": verdict.mean_difference,
        "words": str(verdict),
    }
