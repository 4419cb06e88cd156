"""Models of full size with random weights, as diffusers saves them."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

LETTERS = [chr(number) for number in range(33, 127)]
START = 49406
"""The token that begins a text in CLIP's own vocabulary; the next one ends it."""


def save_random_sd15(
    folder: Path, *, variant: str | None = None, half: bool = False
) -> None:
    """Save the model; its pictures mean nothing, its costs are the real one's.

    Args:
        half: in fp16, 2 GB, in place of fp32.
    """
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
                hidden_size=768,
                intermediate_size=3072,
                num_hidden_layers=12,
                num_attention_heads=12,
            )
        )
    for network in (unet, autoencoder, text):
        fill(network.half() if half else network)
    StableDiffusionPipeline(
        unet=unet,
        vae=autoencoder,
        text_encoder=text,
        tokenizer=letters(),
        scheduler=schedule(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, variant=variant)


def save_random_sdxl(folder: Path) -> None:
    """Save a Stable Diffusion XL in bf16, 7 GB, likewise."""
    text = {"bos_token_id": START, "eos_token_id": START + 1, "pad_token_id": 1}
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            sample_size=128,
            cross_attention_dim=2048,
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * 2),
            up_block_types=(*("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
            attention_head_dim=(5, 10, 20),
            transformer_layers_per_block=(1, 2, 10),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=1280 + 6 * 256,
        )
        autoencoder = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            sample_size=1024,
            scaling_factor=0.13025,
        )
        first = CLIPTextModel(
            CLIPTextConfig(
                hidden_size=768,
                intermediate_size=3072,
                num_hidden_layers=12,
                num_attention_heads=12,
                **text,
            )
        )
        second = CLIPTextModelWithProjection(
            CLIPTextConfig(
                hidden_size=1280,
                intermediate_size=5120,
                num_hidden_layers=32,
                num_attention_heads=20,
                hidden_act="gelu",
                projection_dim=1280,
                **text,
            )
        )
    for network in (unet, autoencoder, first, second):
        fill(network.to(torch.bfloat16))
    StableDiffusionXLPipeline(
        unet=unet,
        vae=autoencoder,
        text_encoder=first,
        text_encoder_2=second,
        tokenizer=letters(START),
        tokenizer_2=letters(START, pad="!"),
        scheduler=schedule(),
        add_watermarker=False,
    ).save_pretrained(folder)


def letters(start: int = 0, pad: str = "<|endoftext|>") -> CLIPTokenizer:
    """Return a vocabulary of letters, and of fillers up to the token `start`."""
    tokens = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    tokens += [f"<{number}>" for number in range(len(tokens), start)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[],
        pad_token=pad,
        model_max_length=77,
    )


def schedule() -> DDIMScheduler:
    """Return the noise that all of them are trained with."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


@torch.no_grad()
def fill(network: nn.Module) -> None:
    """Give a network built on the meta device weights that keep numbers moderate."""
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for name, weight in network.named_parameters():
        if weight.ndim > 1:
            weight.normal_(0, weight[0].numel() ** -0.5, generator=generator)
        else:
            weight.fill_(1.0 if name.endswith("weight") else 0.0)
    for name, buffer in network.named_buffers():
        if name.endswith("position_ids"):
            buffer.copy_(torch.arange(buffer.shape[-1])[None])
