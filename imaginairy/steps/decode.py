"""From latents to pictures, one by one."""

from collections.abc import Callable

from PIL import Image
from torch import Tensor

from imaginairy.families.family import DECODER
from imaginairy.log import log
from imaginairy.models.drawing import DrawingModel
from imaginairy.pixels import tensor_to_image
from imaginairy.steps.stages import Stages


def decode(latents: Tensor, model: DrawingModel, stages: Stages) -> list[Image.Image]:
    """Return the finished pictures of a batch; say it where one shows nothing at all.

    One by one: together they would take much memory and be no faster.
    """
    model.rest()
    return [_finished(each, model, stages) for each in one_by_one(latents)]


def one_by_one(latents: Tensor) -> list[Tensor]:
    """Return the latents of each picture of a batch, (1, channels, h, w)."""
    return [latents[number : number + 1] for number in range(len(latents))]


def shown(model: DrawingModel, stages: Stages, latents: Tensor) -> Image.Image:
    """Return the picture that latents (1, channels, h, w) stand for."""
    return _decoded(latents, model, stages.in_memory)


def previewed(
    previews: Callable[..., DrawingModel], stages: Stages, latents: Tensor, fetch: bool
) -> Image.Image:
    """Return what latents (1, channels, h, w) look like, roughly and in little time.

    Args:
        previews: gives what decodes them.
        fetch: whether what that needs may be fetched.
    """
    return _decoded(latents, previews(fetch=fetch), stages.in_memory)


def _finished(latents: Tensor, model: DrawingModel, stages: Stages) -> Image.Image:
    image = _decoded(latents, model, stages.run)
    say_if_flat(image)
    return image


def _decoded(
    latents: Tensor, model: DrawingModel, run: Callable[..., Tensor]
) -> Image.Image:
    height, width = (side * model.grid.pixels for side in latents.shape[2:])
    holds, network = model.bytes_of_pixels((width, height), DECODER), model.decoder
    work = "the decoder" if network is model.autoencoder else "the tiny decoder"
    pictures = run(work, network, model.decode, latents, holds=holds)
    return tensor_to_image(pictures[0])


def say_if_flat(image: Image.Image) -> None:
    """Say it where a picture shows nothing at all."""
    colours = image.getcolors(maxcolors=1)
    if colours:
        log.warning(
            "The picture is of one colour (%s) all over; the model, its settings or "
            "the prompt may be at fault.",
            ", ".join(map(str, colours[0][1])),  # type: ignore[arg-type]  # RGB
        )
