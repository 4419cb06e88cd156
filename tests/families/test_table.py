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
from imaginairy.families.sd2 import SD2
from imaginairy.families.sdxl import SDXL
from imaginairy.families.sdxl_refiner import SDXL_REFINER
from imaginairy.families.table import FAMILIES, family_of, only_supported, register
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.models.known import header_of_folder
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
    flows = "Z-Image, Flux.2, Chroma, Flux.1"
    known = f"{flows}, Stable Diffusion XL, Stable Diffusion 2.x, Stable Diffusion 1.x"
    last = "Stable Diffusion XL Refiner"
    assert only_supported() == f"only {known} and {last} are supported"
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with register(PATCHWORK):
        assert only_supported() == f"only Patchwork, {known} and {last} are supported"
        with pytest.raises(
            CheckpointError, match=r"Patchwork, .*1\.x or .* XL Refiner: no"
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
    for folder in (*PARTS, "text_encoder_2", "text_encoder_3"):
        (tmp_path / folder).mkdir()
        save_file({"x": torch.zeros(1)}, tmp_path / folder / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(tmp_path)
    assert str(caught.value) == (
        f"'{tmp_path}' holds text_encoder, text_encoder_2, text_encoder_3, unet, vae; "
        f"{only_supported()}."
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


@pytest.mark.parametrize(
    ("family", "extra"),
    [
        (SD1, []),
        (SD2, ["cond_stage_model.model.ln_final.weight"]),
        (SDXL, ["conditioner.embedders.1.model.ln_final.weight"]),
        (
            SDXL_REFINER,
            [
                "model.diffusion_model.label_emb.0.0.weight",
                "conditioner.embedders.0.model.ln_final.weight",
            ],
        ),
    ],
)
def test_a_file_is_told_by_its_layout_whatever_its_widths(
    family: Family, extra: list[str]
) -> None:
    shapes = {"model.diffusion_model.input_blocks.1.1.proj_in.weight": (8, 8, 1, 1)}
    if family is not SD1:
        shapes = {name: shape[:2] for name, shape in shapes.items()}
    header = Header(lambda: shapes | dict.fromkeys(extra, (8,)))
    assert family_of(header) is family


@pytest.mark.parametrize(
    "name", ["label_emb.0.0.weight", "input_blocks.1.1.proj_in.weight"]
)
def test_unets_that_read_more_than_text_are_no_stable_diffusion_2(name: str) -> None:
    start = "model.diffusion_model."
    names = [f"{start}{name}", f"{start}input_blocks.1.1.proj_in.weight"]
    header = Header(lambda: dict.fromkeys(names, (8, 8)))
    assert SD2.detect(header) is (name != "label_emb.0.0.weight")
