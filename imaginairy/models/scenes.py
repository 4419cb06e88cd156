"""UPerNet (Xiao et al. 2018, arXiv:1807.10221) on a ConvNeXt: what is where."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch import nn
from torch.nn import functional as F

from imaginairy.errors import CheckpointError
from imaginairy.finite import finite
from imaginairy.models.picture_input import PictureInput, read_picture_input
from imaginairy.models.pretrained import (
    ACTIVATIONS,
    COUNTERS,
    Design,
    Origin,
    load_pretrained,
    with_lists,
    without_counters,
)
from imaginairy.settings import (
    SIZE,
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

SCENES = PictureInput(side=512)
"""What the published models see."""
CLASSES = 150
"""Of things, as ADE20K has them; hints have a colour for each."""
CLASSES_AT_ONCE = 16
"""Of how many classes the scores are enlarged at a time, which takes memory."""
DEPTH = Whole(1, 100)
"""Layers of a stage."""
CLASSIFIER = "decode_head.classifier.weight"


class SceneParser:
    """A model in memory that says what is where.

    Args:
        network: computes where its weights lie, in float32.
        picture_input: how pictures are handed over.
        origin: where it came from, if from a folder.
    """

    def __init__(
        self,
        network: Any,
        picture_input: PictureInput = SCENES,
        origin: Origin | None = None,
    ) -> None:
        self.network = network.eval()
        self.picture_input = picture_input
        self.origin = origin

    @torch.inference_mode()
    def found(self, image: Image) -> npt.NDArray[np.uint8]:
        """Say of which class each pixel of a picture is.

        Args:
            image: RGB, upright.

        Returns:
            (height, width) of the picture, numbered as in `hints.classes.COLOURS`.
        """
        pixels = self.picture_input.of(image).to(self.network.device)
        scores = self.network(pixel_values=pixels).logits
        scores = finite(scores, "the segmentation model", self.network)
        shape, first = (image.height, image.width), 0
        best = scores.new_full(shape, -torch.inf)
        classes = torch.zeros(shape, dtype=torch.uint8, device=scores.device)
        for several in torch.split(scores, CLASSES_AT_ONCE, dim=1):
            large = F.interpolate(several, shape, mode="bilinear", align_corners=False)
            highest, which = large[0].max(dim=0)
            better = highest > best
            classes = torch.where(better, (which + first).to(torch.uint8), classes)
            best = torch.where(better, highest, best)
            first += several.shape[1]
        return classes.cpu().numpy()


def load_scenes(spec: ModelRow, device: torch.device) -> SceneParser:
    """Load a model that says what is where.

    Raises:
        CheckpointError: it is broken, unsafe, of another design or knows other classes.
        DownloadError: it could not be fetched.
    """
    network, origin = load_pretrained(spec, UPERNET, device)
    known = network.config.num_labels
    if known != CLASSES:
        raise CheckpointError(
            f"'{origin.folder}' knows {known} classes of things; hints have colours "
            f"for the {CLASSES} of ADE20K, so give a model that was trained for "
            "these."
        )
    return SceneParser(network, read_picture_input(origin.folder, SCENES), origin)


def _build(sizes: Settings, tensors: Tensors) -> nn.Module:
    import transformers

    listed = with_lists(sizes)
    listed |= {
        "backbone_config": transformers.ConvNextConfig(**listed["backbone_config"]),
        "num_labels": tensors.shapes[CLASSIFIER][0],
        "use_auxiliary_head": False,  # which only training needs
    }
    config = transformers.UperNetConfig(**listed)
    return without_counters(transformers.UperNetForSemanticSegmentation(config))


BACKBONE: Schema = {
    "model_type": OneOf(("convnext",)),
    "num_channels": OneOf((3,)),
    "patch_size": SIZE,
    "hidden_act": ACTIVATIONS,
    "hidden_sizes": ListOf(SIZE, 1, 100),
    "depths": ListOf(DEPTH, 1, 100),
    "layer_norm_eps": Number(0, 1, text=False),
    "layer_scale_init_value": Number(0, 1, text=False),
    "out_features": ListOf(Text()),
}
UPERNET = Design(
    name="UPerNet",
    model_type="upernet",
    settings={
        "backbone_config": Section(BACKBONE, null=False),
        "hidden_size": SIZE,
        "pool_scales": ListOf(SIZE, 1, 100),
    },
    build=_build,
    tied={},
    ignored=(COUNTERS, r"auxiliary_head\..*"),
)
