"""Adapters are found where other tools keep theirs, in folders as they are now."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from imaginairy.sources.adapter_folders import Folders, files
from imaginairy.sources.shelves import ADAPTERS, CONTROLS


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which nothing is, beside an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def mine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own."""
    monkeypatch.setenv(ADAPTERS.variable, str(home / "mine"))
    return home / "mine"


def save(path: Path) -> Path:
    """Save a file that is called as an adapter may be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def own(found: Iterable[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """Return what was found but for what comes with the package."""
    return [each for each in found if each[1].parent != ADAPTERS.bundled]


@pytest.mark.parametrize(
    ("model", "adapter"),
    [
        ("webui/models/Stable-diffusion/m.ckpt", "webui/embeddings/it.pt"),
        ("webui/models/Stable-diffusion/m.ckpt", "webui/models/Lora/a/it.safetensors"),
        ("webui/models/Stable-diffusion/m.ckpt", "webui/models/LyCORIS/it.safetensors"),
        ("webui/models/Stable-diffusion/m.ckpt", "webui/models/hypernetworks/it.pt"),
        ("webui/models/Stable-diffusion/1.5/m.ckpt", "webui/embeddings/it.pt"),
        ("ComfyUI/models/checkpoints/xl/m.ckpt", "ComfyUI/models/loras/it.safetensors"),
        ("ComfyUI/models/checkpoints/m.ckpt", "ComfyUI/models/embeddings/it.pt"),
        ("invokeai/models/sdxl/main/m", "invokeai/models/sdxl/lora/it.safetensors"),
        ("invokeai/models/sd-1/main/m", "invokeai/models/sd-1/embedding/it.bin"),
        ("SwarmUI/Models/Stable-Diffusion/m.ckpt", "SwarmUI/Models/Embeddings/it.pt"),
        ("plain/m.ckpt", "plain/it.safetensors"),
        ("plain/m.ckpt", "loras/it.safetensors"),
        ("plain/deep/m.ckpt", None),
    ],
)
def test_trees_of_other_tools_are_searched(
    model: str, adapter: str | None, home: Path
) -> None:
    """Wherever in one the model lies; around others no further than one folder."""
    it = save(home / (adapter or "loras/it.safetensors"))
    (home / model).mkdir(parents=True) if not Path(model).suffix else save(home / model)
    found = [path for name, path in files(home / model) if name == "it"]
    assert found == [it] * (adapter is not None)


CANNY = "canny/diffusion_pytorch_model.fp16.safetensors"


@pytest.mark.parametrize(
    ("model", "control"),
    [
        ("webui/models/Stable-diffusion/m.ckpt", "webui/models/ControlNet/canny.pth"),
        (
            "webui/models/Stable-diffusion/1.5/m.ckpt",
            "webui/extensions/sd-webui-controlnet/models/canny.pth",
        ),
        ("forge/models/Stable-diffusion/m.ckpt", f"forge/models/ControlNet/{CANNY}"),
        ("ComfyUI/models/checkpoints/m.ckpt", "ComfyUI/models/controlnet/canny.pth"),
        ("ComfyUI/models/unet/m.ckpt", "ComfyUI/models/t2i_adapter/1.5/canny.pth"),
        ("invokeai/models/sd-1/main/m", f"invokeai/models/sd-1/controlnet/{CANNY}"),
        ("invokeai/models/sdxl/main/m", f"invokeai/models/sdxl/t2i_adapter/{CANNY}"),
        ("Swarm/Models/Stable-Diffusion/m.ckpt", f"Swarm/Models/controlnet/{CANNY}"),
        ("webui/models/Stable-diffusion/m.ckpt", None),
    ],
)
def test_so_are_those_of_their_controls(
    model: str, control: str | None, home: Path
) -> None:
    """Of one in a folder of its own, that gives the name."""
    it = save(home / (control or "webui/extensions/other/models/canny.pth"))
    save(home / "webui/models/Lora/canny.safetensors")
    (home / model).mkdir(parents=True) if not Path(model).suffix else save(home / model)
    found = [path for name, path in files(home / model, CONTROLS) if name == "canny"]
    assert found == [it] * (control is not None)


def test_folders_are_read_again_when_they_change(mine: Path) -> None:
    """Their time tells that, unless it is as new as they were when they were read."""
    first, inner = save(mine / "first.safetensors"), mine / "inner"
    inner.mkdir()
    folders = Folders()
    long_ago = 10**18
    for folder in (mine, inner):
        os.utime(folder, ns=(long_ago, long_ago))
    assert own(folders.files()) == [("first", first)]
    second = save(inner / "second.safetensors")
    os.utime(inner, ns=(long_ago, long_ago))
    assert own(folders.files()) == [("first", first)]
    os.utime(inner, ns=(long_ago + 1, long_ago + 1))
    assert own(folders.files()) == [("first", first), ("second", second)]
    first.unlink()
    assert own(folders.files()) == [("second", second)]
    third = save(mine / "third.safetensors")
    assert own(folders.files()) == [("third", third), ("second", second)]
    assert [*files()] == [*folders.files()]


def test_links_to_folders_are_followed_and_never_in_a_circle(mine: Path) -> None:
    elsewhere = save(mine.parent / "elsewhere" / "it.safetensors")
    mine.mkdir()
    (mine / "linked").symlink_to(elsewhere.parent)
    (elsewhere.parent / "back").symlink_to(mine)
    (mine / "itself").symlink_to(mine)
    assert own(files()) == [("it", mine / "linked" / "it.safetensors")]
