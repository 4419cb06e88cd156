"""ViTPose (Xu et al. 2022, arXiv:2204.12484): where the joints of people are.

A person is cut out at the shape that the network sees, without a bias between pixels
and places (Huang et al. 2020, arXiv:1911.07524); of each joint a map of how likely it
is where is read between its pixels (Zhang et al. 2020, arXiv:1910.06278).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch import Tensor, nn

from imaginairy.errors import CheckpointError
from imaginairy.finite import finite
from imaginairy.log import log
from imaginairy.models.picture_input import (
    COLORS,
    SCALED,
    ScaledColors,
    as_told,
    told_input,
)
from imaginairy.models.pretrained import (
    ACTIVATIONS,
    COUNTERS,
    LAYERS,
    Design,
    Origin,
    load_pretrained,
    with_lists,
    without_counters,
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
from imaginairy.weights.weightfile import Tensors

Values = npt.NDArray[np.float32]

POINTS = 17
"""Of a body, as COCO has them."""
AROUND = 1.25
"""How much more than a person's box is seen."""
AT_ONCE = 8
"""People who are looked at together."""
SPREAD, REACH = 0.8, 5
"""The Gaussian that smooths a map before it is read: its sigma and radius, in pixels
of the map."""
LEAST, MOST = 0.001, 50.0
"""What a map is held to before its logarithm is taken."""
PREPARED: Schema = {
    **SCALED,
    "size": Section({"height": SIZE, "width": SIZE}),
    "do_affine_transform": OneOf((True,)),
}
"""What is read of how pictures are prepared."""


class Bodies(NamedTuple):
    """The people of a picture."""

    points: Values
    """(people, 17, 3): x and y in pixels, and how sure it is, in the order of COCO."""
    width: int
    """Pixels of the picture."""
    height: int


@dataclass(frozen=True)
class Frame:
    """A part of a picture, in pixels; it may reach beyond it."""

    left: float
    top: float
    width: float
    height: float

    def across(self, count: int) -> npt.NDArray[np.float64]:
        """Return x of so many places from side to side."""
        return np.linspace(self.left, self.left + self.width, count)

    def down(self, count: int) -> npt.NDArray[np.float64]:
        """Return y of so many places from top to bottom."""
        return np.linspace(self.top, self.top + self.height, count)


@dataclass(frozen=True)
class PoseInput(ScaledColors):
    """How a person is handed over: as for the published ViTPose."""

    width: int = 192
    height: int = 256

    def frame(self, box: Values) -> Frame:
        """Return what is seen of a person in a box: left, top, right, bottom."""
        left, top, right, bottom = map(float, box)
        ratio = self.width / self.height
        wide = AROUND * max(right - left, (bottom - top) * ratio)
        middle = (left + right) / 2, (top + bottom) / 2
        high = wide / ratio
        return Frame(middle[0] - wide / 2, middle[1] - high / 2, wide, high)

    def of(self, image: Image, frame: Frame) -> Tensor:
        """Hand over what is in a frame of an RGB picture, (3, height, width).

        What lies beyond the picture is black.
        """
        values = np.asarray(image, dtype=np.float64)
        for axis, places in (
            (0, frame.down(self.height)),
            (1, frame.across(self.width)),
        ):
            values = _between(values, places, axis)
        return self.scaled(np.floor(values + 0.5))


class PoseFinder:
    """A model of poses in memory.

    Args:
        network: computes where its weights lie, in float32.
        pose_input: how people are handed over.
        origin: where it came from, if from a folder.
    """

    def __init__(
        self,
        network: Any,
        pose_input: PoseInput | None = None,
        origin: Origin | None = None,
    ) -> None:
        self.network = network.eval()
        self.pose_input = pose_input or PoseInput()
        self.origin = origin

    @torch.inference_mode()
    def found(self, image: Image, boxes: Values) -> Bodies:
        """Say where the joints of people are.

        Args:
            image: RGB, upright.
            boxes: of people, as `PersonFinder.found` gives them.
        """
        points = np.zeros((0, POINTS, 3), np.float32)
        if not len(boxes):
            log.info("no person was found in the image, so the hint shows none")
        for start in range(0, len(boxes), AT_ONCE):
            frames = [*map(self.pose_input.frame, boxes[start : start + AT_ONCE])]
            maps = self.maps(image, frames)
            here = [
                joints(each, frame) for each, frame in zip(maps, frames, strict=True)
            ]
            points = np.concatenate([points, np.stack(here)])
        return Bodies(points, *image.size)

    def maps(self, image: Image, frames: list[Frame]) -> Values:
        """Say how likely each joint is where in a frame, (people, 17, h, w)."""
        seen = torch.stack([self.pose_input.of(image, frame) for frame in frames])
        given: dict[str, Tensor] = {"pixel_values": seen.to(self.network.device)}
        if self.network.config.backbone_config.num_experts > 1:  # of which COCO's is 0
            zeros = torch.zeros(len(seen), dtype=torch.long)
            given["dataset_index"] = zeros.to(self.network.device)
        maps = finite(self.network(**given).heatmaps, "the pose model", self.network)
        return maps.float().cpu().numpy()


