"""Image encoders: what IP-Adapters see of an image.

They are the half of a CLIP (Radford et al. 2021, arXiv:2103.00020) that looks, alone or
out of a whole one.
"""

from dataclasses import replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from imaginairy.finite import finite
from imaginairy.models.picture_input import (
    CLIP_PICTURES,
    PictureInput,
    read_picture_input,
)
from imaginairy.models.pretrained import VISION, Design, Origin, load_pretrained
from imaginairy.settings import SIZE, Section, Settings
from imaginairy.sources.fetch import fetch
from imaginairy.sources.layouts import CONFIG
from imaginairy.sources.roles import IMAGE_ENCODER
from imaginairy.sources.rows import ModelRow
from imaginairy.weights.json_file import read_json
from imaginairy.weights.weightfile import Tensors

ROLE = IMAGE_ENCODER


class ImageEncoder:
    """An image encoder in memory.

    Args:
        network: transformers' CLIPVisionModelWithProjection, in float32.
        picture_input: how images are handed over.
        origin: where it came from.
    """

    def __init__(
        self, network: Any, picture_input: PictureInput, origin: Origin
    ) -> None:
        self.network, self.picture_input = network, picture_input
        self.origin = origin

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        device: torch.device = self.network.device
        return device

    @property
    def embedding_width(self) -> int:
        """How many numbers it gives of an image as a whole."""
        width: int = self.network.config.projection_dim
        return width

    @property
    def hidden_width(self) -> int:
        """How many numbers it gives of each token of an image."""
        width: int = self.network.config.hidden_size
        return width

    def pixels(self, image: Image.Image) -> Tensor:
        """Hand an RGB image over, (1, 3, side, side), about -2 to 2."""
        return self.picture_input.of(image)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of one image that is handed over."""
        return 1, 3, self.picture_input.side, self.picture_input.side

    def embedding(self, pixels: Tensor) -> Tensor:
        """Map images (batch, 3, side, side) to (batch, embedding_width)."""
        seen = self.network(pixel_values=pixels.to(self.device))
        return self._finite(seen.image_embeds)

    def hidden(self, pixels: Tensor) -> Tensor:
        """Map images (batch, 3, side, side) to (batch, n, hidden_width): what its last
        layer is given."""
        seen = self.network(
            pixel_values=pixels.to(self.device), output_hidden_states=True
        )
        return self._finite(seen.hidden_states[-2])

    def _finite(self, seen: Tensor) -> Tensor:
        return finite(seen, f"the image encoder {self.origin.name}", self.network)


def load_image_encoder(spec: ModelRow, device: torch.device) -> ImageEncoder:
    """Load an image encoder.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    place = fetch(spec)
    said = read_json(place / CONFIG) if (place / CONFIG).is_file() else {}
    design = WHOLE if said.get("model_type") == WHOLE.model_type else ALONE
    network, origin = load_pretrained(spec, design, device)
    side = network.config.image_size
    usual = replace(CLIP_PICTURES, side=side, shorter=side)
    return ImageEncoder(network, read_picture_input(origin.folder, usual), origin)


def _of_a_whole(sizes: Settings, tensors: Tensors) -> nn.Module:
    vision = dict(sizes.get("vision_config", {}))
    if "projection_dim" in sizes:
        vision["projection_dim"] = sizes["projection_dim"]
    return _build(vision, tensors)


def _build(sizes: Settings, tensors: Tensors) -> nn.Module:
    import transformers

    config: Any = transformers.CLIPVisionConfig(**sizes)
    return transformers.CLIPVisionModelWithProjection(config)


ALONE = Design(
    name="image encoder",
    model_type="clip_vision_model",
    settings={**VISION, "projection_dim": SIZE},
    build=_build,
    tied={},
)
WHOLE = Design(
    name="CLIP",
    model_type="clip",
    settings={"vision_config": Section(VISION), "projection_dim": SIZE},
    build=_of_a_whole,
    tied={},
    ignored=(r"text_model\..*", r"text_projection\..*", r"logit_scale"),
)
