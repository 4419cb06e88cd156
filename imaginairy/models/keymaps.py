"""Where each of our modules finds its tensors in the published namings.

Every function returns {our module: its published module}; the tensors of a module are
called `weight` and `bias` in both. A table may name modules that a given size does
not have; loading asks only for those that exist.
"""

from imaginairy.networks.config import AutoencoderConfig, ClipTextConfig, UNetConfig
from imaginairy.weights.assemble import Names

COMPVIS_RESIDUAL: Names = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "shortcut": "skip_connection",
}
DIFFUSERS_RESIDUAL: Names = {
    "norm1": "norm1",
    "conv1": "conv1",
    "time": "time_emb_proj",
    "norm2": "norm2",
    "conv2": "conv2",
    "shortcut": "conv_shortcut",
}
AUTOENCODER_COMPVIS_RESIDUAL: Names = {
    "norm1": "norm1",
    "conv1": "conv1",
    "norm2": "norm2",
    "conv2": "conv2",
    "shortcut": "nin_shortcut",
}
TRANSFORMER: Names = {
    "norm": "norm",
    "project_in": "proj_in",
    "block.norm1": "transformer_blocks.0.norm1",
    "block.self_attention.query": "transformer_blocks.0.attn1.to_q",
    "block.self_attention.key": "transformer_blocks.0.attn1.to_k",
    "block.self_attention.value": "transformer_blocks.0.attn1.to_v",
    "block.self_attention.out": "transformer_blocks.0.attn1.to_out.0",
    "block.norm2": "transformer_blocks.0.norm2",
    "block.cross_attention.query": "transformer_blocks.0.attn2.to_q",
    "block.cross_attention.key": "transformer_blocks.0.attn2.to_k",
    "block.cross_attention.value": "transformer_blocks.0.attn2.to_v",
    "block.cross_attention.out": "transformer_blocks.0.attn2.to_out.0",
    "block.norm3": "transformer_blocks.0.norm3",
    "block.feed_forward.widen": "transformer_blocks.0.ff.net.0.proj",
    "block.feed_forward.narrow": "transformer_blocks.0.ff.net.2",
    "project_out": "proj_out",
}
COMPVIS_PICTURE_ATTENTION: Names = {
    "norm": "norm",
    "attention.query": "q",
    "attention.key": "k",
    "attention.value": "v",
    "attention.out": "proj_out",
}
DIFFUSERS_PICTURE_ATTENTION: Names = {
    "norm": "group_norm",
    "attention.query": "to_q",
    "attention.key": "to_k",
    "attention.value": "to_v",
    "attention.out": "to_out.0",
}
OLD_DIFFUSERS_PICTURE_ATTENTION: Names = {
    "norm": "group_norm",
    "attention.query": "query",
    "attention.key": "key",
    "attention.value": "value",
    "attention.out": "proj_attn",
}
CLIP_LAYER: Names = {
    "norm1": "layer_norm1",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.out": "self_attn.out_proj",
    "norm2": "layer_norm2",
    "widen": "mlp.fc1",
    "narrow": "mlp.fc2",
}


def unet_compvis(config: UNetConfig) -> Names:
    """Name a UNet as CompVis does, which numbers blocks and halvings in one row."""
    names = {
        "time_in": "time_embed.0",
        "time_out": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "norm_out": "out.0",
        "conv_out": "out.2",
        **_at("middle.first.residual", "middle_block.0", COMPVIS_RESIDUAL),
        **_at("middle.first.transformer", "middle_block.1", TRANSFORMER),
        **_at("middle.second.residual", "middle_block.2", COMPVIS_RESIDUAL),
    }
    levels, blocks = len(config.channels), config.blocks_per_level
    for level in range(levels):
        first = 1 + level * (blocks + 1)
        for index in range(blocks):
            ours, theirs = (
                f"down.{level}.blocks.{index}",
                f"input_blocks.{first + index}",
            )
            names |= _at(f"{ours}.residual", f"{theirs}.0", COMPVIS_RESIDUAL)
            names |= _at(f"{ours}.transformer", f"{theirs}.1", TRANSFORMER)
        names[f"down.{level}.downsample"] = f"input_blocks.{first + blocks}.0.op"
    for up in range(levels):
        for index in range(blocks + 1):
            ours = f"up.{up}.blocks.{index}"
            theirs = f"output_blocks.{up * (blocks + 1) + index}"
            names |= _at(f"{ours}.residual", f"{theirs}.0", COMPVIS_RESIDUAL)
            names |= _at(f"{ours}.transformer", f"{theirs}.1", TRANSFORMER)
        place = 2 if config.attention[levels - 1 - up] else 1
        last = up * (blocks + 1) + blocks
        names[f"up.{up}.upsample"] = f"output_blocks.{last}.{place}.conv"
    return names


