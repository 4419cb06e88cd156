"""The library's front door: prompts in, pictures out."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from imaginairy.device import Precision
from imaginairy.generate import generate
from imaginairy.metadata import image_format
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer, log
from imaginairy.outputs import claimed_number, file_name
from imaginairy.result import GENERATED, ImagineResult
from imaginairy.schema import ImaginePrompt

Prompts = str | ImaginePrompt | Iterable[str | ImaginePrompt]


def imagine(
    prompts: Prompts,
    *,
    device: str | None = None,
    precision: Precision = "autocast",
    observer: Observer | None = None,
    store: ModelStore | None = None,
) -> Iterator[ImagineResult]:
    """Draw pictures, one after the other, each yielded as soon as it is done.

    Args:
        prompts: a text, an ImaginePrompt, or several of either.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        precision: `autocast` computes in half precision on CUDA, `full` never does.
        observer: told what happens while it happens.
        store: keeps models loaded from one call to the next; `device` and `precision`
            are its own then.

    Raises:
        ImaginairyError: a prompt, a model or the device is not as it should be.
    """
    wanted = [prompts] if isinstance(prompts, str | ImaginePrompt) else prompts
    store = store or ModelStore(device, precision)
    observer = observer or Observer()
    for prompt in wanted:
        if isinstance(prompt, str):
            prompt = ImaginePrompt(prompt)
        yield generate(prompt, store, observer)


def imagine_image_files(
    prompts: Prompts,
    outdir: str | Path,
    *,
    output_file_extension: str = "jpg",
    device: str | None = None,
    precision: Precision = "autocast",
    observer: Observer | None = None,
    store: ModelStore | None = None,
) -> list[Path]:
    """Draw pictures and save each, with its metadata, as soon as it is done.

    The pictures are numbered on from the highest number in `outdir`; variants of a
    picture go to folders below it that are named for their type. The other arguments
    are those of `imagine`.

    Returns:
        The paths of the pictures, in the order of the prompts.
    """
    outdir = Path(outdir)
    extension = output_file_extension.lower().lstrip(".")
    image_format(Path(f"picture.{extension}"))  # a wrong one is refused before any work
    results = imagine(
        prompts, device=device, precision=precision, observer=observer, store=store
    )
    return [save_result(result, outdir, extension) for result in results]


def save_result(result: ImagineResult, outdir: Path, extension: str) -> Path:
    """Save a result's pictures under the next number; return the main one's path."""
    with claimed_number(outdir) as number:
        name = file_name(number, result.prompt, extension)
        for image_type in result.images:
            folder = outdir if image_type == GENERATED else outdir / image_type
            result.save(folder / name, image_type=image_type)
    log.info("saved %s", outdir / name)
    return outdir / name
