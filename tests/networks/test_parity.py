"""Our networks against diffusers' and transformers' with the same weights.

The weights go the way a user's do: saved by the other library, loaded by ours.
"""

import shutil
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from imaginairy.conditioning import Conditioning
from imaginairy.models.checkpoint import Checkpoint, read_checkpoint
from tests.support.golden import CPU, assert_close

FOUR_LEVELS: dict[str, Any] = {
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}
UNETS: dict[str, dict[str, Any]] = {
    "as SD": {},
    "inpainting": {"in_channels": 9},
    "one block a level": {"layers_per_block": 1},
    "three blocks a level": {"layers_per_block": 3},
    "attention at the bottom": {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    },
    "attention everywhere": {
        "down_block_types": ("CrossAttnDownBlock2D",) * 2,
        "up_block_types": ("CrossAttnUpBlock2D",) * 2,
    },
    "heads by level": {"attention_head_dim": (2, 4)},
    "small groups": {"norm_num_groups": 8, "block_out_channels": (24, 40)},
    "one level": {
        "block_out_channels": (32,),
        "down_block_types": ("CrossAttnDownBlock2D",),
        "up_block_types": ("CrossAttnUpBlock2D",),
    },
    "four levels": {**FOUR_LEVELS, "block_out_channels": (16, 16, 32, 32),
                    "norm_num_groups": 4},
    "as SD's, but thin": {**FOUR_LEVELS, "block_out_channels": (32, 64, 128, 128),
                          "cross_attention_dim": 96},
    "as wide as SD's": {
        "block_out_channels": (320,), "layers_per_block": 1, "cross_attention_dim": 768,
        "down_block_types": ("CrossAttnDownBlock2D",),
        "up_block_types": ("CrossAttnUpBlock2D",),
    },
}  # fmt: skip
LATENT_SIZES = [(8, 8), (8, 16), (5, 7), (9, 12), (1, 1), (2, 3)]
AUTOENCODERS: dict[str, dict[str, Any]] = {
    "as SD": {},
    "one block a level": {"layers_per_block": 1},
    "without attention": {"mid_block_add_attention": False},
    "eight channels": {"latent_channels": 8},
    "other scale": {"scaling_factor": 0.5},
    "as SD's, but thin": {"block_out_channels": (32, 64, 128, 128)},
    "grey": {"in_channels": 1, "out_channels": 1, "norm_num_groups": 8},
}
PICTURE_SIZES = [(64, 64), (32, 72), (40, 24), (8, 8)]
TEXTS: dict[str, dict[str, Any]] = {
    "as SD": {},
    "gelu": {"hidden_act": "gelu"},
    "one head, one layer": {"num_attention_heads": 1, "num_hidden_layers": 1},
    "short window": {"max_position_embeddings": 16},
}


class Saver:
    """Saves networks of the other libraries into a folder, among the tiny ones."""

    def __init__(self, tiny: Path, folder: Path) -> None:
        self.tiny, self.folder = tiny, folder

    def loaded(self, part: str, network: Any) -> tuple[Checkpoint, nn.Module]:
        shutil.copytree(
            self.tiny,
            self.folder,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(part),
        )
        network.save_pretrained(self.folder / part)
        checkpoint = read_checkpoint(self.folder)
        ours = {
            "unet": checkpoint.parts["denoiser"],
            "vae": checkpoint.parts["autoencoder"],
            "text_encoder": checkpoint.parts["text"],
        }[part]
        return checkpoint, ours.load(CPU, torch.float32)


@pytest.fixture
def saver(tiny_folder: Path, tmp_path: Path) -> Saver:
    return Saver(tiny_folder, tmp_path / "model")


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(7))


def seeded(build: Callable[[], Any]) -> Any:
    """Build a network with random weights, biases and norms that matter too."""
    torch.manual_seed(3)
    network = build().eval()
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter += 0.1 * torch.randn_like(parameter)
    return network


def tiny_unet(**options: Any) -> Any:
    settings: dict[str, Any] = {
        "sample_size": 8,
        "block_out_channels": (32, 64),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": 48,
        "attention_head_dim": 8,
    }
    return seeded(lambda: UNet2DConditionModel(**(settings | options)))


