"""The library's front door: prompts in, images out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

from imaginairy.checks import flag, kind_of
from imaginairy.errors import BadOptionError, BadPromptError, in_words
from imaginairy.fleet.places import workers_on
from imaginairy.fleet.processes import outcomes_of
from imaginairy.metadata.credentials import C2paSigner, Provenance
from imaginairy.metadata.write import image_format
from imaginairy.models.given import store_given
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.outputs import (
    SaveOptions,
    StepRecorder,
    require_savable,
    save_result,
    say_where_removed,
)
from imaginairy.precision import Precision
from imaginairy.result import ImagineResult
from imaginairy.schema import ImaginePrompt

Prompts = str | ImaginePrompt | Iterable[str | ImaginePrompt]


def imagine(
    prompts: Prompts,
    *,
    device: str | None = None,
    precision: Precision | None = None,
    batch_size: int | None = None,
    observer: Observer | None = None,
    store: ModelStore | None = None,
    workers: int | Literal["auto"] = 1,
) -> Iterator[ImagineResult]:
    """Generate images in the order of their prompts, yielding each when it is done.

    Args:
        prompts: a text, an ImaginePrompt, or several of either.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        precision: `autocast` computes in what the device is fastest in, half precision
            on CUDA and on CPUs with units for it; `full` in float32. None takes what
            `IMAGINAIRY_PRECISION` says, or else `autocast`.
        batch_size: how many images of a kind, next to each other, are generated
            together; each is the same as alone but for rounding. None takes as many as
            pay and as memory holds, and one by one where the prompts themselves come
            one by one, from a generator, as what is asked for next may depend on what
            came before.
        observer: told what happens while it happens.
        store: keeps models loaded from one call to the next; `device` and `precision`
            are its own then. Threads that share one wait for each other's images.
        workers: how many processes of this machine generate images at once, each with
            models of its own; `auto` is one on each GPU. Images and their order are
            those of one. More prompts are taken ahead then, and the observer is told
            of each image when it is its turn, and of no steps.

    Raises:
        ImaginairyError: a prompt, a model or the device is not as it should be.
    """
    store = store_given(store, device, precision)
    yield from _imagined(prompts, store, batch_size, observer, workers)


def _imagined(
    prompts: Prompts,
    store: ModelStore,
    batch_size: int | None,
    observer: Observer | None,
    workers: int | Literal["auto"],
    steps: StepRecorder | None = None,
) -> Iterator[ImagineResult]:
    """Generate images; see `imagine`.

    Args:
        steps: given those of each image right before it comes.
    """
    wanted = [prompts] if isinstance(prompts, str | ImaginePrompt) else prompts
    if not isinstance(wanted, Iterable) or isinstance(wanted, bytes | Mapping):
        raise BadPromptError(
            "imagine takes a text, an ImaginePrompt, or several of either, not "
            f"{kind_of(prompts)}."
        )
    if batch_size is None and not isinstance(wanted, Sequence):
        batch_size = 1
    number, watching = workers_on(store.device, workers), _observer_given(observer)
    how = number, batch_size, watching, steps
    for outcome in outcomes_of(wanted, store, *how):
        if isinstance(outcome, Exception):
            raise outcome
        yield outcome


def _observer_given(observer: Observer | None) -> Observer:
    """Return the observer that was given, or one that looks away."""
    if observer is not None and not isinstance(observer, Observer):
        raise BadOptionError(f"observer is an Observer, not {kind_of(observer)}.")
    return observer or Observer()


def imagine_image_files(
    prompts: Prompts,
    outdir: str | Path,
    *,
    output_file_extension: str = "jpg",
    record_step_images: bool = False,
    make_gif: bool = False,
    make_compare_gif: bool = False,
    metadata: bool = True,
    signer: C2paSigner | None = None,
    device: str | None = None,
    precision: Precision | None = None,
    batch_size: int | None = None,
    observer: Observer | None = None,
    store: ModelStore | None = None,
    workers: int | Literal["auto"] = 1,
) -> list[Path]:
    """Generate images and save each, with its metadata, as soon as it is done.

    The images are numbered on from the highest number in `outdir`; whatever else is
    saved for an image goes to folders below it that are named for its kind.

    Args:
        output_file_extension: `jpg` or `png`.
        record_step_images: save what each step expects the image to become.
        make_gif: save an animation of the steps.
        make_compare_gif: save one of the init image and the result in turn.
        metadata: whether files, and their names, say how their images were made.
        signer: adds content credentials (C2PA) to them.

    The other arguments are those of `imagine`.

    Returns:
        The paths of the images, in the order of the prompts.
    """
    if not isinstance(outdir, str | PathLike):
        raise BadOptionError(f"outdir is the path of a folder, not {kind_of(outdir)}.")
    options = SaveOptions(
        extension=in_words(output_file_extension).lower().lstrip("."),
        step_images=flag("record_step_images", record_step_images),
        gif=flag("make_gif", make_gif),
        compare_gif=flag("make_compare_gif", make_compare_gif),
        provenance=Provenance(flag("metadata", metadata), signer),
    )
    image_format(Path(f"picture.{options.extension}"))  # refused before any work
    require_savable(prompts, Path(outdir), options)
    recorder = StepRecorder()
    store = store_given(store, device, precision)
    steps = recorder if options.records_steps else None
    results = _imagined(prompts, store, batch_size, observer, workers, steps)
    return _saved(results, Path(outdir), options, recorder)


def _saved(
    results: Iterable[ImagineResult],
    outdir: Path,
    options: SaveOptions,
    recorder: StepRecorder,
) -> list[Path]:
    """Save each result as soon as it is there."""
    paths: list[Path] = []
    for result in results:
        if paths:
            say_where_removed(outdir)
        paths.append(save_result(result, outdir, options, recorder.frames))
    return paths
