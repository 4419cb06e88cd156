"""What more there is to know of what steers a model: told by names and shapes alone."""

import re
from collections.abc import Mapping
from typing import Any

from imaginairy.families.family import Shape

HINTED = re.compile(
    r"(^|\.)(input_hint_block\.0|controlnet_cond_embedding\.conv_in)\.weight$"
)
"""The first layer of a ControlNet that sees the hint."""
UNSHUFFLED = re.compile(r"^(adapter\.)?(body\.0\.)?(conv_in|in_conv)\.weight$")
"""That of a T2I-Adapter."""
XL_SQUARE, SQUARE = 16**2, 8**2
"""Pixels of a hint that become channels, of adapters for XL and of others."""
TASKS = re.compile(r"(^|\.)task_embedding$")
FACTOR = re.compile(r"\.down$")
KEYS = re.compile(r"(^|\.)to_k_ip\.weight$")
FULL_FACE_TOKENS = 257
"""What the image encoder says of a picture, and so an adapter that takes all of it."""
ENCODERS = {1280: "CLIP ViT-H/14", 1664: "CLIP ViT-bigG/14"}
"""Encoders of images by how wide the states of their layers are."""
PROJECTED = {1024: "CLIP ViT-H/14", 1280: "CLIP ViT-bigG/14"}
"""The same by how wide what they say in the end is."""


def control_facts(kind: str, shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """Return what there is to know of a control or an image prompt's adapter.

    Args:
        kind: what it is, as a row of `adapter_kinds` names it.
    """
    readers = {
        "ControlNet": _controlnet,
        "T2I-Adapter": _t2i_adapter,
        "IP-Adapter": _ip_adapter,
    }
    try:
        return readers[kind](shapes) if kind in readers else {}
    except (
        IndexError,
        KeyError,
        ValueError,
        ZeroDivisionError,
    ):  # of tensors that are not as they should be
        return {}


def _first(pattern: re.Pattern[str], shapes: Mapping[str, Shape]) -> Shape:
    """Return the shape of the first tensor of a name.

    Raises:
        KeyError: there is none.
    """
    for name, shape in shapes.items():
        if pattern.search(name):
            return shape
    raise KeyError(pattern.pattern)


def _controlnet(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    low_rank = "lora_controlnet" in shapes
    facts: dict[str, Any] = {
        "design": "Control-LoRA" if low_rank else "ControlNet",
        "hint_channels": _first(HINTED, shapes)[1],
        "is_difference": low_rank or "difference" in shapes,
    }
    if any(map(TASKS.search, shapes)):
        facts["union_of"] = _first(TASKS, shapes)[0]
    if low_rank:
        facts["rank"] = max(
            shape[0] for name, shape in shapes.items() if FACTOR.search(name)
        )
    return facts


def _t2i_adapter(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    seen = _first(UNSHUFFLED, shapes)[1]
    return {
        "design": "T2I-Adapter",
        "hint_channels": seen // (SQUARE if seen % XL_SQUARE else XL_SQUARE),
        "is_light": not {"conv_in.weight", "adapter.conv_in.weight"} & {*shapes},
    }


def _ip_adapter(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    own = {name.rpartition("image_proj.")[2]: shape for name, shape in shapes.items()}
    if "latents" in own:
        tokens, seen = own["latents"][1], own["proj_in.weight"][1]
        return _image_prompt("Plus", tokens, ENCODERS.get(seen))
    if "proj.3.weight" in own:
        seen = own["proj.0.weight"][1]
        return _image_prompt("full face", FULL_FACE_TOKENS, ENCODERS.get(seen))
    wide, seen = own["proj.weight"]
    return _image_prompt("plain", wide // _first(KEYS, shapes)[1], PROJECTED.get(seen))


def _image_prompt(design: str, tokens: int, encoder: str | None) -> dict[str, Any]:
    return {"design": design, "tokens": tokens, "image_encoder": encoder}


WORDS = {
    "design": "design",
    "hint": "hint",
    "hint_channels": "hint channels",
    "tokens": "tokens",
    "image_encoder": "image encoder",
    "rank": "rank",
}


def said_of_control(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the same for people; nothing where something is not known."""
    said = {label: str(facts[name]) for name, label in WORDS.items() if facts.get(name)}
    if "hint" in said:
        said["hint"] += ", as its name says"
    if kinds := facts.get("union_of"):
        said["hint"] = f"any of {kinds} kinds, which it has to be told (a union)"
    if facts.get("is_difference"):
        said["holds"] = "what is added to the UNet that it steers"
    if facts.get("is_light"):
        said["design"] += ", light"
    return said
