"""What a picture says about itself, turned into what to draw, and judged by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from imaginairy import checks
from imaginairy.cli.options import dashed
from imaginairy.cli.verdict import Verdict, compared
from imaginairy.cli.words_again import (
    found_again,
    found_for_others,
    hypernetworks_again,
)
from imaginairy.control import parse_control, said_of
from imaginairy.errors import BadImageError, BadOptionError
from imaginairy.fields import options
from imaginairy.fleet.lines import Asked
from imaginairy.image_prompt import images_of, is_words
from imaginairy.lazy_image import is_file, is_of_web
from imaginairy.log import log, shortened
from imaginairy.lora import Lora, loras, loras_in, without_loras
from imaginairy.metadata import afterwards
from imaginairy.metadata.foreign import ForeignRecord, read_foreign
from imaginairy.metadata.read import read_written
from imaginairy.recorded import IN_MEMORY, pictures
from imaginairy.samplers import SAMPLERS
from imaginairy.schema import ImaginePrompt
from imaginairy.sizes import written

OPTIONS = options(ImaginePrompt)
SURROUNDINGS = ("software", "device", "precision", "computed_in", "platform")
SUMS = {
    "LoRA": "lora_sha256",
    "hypernetwork": "hypernetwork_sha256",
    "control": "control_sha256",
    "IP-Adapter": "image_prompt_sha256",
    "text encoder": "text_encoder_sha256",
}
"""What is recorded of the files of what acts beside the models."""
MOST_OF_A_NAME = 60
"""Letters of a folder's name that a picture says."""


