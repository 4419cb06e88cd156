"""Every tensor of Stable Diffusion 2, XL and their kin has its place, and no more.

At full size, of names and shapes alone. That those are the published files' is told by
their digests, which were taken from lists of the published tensors.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from imaginairy.errors import CheckpointError
from imaginairy.published.autoencoder import autoencoder
from imaginairy.published.clip_text import clip_text
from imaginairy.published.naming import OtherDesignError
from imaginairy.published.unet import unet
from imaginairy.weights.assemble import Part
from tests.support.kin import (
    DEPTHS,
    UNETS,
    autoencoder_of,
    hollow,
    kin_text,
    kin_unet,
)
from tests.support.renamed import (
    Held,
    Named,
    compvis_autoencoder,
    compvis_unet,
    digest,
    levelled,
    openclip_text,
)

META = torch.device("meta")
PUBLISHED_UNETS = {
    "2.1": ("e1b6b20265b7", "6ec9648adabd"),
    "XL": ("93a876608bc1", "d7a8d7ad0a01"),
    "XL refiner": ("c352c68524b4", "8e703616118e"),
}
"""Digests of the files in the naming of diffusers and of CompVis."""
LAYERS_USED = {"ViT-L": 12, "ViT-H": 23, "ViT-bigG": 32}


def assert_fits(part: Part) -> None:
    """Fill the network; a tensor with no place, or a place with none, is refused."""
    part.load(META, torch.float16)


@pytest.fixture(scope="module")
def unets() -> Callable[[str], Named]:
    built: dict[str, Named] = {}

    def get(name: str) -> Named:
        if name not in built:
            built[name] = hollow(kin_unet, name)
        return built[name]

    return get


@pytest.mark.parametrize("name", UNETS)
@pytest.mark.parametrize("renamed", [dict, compvis_unet])
def test_a_unet_of_every_kind_is_read_off_its_shapes(
    unets: Callable[[str], Named], name: str, renamed: Callable[[Named], Named]
) -> None:
    named = renamed(unets(name))
    if name in PUBLISHED_UNETS:
        assert digest(named) in PUBLISHED_UNETS[name]
    part = unet(Held(named), {})
    kind, config = UNETS[name], part.config
    assert (config.down, config.middle, config.up) == DEPTHS[name]
    assert config.channels == kind["block_out_channels"]
    assert config.heads == kind["attention_head_dim"]
    assert config.in_channels == kind.get("in_channels", 4)
    assert config.context_dim == kind["cross_attention_dim"]
    assert config.added_dim == kind.get("projection_class_embeddings_input_dim")
    assert_fits(part)


@pytest.mark.parametrize(
    ("taken", "said"),
    [(6, "; only "), (7, "; only ")],
)
def test_unets_that_see_more_than_a_mask_are_named(
    unets: Callable[[str], Named], taken: int, said: str
) -> None:
    named = {**unets("2.1"), "conv_in.weight": torch.empty(320, taken, 3, 3)}
    for each in (named, compvis_unet(named)):
        with pytest.raises(CheckpointError, match=f"takes {taken} channels{said}"):
            unet(Held(each), {})


def test_a_tensor_that_an_uneven_unet_has_no_place_for_is_refused(
    unets: Callable[[str], Named],
) -> None:
    """Depths are those that are there; what is deeper than its block is left over."""
    named = compvis_unet(unets("SSD-1B"))
    lost = "output_blocks.2.1.transformer_blocks.9.attn1.to_k.weight"
    with pytest.raises(CheckpointError, match=rf"1 missing \({lost}\)"):
        assert_fits(unet(Held({n: t for n, t in named.items() if n != lost}), {}))
    far = {"output_blocks.2.1.transformer_blocks.999999999.ff": torch.empty(1)}
    with pytest.raises(CheckpointError, match=r"1 unexpected \(output_blocks\.2\.1"):
        assert_fits(unet(Held({**named, **far}), {}))
    spare = {"middle_block.2.in_layers.0.weight": torch.empty(1280)}
    with pytest.raises(CheckpointError, match=r"1 unexpected \(middle_block\.2\."):
        assert_fits(unet(Held({**named, **spare}), {}))


@pytest.mark.parametrize(
    "lost", [r".*\.transformer_blocks\..*", r"input_blocks\.[78]\..*"]
)
def test_a_unet_that_reads_no_text_or_lacks_a_level_s_blocks_is_of_another_design(
    unets: Callable[[str], Named], lost: str
) -> None:
    named = compvis_unet(unets("Vega"))
    left = {name: t for name, t in named.items() if not re.fullmatch(lost, name)}
    with pytest.raises(OtherDesignError, match="levels without blocks, or none reads"):
        unet(Held(left), {})


@pytest.mark.parametrize("renamed", [dict, compvis_autoencoder])
def test_the_autoencoder_is_that_of_stable_diffusion_1(
    renamed: Callable[[Named], Named],
) -> None:
    named = renamed(hollow(autoencoder_of))
    assert digest(named) in {"5a0ba4e758a9", "a0c24ae5e2ef"}
    part = autoencoder(Held(named), {"scaling_factor": 0.13025})
    assert part.config.scale_factor == 0.13025
    assert_fits(part)


POOLED = {"pooled": True, "projected": True}
TEXT_FILES: dict[str, tuple[str, Any, dict[str, Any], dict[str, Any], str]] = {
    "2.1, folder": ("ViT-H", levelled, {"num_hidden_layers": 23}, {}, "42ac16b3f9ae"),
    "2.1, file": ("ViT-H", openclip_text, {"projected": True}, {}, "c406bbc7db25"),
    "XL, first": ("ViT-L", levelled, {}, {"final_norm": False}, "2d6bd75085bd"),
    "XL, second, folder": (
        "ViT-bigG", levelled, {"projected": True},
        {"final_norm": False, **POOLED}, "02cca0fa2d2a",
    ),
    "XL, second, file": (
        "ViT-bigG", openclip_text, {"projected": True},
        {"final_norm": False, **POOLED}, "7a75be0d08f5",
    ),
}  # fmt: skip
"""Which design, naming and size, how it is used, and the digest of the file without its
`position_ids`."""


@pytest.mark.parametrize("file", TEXT_FILES)
def test_a_text_encoder_of_every_kind_is_read_off_its_shapes(file: str) -> None:
    kind, renamed, sizes, settings, published = TEXT_FILES[file]
    named = renamed(hollow(kin_text, kind, **{"projected": False, **sizes}))
    assert digest(named) == published
    positions = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    for each in (named, {**named, **positions}):
        part = clip_text(Held(each), settings)
        config, width = part.config, {"ViT-L": 768, "ViT-H": 1024, "ViT-bigG": 1280}
        assert config.width == width[kind]
        assert config.heads == width[kind] // 64
        assert config.layers == LAYERS_USED[kind]
        assert config.activation == ("quick_gelu" if kind == "ViT-L" else "gelu")
        assert config.final_norm == settings.get("final_norm", True)
        assert config.projection_dim == (1280 if settings.get("pooled") else None)
        assert config.end_token == 49407
        assert_fits(part)


def test_a_text_encoder_whose_projection_is_wanted_and_missing_is_refused() -> None:
    named = levelled(hollow(kin_text, "ViT-bigG", projected=False))
    with pytest.raises(KeyError, match=r"text_projection\.weight"):
        clip_text(Held(named), POOLED)
