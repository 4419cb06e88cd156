"""How near what is drawn lies, for models that are led by that."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from imaginairy.errors import BadOptionError
from imaginairy.images import upright_rgb
from imaginairy.lazy_image import as_pillow
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.loaded import LoadedModel
from imaginairy.order import Order
from imaginairy.pixels import image_to_tensor
from imaginairy.schema import ImaginePrompt

LEAST = 1e-3
"""How far apart near and far are at least, of 2; less is rounding. A step of grey is
eight times that."""


def require_depth(prompt: ImaginePrompt, *drawing: LoadedModel) -> None:
    """Check that there is a depth where it leads what draws, and only there.

    Args:
        drawing: the model that draws, and the refiner where there is one.

    Raises:
        BadOptionError: there is none, or none that reads it.
    """
    led = next((each for each in drawing if each.diffusion.sees_depth), None)
    if led and prompt.depth_image is None:
        raise BadOptionError(
            f"The model '{led.spec.name}' is led by depth; give depth_image, a picture "
            "of how near things are, in which what is nearest is white."
        )
    if prompt.depth_image is not None and not led:
        raise BadOptionError(
            f"The model '{drawing[0].spec.name}' is not led by depth, so depth_image "
            "has nothing to do; leave it out, or draw with sd2-depth."
        )


def depths_of(orders: Sequence[Order], model: DrawingModel) -> Tensor:
    """Return how near what orders draw lies, (batch, 1, h, w) in [-1, 1].

    1 is nearest. Each picture reaches over all of that, as in the code of Stable
    Diffusion 2; one that is equally near everywhere is 0.
    """
    depths = [_depth(order.prompt.depth_image, order, model) for order in orders]
    return torch.cat(depths).to(model.device)


def _depth(picture: Any, order: Order, model: DrawingModel) -> Tensor:
    grey = upright_rgb(as_pillow(picture)).convert("L").convert("RGB")
    near = image_to_tensor(grey)[:, :1]
    _, height, width = model.grid.shape(order.drawn)
    return spread(F.interpolate(near, (height, width), mode="bicubic"))


def spread(near: Tensor) -> Tensor:
    """Let each picture of a batch reach from -1 to 1."""
    low, high = (
        each(near, dim=(1, 2, 3), keepdim=True) for each in (torch.amin, torch.amax)
    )
    reach = high - low
    return torch.where(reach > LEAST, 2 * (near - low) / reach - 1, 0.0)
