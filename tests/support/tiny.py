"""Reference models of tiny size and random weights, as diffusers saves them."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WORDS = ("red", "fox", "bowl", "fruit", "scenic", "landscape", "a", "of")
BETAS: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
"""The noise that Stable Diffusion 1.x was trained with, in diffusers' words."""


def tiny_tokenizer() -> CLIPTokenizer:
    """A vocabulary of bytes, of bytes that end a word, and of a few words."""
    letters = [chr(number) for number in range(ord("a"), ord("z") + 1)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += [*".,!?-0123456789", *(f"{sign}</w>" for sign in ".,!?-0123456789")]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair not in merges:
                merges.append(pair)
                tokens.append("".join(pair))
            parts = ["".join(pair), *parts[2:]]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(
        vocab=vocabulary,
        merges=merges,
        pad_token="<|endoftext|>",
        model_max_length=77,
    )


def tiny_pipeline(
    seed: int = 0, *, inpainting: bool = False
) -> StableDiffusionPipeline:
    """Everything that Stable Diffusion is made of, at a size that runs in no time."""
    torch.manual_seed(seed)
    tokenizer = tiny_tokenizer()
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=9 if inpainting else 4,
        block_out_channels=(32, 64),
        layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=48,
        attention_head_dim=8,
    )
    autoencoder = AutoencoderKL(
        block_out_channels=(32, 32, 64, 64),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=2,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=48,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=3,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    ).eval()
    return StableDiffusionPipeline(
        unet=unet.eval(),
        vae=autoencoder.eval(),
        text_encoder=text,
        tokenizer=tokenizer,
        scheduler=reference_ddim(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def reference_ddim() -> DDIMScheduler:
    """The DDIM schedule that Stable Diffusion 1.x is published with."""
    return DDIMScheduler(
        **BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )


def save_tiny_pipeline(folder: Path, **options: object) -> None:
    """Save the tiny pipeline in the diffusers layout."""
    tiny_pipeline().save_pretrained(folder, **options)
