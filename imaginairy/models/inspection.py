"""What a file or folder is, read off its headers alone; no tensor is looked at."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.families.control_facts import control_facts
from imaginairy.families.family import AUTOENCODER, DENOISER, Family, Header, Shape
from imaginairy.families.signs import Stranger
from imaginairy.families.table import family_of, only_supported
from imaginairy.kinds import start_of
from imaginairy.models.checkpoint import (
    Checkpoint,
    family_of_file,
    read_folder,
    read_opened,
)
from imaginairy.models.declared import said_by_file
from imaginairy.models.known import UNKNOWN, header_of_folder, known_as, shard
from imaginairy.models.no_model import resembles, why_no_folder
from imaginairy.models.own_defaults import with_own_defaults
from imaginairy.models.reading import read_schedule
from imaginairy.models.training import readable, spoken_of, training
from imaginairy.samplers.prediction import NoiseConfig, Prediction
from imaginairy.sources import hub
from imaginairy.sources.adapter_facts import beside
from imaginairy.sources.control_rows import kind_named
from imaginairy.sources.drawing_rows import VOCABULARIES
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import LocalPath, ModelRow
from imaginairy.sources.terms import terms_of
from imaginairy.weights.folder import ModelFolder, weights_in
from imaginairy.weights.gguf import MAGIC
from imaginairy.weights.weightfile import Tensors, is_safetensors, open_weights

BESIDE = "not used"
CALLED = {"clip": "CLIP", "qwen3": "Qwen3", "t5": "T5"}
"""What public vocabularies are called."""
"""What tensors are called that no network of a model needs."""
NAMES_SHOWN = 3
LICENCE = re.compile(r"^license:\s*(\S.*)$", re.MULTILINE)
"""How the page of a repository says its licence, at its head."""
LONGEST_HEAD = 10_000


@dataclass(frozen=True)
class Inspected:
    """What there is to know of a file or folder before it is used."""

    path: str
    layout: str
    kind: str
    """`model`, `LoRA`, `text encoder` and so on; `unknown` where that is not known."""
    what: str
    """The same in words, with its family."""
    family: str | None
    prediction: str | None
    """`noise`, `v`, `clean`, `edm` or `flow`; None where the headers do not say it, or
    it predicts nothing."""
    noise: str | None
    """The noise that a model was trained with, where that is known."""
    native_size: tuple[int, int] | None
    """Width and height in pixels."""
    parameters: int
    precision: Mapping[str, int]
    """How many of the parameters are in which type."""
    parts: Mapping[str, int]
    """Parameters of each network of a model."""
    size: int
    """Bytes on disk."""
    licence: str | None
    missing: Sequence[str]
    """What is missing to draw with it, in sentences."""
    control: Mapping[str, Any] = field(default_factory=dict)
    """What more there is to know of what steers a model, a ControlNet or its like."""
    training: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    use: str = ""
    """How it can be drawn with, once nothing is missing; for the end of a sentence."""
    usable: bool = False
    """Whether it can be drawn with as it is, once nothing is missing."""

    def facts(self) -> dict[str, Any]:
        """Return all of it, for programs."""
        return asdict(self)


@dataclass(frozen=True)
class Contents:
    """The tensors of a file or folder, by name."""

    layout: str
    shapes: Mapping[str, Shape]
    types: Mapping[str, str]
    metadata: Mapping[str, Any]
    files: Sequence[Path]


@dataclass(frozen=True)
class Verdict:
    """What became of the attempt to take something for a model."""

    family: Family | None = None
    checkpoint: Checkpoint | None = None
    known: Stranger | None = None
    missing: Sequence[str] = ()
    noise: NoiseConfig | None = None
    """What a model says of that, or is usual for it."""
    says_prediction: bool = True
    """Whether it says, or its family does, what its network predicts."""
    prefix: str = ""
    """What stands before all names of a model in a file."""

    @property
    def prediction(self) -> Prediction | None:
        """What its network predicts, as far as that is known."""
        if self.known is not None:
            return self.known.predicts
        return self.noise.predicts if self.noise and self.says_prediction else None


def inspected(path: Path, beside: Sequence[Path] = ()) -> Inspected:
    """Tell what a file or folder is.

    Args:
        beside: files of the parts that a file lacks, where these are known.

    Raises:
        CheckpointError: it holds no weights, or they are broken or unsafe.
    """
    if path.is_dir():
        folder = ModelFolder(path)
        if folder.index or any(folder.shapes()):
            return _of_folder(folder)
        return inspected(weights_in(path))
    opened = open_weights(path, hollow=True)
    contents = contents_of(layout_of(opened.files[0]), opened)
    return _told(path, contents, of_file(path, opened, beside))


def layout_of(file: Path) -> str:
    """Return what kind of file of weights one is."""
    start = start_of(file)
    if start.startswith(MAGIC):
        return "GGUF"
    return "safetensors" if is_safetensors(start) else "PyTorch's pickle"


def contents_of(layout: str, opened: Tensors) -> Contents:
    """Return the tensors of an open file."""
    types = {name: str(kind).rpartition(".")[2] for name, kind in opened.types.items()}
    types |= opened.packed
    return Contents(layout, opened.shapes, types, opened.metadata, opened.files)


def of_file(path: Path, opened: Tensors, beside: Sequence[Path] = ()) -> Verdict:
    """Take a single file for a model, or say what else it is."""
    family, whole, _ = family_of_file(opened)
    if family is None:
        header = Header(opened.shapes.copy, metadata=opened.metadata)
        return _not_a_model(known_as(header) or shard(path))
    try:
        said = _own(path).says
        verdict = _of_checkpoint(read_opened(path, opened, said, beside))
    except CheckpointError as error:
        if known := resembles(family, whole):
            return _not_a_model(known)
        noise, says = _noise_said(path, family, whole)
        verdict = Verdict(family, None, None, [str(error)], noise, says)
    return replace(verdict, prefix=whole.prefix)


def _noise_said(
    path: Path, family: Family, whole: Tensors
) -> tuple[NoiseConfig | None, bool]:
    """Return what an incomplete model says of its noise, and whether it does."""
    try:
        said = said_by_file(path, whole, family)
        noise = read_schedule(path, family, said)
    except CheckpointError:
        return None, False
    return noise, "prediction_type" in said or not family.unsaid


def _of_folder(folder: ModelFolder) -> Inspected:
    opened = {
        name: folder.tensors(name)
        for name in sorted({name.partition("/")[0] for name in folder.shapes()})
    }
    contents = Contents(
        "a folder in the diffusers layout",
        folder.shapes(),
        {
            f"{part}/{name}": kind
            for part, tensors in opened.items()
            for name, kind in contents_of("", tensors).types.items()
        },
        {k: v for tensors in opened.values() for k, v in tensors.metadata.items()},
        [file for tensors in opened.values() for file in tensors.files],
    )
    family = family_of(header_of_folder(folder))
    if family is None:
        verdict = _no_model_in(folder)
    else:
        try:
            verdict = _of_checkpoint(read_folder(folder, _own(folder.path).says))
        except CheckpointError as error:
            verdict = Verdict(family, missing=[str(error)])
    return _told(folder.path, contents, verdict)


def _no_model_in(folder: ModelFolder) -> Verdict:
    if known := known_as(header_of_folder(folder)):
        return _not_a_model(known)
    try:
        why = why_no_folder(folder)
    except CheckpointError as error:
        why = str(error)
    held = ", ".join(dict.fromkeys(name.partition("/")[0] for name in folder.shapes()))
    what = Stranger("parts", None, f"a folder of parts of a model ({held})")
    return Verdict(known=what, missing=[why])


def _not_a_model(known: Stranger | None) -> Verdict:
    advice = (known.advice if known else "") or only_supported()
    return Verdict(known=known, missing=[f"{_begun(advice)}."])


def _of_checkpoint(checkpoint: Checkpoint) -> Verdict:
    for part in checkpoint.parts.values():
        part.check()
    missing = []
    if AUTOENCODER not in checkpoint.parts:
        missing.append("Its autoencoder (VAE): give one with --vae.")
    read = (
        row.usual_vocabulary or ""
        for row in checkpoint.family.texts
        if row.role not in checkpoint.vocabularies
    )
    missing += [
        f"The vocabulary of {CALLED[kind]} ({VOCABULARIES[kind].repo}), which is "
        "fetched when it is first used."
        for kind in dict.fromkeys(read)
        if kind and hub.cached(VOCABULARIES[kind]) is None
    ]
    says = checkpoint.says_prediction or not checkpoint.family.unsaid
    noise = checkpoint.schedule
    return Verdict(checkpoint.family, checkpoint, None, missing, noise, says)


def _told(path: Path, contents: Contents, verdict: Verdict) -> Inspected:
    family, checkpoint, known = verdict.family, verdict.checkpoint, verdict.known
    counts = {name: prod(shape) for name, shape in contents.shapes.items()}
    precision: Counter[str] = Counter()
    for name, count in counts.items():
        precision[contents.types[name]] += count
    if family is not None:
        kind, what, title = "model", f"a model of {family.title}", family.title
        if checkpoint:
            what += _sees(checkpoint)
    elif known is not None:
        kind, what, title = known.kind, known.title, known.family or ""
    else:
        shown = ", ".join(readable(name) for name in [*counts][:NAMES_SHOWN])
        kind, what, title = "unknown", f"{UNKNOWN} ({shown})", ""
    said, own = spoken_of(contents.metadata), _own(path)
    return Inspected(
        path=str(path),
        layout=contents.layout,
        kind=kind,
        what=what,
        family=title or None,
        prediction=verdict.prediction,
        noise=(verdict.noise and verdict.noise.made().described) or None,
        native_size=own.defaults.native_size if family and own.family else None,
        parameters=sum(counts.values()),
        precision=dict(precision.most_common()),
        parts=_parts(verdict, path.is_dir(), counts) if family else {},
        size=sum(file.stat().st_size for file in contents.files),
        licence=said.pop("license", None)
        or _licence_beside(path)
        or _licence_of(path, family, contents),
        missing=verdict.missing,
        control=_control(path, contents, known),
        training=training(contents.metadata, contents.shapes) | _words_beside(path),
        metadata=said,
        use=family.use if family else "",
        usable=checkpoint is not None,
    )


def _control(path: Path, contents: Contents, known: Stranger | None) -> dict[str, Any]:
    facts = control_facts(known.kind, contents.shapes) if known else {}
    if "hint_channels" in facts:
        facts["hint"] = kind_named(path.stem) or kind_named(path.parent.name)
    return facts


def _sees(checkpoint: Checkpoint) -> str:
    """Say what the network that draws sees beside the latents."""
    config = checkpoint.parts[DENOISER].config
    channels = checkpoint.family.grid.channels
    more = config.in_channels - channels
    known = {0: "", 1: " that is led by depth", channels: " that edits a picture"}
    return known.get(more, " for inpainting")


def _own(path: Path) -> ModelRow:
    """Return the row that a model of one's own has."""
    row = ModelRow(DRAWS, str(path), "", LocalPath(path), "")
    try:
        return with_own_defaults(row)
    except CheckpointError:
        return row


