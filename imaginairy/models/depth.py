"""Depth Anything (Yang et al. 2024, arXiv:2401.10891 and arXiv:2406.09414): how near
what a picture shows is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.finite import finite
from imaginairy.models.picture_input import SCALED, ScaledColors, as_told, told_input
from imaginairy.models.pretrained import (
    ACTIVATIONS,
    TRANSFORMER,
    Design,
    Origin,
    load_pretrained,
)
from imaginairy.settings import (
    SIZE,
    Flag,
    ListOf,
    Number,
    OneOf,
    Schema,
    Section,
    Settings,
    Text,
    Whole,
)
from imaginairy.sources.rows import ModelRow
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

SIDES: Schema = {"height": SIZE, "width": SIZE}
PREPARED: Schema = {
    **SCALED,
    "size": Section(SIDES),
    "keep_aspect_ratio": Flag(),
    "ensure_multiple_of": Whole(1, 1024, null=True),
    "resample": Whole(0, 5),
    "do_resize": OneOf((True,)),
}
"""What is read of how pictures are prepared."""


@dataclass(frozen=True)
class DepthInput(ScaledColors):
    """How a picture is handed over: as it is for the published Depth Anything."""

    height: int = 518
    width: int = 518
    keeps_shape: bool = True
    multiple: int = 14
    resample: int = 3
    """Pillow's number of the filter."""

    def size(self, image: Image) -> tuple[int, int]:
        """Return the width and height at which a picture is seen."""
        wide, high = self.width / image.width, self.height / image.height
        if self.keeps_shape:  # by the side that changes least
            wide = high = wide if abs(1 - wide) < abs(1 - high) else high
        step = self.multiple
        width, height = (
            max(step, round(scale * side / step) * step)
            for scale, side in ((wide, image.width), (high, image.height))
        )
        return width, height

    def of(self, image: Image) -> Tensor:
        """Hand an RGB picture over, (1, 3, height, width)."""
        return self.scaled(image.resize(self.size(image), self.resample))[None]


class DepthFinder:
    """A depth model in memory.

    Args:
        network: computes where its weights lie, in float32.
        picture_input: how pictures are handed over.
        origin: where it came from, if from a folder.
    """

    def __init__(
        self,
        network: Any,
        picture_input: DepthInput | None = None,
        origin: Origin | None = None,
    ) -> None:
        self.network = network
        self.picture_input = picture_input or DepthInput()
        self.origin = origin

    @torch.inference_mode()
    def found(self, image: Image) -> npt.NDArray[np.float32]:
        """Say how near each pixel of a picture is, up to scale and shift.

        Args:
            image: RGB, upright.

        Returns:
            (height, width) of the picture, larger where it is nearer.
        """
        pixels = self.picture_input.of(image).to(self.network.device)
        found = self.network(pixel_values=pixels).predicted_depth[:, None]
        found = finite(found, "the depth model", self.network)
        shape = image.height, image.width
        large = F.interpolate(found, shape, mode="bicubic", align_corners=False)
        return large[0, 0].cpu().numpy()


def load_depth(spec: ModelRow, device: torch.device) -> DepthFinder:
    """Load a depth model.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    network, origin = load_pretrained(spec, DEPTH_ANYTHING, device)
    return DepthFinder(network, _input(origin.folder), origin)


def _input(folder: Path) -> DepthInput:
    """Read how pictures are prepared; where it is not said, as is usual."""
    said = told_input(folder, PREPARED, "a depth model")
    if not said:
        return DepthInput()
    return as_told(
        DepthInput(),
        said,
        **said.get("size") or {},
        keeps_shape=said.get("keep_aspect_ratio", False),
        multiple=said.get("ensure_multiple_of") or 1,
    )


def _build(sizes: Settings, tensors: Tensors) -> nn.Module:
    import transformers

    said: Any = dict(sizes.get("backbone_config", {}))
    said |= {k: [*v] for k, v in said.items() if isinstance(v, tuple)}
    backbone = transformers.Dinov2Config(**said)
    rest: Any = {
        name: [*value] if isinstance(value, tuple) else value
        for name, value in sizes.items()
        if name != "backbone_config"
    }
    if "reassemble_factors" in rest:  # where it enlarges, by whole numbers
        factors = rest["reassemble_factors"]
        rest["reassemble_factors"] = [int(f) if f >= 1 else f for f in factors]
    config = transformers.DepthAnythingConfig(backbone_config=backbone, **rest)
    return transformers.DepthAnythingForDepthEstimation(config)


PUBLISHED = {
    "attention.q_proj": "attention.attention.query",
    "attention.k_proj": "attention.attention.key",
    "attention.v_proj": "attention.attention.value",
    "attention.o_proj": "attention.output.dense",
}
"""What files call what newer versions of transformers call otherwise."""


def _names(network: nn.Module, tensors: Tensors) -> Names:
    """Say where modules lie that files call otherwise."""
    names: Names = {}
    for module, _ in network.named_modules():
        for ours, theirs in PUBLISHED.items():
            if module.endswith(ours) and f"{module}.weight" not in tensors.shapes:
                names[module] = module.removesuffix(ours) + theirs
    return names


BACKBONE: Schema = {
    **TRANSFORMER,
    "model_type": OneOf(("dinov2",)),
    "hidden_act": ACTIVATIONS,
    "image_size": SIZE,
    "patch_size": SIZE,
    "mlp_ratio": Whole(1, 100),
    "out_features": ListOf(Text()),
    "apply_layernorm": Flag(),
    "reshape_hidden_states": Flag(),
    "use_swiglu_ffn": Flag(),
}
DEPTH_ANYTHING = Design(
    name="Depth Anything",
    model_type="depth_anything",
    settings={
        "backbone_config": Section(BACKBONE),
        "patch_size": SIZE,
        "reassemble_hidden_size": SIZE,
        "reassemble_factors": ListOf(Number(0, 100)),
        "neck_hidden_sizes": ListOf(SIZE),
        "fusion_hidden_size": SIZE,
        "head_in_index": Whole(-100, 100),
        "head_hidden_size": SIZE,
        "depth_estimation_type": OneOf(("relative",)),
    },
    build=_build,
    tied={},
    names=_names,
)
