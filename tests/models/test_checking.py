"""Models beside the one that draws, checked without reading their weights."""

import gc
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from imaginairy import ModelStore
from imaginairy.errors import CheckpointError, HubUnreachableError, UnknownModelError
from imaginairy.sources.catalog import known
from imaginairy.sources.rows import BundledFolder
from tests.support.hub_environment import hub_environment
from tests.support.tiny_upscaler import save_repeater

BUNDLED = {
    "mask": "storybook-clipseg",
    "upscaler": "storybook-upscaler",
    "face-detector": "storybook-faces",
    "face-restorer": "storybook-codeformer",
    "captioner": "storybook-blip",
    "similarity": "storybook-clip",
}
Break = Callable[[Path], object]


@pytest.fixture
def store() -> ModelStore:
    return ModelStore("cpu")


def tensors_of(model: Any) -> list[torch.Tensor]:
    network = getattr(model, "network", None) or model.finder
    return list(network.state_dict().values())


@pytest.mark.parametrize(("role", "name"), BUNDLED.items())
def test_no_weights_are_read(store: ModelStore, role: str, name: str) -> None:
    checked = store.check(role, name)
    assert all(tensor.is_meta for tensor in tensors_of(checked))
    assert store.check(role, name) is checked, "that is done once"
    assert store.loaded_roles == frozenset()
    loaded = store.companion(role, name)
    assert type(loaded) is type(checked)
    assert not any(tensor.is_meta for tensor in tensors_of(loaded))
    assert store.check(role, name) is loaded, "there is nothing left to check"
    assert store.loaded_roles == {role}


def test_a_model_that_draws_is_checked_so_too(
    store: ModelStore, tiny_folder: Path
) -> None:
    checked = store.check("draws", str(tiny_folder))
    for network in checked.diffusion.networks.values():
        assert all(tensor.is_meta for tensor in network.state_dict().values())
    assert store.get(str(tiny_folder)).weights_sha256() == checked.weights_sha256()
    assert store.companion("draws", str(tiny_folder)) is store.get(str(tiny_folder))


def test_an_upscaler_tells_its_scale_before_it_is_loaded(
    store: ModelStore, tmp_path: Path
) -> None:
    path = str(save_repeater(tmp_path / "x2.safetensors", scale=2))
    assert store.check("upscaler", path).scale == 2
    assert store.check("upscaler", "lanczos").scale == 4


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def of_another_type(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "bert"}')


def with_tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Break:
    def broken(folder: Path) -> None:
        [file] = folder.glob("*.safetensors")
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file)

    return broken


def lacking_one(tensors: dict[str, torch.Tensor]) -> None:
    del tensors[max(tensors)]


def misshapen(tensors: dict[str, torch.Tensor]) -> None:
    tensors[max(tensors)] = torch.zeros(3, 2, 1)


def whole_numbers(tensors: dict[str, torch.Tensor]) -> None:
    tensors[max(tensors)] = torch.zeros_like(tensors[max(tensors)], dtype=torch.int64)


def cut_off(folder: Path) -> None:
    [file] = folder.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1000])


def of_a_lora(folder: Path) -> None:
    [file] = folder.glob("*.safetensors")
    save_file({"lora_unet_down.lora_up.weight": torch.zeros(2, 2)}, file)


FILE_FAULTS: tuple[Break, ...] = (
    with_tensors(lacking_one),
    with_tensors(misshapen),
    with_tensors(whole_numbers),
    cut_off,
    of_a_lora,
)


@pytest.mark.parametrize("role", BUNDLED)
def test_what_is_wrong_is_said_as_loading_says_it(role: str, tmp_path: Path) -> None:
    place = known(role, BUNDLED[role]).weights
    assert isinstance(place, BundledFolder)
    faults = FILE_FAULTS
    if role != "upscaler":
        faults = (*faults, without_config, of_another_type)
    for number, break_it in enumerate(faults):
        folder = tmp_path / str(number)
        shutil.copytree(place.path, folder)
        break_it(folder)
        path = folder / "model.safetensors" if role == "upscaler" else folder
        said = []
        for ask in (ModelStore("cpu").check, ModelStore("cpu").companion):
            with pytest.raises(CheckpointError) as refused:
                ask(role, str(path))
            said.append(str(refused.value))
        assert said[0] == said[1] and str(folder) in said[0]


def test_a_detector_of_another_kind_is_refused(
    store: ModelStore, tmp_path: Path
) -> None:
    (tmp_path / "faces.onnx").write_bytes(b"no network")
    with pytest.raises(CheckpointError, match=r"faces.onnx' is no face detector"):
        store.check("face-detector", str(tmp_path / "faces.onnx"))


def test_what_cannot_be_found_or_fetched_is_said(store: ModelStore) -> None:
    with pytest.raises(UnknownModelError, match="There is no upscaler 'nothing'"):
        store.check("upscaler", "nothing")
    with hub_environment(HF_HUB_OFFLINE="1"), pytest.raises(HubUnreachableError):
        store.check("captioner", "blip-base")


def test_what_is_loaded_is_not_looked_for_again(
    store: ModelStore, tmp_path: Path
) -> None:
    path = save_repeater(tmp_path / "x2.pth", scale=2)
    loaded = store.upscaler(str(path))
    path.unlink()
    assert store.check("upscaler", str(path)) is loaded
    with pytest.raises(UnknownModelError):
        ModelStore("cpu").check("upscaler", str(path))


def test_one_that_is_let_go_is_checked_again(store: ModelStore, tmp_path: Path) -> None:
    path = save_repeater(tmp_path / "x2.pth", scale=2)
    gone = weakref.ref(store.check("upscaler", str(path)))
    path.write_bytes(b"something else")
    store.clear()
    gc.collect()
    assert gone() is None
    with pytest.raises(CheckpointError):
        store.check("upscaler", str(path))


def test_one_is_let_go_before_another_takes_its_place(
    store: ModelStore, tmp_path: Path
) -> None:
    gone = weakref.ref(store.upscaler(str(save_repeater(tmp_path / "x2.pth"))))
    (tmp_path / "other.pth").write_bytes(b"no weights")
    with pytest.raises(CheckpointError):
        store.upscaler(str(tmp_path / "other.pth"))
    gc.collect()
    assert gone() is None, "both might have had no room"


def test_what_was_loaded_while_drawing_can_be_used_afterwards(
    store: ModelStore,
) -> None:
    with torch.inference_mode():
        loaded = store.upscaler("storybook-upscaler")
    assert not any(tensor.is_inference() for tensor in tensors_of(loaded))
