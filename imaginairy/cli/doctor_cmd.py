"""`aimg doctor`: what pictures are drawn with, what is wrong, and what mends it."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import click

from imaginairy.cli.columns import columns, readable, wrapped
from imaginairy.cli.model_page import room_here, taken_here
from imaginairy.cli.run import reporting_errors, say
from imaginairy.cli.version_cmd import installed
from imaginairy.errors import BadOptionError, ImaginairyError
from imaginairy.memory import memory
from imaginairy.precision import VARIABLE, usual_precision
from imaginairy.printable import printable
from imaginairy.sources.catalog import MODELS, find
from imaginairy.sources.own_default import own_default
from imaginairy.sources.roles import CONTROL, DEFAULT_MODEL, DRAWS, ROLES
from imaginairy.sources.rows import (
    BundledFolder,
    HubFile,
    LocalPath,
    NoWeights,
    Packings,
)
from imaginairy.version import __version__

ROOM_TO_DRAW = 6e9
"""Bytes of memory that Stable Diffusion takes in full precision, about."""
ROOM_TO_SPARE = 1e9
"""Bytes of disk beyond the default model's own."""

Level = Literal["ok", "note", "broken"]
COLOURS: dict[Level, str] = {"ok": "green", "note": "yellow", "broken": "red"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    mend: str = ""
    """The command that mends it, or does without it."""


Check = Callable[[], Iterator[Finding]]


@click.command("doctor")
@reporting_errors
def doctor_cmd() -> None:
    """Check what images are generated with; say what is wrong and what mends it.

    The exit code is 1 where something is broken, and 0 where all is well or only noted.
    """
    broken, width = 0, columns()
    for name, check in CHECKS.items():
        for finding in check():
            broken += finding.level == "broken"
            click.echo("\n".join(told(name, finding, width)))
    if broken:
        things = "1 thing is" if broken == 1 else f"{broken} things are"
        say(f"\n{things} broken; the commands above mend that.")
        sys.exit(1)
    say("\nPictures can be drawn.")


def told(name: str, finding: Finding, width: int | None) -> Iterator[str]:
    """Yield the lines about a finding; a command is a line of its own to copy."""
    start, level = f"{finding.level:<6}  {name:<9} ", finding.level
    text = printable(wrapped(start, finding.what, width))
    yield click.style(text[:6], COLOURS[level]) + text[6:]
    if finding.mend:
        indent = len(start)
        if width is not None:
            indent = max(2, min(indent, width - len(f"try: {finding.mend}")))
        mend = printable(finding.mend)
        yield wrapped(" " * indent + "try: ", mend, width, whole=True)


def python_check() -> Iterator[Finding]:
    """Look at the interpreter and at this package."""
    yield Finding("ok", f"{platform.python_version()} at {sys.executable}")
    yield Finding("ok", f"imaginairy {__version__} at {Path(__file__).parent.parent}")


def packages_check() -> Iterator[Finding]:
    """Compare the installed packages with the oldest that will do."""
    try:
        required = metadata.requires("imaginairy") or []
    except metadata.PackageNotFoundError:
        yield Finding(
            "note", "imaginairy runs without being installed", "pip install ."
        )
        return
    asked = [
        match.groups()
        for line in required
        if (match := re.match(r"([\w.-]+)\s*>=\s*([\d.]+)$", line))
    ]
    good = True
    for name, oldest in asked:
        version = installed(name)
        if version is not None and _numbers(version) >= _numbers(oldest):
            continue
        good = False
        what = f"{name} is missing" if version is None else f"{name} {version} is old"
        yield Finding("broken", what, f"pip install --upgrade '{name}>={oldest}'")
    if good:
        yield Finding("ok", f"all {len(asked)} are there and new enough")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.split("+")[0]))


def torch_check() -> Iterator[Finding]:
    """Compute something on the device that pictures would be drawn on."""
    try:
        import torch

        from imaginairy.device import choose_device, choose_dtype

        device = choose_device()
        torch.ones(8, 8, device=device).matmul(torch.ones(8, 8, device=device)).sum()
    except Exception as error:  # whatever a broken build raises
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        yield Finding(
            "broken",
            f"torch {installed('torch') or ''} does not work: {reason}",
            "pip install --force-reinstall torch",
        )
        return
    try:
        numbers = str(choose_dtype(device, usual_precision())).removeprefix("torch.")
    except BadOptionError as error:
        yield Finding("broken", str(error), f"unset {VARIABLE}")
        return
    build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
    yield Finding("ok", f"{torch.__version__}, {build}; draws on {device} in {numbers}")
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name(device)
        yield Finding("ok", f"{name}: {_of(free, total)} of its memory free")
    elif shutil.which("nvidia-smi"):
        yield Finding(
            "note",
            "there is an NVIDIA driver, which this build of torch does not use",
            "pip install --force-reinstall torch; nvidia-smi",
        )


def memory_check() -> Iterator[Finding]:
    """Look at how much memory there is."""
    free, total = memory()
    if free is None or total is None:
        yield Finding("ok", "this system does not say how much there is")
    elif free < ROOM_TO_DRAW:
        yield Finding(
            "note",
            f"{_of(free, total)} free; Stable Diffusion takes about "
            f"{readable(int(ROOM_TO_DRAW))} on a CPU",
            'imagine "a bowl of fruit" --model storybook',
        )
    else:
        yield Finding("ok", f"{_of(free, total)} free")


