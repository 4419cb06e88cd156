"""From latents to pictures, one by one."""

from functools import partial

from PIL import Image
from torch import Tensor

from imaginairy.finite import Stages
from imaginairy.log import log
from imaginairy.models.drawing import DrawingModel
from imaginairy.pixels import tensor_to_image


def decode(latents: Tensor, model: DrawingModel, stages: Stages) -> list[Image.Image]:
    """Return the finished pictures of a batch; say it where one shows nothing at all.

    One by one: together they would take much memory and be no faster.
    """
    model.rest()
    return [_decoded(each, model, stages) for each in one_by_one(latents)]


def one_by_one(latents: Tensor) -> list[Tensor]:
    """Return the latents of each picture of a batch, (1, channels, h, w)."""
    return [latents[number : number + 1] for number in range(len(latents))]


def preview(model: DrawingModel, latents: Tensor) -> Image.Image:
    """Return the picture that latents (1, channels, h, w) stand for."""
    return tensor_to_image(model.decode(latents)[0])


def _decoded(latents: Tensor, model: DrawingModel, stages: Stages) -> Image.Image:
    decode = partial(model.decode, latents)
    pictures = stages.run("the decoder", model.autoencoder, decode)
    image = tensor_to_image(pictures[0])
    say_if_flat(image)
    return image


def say_if_flat(image: Image.Image) -> None:
    """Say it where a picture shows nothing at all."""
    colours = image.getcolors(maxcolors=1)
    if colours:
        log.warning(
            "The picture is of one colour (%s) all over; the model, its settings or "
            "the prompt may be at fault.",
            ", ".join(map(str, colours[0][1])),  # type: ignore[arg-type]  # RGB
        )
