"""Upscalers under every name they go by, and files that hold something else."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.networks.enhancer_config import RRDBNetConfig, SRVGGConfig
from imaginairy.networks.rrdbnet import RRDBNet
from imaginairy.networks.srvgg import SRVGG
from imaginairy.published.rrdbnet import rrdbnet
from imaginairy.published.srvgg import srvgg
from imaginairy.published.upscaler import upscaler_part
from imaginairy.weights.weightfile import open_weights
from tests.support.enhancer_goldens import (
    CPU,
    META,
    Listing,
    Shapes,
    publish,
    published_tensors,
)

SMALL = RRDBNetConfig(channels=8, growth=4, blocks=2)
CONFIGS = {
    "4 times": SMALL,
    "once": replace(SMALL, scale=1, doublings=0),
    "twice": replace(SMALL, scale=2, doublings=1),
    "8 times": replace(SMALL, scale=8, doublings=3),
    "16 times": replace(SMALL, scale=16, doublings=4),
    "twice, folded": replace(SMALL, scale=2),
    "once, folded": replace(SMALL, scale=1),
    "grey": replace(SMALL, image_channels=1, drawn_channels=1),
    "grey, folded": replace(SMALL, scale=2, image_channels=1, drawn_channels=1),
    "to grey": replace(SMALL, scale=1, doublings=0, drawn_channels=1),
    "to colours": replace(SMALL, image_channels=1),
    "many blocks": replace(SMALL, blocks=11),
}
WHOLE = {
    "ESRGAN": {
        "conv_body": "trunk_conv",
        "conv_up": "upconv",
        "conv_hr": "HRconv",
        "body": "RRDB_trunk",
        "rdb": "RDB",
    },
    "early BasicSR": {"conv_up": "upconv"},
}


def in_a_row(name: str, config: RRDBNetConfig) -> str:
    """Name a module as ESRGAN's first files do, where layers are numbered through.

    An enlarging is numbered before its convolution, and an activation after it.
    """
    doublings = config.doublings
    row = {
        "conv_first": 0,
        "conv_hr": 3 * doublings + 2,
        "conv_last": 3 * doublings + 4,
    }
    row |= {f"conv_up{number}": 3 * number for number in range(1, doublings + 1)}
    if name in row:
        return f"model.{row[name]}"
    if name == "conv_body":
        return f"model.1.sub.{config.blocks}"
    _, block, dense, convolution = name.split(".")
    return f"model.1.sub.{block}.{dense.upper()}.{convolution}.0"


def renamed(
    tensors: dict[str, Tensor], naming: str, config: RRDBNetConfig
) -> dict[str, Tensor]:
    result = {}
    for name, tensor in tensors.items():
        module, _, kind = name.rpartition(".")
        if naming == "first":
            module = in_a_row(module, config)
        else:
            for ours, theirs in WHOLE[naming].items():
                module = module.replace(ours, theirs)
        result[f"{module}.{kind}"] = tensor
    return result


@pytest.fixture
def small() -> dict[str, Tensor]:
    torch.manual_seed(3)
    return publish(RRDBNet(SMALL), rrdbnet(SMALL))


@pytest.mark.parametrize("naming", [*WHOLE, "first"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_older_names_are_the_same_network(
    kind: str, naming: str, tmp_path: Path
) -> None:
    config = CONFIGS[kind]
    torch.manual_seed(2)
    network = RRDBNet(config).eval()
    tensors = renamed(publish(network, rrdbnet(config)), naming, config)
    torch.save(tensors, tmp_path / "old.pth")
    part = upscaler_part(open_weights(tmp_path / "old.pth"))
    assert part.config == config
    picture = torch.rand(1, config.image_channels, 7, 6)
    with torch.inference_mode():
        assert torch.equal(part.load(CPU, torch.float32)(picture), network(picture))


@pytest.mark.parametrize(
    "wrapped",
    ["", "params", "params_ema", "params-ema", "state_dict", "model"],
)
@pytest.mark.parametrize("prefix", ["", "module.", "netG.", "generator.", "params."])
def test_what_stands_before_the_names_does_not_matter(
    wrapped: str, prefix: str, small: dict[str, Tensor], tmp_path: Path
) -> None:
    tensors = {prefix + name: tensor for name, tensor in small.items()}
    torch.save({wrapped: tensors} if wrapped else tensors, tmp_path / "net.pth")
    part = upscaler_part(open_weights(tmp_path / "net.pth"))
    assert part.config == SMALL
    part.load(META, torch.float32)


def test_what_only_training_needs_is_left_aside_and_said(
    small: dict[str, Tensor], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tensors = {f"generator.{name}": tensor for name, tensor in small.items()}
    beside = {f"discriminator.conv{n}.weight_orig": torch.ones(3) for n in range(4)}
    torch.save({"state_dict": tensors | beside}, tmp_path / "trained.pth")
    caplog.set_level("INFO", logger="imaginairy")
    part = upscaler_part(open_weights(tmp_path / "trained.pth"))
    part.load(META, torch.float32)
    assert "trained.pth' holds 4 more tensors, left aside." in caplog.text


def test_compact_ones_of_all_sizes(tmp_path: Path) -> None:
    for config in (
        SRVGGConfig(layers=16),  # realesr-animevideov3
        SRVGGConfig(scale=2, layers=16),  # RealESRGANv2-animevideo-xsx2
        SRVGGConfig(scale=1, channels=24, layers=8),
        SRVGGConfig(scale=2, layers=4, image_channels=1, drawn_channels=1),
        SRVGGConfig(scale=4, layers=4, image_channels=1),
    ):
        shapes = {
            f"module.{name}": tuple(tensor.shape)
            for name, tensor in publish(SRVGG(config), srvgg(config)).items()
        }
        part = upscaler_part(Listing(shapes))
        assert part.config == config
        part.load(META, torch.float32)


SWIN = "layers.0.residual_group"
OTHERS = {
    "a GFPGAN": "stylegan_decoder.constant_input.weight",
    "a CodeFormer": "quantize.embedding.weight",
    "a whole Stable Diffusion checkpoint": "model.diffusion_model.out.2.weight",
    "a LoRA": "lora_unet_mid_block_attn.lora_up.weight",
    "a UNet": "down_blocks.0.resnets.0.conv1.weight",
    "an autoencoder": "decoder.up.0.block.0.conv1.weight",
    "a discriminator": "conv1.weight_orig",
    "SPSR's design": "f_HR_conv0.0.weight",
    "HAT's design": f"{SWIN}.overlap_attn.qkv.weight",
    "Swin2SR's design": f"{SWIN}.blocks.0.attn.cpb_mlp.0.weight",
    "SwinIR's design": f"{SWIN}.blocks.0.attn.relative_position_bias_table",
    "DAT's or RGT's design": "before_RG.1.weight",
    "SPAN's design": "block_1.c1_r.sk.weight",
    "OmniSR's design": "residual_layer.0.residual_layer.0.layer.0.fn.0.weight",
    "Real-CUGAN's design": "unet1.conv1.conv.0.weight",
    "EDSR's or RCAN's design": "head.0.weight",
    "an unknown design (tensors 'stem.0.weight')": "stem.0.weight",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_files_of_other_kinds_are_named(kind: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        upscaler_part(Listing({OTHERS[kind]: (8, 8, 3, 3)}))
    words = str(caught.value)
    assert kind in words
    assert "give an upscaler of the design RRDBNet (ESRGAN, " in words


@pytest.mark.parametrize("beside", ["f_HR_conv0.0", "model.1.sub.0.RDB1.conv1x1"])
def test_designs_that_extend_it_are_other_designs(
    beside: str, small: dict[str, Tensor]
) -> None:
    names = renamed(small, "first", SMALL)
    shapes: Shapes = {name: tuple(tensor.shape) for name, tensor in names.items()}
    with pytest.raises(CheckpointError, match=r"(SPSR|ESRGAN\+)'s design"):
        upscaler_part(Listing({**shapes, f"{beside}.weight": (4, 8, 1, 1)}))


def test_published_files_of_other_kinds_are_named() -> None:
    with pytest.raises(CheckpointError, match="holds a CodeFormer, which restores"):
        upscaler_part(Listing(published_tensors()["codeformer.pth"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model.10.weight": None}, "the tensor 'model.10.weight' is missing"),
        ({"model.8.weight": None}, "1 missing (model.8.weight)"),
        ({"model.0.weight": (8, 4, 3, 3)}, "from 4 channels to 3 is of no known"),
        (
            {"model.1.sub.1.RDB2.conv3.0.bias": None},
            "(model.1.sub.1.RDB2.conv3.0.bias)",
        ),
        ({"model.6.weight": (32, 8, 3, 3)}, "model.6.weight is (32, 8, 3, 3)"),
    ],
)
def test_a_broken_file_is_named_in_its_own_words(
    change: dict[str, tuple[int, ...] | None],
    message: str,
    small: dict[str, Tensor],
) -> None:
    names = renamed(small, "first", SMALL)
    shapes = {name: tuple(tensor.shape) for name, tensor in names.items()}
    changed = {
        name: shape for name, shape in {**shapes, **change}.items() if shape is not None
    }
    with pytest.raises(CheckpointError) as caught:
        upscaler_part(Listing(changed)).load(META, torch.float32)
    assert message in str(caught.value)


def test_one_that_makes_pictures_smaller_is_refused() -> None:
    config = replace(SMALL, doublings=2, scale=1)
    with torch.device("meta"):
        tensors = publish(RRDBNet(config), rrdbnet(config))
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    fewer = {name: shape for name, shape in shapes.items() if "conv_up2" not in name}
    with pytest.raises(CheckpointError, match="doubles 1 times makes pictures smaller"):
        upscaler_part(Listing(fewer))