def cache_check() -> Iterator[Finding]:
    """Look at the folder that models are kept in."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    above = next(path for path in (folder, *folder.parents) if os.access(path, os.F_OK))
    if not above.is_dir() or not os.access(above, os.W_OK):
        yield Finding(
            "broken",
            f"models cannot be kept in {folder}: {above} cannot be written to",
            "export HF_HOME=/a/folder/of/yours",
        )
        return
    usage = shutil.disk_usage(above)
    needed = _missing_bytes() + ROOM_TO_SPARE
    room = f"{_of(usage.free, usage.total)} free in {folder}"
    if usage.free < needed:
        yield Finding(
            "note",
            f"{room}; the default model takes {readable(int(needed))} more",
            "export HF_HOME=/a/folder/on/another/disk",
        )
    else:
        yield Finding("ok", room)


def _missing_bytes() -> int:
    from imaginairy.sources.fetch import on_disk, packed_here

    own = own_default()
    spec = find(DRAWS, own.name if own else DEFAULT_MODEL)
    if spec is None or on_disk(spec):
        return 0
    return packed_here(spec, room_here()).size or 0


def hub_check() -> Iterator[Finding]:
    """Ask whether models can be fetched."""
    from huggingface_hub import constants

    from imaginairy.sources import hub

    reason = hub.unreachable_reason()
    if reason is None:
        yield Finding("ok", f"{constants.ENDPOINT} answers")
        return
    switch = next((word for word in reason.split() if word.endswith("_OFFLINE")), None)
    yield Finding(
        "note",
        f"models cannot be fetched: {reason}",
        f"unset {switch}" if switch else f"curl --head {constants.ENDPOINT}",
    )


def default_check() -> Iterator[Finding]:
    """Look for the model that the user made the default."""
    own = own_default()
    if own is None:
        return
    try:
        from imaginairy.models.checkpoint import read_checkpoint
        from imaginairy.sources.locate import locate

        spec = locate(DRAWS, own.name)
        if isinstance(spec.weights, LocalPath):
            read_checkpoint(spec.weights.path)
    except ImaginairyError as error:
        yield Finding("broken", f"{own.place} names the default: {error}", own.undo)
    except Exception:  # a torch that does not work has been told of
        yield Finding("note", f"{own.name}, as {own.place} says, cannot be looked for")
    else:
        yield Finding("ok", f"{spec.name} is the default, as {own.place} says")


def models_check() -> Iterator[Finding]:
    """Look for the models that are known by name."""
    from imaginairy.sources.fetch import on_disk

    for spec in MODELS:
        match spec.weights:
            case NoWeights():
                pass
            case _ if spec.role == CONTROL and not on_disk(spec):
                pass
            case BundledFolder() as bundled if (
                spec.role != DRAWS and not bundled.path.is_dir()
            ):
                row = ROLES[spec.role]
                yield Finding(
                    "note",
                    f"{spec.name} is not part of this version",
                    f"name another {row.noun}, such as {row.published}",
                )
            case BundledFolder() as bundled:
                yield _bundled(spec.name, bundled.path)
            case Packings() if not on_disk(spec):
                packed = taken_here(spec)
                what = f"{spec.name} is fetched when first used. {packed}"
                yield Finding("ok", what)
            case HubFile() as file:
                yield _fetched(spec.name, file, on_disk(spec))
            case _:
                yield Finding("ok", f"{spec.name} {_where(on_disk(spec), spec.size)}")


def _bundled(name: str, folder: Path) -> Finding:
    """Look whether the weights that come along are whole."""
    from safetensors import SafetensorError, safe_open

    mend = "pip install --force-reinstall --no-deps imaginairy"
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        return Finding("broken", f"{name}, which comes along, is not in {folder}", mend)
    for file in files:
        try:
            with safe_open(file, framework="np"):
                pass
        except (SafetensorError, OSError) as error:
            return Finding("broken", f"{name}: {file} cannot be read ({error})", mend)
    size = sum(file.stat().st_size for file in files)
    return Finding("ok", f"{name} comes along, {readable(size)}")


def _fetched(name: str, file: HubFile, path: Path | None) -> Finding:
    """Look whether weights that were fetched are as long as announced."""
    size = path.stat().st_size if path else None
    if path and file.size and size != file.size:
        return Finding(
            "broken",
            f"{name}: {path} has {size} bytes in place of {file.size}",
            " ".join(["rm", *dict.fromkeys((f"'{path.resolve()}'", f"'{path}'"))]),
        )
    return Finding("ok", f"{name} {_where(path, file.size)}")


def _where(path: Path | None, size: int | None) -> str:
    if path:
        return f"is on this machine, {path}"
    return "is fetched when first used" + (f", {readable(size)}" if size else "")


def _of(free: int, total: int) -> str:
    return f"{readable(free)} of {readable(total)}"


CHECKS: dict[str, Check] = {
    "python": python_check,
    "packages": packages_check,
    "torch": torch_check,
    "memory": memory_check,
    "disk": cache_check,
    "hub": hub_check,
    "default": default_check,
    "models": models_check,
}
