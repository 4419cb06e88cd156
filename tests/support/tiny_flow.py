"""Flow transformers of tiny size and random weights, whole, as diffusers saves them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    ChromaPipeline,
    ChromaTransformer2DModel,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    FluxPipeline,
    FluxTransformer2DModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, Qwen3Config, Qwen3ForCausalLM

from tests.published.test_controlnet import filled
from tests.support.languages import SMALL, qwen_tokenizer, t5_tokenizer, tiny_t5
from tests.support.renamed import Named
from tests.support.tiny import tiny_tokenizer

READS = 32
"""Width of what the text encoders say of a token."""
BLOCKS: dict[str, Any] = {
    "block_out_channels": (32, 32, 64, 64),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
}
STREAMS: dict[str, Any] = {
    "in_channels": 64, "num_layers": 1, "num_single_layers": 1,
    "attention_head_dim": 32, "num_attention_heads": 2, "joint_attention_dim": READS,
    "axes_dims_rope": (4, 14, 14),
}  # fmt: skip
BY_SIZE: dict[str, Any] = {"use_dynamic_shifting": True, "shift": 3.0}


def autoencoder() -> AutoencoderKL:
    """An autoencoder of 16 channels, as Flux.1 has it."""
    return AutoencoderKL(
        **BLOCKS,
        latent_channels=16,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    ).eval()


def later_autoencoder() -> AutoencoderKLFlux2:
    """One of 32 channels, as Flux.2 has it, with numbers of its own to normalise by."""
    theirs = AutoencoderKLFlux2(
        **BLOCKS, decoder_block_out_channels=None, latent_channels=32
    )
    chance = torch.Generator().manual_seed(5)
    theirs.bn.running_mean.copy_(0.3 * torch.randn(128, generator=chance))
    theirs.bn.running_var.copy_(0.5 + torch.rand(128, generator=chance))
    return theirs.eval()


def qwen(vocab_size: int, layers: int) -> Qwen3ForCausalLM:
    """A Qwen3 of some layers."""
    sizes = {**SMALL, "num_hidden_layers": layers, "vocab_size": vocab_size}
    return Qwen3ForCausalLM(Qwen3Config(**sizes)).eval()


def reader() -> tuple[Any, Any]:
    """A text encoder of CLIP's, and its vocabulary."""
    words = tiny_tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(words), hidden_size=64, intermediate_size=32,
        num_hidden_layers=2, num_attention_heads=1, bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    return CLIPTextModel(config).eval(), words


def zimage() -> Any:
    """Everything that Z-Image is made of."""
    words = qwen_tokenizer()
    transformer = ZImageTransformer2DModel(
        in_channels=16, dim=96, n_layers=2, n_refiner_layers=1, n_heads=4, n_kv_heads=4,
        cap_feat_dim=READS, axes_dims=[8, 8, 8], axes_lens=[1024, 64, 64],
    )  # fmt: skip
    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(),
        text_encoder=qwen(len(words), layers=3),
        tokenizer=words,
        transformer=transformer,
    )


def flux1(*, dev: bool = False, kind: Any = FluxPipeline, seen: int = 64) -> Any:
    """Everything that Flux.1 is made of.

    Args:
        kind: what of diffusers draws with it.
        seen: numbers that its transformer sees of a patch.
    """
    text, words = reader()
    more = t5_tokenizer()
    transformer = FluxTransformer2DModel(
        **{**STREAMS, "in_channels": seen, "out_channels": 64},
        pooled_projection_dim=64,
        guidance_embeds=dev,
    )
    return kind(
        scheduler=FlowMatchEulerDiscreteScheduler(**(BY_SIZE if dev else {})),
        vae=autoencoder(),
        text_encoder=text,
        tokenizer=words,
        text_encoder_2=tiny_t5(len(more)),
        tokenizer_2=more,
        transformer=transformer,
    )


def flux2() -> Any:
    """Everything that Flux.2 [klein] is made of."""
    words = qwen_tokenizer()
    transformer = Flux2Transformer2DModel(
        **{
            **STREAMS, "in_channels": 128, "axes_dims_rope": (8, 8, 8, 8),
            "joint_attention_dim": 3 * READS, "guidance_embeds": False,
        }
    )  # fmt: skip
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**BY_SIZE),
        vae=later_autoencoder(),
        text_encoder=qwen(len(words), layers=28),
        tokenizer=words,
        transformer=transformer,
        is_distilled=True,
    )


def hidden(_: Any, args: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Let a mask hide tokens, as it does for Chroma's authors.

    Of two tokens diffusers multiplies what the mask says and adds that to how much one
    looks at the other: 1 where both are read, and 0 elsewhere, which hides nothing.
    """
    seen = options["attention_mask"]
    return args, {**options, "attention_mask": torch.where(seen > 0, 1.0, -1e4)}


def chroma() -> Any:
    """Everything that Chroma is made of."""
    words = t5_tokenizer()
    transformer = ChromaTransformer2DModel(**STREAMS, approximator_hidden_dim=40)
    transformer.register_forward_pre_hook(hidden, with_kwargs=True)
    return ChromaPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(),
        text_encoder=tiny_t5(len(words)),
        tokenizer=words,
        transformer=transformer,
    )


def built(build: Any, **options: Any) -> Any:
    """Build a pipeline whose weights all matter."""
    torch.manual_seed(0)
    pipeline = build(**options)
    with torch.no_grad():
        filled(pipeline.transformer, seed=1)
    pipeline.transformer.eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def sharpened(pipeline: Any) -> None:
    """Let a transformer look closely at what it is shown."""
    with torch.no_grad():
        for weight in pipeline.transformer.parameters():
            weight.mul_(4 if weight.ndim == 2 else 1)


def save_split(folder: Path, files: Mapping[str, Named]) -> None:
    """Save the parts of a model as people have them: each in a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, tensors in files.items():
        kept = {k: v.contiguous().clone() for k, v in tensors.items()}
        save_file(kept, folder / f"{name}.safetensors")
