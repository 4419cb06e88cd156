"""Stable Diffusion 2 and XL at tiny sizes with random weights, in both layouts."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionDepth2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from tests.support.renamed import compvis_autoencoder, compvis_unet, openclip_text
from tests.support.tiny import BETAS, tiny_tokenizer

POOLED = 40


def tiny_sd2(*, inpainting: bool = False, **scheduler: Any) -> Any:
    """Stable Diffusion 2: matrices in the UNet, OpenCLIP's text encoder."""
    torch.manual_seed(1)
    filling = filled_by_sign()
    return StableDiffusionPipeline(
        unet=_unet(inpainting=inpainting, cross_attention_dim=48),
        vae=_autoencoder(0.18215),
        text_encoder=CLIPTextModel(_text(filling, 48, "gelu", layers=3)).eval(),
        tokenizer=filling,
        scheduler=_scheduler(**scheduler),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def tiny_sdxl(*, inpainting: bool = False, **scheduler: Any) -> Any:
    """Stable Diffusion XL: two text encoders, one pooled, and six numbers beside."""
    torch.manual_seed(2)
    first, second = tiny_tokenizer(), filled_by_sign()
    config = _text(second, POOLED, "gelu", layers=3)
    return StableDiffusionXLPipeline(
        unet=_unet(
            inpainting=inpainting,
            cross_attention_dim=48 + POOLED,
            transformer_layers_per_block=(2, 1),
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=POOLED + 6 * 256,
        ),
        vae=_autoencoder(0.13025),
        text_encoder=CLIPTextModel(_text(first, 48, "quick_gelu", layers=3)).eval(),
        text_encoder_2=CLIPTextModelWithProjection(config).eval(),
        tokenizer=first,
        tokenizer_2=second,
        scheduler=_scheduler(**scheduler),
        add_watermarker=False,
    )


def tiny_depth() -> Any:
    """Stable Diffusion 2 led by depth, without what finds that."""
    plain = tiny_sd2()
    torch.manual_seed(5)
    settings = {**plain.unet.config, "in_channels": 5}
    kept = ("vae", "text_encoder", "tokenizer", "scheduler")
    return StableDiffusionDepth2ImgPipeline(
        unet=UNet2DConditionModel.from_config(settings).eval(),
        depth_estimator=None,  # type: ignore[arg-type]  # where the depth is given
        feature_extractor=None,  # type: ignore[arg-type]
        **{name: plain.components[name] for name in kept},
    )


def tiny_refiner() -> Any:
    """The refiner of Stable Diffusion XL: its second text encoder, and five numbers."""
    torch.manual_seed(3)
    second = filled_by_sign()
    config = _text(second, POOLED, "gelu", layers=3)
    return StableDiffusionXLImg2ImgPipeline(
        unet=_unet(
            inpainting=False,
            cross_attention_dim=POOLED,
            transformer_layers_per_block=2,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=POOLED + 5 * 256,
        ),
        vae=_autoencoder(0.13025),
        text_encoder=None,
        text_encoder_2=CLIPTextModelWithProjection(config).eval(),
        tokenizer=None,
        tokenizer_2=second,
        scheduler=_scheduler(),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )


def filled_by_sign() -> CLIPTokenizer:
    """A vocabulary whose windows are filled up as OpenCLIP does it."""
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = "!"
    return tokenizer


def _unet(*, inpainting: bool, **sizes: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=9 if inpainting else 4,
        block_out_channels=(32, 64),
        layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=(1, 1),
        use_linear_projection=True,
        **sizes,
    ).eval()


def _autoencoder(scale: float) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(32, 32, 64, 64),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=2,
        scaling_factor=scale,
    ).eval()


def _text(
    tokenizer: CLIPTokenizer, width: int, activation: str, *, layers: int
) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=1,
        hidden_act=activation,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _scheduler(**other: Any) -> DDIMScheduler:
    return DDIMScheduler(
        **BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1, **other
    )


def save_as_file(
    pipeline: Any,
    file: Path,
    markers: Mapping[str, torch.Tensor] = MappingProxyType({}),
    **metadata: str,
) -> None:
    """Save a pipeline as training programs do, with the vocabulary beside it.

    Args:
        markers: tensors that stand for what they say.
    """
    named = dict(markers)
    named |= below("model.diffusion_model.", compvis_unet(pipeline.unet.state_dict()))
    decoder = compvis_autoencoder(pipeline.vae.state_dict())
    named |= below("first_stage_model.", decoder)
    for start, text in texts_of(pipeline):
        named |= below(start, text)
    save_file({n: part.contiguous() for n, part in named.items()}, file, metadata)
    for name in ("tokenizer", "tokenizer_2"):
        if tokenizer := getattr(pipeline, name, None):
            tokenizer.save_pretrained(file.parent / name)


def texts_of(pipeline: Any) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """Yield what the names of each text encoder begin with, and its tensors."""
    first = pipeline.text_encoder and pipeline.text_encoder.state_dict()
    if not hasattr(pipeline, "text_encoder_2"):
        yield "cond_stage_model.model.", openclip_text(with_one_layer_more(first))
        return
    if first:
        level = "conditioner.embedders.0.transformer.text_model."
        yield (
            level,
            {name.removeprefix("text_model."): part for name, part in first.items()},
        )
    number = 1 if first else 0
    second = openclip_text(pipeline.text_encoder_2.state_dict())
    yield f"conditioner.embedders.{number}.model.", second


def with_one_layer_more(named: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Put a layer behind all others, which single files have and nobody runs."""
    last = max(name.partition("layers.")[2].partition(".")[0] for name in named)
    more = {
        name.replace(f"layers.{last}.", f"layers.{int(last) + 1}."): tensor.clone()
        for name, tensor in named.items()
        if f"layers.{last}." in name
    }
    return named | more


def below(prefix: str, named: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Put a prefix before all names."""
    return {prefix + name: tensor for name, tensor in named.items()}