def _parts(verdict: Verdict, folder: bool, counts: Mapping[str, int]) -> dict[str, int]:
    starts = {
        row.title: f"{row.folder}/" if folder else verdict.prefix + row.prefix
        for row in (verdict.family.parts if verdict.family else ())
    }
    sums = {
        title: sum(count for name, count in counts.items() if name.startswith(start))
        for title, start in starts.items()
    }
    whole = sum(counts.values())
    if verdict.family and not any(sums.values()):  # the file of one network alone
        sums[verdict.family.part(DENOISER).title] = whole
    sums[BESIDE] = whole - sum(sums.values())
    return {title: count for title, count in sums.items() if count}


def _words_beside(path: Path) -> dict[str, str]:
    """Return what an adapter answers to, where files beside it say that."""
    words = ", ".join(map(readable, beside(path).words))
    return {"trigger words": words} if words else {}


def _licence_beside(path: Path) -> str | None:
    page = path / "README.md"
    if not page.is_file():
        return None
    try:
        with page.open(encoding="utf-8") as opened:
            found = LICENCE.search(opened.read(LONGEST_HEAD))
    except (OSError, ValueError):
        return None
    return readable(found[1]) if found else None


def _licence_of(path: Path, family: Family | None, contents: Contents) -> str | None:
    """Return the licence of models of a kind, where it limits their use."""
    terms = terms_of(family.name, [path.stem], contents.shapes) if family else None
    return f"{terms.licence}, as that of {terms.title}" if terms else None


def _begun(advice: str) -> str:
    """Return the end of a sentence as a sentence of its own."""
    own = advice.removeprefix("which ")
    return f"It {own}" if own != advice else f"{own[:1].upper()}{own[1:]}"
