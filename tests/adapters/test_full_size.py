"""Files of every kind and spelling find every place in models of their real sizes.

They are made by rule of the names that diffusers and transformers have, at a low rank;
nothing but names and shapes is there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from imaginairy.adapters.file import Adapter, Found
from imaginairy.adapters.scales import Scales
from imaginairy.errors import CheckpointError
from imaginairy.families.family import DENOISER, Family, function
from imaginairy.families.table import FAMILIES
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import stored_as
from tests.support.adapters import KINDS, flat, of_kind, zeros
from tests.support.kin import hollow, kin_text, kin_unet
from tests.support.renamed import Held, compvis_unet


def first_unet() -> Any:
    """The UNet of Stable Diffusion 1.5."""
    return UNet2DConditionModel(cross_attention_dim=768)


BUILT: Mapping[str, tuple[str, Callable[[], Any], tuple[str, ...]]] = {
    "1.5": ("sd1", first_unet, ("ViT-L",)),
    "2.1": ("sd2", lambda: kin_unet("2.1"), ("ViT-H",)),
    "XL": ("sdxl", lambda: kin_unet("XL"), ("ViT-L", "ViT-bigG")),
    "SSD-1B": ("sdxl", lambda: kin_unet("SSD-1B"), ("ViT-L", "ViT-bigG")),
    "XL refiner": ("sdxl-refiner", lambda: kin_unet("XL refiner"), ("ViT-bigG",)),
}


@dataclass(frozen=True, eq=False)
class Model:
    """A model of which only names and shapes are there."""

    family: Family
    parts: Mapping[str, Part]
    networks: Mapping[str, nn.Module]
    named: Mapping[str, Mapping[str, Tensor]]
    """The tensors of each network, as diffusers and transformers name them."""
    device: torch.device = torch.device("meta")

    @property
    def network(self) -> nn.Module:
        return self.networks[DENOISER]

    @cached_property
    def layers(self) -> Mapping[str, Mapping[str, tuple[int, ...]]]:
        """The shapes of what is multiplied by, by role and path."""
        return {
            role: {
                path.removesuffix(".weight"): tuple(self.named[role][path].shape)
                for name, layer in network.named_modules()
                if isinstance(layer, nn.Linear | nn.Conv2d)
                for path in [stored_as(f"{name}.weight", self.parts[role].names).name]
            }
            for role, network in self.networks.items()
        }


@cache
def model(name: str) -> Model:
    """Build a model of which only names and shapes are there."""
    family_name, unet, texts = BUILT[name]
    family = next(row for row in FAMILIES if row.name == family_name)
    named = {DENOISER: hollow(unet)}
    for row, text in zip(family.texts, texts, strict=True):
        projected = text == "ViT-bigG"
        named[row.role] = hollow(kin_text, text, projected=projected)
    parts, networks = {}, {}
    for role, tensors in named.items():
        row = family.part(role)
        parts[role] = function(row.published)(Held(tensors), row.usual)
        with torch.device("meta"):
            networks[role] = parts[role].network(parts[role].config)
    return Model(family, parts, networks, named)


Spelling = Callable[[Model], Iterator[tuple[str, str, str]]]
"""Yields for each layer its role, its path in diffusers, and its name in a file."""


def dotted(*starts: str) -> Spelling:
    """Spell paths behind the starts of their networks."""

    def spell(whole: Model) -> Iterator[tuple[str, str, str]]:
        for role, start in zip(whole.named, starts, strict=False):
            for path in whole.layers[role]:
                yield role, path, start + path

    return spell


def flattened(*starts: str) -> Spelling:
    """Spell paths likewise, with underscores in place of dots."""

    def spell(whole: Model) -> Iterator[tuple[str, str, str]]:
        for role, start in zip(whole.named, starts, strict=False):
            for path in whole.layers[role]:
                yield role, path, start + flat(path)

    return spell


def of_compvis(start: str, *, flattened: bool) -> Spelling:
    """Spell the UNet as CompVis does."""

    def spell(whole: Model) -> Iterator[tuple[str, str, str]]:
        marked = {name: torch.empty(0) for name in whole.named[DENOISER]}
        by_id = {id(tensor): name for name, tensor in marked.items()}
        theirs = {by_id[id(t)]: name for name, t in compvis_unet(marked).items()}
        for path in whole.layers[DENOISER]:
            other = theirs[f"{path}.weight"].removesuffix(".weight")
            yield DENOISER, path, start + (flat(other) if flattened else other)

    return spell


SPELLINGS: Mapping[str, Spelling] = {
    "kohya": flattened("lora_unet_", "lora_te_"),
    "kohya of XL, first encoder as te1": flattened(
        "lora_unet_", "lora_te1_", "lora_te2_"
    ),
    "kohya of XL, the other way": of_compvis("lora_unet_", flattened=True),
    "ComfyUI": of_compvis("diffusion_model.", flattened=False),
    "diffusers": dotted("unet.", "text_encoder.", "text_encoder_2."),
    "old scripts": dotted("unet.base_model.model."),
    "PEFT": dotted("base_model.model."),
    "bare": dotted(""),
    "LyCORIS alone": flattened("lycoris_"),
    "ComfyUI's encoders": dotted(
        "unet.",
        "text_encoders.clip_l.transformer.",
        "text_encoders.clip_g.transformer.",
    ),
}


def found(whole: Model, tensors: Mapping[str, Tensor]) -> Found:
    """Return what is found of an adapter in a model."""
    return Adapter(Path("it.safetensors"), Held(tensors), Scales()).found_in(whole)


def assert_in_place(whole: Model, spelled: Spelling, kind: str) -> None:
    """Check that each layer of a file is found, and where it belongs."""
    tensors, belongs = {}, {}
    for number, (role, path, name) in enumerate(spelled(whole), 1):
        for suffix, tensor in of_kind(kind, whole.layers[role][path]).items():
            tensors[f"{name}.{suffix}"] = tensor
        tensors[f"{name}.alpha"] = torch.tensor(float(number))
        belongs[number] = role, f"{path}.weight"
    result = found(whole, tensors)
    assert result.unused == []
    places = {
        int(delta.factors.alpha or 0): (role, module)
        for role, modules in result.deltas.items()
        for module, deltas in modules.items()
        for delta in deltas
    }
    assert len(places) == len(belongs) > 100
    for number, (role, module) in places.items():
        path = stored_as(f"{module}.weight", whole.parts[role].names).name
        assert (role, path) == belongs[number]


EACH = [
    *((name, spelling) for name in ("1.5", "XL") for spelling in SPELLINGS),
    *(
        (name, spelling)
        for name in ("2.1", "SSD-1B", "XL refiner")
        for spelling in ("kohya", "ComfyUI", "diffusers")
    ),
]


@pytest.mark.parametrize(("name", "spelling"), EACH)
def test_every_spelling_finds_every_layer(name: str, spelling: str) -> None:
    assert_in_place(model(name), SPELLINGS[spelling], "LoRA")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("1.5", kind) for kind in KINDS),
        *(("XL", kind) for kind in ("DoRA", "LoKr, factored", "OFT")),
    ],
)
def test_every_kind_finds_every_layer(name: str, kind: str) -> None:
    texts = "lora_te_" if name == "1.5" else "lora_te1_"
    assert_in_place(model(name), flattened("lora_unet_", texts, "lora_te2_"), kind)


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [
        ("kohya", "(IA)^3"),
        ("kohya of XL, the other way", "OFT"),
        ("bare", "set weight"),
    ],
)
@pytest.mark.parametrize(
    ("name", "other", "family"),
    [("1.5", "XL", "Stable Diffusion 1.x"), ("XL", "1.5", "Stable Diffusion XL")],
)
def test_one_that_shows_no_width_of_a_text_is_told_by_its_names(
    name: str, other: str, family: str, spelling: str, kind: str
) -> None:
    whole = model(name)
    tensors = {
        f"{spelled}.{suffix}": tensor
        for role, path, spelled in SPELLINGS[spelling](whole)
        for suffix, tensor in of_kind(kind, whole.layers[role][path]).items()
    }
    with pytest.raises(CheckpointError, match=re.escape(f" for {family}")):
        found(model(other), tensors)


def test_what_needs_a_fused_layer_whole_says_so() -> None:
    """OpenCLIP keeps queries, keys and values in one matrix, and our networks do not.

    Why is said behind what is not used, and where there is nothing else.
    """
    start = "text_encoder.transformer.resblocks"
    across = {f"{start}.0.attn.in_proj.oft_blocks": zeros(2, 1536, 1536)}
    says = (
        " Some change layers that are fused there and several here, each of which "
        "needs the others: the blocks of an OFT turn rows of several into each other."
    )
    with pytest.raises(CheckpointError) as caught:
        found(model("2.1"), across)
    assert str(caught.value).endswith(says)
    apart = {f"{start}.1.attn.in_proj.oft_blocks": zeros(6, 512, 512)}
    result = found(model("2.1"), across | apart)
    assert result.unused == [*across]
    assert result.why == says
    assert len(result.deltas["text"]) == 3


@pytest.mark.parametrize("kind", ["(IA)^3", "set weight"])
def test_names_as_kohya_has_for_xl_alone_may_be_of_others(kind: str) -> None:
    assert_in_place(model("1.5"), SPELLINGS["kohya of XL, the other way"], kind)
