"""The library's front door: prompts in, images out."""

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path

from imaginairy.best_of import best_of
from imaginairy.checks import kind_of
from imaginairy.errors import BadOptionError, BadPromptError
from imaginairy.generate import generate
from imaginairy.metadata.write import image_format
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer, Observers
from imaginairy.outputs import (
    SaveOptions,
    StepRecorder,
    require_savable,
    save_result,
)
from imaginairy.precision import Precision
from imaginairy.result import ImagineResult
from imaginairy.schema import ImaginePrompt
from imaginairy.settling import settled

Prompts = str | ImaginePrompt | Iterable[str | ImaginePrompt]


def imagine(
    prompts: Prompts,
    *,
    device: str | None = None,
    precision: Precision = "autocast",
    observer: Observer | None = None,
    store: ModelStore | None = None,
) -> Iterator[ImagineResult]:
    """Generate images one after the other, each yielded as soon as it is done.

    Args:
        prompts: a text, an ImaginePrompt, or several of either.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        precision: `autocast` computes in half precision on CUDA, `full` never does.
        observer: told what happens while it happens.
        store: keeps models loaded from one call to the next; `device` and `precision`
            are its own then. Threads that share one wait for each other's images.

    Raises:
        ImaginairyError: a prompt, a model or the device is not as it should be.
    """
    wanted = [prompts] if isinstance(prompts, str | ImaginePrompt) else prompts
    if not isinstance(wanted, Iterable) or isinstance(wanted, bytes | Mapping):
        raise BadPromptError(
            "imagine takes a text, an ImaginePrompt, or several of either, not "
            f"{kind_of(prompts)}."
        )
    store = store or ModelStore(device, precision)
    observer = observer or Observer()
    for prompt in wanted:
        if not isinstance(prompt, ImaginePrompt):
            prompt = ImaginePrompt(prompt)
        with store.in_use():
            if prompt.best_of > 1:
                result = best_of(prompt, store, observer)
            else:
                result = generate(settled(prompt, store), store, observer)
        yield result


def imagine_image_files(
    prompts: Prompts,
    outdir: str | Path,
    *,
    output_file_extension: str = "jpg",
    record_step_images: bool = False,
    make_gif: bool = False,
    make_compare_gif: bool = False,
    device: str | None = None,
    precision: Precision = "autocast",
    observer: Observer | None = None,
    store: ModelStore | None = None,
) -> list[Path]:
    """Generate images and save each, with its metadata, as soon as it is done.

    The images are numbered on from the highest number in `outdir`; whatever else is
    saved for an image goes to folders below it that are named for its kind.

    Args:
        output_file_extension: `jpg` or `png`.
        record_step_images: save what each step expects the image to become.
        make_gif: save an animation of the steps.
        make_compare_gif: save one of the init image and the result in turn.

    The other arguments are those of `imagine`.

    Returns:
        The paths of the images, in the order of the prompts.
    """
    if not isinstance(outdir, str | PathLike):
        raise BadOptionError(f"outdir is the path of a folder, not {kind_of(outdir)}.")
    options = SaveOptions(
        extension=str(output_file_extension).lower().lstrip("."),
        step_images=record_step_images,
        gif=make_gif,
        compare_gif=make_compare_gif,
    )
    image_format(Path(f"picture.{options.extension}"))  # refused before any work
    require_savable(prompts, Path(outdir), options)
    recorder = StepRecorder()
    watching = Observers(
        *([observer] if observer else []),
        *([recorder] if options.records_steps else []),
    )
    results = imagine(
        prompts, device=device, precision=precision, observer=watching, store=store
    )
    return [
        save_result(result, Path(outdir), options, recorder.frames)
        for result in results
    ]
