"""Tensors of diffusers and transformers under the names that training programs gave.

Written from how those files are laid out, and of no use to the package: what it knows
of the names is judged by this.
"""

import re
from collections.abc import Mapping
from hashlib import sha256

import torch
from torch import Tensor

from imaginairy.weights.weightfile import Tensors

Named = Mapping[str, Tensor]

UNET_OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "time_embedding.cond_proj": "time_embed.cond_proj",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
CLIP_LAYER = {
    "layer_norm1": "ln_1",
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


class Held(Tensors):
    """Tensors in memory, or none but their shapes, as if they came from a file."""

    def __init__(self, named: Named) -> None:
        self.named = named
        super().__init__(
            "model.safetensors", {name: tuple(t.shape) for name, t in named.items()}
        )
        self.types = {name: tensor.dtype for name, tensor in named.items()}

    def read(self, name: str) -> Tensor:
        return self.named[name]


def digest(named: Named) -> str:
    """Return a short hash of all names and shapes, in whatever order they are."""
    lines = sorted(f"{name} {list(tensor.shape)}\n" for name, tensor in named.items())
    return sha256("".join(lines).encode()).hexdigest()[:12]


def compvis_unet(named: Named) -> dict[str, Tensor]:
    """Rename a UNet as CompVis and Stability AI saved it: blocks in one row."""
    places = dict(UNET_OUTSIDE)
    row = 1
    for level in range(numbered(named, "down_blocks.")):
        for index in range(numbered(named, f"down_blocks.{level}.resnets.")):
            places[f"down_blocks.{level}.resnets.{index}"] = f"input_blocks.{row}.0"
            places[f"down_blocks.{level}.attentions.{index}"] = f"input_blocks.{row}.1"
            row += 1
        places[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{row}.0.op"
        row += 1
    row = 0
    for level in range(numbered(named, "up_blocks.")):
        for index in range(numbered(named, f"up_blocks.{level}.resnets.")):
            places[f"up_blocks.{level}.resnets.{index}"] = f"output_blocks.{row}.0"
            places[f"up_blocks.{level}.attentions.{index}"] = f"output_blocks.{row}.1"
            row += 1
        attends = numbered(named, f"up_blocks.{level}.attentions.")
        places[f"up_blocks.{level}.upsamplers.0.conv"] = (
            f"output_blocks.{row - 1}.{2 if attends else 1}.conv"
        )
    places["mid_block.resnets.0"] = "middle_block.0"
    places["mid_block.attentions.0"] = "middle_block.1"
    places["mid_block.resnets.1"] = "middle_block.2"
    renamed = {}
    for name, tensor in named.items():
        place = next(each for each in places if name.startswith(f"{each}."))
        inner = name.removeprefix(f"{place}.")
        if ".resnets." in name:
            module, _, kind = inner.rpartition(".")
            inner = f"{RESIDUAL[module]}.{kind}"
        renamed[f"{places[place]}.{inner}"] = tensor
    return renamed


def compvis_autoencoder(named: Named) -> dict[str, Tensor]:
    """Rename an autoencoder likewise; its attention is made of convolutions."""
    levels = numbered(named, "decoder.up_blocks.")
    renamed = {}
    for name, tensor in named.items():
        new = re.sub(
            r"up_blocks\.(\d+)", lambda m: f"up.{levels - 1 - int(m[1])}", name
        )
        new = re.sub(r"down_blocks\.(\d+)", r"down.\1", new)
        new = new.replace("mid_block.resnets.0", "mid.block_1")
        new = new.replace("mid_block.resnets.1", "mid.block_2")
        new = re.sub(r"resnets\.(\d)", r"block.\1", new)
        new = re.sub(r"(up|down)samplers\.0", r"\1sample", new)
        new = new.replace("conv_shortcut", "nin_shortcut")
        new = new.replace("conv_norm_out", "norm_out")
        if "attentions" in new:
            new = new.replace("mid_block.attentions.0", "mid.attn_1")
            for theirs, old in (("group_norm", "norm"), ("to_out.0", "proj_out")):
                new = new.replace(theirs, old)
            new = re.sub(r"to_([qkv])", r"\1", new)
            tensor = tensor[:, :, None, None] if tensor.ndim > 1 else tensor
        renamed[new] = tensor
    return renamed


def flux_2_autoencoder(named: Named) -> dict[str, Tensor]:
    """Rename that of Flux.2 as its authors do: likewise, with two other places."""
    within = {"quant_conv": "encoder.quant_conv"}
    within["post_quant_conv"] = "decoder.post_quant_conv"
    return {
        re.sub(r"^(post_)?quant_conv", lambda m: within[m[0]], name): tensor
        for name, tensor in compvis_autoencoder(named).items()
    }


def openclip_text(named: Named) -> dict[str, Tensor]:
    """Rename a text transformer as OpenCLIP saves it, and lay together what it does."""
    level = "text_model." if any(n.startswith("text_model.") for n in named) else ""
    embeddings = f"{level}embeddings"
    renamed = {
        "token_embedding.weight": named[f"{embeddings}.token_embedding.weight"],
        "positional_embedding": named[f"{embeddings}.position_embedding.weight"],
        "ln_final.weight": named[f"{level}final_layer_norm.weight"],
        "ln_final.bias": named[f"{level}final_layer_norm.bias"],
        "logit_scale": torch.zeros(()),
    }
    if "text_projection.weight" in named:
        projection = named["text_projection.weight"].T.contiguous()
        renamed["text_projection"] = projection
    for layer in range(numbered(named, f"{level}encoder.layers.")):
        theirs = f"{level}encoder.layers.{layer}"
        ours = f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            for old, new in CLIP_LAYER.items():
                renamed[f"{ours}.{new}.{kind}"] = named[f"{theirs}.{old}.{kind}"]
            renamed[f"{ours}.attn.in_proj_{kind}"] = torch.cat(
                [named[f"{theirs}.self_attn.{each}_proj.{kind}"] for each in "qkv"]
            )
    return renamed


def levelled(named: Named) -> dict[str, Tensor]:
    """Put before names of a text transformer what transformers did before version 5."""
    return {
        name if name.startswith("text_") else f"text_model.{name}": tensor
        for name, tensor in named.items()
    }


def numbered(named: Named, start: str) -> int:
    """Count the numbers that follow a start of names."""
    return len(
        {
            name.removeprefix(start).partition(".")[0]
            for name in named
            if name.startswith(start)
        }
    )
