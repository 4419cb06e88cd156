"""Where pictures are saved: file names, running numbers, and what goes beside them."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL.Image import Image, Resampling

from imaginairy.animate import save_animation
from imaginairy.log import log
from imaginairy.metadata.credentials import USUAL, Provenance
from imaginairy.observe import Observer, Step
from imaginairy.places import MAX_NAME_BYTES, require_places, saved_elsewhere
from imaginairy.result import (
    GENERATED,
    HINT,
    MASK_BINARY,
    MASK_GRAYSCALE,
    MODIFIED_ORIGINAL,
    ImagineResult,
    blurred,
)
from imaginairy.schema import ImaginePrompt
from imaginairy.whole_files import (
    TEMPORARY,
    clear_abandoned,
    hold,
    save_whole,
    uninterrupted,
)

NUMBERED = re.compile(r"\.?(\d{6,18})[_.].*", re.ASCII)
"""Files with longer numbers than anybody counts to are others'."""
UNFINISHED = re.compile(rf"\.\d{{6,}}\.claim|{TEMPORARY.pattern}")
"""What is there only while a picture is saved."""
COMPARE_FRAME_MS = 1000
DRAWING_FRAME_MS = 100


@contextmanager
def claimed_number(outdir: Path) -> Iterator[int]:
    """Hold the next running number of a folder while a picture is saved under it.

    The number follows the highest one there. A hidden file claims it, so that several
    runs can save into one folder and never collide. What a run left there that was
    killed while it saved is removed. Ctrl-C waits until the picture is saved.
    """
    outdir.mkdir(parents=True, exist_ok=True)
    with uninterrupted():
        clear_abandoned(outdir, UNFINISHED)  # first, as claims count
        number, claim, held = _claimed(outdir)
        try:
            yield number
        finally:
            claim.unlink(missing_ok=True)
            held.close()


def _claimed(outdir: Path) -> tuple[int, Path, IO[bytes]]:
    while True:
        number = 1 + max(_numbers(outdir), default=0)
        claim = outdir / f".{number:06d}.claim"
        try:
            held = hold(claim)
        except FileExistsError:
            continue
        # Another run may have saved this number and let go of it since we looked.
        if number > max(_numbers(outdir, claims=False), default=0):
            return number, claim, held
        claim.unlink()
        held.close()


def _numbers(outdir: Path, *, claims: bool = True) -> Iterator[int]:
    for path in outdir.iterdir():
        match = NUMBERED.fullmatch(path.name)
        if match and (claims or not path.name.startswith(".")):
            yield int(match[1])


def file_name(number: int, prompt: ImaginePrompt, extension: str) -> str:
    """Return e.g. `000001_557988237_PLMS40_PS7.5_a_scenic_landscape.jpg`.

    The prompt's defaults must be filled in.
    """
    assert prompt.sampler_type is not None
    start = (
        f"{number:06d}_{prompt.seed}_{prompt.sampler_type.upper()}{prompt.steps}"
        f"_PS{prompt.prompt_strength:g}_"
    )
    text = re.sub(r"[^\w]+", "_", prompt.prompt_text.lower())
    room = MAX_NAME_BYTES - len(start)
    text = text.encode("utf-8")[:room].decode("utf-8", errors="ignore")
    return f"{start}{text.strip('_')}.{extension}".replace("_.", ".")


class StepRecorder(Observer):
    """Keeps what each step of a picture expected it to become."""

    def __init__(self) -> None:
        self.frames: list[Image] = []
        """Those of the last result."""
        self._kept: dict[int, list[Image]] = {}
        self._batch: list[ImaginePrompt] = []
        self._over = False

    def on_batch(self, pictures: int) -> None:
        """Forget, after a result, what never became one: tries, and what failed."""
        self._batch = []
        if self._over:
            self._kept, self._over = {}, False

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        """Begin anew with each picture."""
        self._batch.append(prompt)
        self._kept[id(prompt)] = []

    def on_step(self, step: Step) -> None:
        """Decode and keep the step's expectation."""
        prompt = self._batch[step.picture]
        self._kept[id(prompt)].append(step.decode(step.denoised))

    def on_result(self, result: ImagineResult) -> None:
        """Choose the frames of the picture that came of it; blurred as it is."""
        frames = self._kept.pop(id(result.prompt), [])
        self._over = True
        self.frames = [blurred(f) for f in frames] if result.is_filtered else frames


@dataclass(frozen=True)
class SaveOptions:
    """What is saved for each picture, and how."""

    extension: str = "jpg"
    step_images: bool = False
    """Every step, and the mask, in `steps/`."""
    gif: bool = False
    """An animation of the drawing in `gif/`."""
    compare_gif: bool = False
    """The init image and the picture in turn, in `compare_gif/`."""
    provenance: Provenance = USUAL
    """What files, and their names, say of how their pictures were made."""

    @property
    def records_steps(self) -> bool:
        """Whether every step has to be decoded."""
        return self.step_images or self.gif

    def file_name(self, number: int, prompt: ImaginePrompt) -> str:
        """Return the name of a picture of a prompt; see `file_name`."""
        if self.provenance.metadata:
            return file_name(number, prompt, self.extension)
        return f"{number:06d}.{self.extension}"


