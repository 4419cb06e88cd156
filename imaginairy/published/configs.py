"""What `config.json` of diffusers and transformers say of our networks.

What the readers beside this read; here it is written.
"""

from typing import Any

from imaginairy.networks.autoencoder import LEAST_VARIANCE, SIDE
from imaginairy.networks.config import Depths, UNetConfig, mirrored
from imaginairy.published.autoencoder import DEVIATIONS, MEANS, SCALE, SHIFT, UPCAST
from imaginairy.published.unet import projects_by_matrices
from imaginairy.weights.assemble import Part

DECODER = "decoder_block_out_channels"
PLACES = {"batch_norm_eps": LEAST_VARIANCE, "patch_size": [SIDE, SIDE]}
"""What is said of an autoencoder that normalises places."""
CROSS, PLAIN = "CrossAttn{}Block2D", "{}Block2D"
"""What diffusers calls a level that reads text, and one that does not."""


def of_unet(part: Part) -> dict[str, Any]:
    """Return the settings of a UNet."""
    config: UNetConfig = part.config
    said: dict[str, Any] = {
        "_class_name": "UNet2DConditionModel",
        "in_channels": config.in_channels,
        "out_channels": config.out_channels,
        "block_out_channels": list(config.channels),
        "down_block_types": [_kind("Down", level) for level in config.down],
        "up_block_types": [_kind("Up", level) for level in config.up],
        "mid_block_type": _middle(config.middle),
        "layers_per_block": _one_or_all([len(level) for level in config.down]),
        "attention_head_dim": _one_or_all([*config.heads]),
        "cross_attention_dim": config.context_dim,
        "norm_num_groups": config.norm_groups,
        "use_linear_projection": projects_by_matrices(part.tensors.shapes),
        **_depths(config),
        **{"act_fn": "silu", "norm_eps": 1e-5, "flip_sin_to_cos": True},
        **{"freq_shift": 0, "downsample_padding": 1, "center_input_sample": False},
    }
    if config.added_dim is not None:
        said |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": config.id_dim,
            "projection_class_embeddings_input_dim": config.added_dim,
        }
    if config.guidance_dim is not None:
        said["time_cond_proj_dim"] = config.guidance_dim
    return said


def _kind(side: str, level: Depths) -> str:
    return (CROSS if any(level) else PLAIN).format(side)


def _middle(middle: Depths) -> str | None:
    if not middle:
        return None
    return "UNetMidBlock2DCrossAttn" if any(middle) else "UNetMidBlock2D"


def _one_or_all(numbers: list[int]) -> int | list[int]:
    """Return a number where all are it."""
    return numbers[0] if len({*numbers}) == 1 else numbers


def _depths(config: UNetConfig) -> dict[str, Any]:
    """Return how deep transformers are, as far as not all have one block.

    The middle is as deep as is said of the last level. Where the way up is no mirror of
    the way down each of its blocks is told of.
    """
    last = max((*config.middle, *config.down[-1], 0)) or 1
    down: list[Any] = [max(level) or 1 for level in config.down[:-1]]
    down.append(last)
    if config.up == mirrored(config.down):
        each = _one_or_all(down)
        return {} if each == 1 else {"transformer_layers_per_block": each}
    return {
        "transformer_layers_per_block": [list(level) or last for level in config.down],
        "reverse_transformer_layers_per_block": [list(level) for level in config.up],
    }


def of_autoencoder(part: Part) -> dict[str, Any]:
    """Return the settings of an autoencoder."""
    config = part.config
    levels = len(config.channels)
    said: dict[str, Any] = {
        "_class_name": "AutoencoderKLFlux2" if config.by_places else "AutoencoderKL",
        "in_channels": config.image_channels,
        "out_channels": config.image_channels,
        "latent_channels": config.latent_channels,
        "block_out_channels": list(config.channels),
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "layers_per_block": config.blocks_per_level,
        "norm_num_groups": config.norm_groups,
        "mid_block_add_attention": config.middle_attention,
        "act_fn": "silu",
        "use_quant_conv": config.quantises,
        "use_post_quant_conv": config.quantises,
    }
    if config.decoder_channels:
        said[DECODER] = list(config.decoder_channels)
    if config.by_places:
        return said | PLACES
    said[SCALE] = config.scale_factor
    if config.shift:
        said[SHIFT] = config.shift
    if config.means or config.deviations:
        said |= {MEANS: list(config.means), DEVIATIONS: list(config.deviations)}
    if UPCAST in part.settings:
        said[UPCAST] = part.settings[UPCAST]
    return said


def of_clip_text(part: Part) -> dict[str, Any]:
    """Return the settings of a text transformer."""
    config = part.config
    projected = config.projection_dim is not None
    return {
        "architectures": [
            "CLIPTextModelWithProjection" if projected else "CLIPTextModel"
        ],
        "model_type": "clip_text_model",
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.mlp_width,
        "max_position_embeddings": config.max_tokens,
        "hidden_act": config.activation,
        "projection_dim": config.projection_dim or config.width,
        "layer_norm_eps": 1e-5,
        "bos_token_id": config.end_token - 1,
        "eos_token_id": config.end_token,
    }


def of_qwen3(part: Part) -> dict[str, Any]:
    """Return the settings of Qwen3."""
    config = part.config
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": config.vocab_size,
        "hidden_size": config.token_width,
        "intermediate_size": config.mlp_width,
        "num_hidden_layers": config.layers + config.behind,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_heads,
        "head_dim": config.head_dim,
        "rms_norm_eps": config.eps,
        "rope_theta": config.theta,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
    }


def of_t5(part: Part) -> dict[str, Any]:
    """Return the settings of T5's encoder."""
    config = part.config
    return {
        "architectures": ["T5EncoderModel"],
        "model_type": "t5",
        "vocab_size": config.vocab_size,
        "d_model": config.width,
        "d_kv": config.head_dim,
        "d_ff": config.mlp_width,
        "num_layers": config.layers,
        "num_heads": config.heads,
        "relative_attention_num_buckets": config.buckets,
        "relative_attention_max_distance": config.far,
        "layer_norm_epsilon": config.eps,
        "feed_forward_proj": "gated-gelu",
        "pad_token_id": 0,
        "eos_token_id": 1,
    }
