"""A segmentation model of tiny size and random weights, as transformers saves it."""

from pathlib import Path

import torch
from transformers import (
    ConvNextConfig,
    SegformerImageProcessorPil,
    UperNetConfig,
    UperNetForSemanticSegmentation,
)

SIDE = 64


def save_scenes(folder: Path, seed: int = 0, classes: int = 150) -> None:
    """Save a tiny UPerNet and how it is shown pictures."""
    torch.manual_seed(seed)
    backbone = ConvNextConfig(
        hidden_sizes=[8, 12, 16, 24], depths=[1, 1, 2, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],
        layer_scale_init_value=0.5,
    )  # fmt: skip
    config = UperNetConfig(
        backbone_config=backbone, hidden_size=16, auxiliary_channels=8,
        pool_scales=[1, 2, 3, 6], num_labels=classes,
    )  # fmt: skip
    network = UperNetForSemanticSegmentation(config)
    with torch.no_grad():
        for name, weight in network.state_dict().items():
            if weight.ndim > 1:
                weight.normal_(0, 2 / weight[0].numel() ** 0.5)
            elif name.endswith("running_mean"):
                weight.normal_(0, 0.1)
            elif name.endswith("running_var"):
                weight.uniform_(0.5, 2)
    network.save_pretrained(folder)
    SegformerImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, do_reduce_labels=False
    ).save_pretrained(folder)