class Room:
    """The folders that pictures of prompts are saved in, and the space they take."""

    def __init__(self, outdir: Path, options: SaveOptions) -> None:
        self._outdir, self._options = outdir, options
        self._kinds: set[str] = set()
        self._needed_bytes = 0

    def add(self, prompt: ImaginePrompt) -> None:
        """Count a prompt in."""
        mask = prompt.mask_image or prompt.mask_prompt or prompt.outpaint
        kinds = {
            "steps": self._options.step_images,
            "gif": self._options.gif,
            "compare_gif": self._options.compare_gif,
            GENERATED: prompt.upscale,
            MODIFIED_ORIGINAL: mask and prompt.mask_modify_original,
            MASK_BINARY: prompt.mask_prompt,
            MASK_GRAYSCALE: prompt.mask_prompt,
            **{f"{HINT}{each.hint}": each.hint for each in prompt.controls},
        }
        self._kinds |= {kind for kind, is_saved in kinds.items() if is_saved}
        size = (prompt.width or 0) * (prompt.height or 0)
        self._needed_bytes = max(self._needed_bytes, size)

    def require(self) -> None:
        """Refuse what cannot be saved there, before any work.

        Raises:
            ImaginairyError: see `require_places`.
        """
        folders = [self._outdir, *(self._outdir / kind for kind in self._kinds)]
        require_places(folders, self._needed_bytes)


def require_savable(prompts: object, outdir: Path, options: SaveOptions) -> None:
    """Refuse a folder in which pictures of prompts cannot be saved, before any work.

    Args:
        prompts: one or several; those that are known only later are passed over.

    Raises:
        ImaginairyError: see `require_places`.
    """
    room = Room(outdir, options)
    for prompt in prompts if isinstance(prompts, Sequence) else [prompts]:
        if isinstance(prompt, ImaginePrompt):
            room.add(prompt)
    room.require()


def save_result(
    result: ImagineResult,
    outdir: Path,
    options: SaveOptions,
    frames: Sequence[Image] = (),
    before: Callable[[Path], None] | None = None,
) -> Path:
    """Save a result under the next number; return the path of its main picture.

    That appears when all is there that lies beside it.

    Args:
        frames: the decoded steps, where the options ask for them.
        before: told of the path right before the picture appears there.

    Raises:
        CannotSaveError: it could not be saved there, and lies in another place now.
    """

    def save(folder: Path) -> Path:
        told = before if folder == outdir else None
        return _save_all(result, folder, options, frames, told)

    def save_bare(folder: Path) -> Path:
        """Save nothing but the picture, where what it says cannot be saved."""
        with claimed_number(folder) as number:
            told = f"_{result.prompt.seed}" if options.provenance.metadata else ""
            path = folder / f"{number:06d}{told}.png"
            save_whole(result.img, path, "PNG")
        if options.provenance != Provenance(metadata=False):
            log.warning("%s says nothing about how it was drawn.", path)
        return path

    try:
        return save(outdir)
    except Exception as error:  # whatever it is, the picture is kept
        saved_elsewhere((save, save_bare), outdir, error)


def _save_all(
    result: ImagineResult,
    outdir: Path,
    options: SaveOptions,
    frames: Sequence[Image],
    before: Callable[[Path], None] | None,
) -> Path:
    with claimed_number(outdir) as number:
        name = options.file_name(number, result.prompt)
        _save_beside(result, outdir, name, options, frames)
        path = outdir / name
        if before is not None:
            before(path)
        _save(result, path, result.main_type, options.provenance)
    log.info("saved %s", path)
    return path


def _save(result: ImagineResult, path: Path, kind: str, said: Provenance) -> None:
    result.save(path, image_type=kind, metadata=said.metadata, signer=said.signer)


def _save_beside(
    result: ImagineResult,
    outdir: Path,
    name: str,
    options: SaveOptions,
    frames: Sequence[Image],
) -> None:
    """Save what goes to folders below, where the picture itself gets this name."""
    for kind in result.images:
        if kind != result.main_type:
            _save(result, outdir / kind / name, kind, options.provenance)
    stem = Path(name).stem
    if options.step_images:
        save_steps(result, frames, outdir / "steps" / stem)
    if options.gif:
        path = outdir / "gif" / f"{stem}.gif"
        last = result.image(GENERATED)
        save_animation([*frames, last], path, frame_ms=DRAWING_FRAME_MS)
    if options.compare_gif and result.init_image is not None:
        path = outdir / "compare_gif" / f"{stem}.gif"
        start = result.init_image.resize(result.img.size, Resampling.LANCZOS)
        save_animation([start, result.img], path, frame_ms=COMPARE_FRAME_MS)


def say_where_removed(outdir: Path) -> None:
    """Say of a folder that pictures were saved in where it is no longer there."""
    if not outdir.is_dir():
        log.warning(
            "'%s' was removed while images were saved in it; it is made anew for those "
            "that follow.", outdir,
        )  # fmt: skip


def save_steps(result: ImagineResult, frames: Sequence[Image], folder: Path) -> None:
    """Save the decoded steps of a picture, and what it was drawn from and where."""
    for number, frame in enumerate(frames, start=1):
        path = folder / f"step_{number:03d}.jpg"
        save_whole(frame, path, "JPEG", within=folder.parent, quality=95)
    for name, image in (("init_image", result.init_image), ("mask", result.mask)):
        if image is not None:
            save_whole(image, folder / f"{name}.png", "PNG", within=folder.parent)