@dataclass(frozen=True)
class Record:
    """One picture, and what it takes to draw it again."""

    path: Path
    asked: Asked
    changed: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Fields that are to be otherwise: what they were and what they are."""
    compared: bool = True
    """Whether the drawn picture is compared with the file where nothing changed."""
    metadata: dict[str, Any] | None = None
    """What the file says, where it is ours."""
    lora_hashes: Mapping[str, str] = field(default_factory=dict)
    """What it says of the hashes of its LoRAs, by their names: how they begin."""
    since: Sequence[str] = ()
    """What was done to the file after it was drawn, which is not done again."""

    @property
    def is_full(self) -> bool:
        """Whether it was computed in float32; one that does not say was, on a CPU."""
        if self.metadata is None:
            return False
        usual = "float32" if self.metadata.get("device") == "cpu" else None
        return bool(self.metadata.get("computed_in", usual) == "float32")

    @property
    def loras(self) -> tuple[Lora, ...]:
        """All that are to act."""
        return ImaginePrompt(self.asked.prompt, **self.asked.fields).all_loras

    def with_lora(self, name: str, path: Path) -> "Record":
        """Return this with a LoRA at another place than where it was."""
        fields = {**self.asked.fields}
        known = loras("loras", fields.get("loras", ()))
        prompts = ImaginePrompt(self.asked.prompt).prompts
        named = [x for part in prompts for x in loras_in(part.text) if x.name == name]
        fields["loras"] = [
            lora.called(str(path)) if lora.name == name else lora
            for lora in (*known, *named)
        ]
        prompt = [
            replace(part, text=without_loras(part.text, name)) for part in prompts
        ]
        return replace(self, asked=replace(self.asked, prompt=prompt, fields=fields))

    def of_size(self, size: str) -> "Record":
        """Return this without a size of its own."""
        fields = {**self.asked.fields}
        before = f"{fields.pop('width', None)}x{fields.pop('height', None)}"
        fields.pop("draw_size", None)
        return replace(
            self,
            asked=replace(self.asked, fields=fields),
            changed={**self.changed, "size": (before, size)},
        )

    def verdict(self, drawn: Path, now: Callable[[], dict[str, Any]]) -> Verdict:
        """Compare a drawn picture with the file.

        Args:
            now: gives what made the drawn one.
        """
        if self.changed:
            listed = ", ".join(
                f"{name} {_listed(new)} in place of {_listed(old)}"
                for name, (old, new) in self.changed.items()
            )
            return Verdict("changed", f"drawn anew, with {listed}.")
        if not self.compared:
            return Verdict("changed", "drawn anew.")
        if self.since:
            return Verdict(
                "changed",
                f"drawn anew, and not compared: since it was drawn, the file "
                f"{', '.join(self.since)}, which is not done again.",
            )
        kind = str((self.metadata or {}).get("image_type", self.path.parent.name))
        kind = Path(kind).name[:MOST_OF_A_NAME]  # and no path to anywhere else
        same_kind = drawn.parent / kind / drawn.name
        verdict = compared(self.path, same_kind if same_kind.is_file() else drawn)
        if verdict.result != "other":
            return verdict
        if self.metadata is None:
            return replace(
                verdict,
                words=f"{verdict} The file is another tool's, which makes other noise "
                "of the same seed.",
            )
        why = self._reasons(now())
        return replace(verdict, words=f"{verdict} {why}", is_failure=True)

    def _reasons(self, now: dict[str, Any]) -> str:
        """Say what is not as it was when the file was drawn."""
        assert self.metadata is not None
        then = self.metadata
        for kind in ("model", "vae", "decoder", "refiner"):
            was, digest = then.get(f"{kind}_sha256"), now.get(f"{kind}_sha256")
            if was != digest:
                return (
                    f"The {kind} '{now[kind]}' has other weights than then: SHA-256 "
                    f"{str(digest)[:10]} in place of {str(was)[:10]}."
                )
        if _sums_of_words(then) != _sums_of_words(now):
            return "Its learned words are other files than then, by their SHA-256."
        for kind, sums in SUMS.items():
            for name, was in _hashes(then.get(sums)).items():
                digest = now[sums].get(name, was)
                if was != digest:
                    return (
                        f"The {kind} '{name}' has other weights than then: SHA-256 "
                        f"{digest[:10]} in place of {was[:10]}."
                    )
        differing = [
            f"{name} is {now[name]} and was {then.get(name)}"
            for name in SURROUNDINGS
            if name in then and then[name] != now[name]
        ]
        if differing:
            return f"What is not as it was then: {', '.join(differing)}."
        for name in ("init_image", "reference_images"):
            if then.get(name):
                what = name.replace("_", " ")
                return f"Its {what} or the file itself may have been changed since."
        return "The file itself may have been changed since."


def _sums_of_words(said: dict[str, Any]) -> list[Any]:
    """Return the SHA-256 of learned words, in their order."""
    sums = said.get("embedding_sha256")
    return [*sums.values()] if isinstance(sums, dict) else []


def read_record(path: Path, changes: dict[str, Any]) -> Record:
    """Read a picture and change what is to be changed.

    Raises:
        BadImageError: it is no picture or says nothing.
        BadOptionError: what it says is not enough to draw it.
    """
    written = read_written(path)
    metadata = written.metadata
    if metadata is not None:
        was = {
            name: metadata[name]
            for name in ImaginePrompt.__dataclass_fields__
            if metadata.get(name) is not None
        }
        if was.get("embeddings") and "embeddings" not in changes:
            hashes = metadata.get("embedding_sha256")
            was["embeddings"] = found_again(path, was["embeddings"], hashes)
        if was.get("hypernetworks") and "hypernetworks" not in changes:
            was["hypernetworks"] = hypernetworks_again(
                was["hypernetworks"], metadata.get("hypernetwork_sha256")
            )
        hashes = metadata.get("lora_sha256")
    else:
        foreign = read_foreign(written)
        if foreign is None:
            raise BadImageError(
                f"'{path}' holds no record of how it was drawn, of imaginairy's or any "
                "other tool's that is known; it cannot be drawn again."
            )
        was = _foreign_fields(path, foreign, changes)
        hashes = foreign.lora_hashes
    was.setdefault("upscale", False)  # what a file does not say was not done
    _leave_out_unsuited(path, was, changes)
    was = {name: was[name] for name in was if not _is_open_again(name, changes)}
    fields = {**was, **changes}
    _require_pictures(path, was, changes)
    extension = "png" if written.format == "PNG" else "jpg"
    asked = Asked(fields.pop("prompt"), fields, extension)
    asked.checked(f"'{path}'")
    return Record(
        path,
        asked,
        _changed(was, changes),
        metadata=metadata,
        lora_hashes=_hashes(hashes),
        since=afterwards.changes(afterwards.steps_of(written)),
    )


def _hashes(said: Any) -> dict[str, str]:
    known = said.items() if isinstance(said, Mapping) else ()
    return {name: digest for name, digest in known if isinstance(digest, str)}


def _is_open_again(name: str, changes: dict[str, Any]) -> bool:
    """Tell whether what a picture says of a field no longer holds after changes.

    That is so where it was chosen by what is changed, where what is changed says it
    itself, and where what it needs is taken away.
    """
    row = OPTIONS.get(name)
    if row is None or name in changes:
        return False
    changed = changes.keys() & OPTIONS.keys()
    if any(each in row.follows or name in OPTIONS[each].implies for each in changed):
        return True
    return any(
        need.field in changed
        and not need.is_met(OPTIONS[need.field], changes[need.field])
        for need in row.needs
    )


def _leave_out_unsuited(
    path: Path, was: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Leave out what belongs to another sampler than the one that is to be used."""
    named = changes.get("sampler_type", was.get("sampler_type"))
    try:
        sampler = SAMPLERS[checks.sampler("sampler_type", named)]
    except BadOptionError:
        sampler = None
    suits = {
        "schedule": sampler and was.get("schedule") in sampler.spacings,
        "eta": sampler and sampler.takes_eta,
    }
    why = f"the sampler '{named}' cannot use it" if named else "no sampler is named"
    for name, fits in suits.items():
        if name in was and name not in changes and not fits:
            log.warning("%s: left out: %s %s, as %s.", path, name, was.pop(name), why)


