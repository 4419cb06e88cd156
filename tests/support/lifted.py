"""The bundled model in the shape of Stable Diffusion 2 and XL, drawing as before.

What those have more is there and says nothing. In Stable Diffusion 2 it is a layer
behind the text encoder's others, and projections that are matrices. XL hands on
embeddings that are not normalised: there, a layer more normalises them, and what of its
input is left beside that is too small to be seen. Its second text encoder is random and
read by zeros, as the pooled text and the sizes are; the autoencoder has its scale. The
refiner of XL is the same with the one encoder, which reads the text.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from imaginairy.families.family import Family
from imaginairy.families.sd2 import SD2
from imaginairy.families.sdxl import SDXL
from imaginairy.families.sdxl_refiner import SDXL_REFINER
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.networks.clip_text import ClipText
from imaginairy.networks.config import AutoencoderConfig, ClipTextConfig, UNetConfig
from imaginairy.published import autoencoder, clip_text, unet
from imaginairy.sources.rows import BUNDLED_FOLDER
from imaginairy.weights.stored import Names, as_stored
from tests.support.tiny_kin import below

STORYBOOK = BUNDLED_FOLDER / "storybook"
LARGE = 2.0**20
"""How many times larger normalised embeddings are than what is left beside them."""
SCALE = 0.13025
POOLED = 64
CLOSE = 2
"""Shades of 255 by which a number of a picture may be another."""
Named = dict[str, Tensor]
Naming = Callable[[Any], Names]
Parts = dict[str, "Network"]


@dataclass(frozen=True)
class Network:
    """A network's size, and its tensors by our names."""

    config: Any
    named: Named

    def stored(self, names: Naming) -> Named:
        """Return the tensors under the names of others, matrices as such."""
        named = as_stored(self.named, names(self.config))
        return {
            name: tensor[:, :, 0, 0] if ".proj_" in name and tensor.ndim == 4 else
            tensor for name, tensor in named.items()
        }  # fmt: skip


@cache
def storybook() -> Parts:
    """Return the networks of the bundled model by their role."""
    parts = read_checkpoint(STORYBOOK).parts
    device = torch.device("cpu")
    return {
        role: Network(part.config, part.load(device, torch.float32).state_dict())
        for role, part in parts.items()
    }


def as_sd2() -> Parts:
    """Lift it into the shape of Stable Diffusion 2."""
    parts = storybook()
    return {**parts, "text": with_layers(parts["text"], [random_layer])}


def as_sdxl() -> Parts:
    """Lift it into the shape of Stable Diffusion XL."""
    parts = storybook()
    first = with_layers(parts["text"], [normalising_layer, random_layer])
    sizes = replace(
        first.config, width=POOLED, heads=1, mlp_width=2 * POOLED, layers=3,
        activation="gelu", pooled=True, projection_dim=POOLED,
    )  # fmt: skip
    torch.manual_seed(3)
    return {
        "denoiser": reading_more(parts["denoiser"], POOLED, POOLED + 6 * 256),
        "autoencoder": rescaled(parts["autoencoder"]),
        "text": first,
        "text_2": Network(sizes, ClipText(sizes).state_dict()),
    }


def as_refiner() -> Parts:
    """Lift it into the shape of the refiner of Stable Diffusion XL."""
    parts = storybook()
    text = with_layers(parts["text"], [normalising_layer, random_layer])
    sizes = replace(text.config, pooled=True, projection_dim=POOLED)
    torch.manual_seed(6)
    projection = torch.randn(POOLED, sizes.width)
    return {
        "denoiser": reading_more(parts["denoiser"], 0, POOLED + 5 * 256),
        "autoencoder": rescaled(parts["autoencoder"]),
        "text": Network(sizes, {**text.named, "projection.weight": projection}),
    }


def with_layers(text: Network, more: list[Callable[[Network], Named]]) -> Network:
    """Put layers behind those of a text encoder."""
    layers, named = text.config.layers, dict(text.named)
    for number, made in enumerate(more, start=layers):
        named |= below(f"layers.{number}.", made(text))
    return Network(replace(text.config, layers=layers + len(more)), named)


def random_layer(text: Network) -> Named:
    """Make a layer that would change everything, however large it is."""
    torch.manual_seed(4)
    layer = ClipText(replace(text.config, layers=1)).layers[0]
    named = dict(layer.state_dict())
    for name in ("attention.out.weight", "narrow.weight"):
        named[name] = LARGE * named[name]
    return named


def normalising_layer(text: Network) -> Named:
    """Make a layer that normalises, as the final normalisation of a text encoder does.

    Both activations have f(x) - f(-x) = x, so that two of them let a number pass.
    """
    named = {name: torch.zeros_like(part) for name, part in random_layer(text).items()}
    width = text.config.width
    one = torch.eye(width)
    named["norm2.weight"] = text.named["norm_out.weight"].clone()
    named["norm2.bias"] = text.named["norm_out.bias"].clone()
    named["widen.weight"][: 2 * width] = torch.cat([one, -one])
    named["narrow.weight"][:, : 2 * width] = LARGE * torch.cat([one, -one], dim=1)
    return named


