"""A model in one layout becomes the same in the other, to the bit and to the name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from imaginairy.conversion.convert import convert
from imaginairy.conversion.pieces import pieces_of
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.published import autoencoder as vae_names
from imaginairy.published import clip_text as text_names
from imaginairy.published import unet as unet_names
from imaginairy.weights.assemble import Part
from tests.support.kin import autoencoder_of, hollow, kin_text, kin_unet
from tests.support.renamed import (
    Held,
    compvis_autoencoder,
    compvis_unet,
    digest,
    levelled,
    openclip_text,
)
from tests.support.written import (
    FAMILIES,
    POSITIONS,
    said,
    same,
    tensors,
    weights_of,
)

Model = Callable[[str, str], Path]
NOT_IN_FOLDERS = "logit_scale"
"""What single files have, no network reads and folders have no place for."""


def with_positions(family: str, held: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add what single files hold besides weights, without what folders have not."""
    name = POSITIONS.get(family)
    added = {name: torch.arange(77)[None]} if name else {}
    return {k: v for k, v in held.items() if not k.endswith(NOT_IN_FOLDERS)} | added


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_becomes_the_file_that_training_programs_write(
    family: str, model: Model, tmp_path: Path
) -> None:
    out = tmp_path / "out.safetensors"
    done = convert(str(model(family, "folder")), str(out))
    assert (done.path, done.size, done.unread) == (out, out.stat().st_size, [])
    theirs = with_positions(family, tensors(model(family, "file")))
    assert same(tensors(out), theirs)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_becomes_the_folder_that_diffusers_writes(
    family: str, model: Model, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    convert(str(model(family, "file")), f"{out}/")
    theirs = weights_of(model(family, "folder"))
    # What newer versions of transformers leave out of the names stays in them here.
    theirs = {
        name if "text_model" in name or not name.startswith("text_enc") or
        "text_projection" in name else name.replace("/", "/text_model.", 1): tensor
        for name, tensor in theirs.items()
    }  # fmt: skip
    assert same(weights_of(out), theirs)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_comes_back_from_a_folder_to_the_bit(
    family: str, model: Model, tmp_path: Path
) -> None:
    first, again = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    convert(str(model(family, "file")), str(first))
    convert(str(first), f"{tmp_path}/folder/")
    convert(f"{tmp_path}/folder", str(again))
    theirs = tensors(model(family, "file"))
    assert same(tensors(again), with_positions(family, theirs))
    assert same(tensors(first), with_positions(family, theirs) | theirs)
    assert said(first) == said(again)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layout", ["file", "folder"])
def test_all_that_is_known_of_a_model_stays(
    family: str, layout: str, model: Model, tmp_path: Path
) -> None:
    before = read_checkpoint(model(family, layout))
    for out in (tmp_path / "out.safetensors", tmp_path / "out"):
        ends = "" if out.suffix else "/"
        convert(str(model(family, layout)), f"{out}{ends}")
        after = read_checkpoint(out)
        assert after.family is before.family
        assert after.schedule == before.schedule
        assert after.clip_skip == before.clip_skip
        configs = {role: part.config for role, part in before.parts.items()}
        assert {role: part.config for role, part in after.parts.items()} == configs


def written(part: Part, naming: Any) -> dict[str, Tensor]:
    """Return what would be written of a network, of which only shapes are there."""
    pieces = pieces_of(part, naming).pieces
    return {p.name: torch.empty(p.shape, device="meta") for p in pieces}


@pytest.mark.parametrize("name", ["2.1", "XL", "XL refiner"])
def test_a_unet_of_full_size_has_the_published_names(name: str) -> None:
    theirs = hollow(kin_unet, name)
    both = (theirs, unet_names.DIFFUSERS), (compvis_unet(theirs), unet_names.COMPVIS)
    for named, _ in both:
        part = unet_names.unet(Held(named), {})
        for other, naming in both:
            assert digest(written(part, naming)) == digest(other)


def test_an_autoencoder_of_full_size_has_the_published_names() -> None:
    theirs = hollow(autoencoder_of)
    both = (
        (theirs, vae_names.DIFFUSERS),
        (compvis_autoencoder(theirs), vae_names.COMPVIS),
    )
    for named, _ in both:
        part = vae_names.autoencoder(Held(named), {})
        for other, naming in both:
            assert digest(written(part, naming)) == digest(other)


@pytest.mark.parametrize("projected", [True, False])
def test_a_text_encoder_of_openclip_has_the_published_names(projected: bool) -> None:
    """That of Stable Diffusion 2 has a layer more in files, which nothing reads."""
    kind, settings = "ViT-H", {"pooled": projected, "projected": projected}
    file = openclip_text(hollow(kin_text, kind, projected=True))
    part = text_names.clip_text(Held(file), settings)
    layers = {} if projected else {"num_hidden_layers": 23}
    folder = levelled(hollow(kin_text, kind, projected=projected, **layers))
    assert digest(written(part, text_names.OPENCLIP)) == digest(file)
    assert digest(written(part, text_names.LEVELLED)) == digest(folder)
    back = written(text_names.clip_text(Held(folder), settings), text_names.OPENCLIP)
    lost = {"logit_scale"} if projected else {"logit_scale", "text_projection"}
    assert back.keys() == file.keys() - lost