def unet_diffusers(config: UNetConfig) -> Names:
    """Name a UNet as diffusers' UNet2DConditionModel does."""
    names = {
        "time_in": "time_embedding.linear_1",
        "time_out": "time_embedding.linear_2",
        "conv_in": "conv_in",
        "norm_out": "conv_norm_out",
        "conv_out": "conv_out",
        **_at("middle.first.residual", "mid_block.resnets.0", DIFFUSERS_RESIDUAL),
        **_at("middle.first.transformer", "mid_block.attentions.0", TRANSFORMER),
        **_at("middle.second.residual", "mid_block.resnets.1", DIFFUSERS_RESIDUAL),
    }
    for level in range(len(config.channels)):
        for side, blocks in (
            ("down", config.blocks_per_level),
            ("up", config.blocks_per_level + 1),
        ):
            ours, theirs = f"{side}.{level}", f"{side}_blocks.{level}"
            for index in range(blocks):
                block = f"{ours}.blocks.{index}"
                names |= _at(
                    f"{block}.residual", f"{theirs}.resnets.{index}", DIFFUSERS_RESIDUAL
                )
                names |= _at(
                    f"{block}.transformer", f"{theirs}.attentions.{index}", TRANSFORMER
                )
            names[f"{ours}.{side}sample"] = f"{theirs}.{side}samplers.0.conv"
    return names


def autoencoder_compvis(config: AutoencoderConfig) -> Names:
    """Name an autoencoder as CompVis does, which counts up-levels from the finest."""
    names = {"quantise": "quant_conv", "unquantise": "post_quant_conv"}
    levels, blocks = len(config.channels), config.blocks_per_level
    residual = AUTOENCODER_COMPVIS_RESIDUAL
    for half in ("encoder", "decoder"):
        for part in ("conv_in", "norm_out", "conv_out"):
            names[f"{half}.{part}"] = f"{half}.{part}"
        ours, theirs = f"{half}.middle", f"{half}.mid"
        names |= _at(f"{ours}.first", f"{theirs}.block_1", residual)
        names |= _at(f"{ours}.attention", f"{theirs}.attn_1", COMPVIS_PICTURE_ATTENTION)
        names |= _at(f"{ours}.second", f"{theirs}.block_2", residual)
    for level in range(levels):
        ours, theirs = f"encoder.levels.{level}", f"encoder.down.{level}"
        for index in range(blocks):
            names |= _at(f"{ours}.blocks.{index}", f"{theirs}.block.{index}", residual)
        names[f"{ours}.downsample"] = f"{theirs}.downsample.conv"
        ours, theirs = f"decoder.levels.{levels - 1 - level}", f"decoder.up.{level}"
        for index in range(blocks + 1):
            names |= _at(f"{ours}.blocks.{index}", f"{theirs}.block.{index}", residual)
        names[f"{ours}.upsample"] = f"{theirs}.upsample.conv"
    return names


def autoencoder_diffusers(config: AutoencoderConfig, *, old: bool = False) -> Names:
    """Name an autoencoder as diffusers does, or once did for its attention."""
    attention = OLD_DIFFUSERS_PICTURE_ATTENTION if old else DIFFUSERS_PICTURE_ATTENTION
    names = {"quantise": "quant_conv", "unquantise": "post_quant_conv"}
    for half, side, blocks in (
        ("encoder", "down", config.blocks_per_level),
        ("decoder", "up", config.blocks_per_level + 1),
    ):
        names[f"{half}.conv_in"] = f"{half}.conv_in"
        names[f"{half}.norm_out"] = f"{half}.conv_norm_out"
        names[f"{half}.conv_out"] = f"{half}.conv_out"
        middle = f"{half}.mid_block"
        names |= _at(f"{half}.middle.first", f"{middle}.resnets.0", DIFFUSERS_RESIDUAL)
        names |= _at(f"{half}.middle.attention", f"{middle}.attentions.0", attention)
        names |= _at(f"{half}.middle.second", f"{middle}.resnets.1", DIFFUSERS_RESIDUAL)
        for level in range(len(config.channels)):
            ours, theirs = f"{half}.levels.{level}", f"{half}.{side}_blocks.{level}"
            for index in range(blocks):
                names |= _at(
                    f"{ours}.blocks.{index}",
                    f"{theirs}.resnets.{index}",
                    DIFFUSERS_RESIDUAL,
                )
            names[f"{ours}.{side}sample"] = f"{theirs}.{side}samplers.0.conv"
    return names


def clip_text(config: ClipTextConfig) -> Names:
    """Name a text transformer as transformers does, below `text_model`."""
    names = {
        "tokens": "embeddings.token_embedding",
        "positions": "embeddings.position_embedding",
        "norm_out": "final_layer_norm",
    }
    for layer in range(config.layers):
        names |= _at(f"layers.{layer}", f"encoder.layers.{layer}", CLIP_LAYER)
    return names


def _at(ours: str, theirs: str, names: Names) -> Names:
    """Put a small table at a place of both namings."""
    return {f"{ours}.{key}": f"{theirs}.{value}" for key, value in names.items()}
