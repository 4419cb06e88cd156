"""Controls for the tiny model, and both who draw under them."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    StableDiffusionControlNetPipeline,
)
from PIL import Image

from imaginairy import ImaginePrompt
from tests.support.beside_diffusers import FOX
from tests.support.photographs import ASTRONAUT
from tests.support.roads import Drawn, Ours, Theirs
from tests.support.tiny_controls import (
    saved_file,
    saved_folder,
    tiny_adapter,
    tiny_controlnet,
)


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def ours(tiny_folder: Path) -> Ours:
    return Ours(tiny_folder)


@pytest.fixture(scope="module")
def theirs(tiny_folder: Path) -> Theirs:
    return Theirs(tiny_folder)


@pytest.fixture(scope="module")
def hint() -> Image.Image:
    with Image.open(ASTRONAUT) as image:
        return image.convert("RGB").resize((64, 64))


@pytest.fixture(scope="module")
def other(hint: Image.Image) -> Image.Image:
    return hint.transpose(Image.Transpose.ROTATE_180)


@pytest.fixture(scope="module")
def nets(theirs: Theirs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Controls as diffusers has them, and where they lie."""
    folder, unet = tmp_path_factory.mktemp("controls"), theirs.pipeline.unet
    one, two = tiny_controlnet(unet, 1), tiny_controlnet(unet, 2)
    pools = tiny_controlnet(unet, 3, global_pool_conditions=True)
    adapter = tiny_adapter(4)
    second = tiny_adapter(6)
    return {
        "second": (second, saved_folder(second, folder / "second")),
        "one": (one, saved_folder(one, folder / "one")),
        "two": (two, saved_file(two, folder / "two.safetensors", "control_model.")),
        "pools": (pools, saved_folder(pools, folder / "pools")),
        "adapter": (adapter, saved_folder(adapter, folder / "adapter")),
    }


@pytest.fixture
def controlled(theirs: Theirs, nets: dict[str, Any]) -> Callable[..., Drawn]:
    """Draw with diffusers under ControlNets of these names."""

    def draw(
        *names: str, kind: Any = StableDiffusionControlNetPipeline, **options: Any
    ) -> Drawn:
        found = [nets[name][0] for name in names]
        net = found[0] if len(found) == 1 else found
        return theirs.draw(kind=partial(kind, controlnet=net), **options)

    return draw


@pytest.fixture
def ask(tiny_folder: Path, nets: dict[str, Any], hint: Image.Image) -> Any:
    """Make a prompt under a control, which is a raw hint unless it is said."""

    def ask(text: str = FOX, *, of: str = "one", **more: Any) -> ImaginePrompt:
        fields = {
            "seed": 1, "steps": 3, "model": str(tiny_folder), "sampler_type": "ddim",
            "width": 64, "height": 64, "control_image": hint,
            "controls": f"{nets[of][1]},hint=canny" if of else None, **more,
        }  # fmt: skip
        return ImaginePrompt(text, **{k: v for k, v in fields.items() if v is not None})

    return ask
