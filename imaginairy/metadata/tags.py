"""What a picture file is to say, made of everything that made the picture."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from imaginairy.hypernetwork import parse_hypernetwork
from imaginairy.lora import Lora, parse_lora
from imaginairy.metadata.foreign_controls import written_controls
from imaginairy.metadata.word_hashes import written_hashes
from imaginairy.samplers import SAMPLERS
from imaginairy.sources.from_address import ENDINGS

PARAMETERS = "parameters"
PARAMETERS_NEED = {
    "height", "model", "model_sha256", "negative_prompt", "prompt_strength",
    "prompt_text", "schedule", "sampler_type", "seed", "software", "steps", "width",
}  # fmt: skip
LORA_HASHES = "Lora hashes"
IS_PLACE = re.compile(r"[/\\]")
UNTAGGABLE = re.compile(r"[:,<>\n]")
"""What the web UIs take out of the name of a LoRA, and what would end it."""
NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Tags:
    """What a picture file is to say."""

    comment: str
    """Goes to the EXIF comment, and is found again by `read_written`, however long."""
    description: str = ""
    software: str = ""
    created: str = ""
    """In ISO 8601."""
    host: str = ""
    chunks: Mapping[str, str] = field(default_factory=dict)
    """Texts of a png by their names; a jpg has no place for them."""


def tags_of(metadata: Mapping[str, Any], chunks: Mapping[str, str] = NONE) -> Tags:
    """Return the tags that metadata becomes, with further texts of a png."""
    get = metadata.get
    has_all = set(metadata) >= PARAMETERS_NEED
    text = {PARAMETERS: parameters_text(metadata)} if has_all else {}
    return Tags(
        comment=as_json(metadata),
        description=str(get("prompt_text", "")),
        software=str(get("software", "")),
        created=str(get("created", "")),
        host=", ".join(str(get(name)) for name in ("platform", "device") if get(name)),
        chunks={**chunks, **text},
    )


def as_json(metadata: Mapping[str, Any]) -> str:
    """Return metadata as JSON, in plain letters where all of them can be written."""
    text = json.dumps(metadata, ensure_ascii=False, default=_plain_value)
    try:
        text.encode()
    except UnicodeEncodeError:  # names of files can hold bytes that are no text
        return json.dumps(metadata, default=_plain_value)
    return text.replace("\ufffe", r"\ufffe").replace("\uffff", r"\uffff")


def parameters_text(metadata: Mapping[str, Any]) -> str:
    """Return the line format that other tools of the field read from png files."""
    sampler = str(metadata["sampler_type"])
    usual = SAMPLERS[sampler].spacing if sampler in SAMPLERS else "normal"
    schedule = metadata["schedule"] or usual
    size = metadata.get("draw_size") or (metadata["width"] and size_in(metadata))
    settings = {
        "Steps": metadata["steps"],
        "Sampler": sampler,
        **({} if schedule == "normal" else {"Schedule type": schedule}),
        "CFG scale": metadata["prompt_strength"],
        "Seed": metadata["seed"],
        **({"Size": size} if size else {}),
        "Model hash": str(metadata["model_sha256"])[:10],
        "Model": Path(str(metadata["model"])).name,
        **_vae_of(metadata),
        **_refiner_of(metadata),
        **written_hashes(metadata),
        **_loras_of(metadata),
        **written_controls(metadata),
        **({"Clip skip": skip} if (skip := metadata.get("clip_skip") or 1) > 1 else {}),
        "Version": metadata["software"],
    }
    lines = [metadata["prompt_text"] + _tags_of(metadata)]
    if metadata["negative_prompt"]:
        lines.append(f"Negative prompt: {metadata['negative_prompt']}")
    lines.append(", ".join(f"{name}: {value}" for name, value in settings.items()))
    return "\n".join(lines)


def _vae_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Name the VAE in place of the model's own, where there is one."""
    if not metadata.get("vae"):
        return {}
    digest = str(metadata.get("vae_sha256"))[:10]
    return {"VAE hash": digest, "VAE": Path(str(metadata["vae"])).name}


def _refiner_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Name the refiner, where there is one, and when it takes over."""
    name, _, share = str(metadata.get("refiner") or "").rpartition("@")
    if not name:
        return {}
    digest = str(metadata.get("refiner_sha256"))[:10]
    return {"Refiner": f"{Path(name).name} [{digest}]", "Refiner switch at": share}


def _loras_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Name the LoRAs that acted with their hashes, as the web UIs do."""
    hashes = metadata.get("lora_hashes") or {}
    said = ", ".join(f"{in_tag(name)}: {digest}" for name, digest in hashes.items())
    return {LORA_HASHES: json.dumps(said, ensure_ascii=False)} if said else {}


def _tags_of(metadata: Mapping[str, Any]) -> str:
    """Return the LoRAs and hypernetworks that no prompt names, as prompts of the
    web UIs do.

    They can say no blocks and no part of the steps, and a prompt of several parts of
    ours has no place for them.
    """
    prompts = metadata.get("prompt")
    if isinstance(prompts, list) and len(prompts) > 1:
        return ""
    loras = map(parse_lora, metadata.get("loras") or ())
    hyper = map(parse_hypernetwork, metadata.get("hypernetworks") or ())
    tags = [*map(_tag, loras), *(f"<hypernet:{in_tag(n)}:{w:g}>" for n, w in hyper)]
    return "".join(f" {tag}" for tag in tags)


def _tag(lora: Lora) -> str:
    name, text, unet = in_tag(lora.name), lora.in_text, lora.in_unet
    return f"<lora:{name}:{text:g}{f':{unet:g}' if unet != text else ''}>"


def in_tag(name: str) -> str:
    """Return what a LoRA goes by in a prompt: the name of its file."""
    last = re.split(r"[/\\:]", name)[-1] if IS_PLACE.search(name) else name
    is_file = last.lower().endswith(ENDINGS)
    return UNTAGGABLE.sub("", last.rpartition(".")[0] if is_file else last)


def _plain_value(value: Any) -> Any:
    """Return what JSON has no form for, such as numbers of NumPy, as what it has."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def size_in(metadata: Mapping[str, Any]) -> str:
    """Return the size that metadata says, as `768x512`."""
    return f"{metadata['width']}x{metadata['height']}"