def reading_more(denoiser: Network, tokens: int, beside: int) -> Network:
    """Let a UNet read wider tokens and numbers beside them, and nothing of that."""
    config: UNetConfig = denoiser.config
    sizes = replace(config, context_dim=config.context_dim + tokens, added_dim=beside)
    named = dict(denoiser.named)
    for name, tensor in denoiser.named.items():
        if name.endswith(
            ("cross_attention.key.weight", "cross_attention.value.weight")
        ):
            silent = torch.zeros(len(tensor), tokens)
            named[name] = torch.cat([tensor / LARGE, silent], dim=1)
    width = 4 * config.channels[0]
    generator = torch.Generator().manual_seed(5)
    named["beside_text.widen.weight"] = torch.randn(
        (width, beside), generator=generator
    )
    named["beside_text.widen.bias"] = torch.randn((width,), generator=generator)
    named["beside_text.out.weight"] = torch.zeros(width, width)
    named["beside_text.out.bias"] = torch.zeros(width)
    return Network(sizes, named)


def rescaled(network: Network) -> Network:
    """Let an autoencoder's latents be smaller by as much as their scale is larger."""
    config: AutoencoderConfig = network.config
    share, named = config.scale_factor / SCALE, dict(network.named)
    named["unquantise.weight"] = named["unquantise.weight"] / share
    for kind in ("weight", "bias"):
        mean, variance = named[f"quantise.{kind}"].chunk(2)
        if kind == "bias":
            variance = variance + 2 * torch.log(torch.tensor(share))
        named[f"quantise.{kind}"] = torch.cat([mean * share, variance])
    return Network(replace(config, scale_factor=SCALE), named)


LIFTED: Mapping[str, Callable[[], Parts]] = {
    "2": as_sd2,
    "XL": as_sdxl,
    "refiner": as_refiner,
}
FAMILIES: Mapping[str, Family] = {"2": SD2, "XL": SDXL, "refiner": SDXL_REFINER}


def family_of_file(kind: str) -> Family:
    """Return a family whose single files are as those of this are not: of its heads.

    A single file cannot say how many heads and groups its networks have.
    """
    family, parts = FAMILIES[kind], LIFTED[kind]()
    usual = {role: settings_of(role, network) for role, network in parts.items()}
    return replace(
        family,
        name=f"lifted {kind}",
        parts=tuple(
            replace(row, usual={**usual[row.role], **row.usual}) for row in family.parts
        ),
    )


def save_file_of(kind: str, file: Path, parts: Parts, markers: Named) -> None:
    """Save it as training programs do, with the vocabularies beside it.

    Args:
        markers: tensors that stand for what they say.
    """
    names = dict.fromkeys(LIFTED, clip_text.openclip_names)
    names["XL"] = clip_text.LEVELLED.names
    namings: dict[str, Naming] = {
        "denoiser": unet.compvis_names,
        "autoencoder": autoencoder.compvis_names,
        "text": names[kind],
        "text_2": clip_text.openclip_names,
    }
    named = dict(markers)
    for row in FAMILIES[kind].parts:
        named |= below(row.prefix, parts[row.role].stored(namings[row.role]))
    save(named, file)
    save_vocabularies(kind, file.parent)


def save_folder_of(kind: str, folder: Path) -> None:
    """Save it in the diffusers layout."""
    parts = LIFTED[kind]()
    if kind == "2":
        parts["text"] = storybook()["text"]  # their folders lack the last layer
    namings: dict[str, Naming] = {
        "denoiser": unet.diffusers_names,
        "autoencoder": autoencoder.diffusers_names,
        "text": clip_text.TRANSFORMERS.names,
        "text_2": clip_text.TRANSFORMERS.names,
    }
    for row in FAMILIES[kind].parts:
        network = parts[row.role]
        place = folder / row.folder
        place.mkdir(parents=True)
        save(network.stored(namings[row.role]), place / "model.safetensors")
        (place / "config.json").write_text(json.dumps(settings_of(row.role, network)))
    index = {"_class_name": f"StableDiffusion{'' if kind == '2' else 'XL'}Pipeline"}
    (folder / "model_index.json").write_text(json.dumps(index))
    shutil.copytree(STORYBOOK / "scheduler", folder / "scheduler")
    save_vocabularies(kind, folder)


def settings_of(role: str, network: Network) -> dict[str, Any]:
    """Return what a network's tensors do not tell of its size."""
    config = network.config
    if isinstance(config, UNetConfig):
        heads = list(config.heads)
        return {"num_attention_heads": heads, "norm_num_groups": config.norm_groups}
    if isinstance(config, ClipTextConfig):
        return {"num_attention_heads": config.heads, "hidden_act": config.activation}
    return {"scaling_factor": config.scale_factor}


def save(named: Named, file: Path) -> None:
    """Save tensors, each with memory of its own."""
    save_file({name: part.contiguous() for name, part in named.items()}, file)


def save_vocabularies(kind: str, folder: Path) -> None:
    """Put the bundled model's vocabulary where each text encoder looks for it."""
    for row in FAMILIES[kind].texts:
        shutil.copytree(STORYBOOK / "tokenizer", folder / str(row.vocabulary))


def assert_alike(pictures: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    """Check that pictures are those that storybook draws, and that it draws some."""
    for number, (ours, theirs) in enumerate(zip(pictures, wanted, strict=True)):
        assert ours.shape == theirs.shape
        assert theirs.std() > 10, "what storybook draws is plain, and proves nothing"
        off = np.abs(ours - theirs)
        assert off.mean() < 0.05, f"{(off > 0).mean():.0%} of picture {number} is off"
        assert off.max() <= CLOSE, f"picture {number} is off by {off.mean():.2f}"
