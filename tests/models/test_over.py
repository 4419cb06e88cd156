"""A network in a file by itself, over the other parts of another model."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.errors import CheckpointError
from imaginairy.families.family import AUTOENCODER, DENOISER
from imaginairy.models.loading import opened
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.samplers.edm import EdmConfig
from imaginairy.samplers.spacings import ALIGNED_XL
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import BUNDLED_FOLDER
from imaginairy.weights.gguf_writing import Laid, write_gguf
from imaginairy.weights.packed import Packed
from imaginairy.weights.packing import PACKS
from imaginairy.weights.weightfile import open_weights
from tests.support.golden import CPU
from tests.support.renamed import compvis_unet
from tests.support.tiny_kin import below, save_as_file, tiny_sd2, tiny_sdxl

STORYBOOK = BUNDLED_FOLDER / "storybook" / "unet"
UNET = "model.diffusion_model."


@pytest.fixture(scope="module")
def sdxl() -> Any:
    return tiny_sdxl()


@pytest.fixture(scope="module")
def base(sdxl: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    sdxl.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def other(sdxl: Any) -> dict[str, torch.Tensor]:
    """Another UNet of the same size."""
    named: dict[str, torch.Tensor] = sdxl.unet.state_dict()
    return {name: tensor + 0.5 for name, tensor in named.items()}


NAMINGS: dict[str, Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]] = {
    "diffusers": dict,
    "CompVis": lambda named: dict(compvis_unet(named)),
    "CompVis in whole": lambda named: below(UNET, dict(compvis_unet(named))),
    "trainer": lambda named: below("unet.", named),
}


@pytest.mark.parametrize("naming", NAMINGS)
def test_its_weights_are_those_of_the_file(
    base: Path, other: dict[str, torch.Tensor], tmp_path: Path, naming: str
) -> None:
    file = tmp_path / "unet.safetensors"
    save_file(NAMINGS[naming](other), file)
    below_it = opened(locate(DRAWS, str(base)))
    both = opened(locate(DRAWS, f"{file}+{base}"))
    assert both.family is below_it.family
    part = both.parts[DENOISER]
    assert part.config == below_it.parts[DENOISER].config
    ours, theirs = (
        each.parts[DENOISER].load(CPU, torch.float32).state_dict()
        for each in (both, below_it)
    )
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor + 0.5)
    assert set(both.parts) == set(below_it.parts)
    assert both.weight_files == (file, *below_it.weight_files)


def test_a_folder_of_one_network_says_its_sizes(base: Path, sdxl: Any) -> None:
    folder = base / "unet"
    both = opened(locate(DRAWS, f"{folder}+{base}"))
    assert (
        both.parts[DENOISER].config
        == opened(locate(DRAWS, str(base))).parts[DENOISER].config
    )


@pytest.mark.parametrize("naming", ["diffusers", "CompVis in whole"])
def test_markers_of_the_file_say_its_noise(
    base: Path, other: dict[str, torch.Tensor], tmp_path: Path, naming: str
) -> None:
    file, empty = tmp_path / "unet.safetensors", torch.zeros(0)
    alone = ScheduleConfig(predicts="v", zero_terminal_snr=True, spacing="trailing")
    marked = {
        ("v_pred",): ScheduleConfig(predicts="v"),
        ("v_pred", "ztsnr"): alone,
        ("edm_mean", "edm_std"): EdmConfig(),
    }
    for names, schedule in marked.items():
        markers = {name: empty.clone() for name in names}
        save_file(NAMINGS[naming](other) | markers, file)
        both = opened(locate(DRAWS, f"{file}+{base}"))
        if isinstance(schedule, ScheduleConfig):
            schedule = replace(schedule, aligned=ALIGNED_XL)
        assert both.schedule == schedule
        for part in both.parts.values():  # refuses whatever does not fit
            part.load(CPU, torch.float32)
        scale = both.parts[AUTOENCODER].config.scale_factor
        assert scale == (0.5 if "edm_std" in names else 0.13025)


def test_it_draws_and_is_recorded(tmp_path: Path) -> None:
    """What its file does not say of its size is as in the model below it."""
    (weights,) = STORYBOOK.glob("*.safetensors")
    file = tmp_path / "sketch_lcm.safetensors"
    file.symlink_to(weights)
    store = ModelStore("cpu")
    asked = {"seed": 1, "width": 64, "height": 64, "steps": 2, "upscale": False}
    same = {**asked, "sampler_type": "k_euler", "prompt_strength": 3.5}
    [plain] = imagine(ImaginePrompt("a fox", model="storybook", **same), store=store)
    name = f"{file}+storybook"
    [drawn] = imagine(ImaginePrompt("a fox", model=name, **same), store=store)
    assert np.array_equal(np.asarray(drawn.img), np.asarray(plain.img))
    said = drawn.metadata_dict()
    again = ImaginePrompt.from_dict(said)
    assert again.model == said["model"] == f"{weights.resolve()}+storybook"
    [few] = imagine(ImaginePrompt("a fox", model=name, **asked), store=store)
    assert few.prompt.sampler_type == "k_lcm", "as its name says"


def test_a_packed_one_draws_as_the_numbers_that_it_unpacks_to(
    base: Path, other: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    packed, plain = tmp_path / "unet.gguf", tmp_path / "unet.safetensors"
    eight = tmp_path / "eight.safetensors"
    named = {name: tensor - 0.5 for name, tensor in compvis_unet(other).items()}
    fits = {name for name, t in named.items() if t.ndim == 2 and t.shape[1] % 32 == 0}
    pieces = [
        Laid(name, tuple(t.shape), "Q8_0", partial(PACKS["Q8_0"], t))
        if name in fits
        else Laid.of(name, t)
        for name, t in named.items()
    ]
    write_gguf(packed, pieces, {"general.architecture": "sdxl"})
    opened = open_weights(packed)
    save_file({name: opened.read(name) + 0 for name in opened.shapes}, plain)
    few = {name: named[name].to(torch.float8_e4m3fn) for name in fits}
    by = {n.replace(".weight", ".scale_weight"): torch.tensor(2.0) for n in fits}
    save_file({**named, **few, **by}, eight)
    store, asked = ModelStore("cpu"), {"seed": 1, "width": 64, "height": 64, "steps": 2}
    drawn = []
    for file in (packed, plain, eight):
        name = f"{file}+{base}"
        drawn += imagine(ImaginePrompt("a fox", model=name, **asked), store=store)
        weights = [*store.get(name).diffusion.network.parameters()]
        stay = sum(isinstance(weight, Packed) for weight in weights)
        assert stay == (0 if file is plain else len(fits))
    ours, theirs, other_ones = (np.asarray(each.img) for each in drawn)
    assert np.array_equal(ours, theirs)
    assert not np.array_equal(ours, other_ones)


def test_what_is_no_network_alone_is_refused(
    base: Path, sdxl: Any, tmp_path: Path
) -> None:
    whole, lora = tmp_path / "whole.safetensors", tmp_path / "lora.safetensors"
    save_as_file(sdxl, whole)
    save_file({"lora_unet_x.lora_down.weight": torch.zeros(4, 8)}, lora)
    two = tmp_path / "two.safetensors"
    save_file(dict(tiny_sd2().unet.state_dict()), two)
    for file, said in (
        (whole, r"holds more than the one network .*give it by itself"),
        (lora, "is a LoRA"),
        (two, "do not belong together"),
        (base, r"holds no weights itself; give .* before the '\+'"),
    ):
        with pytest.raises(CheckpointError, match=said):
            ModelStore("cpu").get(f"{file}+{base}")


def test_the_refusal_of_a_network_alone_says_what_to_do(
    other: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    file = tmp_path / "unet.safetensors"
    save_file(other, file)
    with pytest.raises(CheckpointError, match=r"as --model FILE\+sdxl"):
        opened(locate(DRAWS, str(file)))
