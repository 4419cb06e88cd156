"""The table of families: who is asked first, what is said of whom."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from imaginairy import ModelStore
from imaginairy.errors import CheckpointError
from imaginairy.families.family import AUTOENCODER, Family, Header, LatentGrid
from imaginairy.families.sd1 import SD1
from imaginairy.families.table import FAMILIES, family_of, only_supported, register
from imaginairy.models.checkpoint import header_of_folder, read_checkpoint
from imaginairy.sources.checkpoints import checkpoint_files
from imaginairy.weights.folder import ModelFolder
from tests.families.patchwork.row import PATCHWORK
from tests.families.patchwork.saving import save_as_folder
from tests.support.checkpoints import PARTS
from tests.support.tiny import tiny_pipeline


def test_a_row_is_there_once_and_can_be_taken_back() -> None:
    before = [*FAMILIES]
    with register(PATCHWORK):
        assert [row.name for row in FAMILIES] == [
            "patchwork",
            *(r.name for r in before),
        ]
        with pytest.raises(ValueError, match="There is a family 'patchwork' already"):
            register(PATCHWORK)
    assert before == FAMILIES


def test_the_one_that_came_last_is_asked_first() -> None:
    header = Header(lambda: {"model.diffusion_model.out.2.bias": (4,)})
    assert family_of(header) is SD1
    with register(replace(SD1, name="kin")) as scope:
        assert family_of(header) is not SD1
        scope.close()
        assert family_of(header) is SD1
    assert family_of(Header(dict)) is None


def test_a_family_draws_and_decodes_and_no_role_is_there_twice() -> None:
    without = tuple(part for part in SD1.parts if part.role != AUTOENCODER)
    for parts in (without, (*SD1.parts, SD1.part("text"))):
        with pytest.raises(ValueError, match=r"'bad' has the parts denoiser, .*needs"):
            replace(SD1, name="bad", parts=parts)


@pytest.mark.parametrize(
    ("grid", "size", "shape"),
    [
        (LatentGrid(4, 8), (512, 768), (4, 96, 64)),
        (LatentGrid(16, 16, multiple_of=2), (96, 64), (16, 4, 6)),
    ],
)
def test_a_grid_counts_latents(
    grid: LatentGrid, size: tuple[int, int], shape: tuple[int, int, int]
) -> None:
    assert grid.shape(size) == shape
    assert all(side % grid.step == 0 for side in size)


def test_messages_name_all_families(tmp_path: Path) -> None:
    assert only_supported() == "only Stable Diffusion 1.x is supported"
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with register(PATCHWORK):
        assert (
            only_supported() == "only Patchwork and Stable Diffusion 1.x are supported"
        )
        with pytest.raises(
            CheckpointError, match=r"Patchwork or Stable Diffusion 1\.x: no"
        ):
            read_checkpoint(tmp_path / "x.safetensors")


@pytest.mark.parametrize("family", [SD1, PATCHWORK], ids=lambda row: row.name)
def test_of_a_repository_the_folders_of_its_family_are_fetched(family: Family) -> None:
    weights = [f"{part.folder}/model.safetensors" for part in family.parts]
    words = [f"{part.vocabulary}/vocab.json" for part in family.texts]
    others = ["safety_checker/model.safetensors", "picture.png"]
    with register(PATCHWORK):
        wanted = checkpoint_files(
            [*weights, *words, *others, "model_index.json"], "a/b", "model", False
        )
    assert wanted == [*weights, *words, "model_index.json"]
    assert {part.folder for part in SD1.parts} == set(PARTS)


def test_a_folder_that_no_family_knows_is_said(tmp_path: Path) -> None:
    for folder in (*PARTS, "text_encoder_2"):
        (tmp_path / folder).mkdir()
        save_file({"x": torch.zeros(1)}, tmp_path / folder / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(tmp_path)
    assert str(caught.value) == (
        f"'{tmp_path}' holds text_encoder, text_encoder_2, unet, vae; only Stable "
        "Diffusion 1.x is supported."
    )


def test_latents_of_another_kind_than_the_familys_are_refused(tmp_path: Path) -> None:
    pipeline = tiny_pipeline()
    pipeline.vae = AutoencoderKL(
        latent_channels=8, norm_num_groups=16, block_out_channels=(16,)
    )
    pipeline.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        ModelStore("cpu").get(str(tmp_path))
    assert str(caught.value).endswith(
        "makes latents of 8 channels for 1 x 1 pixels; Stable Diffusion 1.x draws "
        "those of 4 for 8 x 8."
    )


def test_a_folder_may_be_told_by_the_shapes_of_its_tensors(tmp_path: Path) -> None:
    folder = save_as_folder(tmp_path / "quilt")
    needle = "stitcher/needle.in.weight"
    for channels, known in ((16, True), (4, False)):
        wanted = (8, channels, 3, 3)
        row = replace(PATCHWORK, detect=lambda h, w=wanted: h.shapes.get(needle) == w)
        with register(row):
            header = header_of_folder(ModelFolder(folder))
            assert (family_of(header) is row) == known
            assert "codec/post_quant_conv.bias" in header.shapes
            assert len({name.partition("/")[0] for name in header.shapes}) == 4


@pytest.mark.parametrize(
    ("folders", "index", "known"),
    [
        ({"unet"}, {}, True),
        ({"unet"}, {"_class_name": "StableDiffusionInpaintPipeline"}, True),
        ({"unet"}, {"_class_name": "StableDiffusionXLPipeline"}, False),
        ({"unet", "text_encoder_2"}, {}, False),
        ({"transformer"}, {}, False),
    ],
)
def test_folders_of_stable_diffusion(
    folders: set[str], index: dict[str, str], known: bool
) -> None:
    assert SD1.detect(Header(dict, folders=folders, index=index)) == known