def joints(maps: Values, frame: Frame) -> Values:
    """Read where joints are in a frame: (joints, 3), x, y and the map's value there."""
    height, width = maps.shape[1:]
    read_off = np.array([_peak(each) for each in maps])
    x = frame.left + read_off[:, 0] * frame.width / max(width - 1, 1)
    y = frame.top + read_off[:, 1] * frame.height / max(height - 1, 1)
    return np.stack([x, y, read_off[:, 2]], axis=1).astype(np.float32)


def _peak(likely: Values) -> tuple[float, float, float]:
    """Return x, y and the value of a map's highest place, read between its pixels.

    One step of Newton's method on the logarithm of the map, which for a Gaussian is a
    paraboloid.
    """
    import cv2

    y, x = np.unravel_index(likely.argmax(), likely.shape)
    side = 2 * REACH + 1, 2 * REACH + 1
    smooth = cv2.GaussianBlur(likely, side, SPREAD, borderType=cv2.BORDER_REFLECT)
    heights = np.log(np.clip(smooth, LEAST, MOST).astype(np.float64))
    around = np.pad(heights, 1, mode="edge")[y : y + 3, x : x + 3]
    ((nw, n, _), (w, here, e), (_, s, se)) = around
    slope = np.array([e - w, s - n]) / 2
    twisted = (se - e - s + 2 * here - w - n + nw) / 2
    bend = np.array([[e - 2 * here + w, twisted], [twisted, s - 2 * here + n]])
    bend += np.finfo(np.float32).eps * np.eye(2)
    step = np.linalg.pinv(bend) @ slope
    return float(x - step[0]), float(y - step[1]), float(likely[y, x])


def _between(
    values: npt.NDArray[np.float64], places: npt.NDArray[np.float64], axis: int
) -> npt.NDArray[np.float64]:
    """Read values between those of an axis; beyond its ends they are 0."""
    last = values.shape[axis] - 1
    before = np.clip(np.floor(places).astype(int), 0, max(last - 1, 0))
    shape = [-1 if each == axis else 1 for each in range(values.ndim)]
    share = (places - before).reshape(shape)
    there = ((places >= 0) & (places <= last)).reshape(shape)
    first, second = (
        values.take(np.minimum(before + more, last), axis) for more in (0, 1)
    )
    return np.where(there, first * (1 - share) + second * share, 0.0)


def load_pose(spec: ModelRow, device: torch.device) -> PoseFinder:
    """Load a model of poses.

    Raises:
        CheckpointError: it is broken, unsafe, of another design or finds other points.
        DownloadError: it could not be fetched.
    """
    network, origin = load_pretrained(spec, VITPOSE, device)
    config, pose_input = network.config, _input(origin.folder)
    if config.num_labels != POINTS:
        raise CheckpointError(
            f"'{origin.folder}' finds {config.num_labels} points of a body; give a "
            f"model of poses that finds the {POINTS} of COCO."
        )
    sides = [*config.backbone_config.image_size]
    if sides != [pose_input.height, pose_input.width]:
        raise CheckpointError(
            f"'{origin.folder}' sees {sides[1]}x{sides[0]} pixels, and is to be handed "
            f"{pose_input.width}x{pose_input.height}; these do not belong together."
        )
    return PoseFinder(network, pose_input, origin)


def _input(folder: Path) -> PoseInput:
    """Read how people are prepared; where it is not said, as is usual."""
    said = told_input(folder, PREPARED, "a pose model")
    return as_told(PoseInput(), said, **said.get("size") or {})


def _build(sizes: Settings, tensors: Tensors) -> nn.Module:
    import transformers

    listed = with_lists(sizes)
    backbone = transformers.VitPoseBackboneConfig(**listed["backbone_config"])
    listed |= {
        "backbone_config": backbone,
        "num_labels": tensors.shapes["head.conv.weight"][0],
    }
    config = transformers.VitPoseConfig(**listed)
    return without_counters(transformers.VitPoseForPoseEstimation(config))


BACKBONE: Schema = {
    "model_type": OneOf(("vitpose_backbone",)),
    "num_channels": OneOf((COLORS,)),
    "image_size": ListOf(SIZE, 2, 2),
    "patch_size": ListOf(SIZE, 2, 2),
    "hidden_size": SIZE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": SIZE,
    "mlp_ratio": Whole(1, 100),
    "num_experts": Whole(1, 100),
    "part_features": Whole(0, SIZE.high),
    "hidden_act": ACTIVATIONS,
    "layer_norm_eps": Number(0, 1, text=False),
    "qkv_bias": Flag(),
    "out_features": ListOf(Text()),
}
VITPOSE = Design(
    name="ViTPose",
    model_type="vitpose",
    settings={
        "backbone_config": Section(BACKBONE, null=False),
        "use_simple_decoder": Flag(),
        "scale_factor": Whole(1, 64),
    },
    build=_build,
    tied={},
    ignored=(COUNTERS,),
)
