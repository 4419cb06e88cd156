"""What finds people and their joints, of tiny size and random weights, as saved."""

from pathlib import Path

import torch
from torch import nn
from transformers import (
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessorPil,
    RTDetrResNetConfig,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
    VitPoseImageProcessorPil,
)

CLASSES = {0: "bicycle", 1: "person", 2: "car"}
"""People do not come first, as they do in COCO."""


def save_people(folder: Path, seed: int = 0, *, person: str = "person") -> None:
    """Save a tiny RT-DETR and how it is shown pictures."""
    torch.manual_seed(seed)
    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 1, 1],
        layer_type="bottleneck", out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    names = {**CLASSES, 1: person}
    config = RTDetrConfig(
        backbone_config=backbone, encoder_hidden_dim=16, d_model=16,
        encoder_in_channels=[12, 16, 20], decoder_in_channels=[16, 16, 16],
        encoder_layers=1, encoder_ffn_dim=16, encoder_attention_heads=2,
        decoder_layers=2, decoder_ffn_dim=16, decoder_attention_heads=2,
        num_queries=12, hidden_expansion=0.5, id2label=names,
        label2id={name: number for number, name in names.items()},
    )  # fmt: skip
    network = RTDetrForObjectDetection(config)
    _shake(network)
    with torch.inference_mode():  # half of what is looked at is a person, a third a car
        logits = network.eval()(pixel_values=torch.rand(1, 3, 64, 64)).logits[0]
    last = network.model.decoder.class_embed[-1]
    with torch.no_grad():
        middle = logits.quantile(torch.tensor(0.6), dim=0) - last.bias
        last.weight *= 8
        last.bias.copy_(torch.tensor([-9.0, -0.8, -0.8]) - 8 * middle)
    network.save_pretrained(folder)
    RTDetrImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)


def save_pose(
    folder: Path,
    seed: int = 0,
    *,
    simple: bool = True,
    points: int = 17,
    experts: int = 1,
) -> None:
    """Save a tiny ViTPose and how it is shown people."""
    torch.manual_seed(seed)
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=16, num_hidden_layers=2,
        num_attention_heads=2, mlp_ratio=2, num_experts=experts,
        part_features=4 if experts > 1 else 0, out_features=["stage2"],
    )  # fmt: skip
    config = VitPoseConfig(
        backbone_config=backbone, num_labels=points, use_simple_decoder=simple
    )
    network = VitPoseForPoseEstimation(config)
    _shake(network)
    network.save_pretrained(folder)
    prepares = VitPoseImageProcessorPil(size={"height": 64, "width": 48})
    prepares.save_pretrained(folder)


@torch.no_grad()
def _shake(network: nn.Module) -> None:
    """Give all weights values that say something."""
    for name, weight in network.state_dict().items():
        if weight.ndim > 1:
            weight.normal_(0, 1.5 / weight[0].numel() ** 0.5)
        elif name.endswith("running_mean"):
            weight.normal_(0, 0.1)
        elif name.endswith("running_var"):
            weight.uniform_(0.5, 2)
        elif weight.is_floating_point():
            weight.add_(torch.randn_like(weight), alpha=0.1)
