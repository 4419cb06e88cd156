"""What `config.json` of diffusers says of our flow transformers."""

from typing import Any

from imaginairy.networks.flux_modulation import FluxConfig
from imaginairy.networks.zimage import ZImageConfig
from imaginairy.weights.assemble import Part

PATCH = 4
"""Pixels of a patch of latents."""
FLUX_KINDS = {
    "each": "FluxTransformer2DModel",
    "alike": "Flux2Transformer2DModel",
    "told": "ChromaTransformer2DModel",
}
"""What diffusers calls them, by what modulates their blocks."""
TOLD_FROM = 64
"""Numbers that modulations of Chroma are told from."""
PLACES = [1024, 512, 512]
"""How many places Z-Image was trained on, on each axis."""


def of_flux(part: Part) -> dict[str, Any]:
    """Return the settings of the transformer of Flux.1, Flux.2 or Chroma."""
    config: FluxConfig = part.config
    said: dict[str, Any] = {
        "_class_name": FLUX_KINDS[config.modulates],
        "patch_size": 1,
        "in_channels": config.in_channels * PATCH,
        "num_layers": config.doubles,
        "num_single_layers": config.singles,
        "attention_head_dim": config.width // config.heads,
        "num_attention_heads": config.heads,
        "joint_attention_dim": config.context_dim,
        "axes_dims_rope": list(config.axes),
    }
    if config.out_channels != config.in_channels:
        said["out_channels"] = config.out_channels * PATCH
    return said | _own(config)


def _own(config: FluxConfig) -> dict[str, Any]:
    """Return what only one of them is told of."""
    if config.modulates == "told":
        return {
            "approximator_num_channels": TOLD_FROM,
            "approximator_hidden_dim": config.told_width,
            "approximator_layers": config.told_depth,
        }
    reads = {"guidance_embeds": config.reads_guidance}
    if config.modulates == "each":
        return reads | {"pooled_projection_dim": config.pooled_dim}
    return reads | {
        "mlp_ratio": float(config.thought),
        "rope_theta": config.theta,
        "eps": 1e-6,
        "timestep_guidance_channels": 256,
    }


def of_zimage(part: Part) -> dict[str, Any]:
    """Return the settings of the transformer of Z-Image."""
    config: ZImageConfig = part.config
    return {
        "_class_name": "ZImageTransformer2DModel",
        "all_patch_size": [2],
        "all_f_patch_size": [1],
        "in_channels": config.in_channels,
        "dim": config.width,
        "n_layers": config.layers,
        "n_refiner_layers": config.refiners,
        "n_heads": config.heads,
        "n_kv_heads": config.heads,
        "norm_eps": 1e-5,
        "qk_norm": True,
        "cap_feat_dim": config.context_dim,
        "siglip_feat_dim": None,
        "rope_theta": config.theta,
        "t_scale": 1000.0,
        "axes_dims": list(config.axes),
        "axes_lens": PLACES,
    }