def tiny_autoencoder(**options: Any) -> Any:
    settings: dict[str, Any] = {
        "block_out_channels": (32, 32, 64, 64),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
    }
    return seeded(lambda: AutoencoderKL(**(settings | options)))


@pytest.mark.parametrize("name", UNETS)
def test_unet_equals_diffusers(saver: Saver, name: str) -> None:
    theirs = tiny_unet(**UNETS[name])
    _, ours = saver.loaded("unet", theirs)
    context = noise(2, 13, theirs.config.cross_attention_dim)
    timesteps = cycle((torch.tensor([999, 41.25]), torch.tensor([0, 800.5])))
    for (height, width), both in zip(LATENT_SIZES, timesteps, strict=False):
        latents = noise(2, theirs.config.in_channels, height, width)
        predicted = theirs(latents, both, context).sample
        assert_close(ours(latents, both, Conditioning(context)), predicted)


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_autoencoder_equals_diffusers(saver: Saver, name: str) -> None:
    theirs = tiny_autoencoder(**AUTOENCODERS[name])
    checkpoint, ours = saver.loaded("vae", theirs)
    assert (
        checkpoint.parts["autoencoder"].config.scale_factor
        == theirs.config.scaling_factor
    )
    for height, width in PICTURE_SIZES:
        pictures = noise(2, theirs.config.in_channels, height, width).clamp(-1, 1)
        moments = theirs.encode(pictures).latent_dist.parameters
        assert_close(ours.encode(pictures), moments)
        latents = noise(2, theirs.config.latent_channels, height // 8, width // 8)
        assert_close(ours.decode(latents), theirs.decode(latents).sample)


def test_sides_that_are_no_multiple_of_eight_are_encoded_as_by_diffusers(
    saver: Saver,
) -> None:
    theirs = tiny_autoencoder()
    _, ours = saver.loaded("vae", theirs)
    pictures = noise(1, 3, 45, 27)
    moments = theirs.encode(pictures).latent_dist.parameters
    assert_close(ours.encode(pictures), moments)


def test_nearly_plain_pictures_are_normalised_as_by_diffusers(saver: Saver) -> None:
    """Where little varies, what normalisation adds to the variance matters."""
    theirs = tiny_autoencoder()
    _, ours = saver.loaded("vae", theirs)
    pictures, latents = 0.01 * noise(1, 3, 64, 64), 0.01 * noise(1, 4, 8, 8)
    moments = theirs.encode(pictures).latent_dist.parameters
    assert_close(ours.encode(pictures), moments)
    assert_close(ours.decode(latents), theirs.decode(latents).sample)


def test_nearly_plain_latents_are_normalised_as_by_diffusers(saver: Saver) -> None:
    theirs = tiny_unet()
    _, ours = saver.loaded("unet", theirs)
    latents, context = 0.01 * noise(1, 4, 8, 8), 0.01 * noise(1, 13, 48)
    timesteps = torch.tensor([500])
    predicted = theirs(latents, timesteps, context).sample
    assert_close(ours(latents, timesteps, Conditioning(context)), predicted)


@pytest.mark.parametrize("name", TEXTS)
def test_text_transformer_equals_transformers(saver: Saver, name: str) -> None:
    settings: dict[str, Any] = {
        "vocab_size": 99,
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 3,
        "num_attention_heads": 3,
        "max_position_embeddings": 77,
        "bos_token_id": 97,
        "eos_token_id": 98,
        "pad_token_id": 98,
    } | TEXTS[name]
    theirs = seeded(lambda: CLIPTextModel(CLIPTextConfig(**settings)))
    _, ours = saver.loaded("text_encoder", theirs)
    longest = settings["max_position_embeddings"]
    ids = torch.randint(0, 97, (3, longest), generator=torch.Generator().manual_seed(1))
    for tokens in (1, 9, longest):
        states = theirs(ids[:, :tokens]).last_hidden_state
        assert_close(ours(ids[:, :tokens]).tokens, states)