def _listed(value: Any) -> Any:
    """Return a value, several of them in one text."""
    if isinstance(value, list | tuple):
        return ", ".join(str(_listed(each)) for each in value) or "none"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={each}" for name, each in value.items())
    return value


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _changed(
    was: dict[str, Any], changes: dict[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Return what differs between the two, and was said to be otherwise."""
    if isinstance(was["prompt"], list):
        was = {
            **was,
            "prompt": ImaginePrompt.from_dict({"prompt": was["prompt"]}).prompt_text,
        }
    return {
        name: (was.get(name, "none"), value)
        for name, value in changes.items()
        if _listed(was.get(name)) != _listed(value)
    }


def _foreign_fields(
    path: Path, foreign: ForeignRecord, changes: dict[str, Any]
) -> dict[str, Any]:
    """Return the fields that another tool's record gives; say what it leaves out."""
    if foreign.from_picture and "init_image" not in changes:
        raise BadOptionError(
            f"'{path}' was drawn from another picture, which it does not name; give "
            "that with --init-image."
        )
    fields = {
        name: value for name, value in foreign.fields.items() if value is not None
    }
    if "controls" in fields and "controls" not in changes:
        _require_hints(path, fields, changes)
    if {"width", "height"} <= set(fields):
        fields["draw_size"] = written((fields["width"], fields["height"]))
    if foreign.model:
        fields["model"] = foreign.model
    elif foreign.model_described and "model" not in changes:
        raise BadOptionError(
            f"'{path}' was drawn by the model {foreign.model_described}, which is not "
            "known here; give it, or another, with --model."
        )
    if foreign.words and "embeddings" not in changes:
        fields["embeddings"] = found_for_others(path, foreign.words)
    if foreign.unknown:
        left_out = ", ".join(
            f"{name} {shortened(value)}" for name, value in foreign.unknown.items()
        )
        log.warning("%s: left out, as nothing here does it: %s.", path, left_out)
    if foreign.note:
        log.warning("%s: left out: %s.", path, foreign.note)
    return fields


def _require_hints(
    path: Path, fields: Mapping[str, Any], changes: Mapping[str, Any]
) -> None:
    """Refuse controls of another tool where no image is given for them."""
    if not {"control_image", "init_image"} & changes.keys():
        named = ", ".join(str(parse_control(each)) for each in fields["controls"])
        raise BadOptionError(
            f"'{path}' was drawn under controls ({shortened(named)}) of images that "
            "it does not name; give one with --control-image, or others with --control."
        )


def _require_pictures(path: Path, was: dict[str, Any], changes: dict[str, Any]) -> None:
    """Find the pictures that a picture was drawn from."""
    if was.get("conditioning") is not None:
        raise BadOptionError(
            f"'{path}' was drawn from ready-made embeddings, which are not recorded; "
            "it can be drawn again only in Python, with them."
        )
    sources = [(n, dashed(n), was.get(n)) for n in pictures(ImaginePrompt)]
    for each in _several(was.get("controls")):
        control, image = said_of(each)
        sources.append(("controls", f"--control {shortened(control)}:FILE", image))
    for each in _several(was.get("image_prompts")):
        image, mask, _ = images_of(each)
        seen = [image] if mask is None or is_words(mask) else [image, mask]
        sources += [("image_prompts", "--image-prompt", part) for part in seen]
    for source in _several(was.get("reference_images")):
        sources.append(("reference_images", "--reference-image", source))
    for name, option, source in sources:
        if source is None or name in changes or is_of_web(source):
            continue
        if str(source).startswith(IN_MEMORY):
            raise BadOptionError(
                f"'{path}' was drawn from a picture in memory, which is not recorded; "
                f"give it with {option}."
            )
        if not is_file(source):
            raise BadOptionError(
                f"'{path}' was drawn from '{source}', which is not there any more; "
                f"give it with {option}."
            )
