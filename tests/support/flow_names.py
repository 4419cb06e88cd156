"""Tensors of flow transformers of diffusers under the names that their authors gave.

Written from how those files are laid out, and of no use to the package.
"""

import re

import torch
from torch import Tensor

from tests.support.renamed import Named

OUTSIDE = {
    "x_embedder": "img_in",
    "context_embedder": "txt_in",
    "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
    "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
    "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
    "single_stream_modulation.linear": "single_stream_modulation.lin",
}
EMBEDDED = {"timestep": "time_in", "guidance": "guidance_in", "text": "vector_in"}
LAYERS = {"1": "in_layer", "2": "out_layer"}
IN_DOUBLES = {
    "norm1.linear": "img_mod.lin",
    "norm1_context.linear": "txt_mod.lin",
    "attn.norm_q": "img_attn.norm.query_norm",
    "attn.norm_k": "img_attn.norm.key_norm",
    "attn.norm_added_q": "txt_attn.norm.query_norm",
    "attn.norm_added_k": "txt_attn.norm.key_norm",
    "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj",
    "ff.net.0.proj": "img_mlp.0",
    "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0",
    "ff_context.net.2": "txt_mlp.2",
    "ff.linear_in": "img_mlp.0",
    "ff.linear_out": "img_mlp.2",
    "ff_context.linear_in": "txt_mlp.0",
    "ff_context.linear_out": "txt_mlp.2",
}
IN_SINGLES = {
    "norm.linear": "modulation.lin",
    "attn.norm_q": "norm.query_norm",
    "attn.norm_k": "norm.key_norm",
    "proj_out": "linear2",
    "attn.to_out": "linear2",
    "attn.to_qkv_mlp_proj": "linear1",
}
FUSED = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
}


def its_authors(named: Named) -> dict[str, Tensor]:
    """Rename a Flux.1, Flux.2 or Chroma as its authors saved it."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in named.items():
        module, _, kind = name.rpartition(".")
        if found := re.fullmatch(r"transformer_blocks\.(\d+)\.(.*)", module):
            place, inner, table = f"double_blocks.{found[1]}", found[2], IN_DOUBLES
        elif found := re.fullmatch(r"single_transformer_blocks\.(\d+)\.(.*)", module):
            place, inner, table = f"single_blocks.{found[1]}", found[2], IN_SINGLES
        else:
            renamed.update(_outside(module, kind, tensor))
            continue
        if inner in table:
            gain = "scale" if "norm_" in inner and inner.startswith("attn") else kind
            renamed[f"{place}.{table[inner]}.{gain}"] = tensor
            continue
        for whole, parts in FUSED.items():
            if parts[0] == inner and (whole == "linear1") == (table is IN_SINGLES):
                start = name.removesuffix(f"{inner}.{kind}")
                each = [named[f"{start}{part}.{kind}"] for part in parts]
                renamed[f"{place}.{whole}.{kind}"] = torch.cat(each)
    return renamed


def _outside(module: str, kind: str, tensor: Tensor) -> dict[str, Tensor]:
    """Rename what is in no block."""
    if found := re.fullmatch(r"time_\w+\.(\w+)_embedder\.linear_(\d)", module):
        return {f"{EMBEDDED[found[1]]}.{LAYERS[found[2]]}.{kind}": tensor}
    if module.startswith("distilled_guidance_layer."):
        module = re.sub(r"linear_(\d)", lambda m: LAYERS[m[1]], module)
        return {f"{module}.{'scale' if '.norms.' in module else kind}": tensor}
    if module == "norm_out.linear":
        tensor = torch.cat([*tensor.chunk(2)][::-1])
    return {f"{OUTSIDE[module]}.{kind}": tensor}
