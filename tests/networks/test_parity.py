"""Our networks against diffusers' and transformers' with the same weights.

The weights go the way a user's do: saved by the other library, loaded by ours.
"""

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from imaginairy import ImaginePrompt, imagine
from imaginairy.models.checkpoint import Checkpoint, read_checkpoint
from imaginairy.networks.config import AutoencoderConfig, ClipTextConfig, UNetConfig
from tests.support.golden import CPU, assert_close
from tests.support.tiny import reference_ddim, tiny_tokenizer

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
    "four levels": {
        "block_out_channels": (16, 16, 32, 32),
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        "norm_num_groups": 4,
    },
}
LATENT_SIZES = [(8, 8), (8, 16), (5, 7), (9, 12), (1, 1), (2, 3)]
AUTOENCODERS: dict[str, dict[str, Any]] = {
    "as SD": {},
    "one block a level": {"layers_per_block": 1},
    "without attention": {"mid_block_add_attention": False},
    "eight channels": {"latent_channels": 8},
    "other scale": {"scaling_factor": 0.5},
    "grey": {"in_channels": 1, "out_channels": 1, "norm_num_groups": 8},
}
PICTURE_SIZES = [(64, 64), (32, 72), (40, 24), (8, 8)]
PERIOD = 4_000_037
"""Numbers in the pool from which the full-size weights are taken."""
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
            "unet": checkpoint.unet,
            "vae": checkpoint.autoencoder,
            "text_encoder": checkpoint.text,
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
    context = noise(2, 13, 48)
    for height, width in LATENT_SIZES:
        latents = noise(2, theirs.config.in_channels, height, width)
        for timesteps in (torch.tensor([999, 0]), torch.tensor([41.25, 800.5])):
            predicted = theirs(latents, timesteps, context).sample
            assert_close(ours(latents, timesteps, context), predicted)


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_autoencoder_equals_diffusers(saver: Saver, name: str) -> None:
    theirs = tiny_autoencoder(**AUTOENCODERS[name])
    checkpoint, ours = saver.loaded("vae", theirs)
    assert checkpoint.autoencoder.config.scale_factor == theirs.config.scaling_factor
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
    assert_close(ours(latents, timesteps, context), predicted)


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
        assert_close(ours(ids[:, :tokens]), states)


class FullSize:
    """Stable Diffusion 1.5's size with random weights, and what diffusers gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with torch.device("meta"):
            unet = UNet2DConditionModel(
                sample_size=64, cross_attention_dim=768, attention_head_dim=8
            )
            autoencoder = AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                sample_size=512,
            )
            text = CLIPTextModel(
                CLIPTextConfig(
                    vocab_size=49408,
                    hidden_size=768,
                    intermediate_size=3072,
                    num_hidden_layers=12,
                    num_attention_heads=12,
                )
            )
        pool = noise(PERIOD).repeat(11)  # as long as the largest tensor and more
        pipeline = StableDiffusionPipeline(
            unet=filled(unet, pool),
            vae=filled(autoencoder, pool),
            text_encoder=filled(text, pool),
            tokenizer=tiny_tokenizer(),
            scheduler=reference_ddim(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.set_progress_bar_config(disable=True)
        pipeline.save_pretrained(folder)
        self.latents, self.context = noise(2, 4, 16, 16), noise(2, 77, 768)
        self.timesteps = torch.tensor([801, 41])
        self.predicted = pipeline.unet(
            self.latents, self.timesteps, self.context
        ).sample
        self.picture, self.code = noise(1, 3, 64, 64), noise(1, 4, 8, 8)
        self.moments = pipeline.vae.encode(self.picture).latent_dist.parameters
        self.decoded = pipeline.vae.decode(self.code).sample
        self.ids = torch.arange(77)[None] * 641 % 49406
        self.states = pipeline.text_encoder(self.ids).last_hidden_state
        self.prompt = ImaginePrompt(
            "a bowl of fruit",
            negative_prompt="fox",
            prompt_strength=7.5,
            seed=5,
            steps=10,
            width=64,
            height=64,
            sampler_type="ddim",
            model=str(folder),
        )
        self.drawn = pipeline(
            "a bowl of fruit",
            negative_prompt="fox",
            guidance_scale=7.5,
            num_inference_steps=10,
            latents=torch.randn(
                (1, 4, 8, 8), generator=torch.Generator().manual_seed(5)
            ),
            output_type="np",
        ).images[0]


def filled(network: nn.Module, pool: Tensor) -> Any:
    """Fill a network on the meta device, fast: every tensor is a stretch of a pool."""
    network = network.to_empty(device="cpu").eval()
    begin = 0
    for name, parameter in network.named_parameters():
        size = parameter.numel()
        parameter.copy_(pool[begin : begin + size].view_as(parameter))
        begin = (begin + size) % PERIOD
        if parameter.ndim > 1:
            parameter *= parameter[0].numel() ** -0.5
        elif name.endswith("weight"):
            parameter.mul_(0.1).add_(1)
        else:
            parameter *= 0.02
    for name, buffer in network.named_buffers():
        if name.endswith("position_ids"):
            buffer.copy_(torch.arange(buffer.shape[-1])[None])
    return network


@pytest.fixture
def full_size(tmp_path: Path) -> Iterator[FullSize]:
    folder = tmp_path / "full"
    with torch.inference_mode():
        reference = FullSize(folder)
    gc.collect()
    yield reference
    shutil.rmtree(folder)


def test_everything_equals_diffusers_at_full_size(full_size: FullSize) -> None:
    """Networks one by one, then a picture in ten guided steps."""
    checkpoint = read_checkpoint(full_size.folder)
    assert checkpoint.unet.config == UNetConfig()
    assert checkpoint.autoencoder.config == AutoencoderConfig()
    assert checkpoint.text.config == ClipTextConfig()

    unet = checkpoint.unet.load(CPU, torch.float32)
    latents, timesteps = full_size.latents, full_size.timesteps
    ours = unet(latents, timesteps, full_size.context)
    assert_close(ours, full_size.predicted)

    autoencoder = checkpoint.autoencoder.load(CPU, torch.float32)
    assert_close(autoencoder.encode(full_size.picture), full_size.moments)
    assert_close(autoencoder.decode(full_size.code), full_size.decoded)

    text = checkpoint.text.load(CPU, torch.float32)
    assert_close(text(full_size.ids), full_size.states)

    [result] = imagine(full_size.prompt, device="cpu")
    picture = np.asarray(result.img, dtype=np.float32)
    theirs = np.floor(full_size.drawn * 255)
    assert theirs.std() > 10, "the reference picture is plain"
    assert np.abs(picture - theirs).max() <= 1
