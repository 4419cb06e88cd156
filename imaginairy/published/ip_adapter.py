"""IP-Adapters as their authors name them."""

import re

from imaginairy.networks.ip_adapter import Design, IPAdapter, IPAdapterConfig
from imaginairy.published.naming import OtherDesignError, Shapes, at, count
from imaginairy.settings import Settings
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

PAIR = re.compile(r"ip_adapter\.(\d+)\.to_k_ip\.weight")
FACE_ID = re.compile(r"image_proj\.(norm\.|perceiver)|ip_adapter\..*_lora\.")
"""What only files have that want the vector of a face recogniser."""
HEAD = 64
"""Channels of a head of the resampler's attention."""
READING: Names = {
    "norm_seen": "0.norm1",
    "norm_latents": "0.norm2",
    "query": "0.to_q",
    "key_value": "0.to_kv",
    "out": "0.to_out",
    "norm": "1.0",
    "widen": "1.1",
    "narrow": "1.3",
}
PLAIN: Names = {"image.last": "image_proj.proj", "image.norm": "image_proj.norm"}
FULL_FACE: Names = {
    "image.widen": "image_proj.proj.0",
    "image.last": "image_proj.proj.2",
    "image.norm": "image_proj.proj.3",
}


def ip_adapter(tensors: Tensors, settings: Settings) -> Part:
    """Read an IP-Adapter off its tensors.

    Raises:
        KeyError, IndexError, ValueError: what tells its size is not as ours has it.
    """
    config = sized(tensors.shapes)
    names = named(config, numbers(tensors.shapes))
    return Part(IPAdapter, config, tensors, names, settings=settings)


def numbers(shapes: Shapes) -> list[int]:
    """List the numbers of the cross-attentions that have keys and values, in order."""
    found = map(PAIR.fullmatch, shapes)
    return sorted(int(each[1]) for each in found if each is not None)


def design_of(shapes: Shapes) -> Design:
    """Tell the design by the names.

    Raises:
        OtherDesignError: it reads what a face recogniser gives.
    """
    if "image_proj.latents" in shapes and not any(map(FACE_ID.match, shapes)):
        return "plus"
    if "image_proj.proj.3.weight" in shapes:
        return "full-face"
    if "image_proj.proj.weight" in shapes and not any("_lora." in n for n in shapes):
        return "plain"
    if any(map(FACE_ID.match, shapes)):
        raise OtherDesignError(
            "it is a FaceID model, which reads what a face recogniser gives that may "
            "not be used freely; use a plain, Plus, Plus-Face or full-face IP-Adapter"
        )
    raise KeyError("image_proj.proj.weight")


def sized(shapes: Shapes) -> IPAdapterConfig:
    """Read the sizes off the shapes."""
    design = design_of(shapes)
    keys = [shapes[f"ip_adapter.{n}.to_k_ip.weight"] for n in numbers(shapes)]
    context, widths = keys[0][1], tuple(key[0] for key in keys)
    if design == "plus":
        tokens, width = shapes["image_proj.latents"][1:]
        return IPAdapterConfig(
            design,
            shapes["image_proj.proj_in.weight"][1],
            context,
            widths,
            tokens,
            width,
            shapes["image_proj.layers.0.0.to_q.weight"][0] // HEAD,
            count(shapes, "image_proj.layers.{}.0.to_q.weight"),
        )
    if design == "full-face":
        seen = shapes["image_proj.proj.0.weight"][1]
        return IPAdapterConfig(design, seen, context, widths)
    out, seen = shapes["image_proj.proj.weight"]
    return IPAdapterConfig(design, seen, context, widths, out // context)


def named(config: IPAdapterConfig, numbers: list[int]) -> Names:
    """Name one, its cross-attentions by their numbers."""
    names: Names = {}
    for place, number in enumerate(numbers):
        names[f"pairs.{place}.key"] = f"ip_adapter.{number}.to_k_ip"
        names[f"pairs.{place}.value"] = f"ip_adapter.{number}.to_v_ip"
    if config.design == "plain":
        return names | PLAIN
    if config.design == "full-face":
        return names | FULL_FACE
    names |= {
        "image.latents": "image_proj.latents",
        "image.project_in": "image_proj.proj_in",
        "image.last": "image_proj.proj_out",
        "image.norm": "image_proj.norm_out",
    }
    for layer in range(config.depth):
        names |= at(f"image.layers.{layer}", f"image_proj.layers.{layer}", READING)
    return names
