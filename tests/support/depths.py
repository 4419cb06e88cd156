"""A depth model of tiny size and random weights, as transformers saves it."""

from pathlib import Path

import torch
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTImageProcessorPil,
)

SIDE = 70


def save_depths(folder: Path, seed: int = 0) -> None:
    """Save a tiny Depth Anything and how it is shown pictures."""
    torch.manual_seed(seed)
    backbone = Dinov2Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=4, image_size=SIDE,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=32, fusion_hidden_size=16,
        neck_hidden_sizes=[8, 16, 32, 32], head_hidden_size=8,
    )  # fmt: skip
    network = DepthAnythingForDepthEstimation(config)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 1.5 / weight[0].numel() ** 0.5)
    network.save_pretrained(folder)
    DPTImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, keep_aspect_ratio=True,
        ensure_multiple_of=14, resample=3, image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(folder)  # fmt: skip
