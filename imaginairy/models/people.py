"""RT-DETR (Zhao et al. 2023, arXiv:2304.08069): where in a picture people are."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch import nn

from imaginairy.errors import CheckpointError
from imaginairy.finite import finite
from imaginairy.models.picture_input import SETTINGS, PictureInput, as_told, told_input
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
    Listed,
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

PERSON = "person"
"""What it calls people."""
SURE = 0.3
"""How sure of a person it has to be, of 1."""
MOST_PEOPLE = 32
"""In one picture; those that it is surest of."""
DETECTED = PictureInput(side=640, mean=(0.0, 0.0, 0.0), deviation=(1.0, 1.0, 1.0))
"""What the published models see."""
PREPARED: Schema = {**SETTINGS, "do_normalize": Flag(), "do_pad": OneOf((False,))}
MOST_LAYERS = 32
"""Layers of the decoder, of which old files name some tensors elsewhere."""


class PersonFinder:
    """A detector in memory, of which people are asked.

    Args:
        network: computes where its weights lie, in float32.
        person: the number of its class of people.
        picture_input: how pictures are handed over.
        origin: where it came from, if from a folder.
    """

    def __init__(
        self,
        network: Any,
        person: int = 0,
        picture_input: PictureInput = DETECTED,
        origin: Origin | None = None,
    ) -> None:
        self.network = network.eval()
        self.person = person
        self.picture_input = picture_input
        self.origin = origin

    @torch.inference_mode()
    def found(self, image: Image) -> npt.NDArray[np.float32]:
        """Say where people are, those first of which it is surest.

        Args:
            image: RGB, upright.

        Returns:
            Boxes (people, 4): left, top, right, bottom, in pixels.
        """
        pixels = self.picture_input.of(image).to(self.network.device)
        seen = self.network(pixel_values=pixels)
        scores = finite(seen.logits, "the person detector", self.network)
        sure = scores[0, :, self.person].sigmoid()
        best = sure.argsort(descending=True)[:MOST_PEOPLE]
        boxes = seen.pred_boxes[0, best[sure[best] > SURE]]
        middle, half = boxes[:, :2], boxes[:, 2:] / 2
        corners = torch.cat([middle - half, middle + half], dim=1)
        return corners.cpu().numpy() * np.array([*image.size, *image.size], np.float32)


def load_people(spec: ModelRow, device: torch.device) -> PersonFinder:
    """Load a detector of people.

    Raises:
        CheckpointError: it is broken, unsafe, of another design or knows no people.
        DownloadError: it could not be fetched.
    """
    network, origin = load_pretrained(spec, RT_DETR, device)
    known = network.config.id2label
    people = [number for number, name in known.items() if name.lower() == PERSON]
    if not people:
        raise CheckpointError(
            f"'{origin.folder}' knows {len(known)} classes of things, and none of them "
            f"is called '{PERSON}'; give a detector that finds people."
        )
    return PersonFinder(network, people[0], _input(origin.folder), origin)


def _input(folder: Path) -> PictureInput:
    """Read how pictures are prepared; where it is not said, as is usual."""
    said = told_input(folder, PREPARED, "a person detector")
    usual = replace(DETECTED, side=said.get("size", DETECTED.side))
    if said.get("do_normalize", False):
        usual = replace(usual, mean=PictureInput.mean, deviation=PictureInput.deviation)
    else:
        said = {k: v for k, v in said.items() if k not in ("image_mean", "image_std")}
    return as_told(usual, said)


def _build(sizes: Settings, tensors: Tensors) -> nn.Module:
    import transformers

    listed = with_lists(sizes)
    names = {int(number): name for number, name in listed["id2label"].items()}
    backbone = transformers.RTDetrResNetConfig(**listed["backbone_config"])
    listed |= {
        "backbone_config": backbone,
        "id2label": names,
        "label2id": {name: number for number, name in names.items()},
        "num_denoising": 0,  # which only training needs
    }
    config = transformers.RTDetrConfig(**listed)
    return without_counters(transformers.RTDetrForObjectDetection(config))


def _names(network: nn.Module, tensors: Tensors) -> Names:
    """Say where modules lie that files call otherwise than new transformers."""
    names: Names = {}
    for module, _ in network.named_modules():
        if f"{module}.weight" not in tensors.shapes:
            theirs = module.replace("encoder.aifi.", "encoder.encoder.")
            theirs = theirs.removesuffix(".o_proj") + (
                ".out_proj" if theirs.endswith(".o_proj") else ""
            )
            theirs = re.sub(r"(layers\.\d+)\.mlp\.fc", r"\1.fc", theirs)
            if f"{theirs}.weight" in tensors.shapes:
                names[module] = theirs
    return names


def _heads() -> dict[str, str]:
    """Return what old files may hold under the names of the whole alone."""
    parts = [
        *(f"class_embed.{layer}" for layer in range(MOST_LAYERS)),
        *(
            f"bbox_embed.{layer}.layers.{part}"
            for layer in range(MOST_LAYERS)
            for part in range(3)
        ),
    ]
    tensors = (f"{part}.{kind}" for part in parts for kind in ("weight", "bias"))
    return {f"model.decoder.{name}": name for name in tensors}


BACKBONE: Schema = {
    "model_type": OneOf(("rt_detr_resnet",)),
    "num_channels": OneOf((3,)),
    "embedding_size": SIZE,
    "hidden_sizes": ListOf(SIZE, 1, 100),
    "depths": ListOf(Whole(1, 100), 1, 100),
    "layer_type": OneOf(("basic", "bottleneck")),
    "hidden_act": ACTIVATIONS,
    "downsample_in_first_stage": Flag(),
    "downsample_in_bottleneck": Flag(),
    "out_features": ListOf(Text()),
}
RT_DETR = Design(
    name="RT-DETR",
    model_type="rt_detr",
    settings={
        "backbone_config": Section(BACKBONE, null=False),
        "id2label": Listed(Text(null=False), null=False),
        **dict.fromkeys(
            ("activation_function", "encoder_activation_function",
             "decoder_activation_function"), ACTIVATIONS,
        ),
        **dict.fromkeys(
            ("d_model", "encoder_hidden_dim", "encoder_ffn_dim", "decoder_ffn_dim",
             "encoder_attention_heads", "decoder_attention_heads", "decoder_n_points",
             "num_queries", "num_feature_levels", "positional_encoding_temperature"),
            SIZE,
        ),
        "encoder_layers": LAYERS,
        "decoder_layers": Whole(1, MOST_LAYERS),
        **dict.fromkeys(
            ("encoder_in_channels", "decoder_in_channels", "feat_strides"),
            ListOf(SIZE, 1, 100),
        ),
        "encode_proj_layers": ListOf(Whole(0, 100), 0, 100),
        "hidden_expansion": Number(0, 100, text=False),
        "batch_norm_eps": Number(0, 1, text=False),
        "layer_norm_eps": Number(0, 1, text=False),
        "normalize_before": Flag(),
        "learn_initial_query": Flag(),
        "with_box_refine": OneOf((True,)),
        "anchor_image_size": OneOf(),
        "eval_size": OneOf(),
    },
    build=_build,
    tied=_heads(),
    ignored=(
        COUNTERS,
        r"(class|bbox)_embed\..*",
        r"model\.denoising_class_embed\.weight",
    ),
    names=_names,
)  # fmt: skip
