"""The bundled model draws the same pictures as Playground v2.5 and CosXL would.

Its UNet is wrapped so that it speaks of noise of any level; all else is the road that
their single files go.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.families.table import register
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.edm import EdmSchedule
from tests.support.lifted import assert_alike, save_file_of
from tests.support.lifted_edm import LIFTED, MARKERS, Stretching, edm_family

FOX, BOWL = "a red fox in a forest", "a bowl of fruit"
WALKS = [row for row in SAMPLERS.values() if "continuous" in row.schedules]
TAKERS = [row.name for row in WALKS if not row.adaptive]
"""But those that choose their steps, in each of which rounding adds a little."""
Draw = Callable[..., list[np.ndarray]]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Draw:
    """Draw pictures with a model: drawn(model, *prompts, **fields)."""
    places, stores = {}, {}
    for kind in LIFTED:
        file = tmp_path_factory.mktemp(kind) / "model.safetensors"
        save_file_of("XL", file, LIFTED[kind](), MARKERS[kind])
        places[kind], stores[kind] = str(file), ModelStore("cpu")
        with register(edm_family(kind)):
            stores[kind].get(str(file))
    for kind in ("storybook", "storybook under more noise"):
        places[kind], stores[kind] = "storybook", ModelStore("cpu")
    store = stores["storybook under more noise"]
    store.get("storybook").diffusion.schedule = Stretching(EdmSchedule())

    def drawn(model: str, *texts: str, **options: Any) -> list[np.ndarray]:
        usual: dict[str, Any] = {
            "negative_prompt": BOWL, "prompt_strength": 4.0, "steps": 3, "width": 64,
            "height": 64, "sampler_type": "k_euler", "upscale": False,
        }  # fmt: skip
        prompts = [
            ImaginePrompt(text, seed=seed, **{**usual, **options}, model=places[model])
            for seed, text in enumerate(texts or (FOX,), start=1)
        ]
        results = imagine(prompts, store=stores[model], batch_size=len(prompts))
        return [np.asarray(result.img, dtype=float) for result in results]

    return drawn


def picture() -> Image.Image:
    """A picture of which every part is another."""
    across, down = np.meshgrid(np.linspace(0, 255, 64), np.linspace(0, 255, 64))
    pixels = np.stack([across, down, 255 - across], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def left_half() -> Image.Image:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    return mask


WAYS: dict[str, dict[str, Any]] = {
    "another size": {"width": 96, "height": 72},
    "from a picture": {"init_image": picture(), "init_image_strength": 0.3},
    "in a part of a picture": {"init_image": picture(), "mask_image": left_half()},
    "a tile": {"tile_mode": "xy"},
    "other levels": {"schedule": "karras"},
}


@pytest.mark.parametrize("name", TAKERS)
def test_every_sampler(drawn: Draw, name: str) -> None:
    options: dict[str, Any] = {"sampler_type": name}
    spaced = {"schedule": "exponential"} if SAMPLERS[name].spacings[1:] else {}
    wanted = drawn("storybook", **options, **spaced)
    assert_alike(drawn("cosxl", **options, **spaced), wanted)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", LIFTED)
def test_every_way(drawn: Draw, kind: str, way: str) -> None:
    options = WAYS[way]
    if kind == "playground":
        wanted = drawn("storybook under more noise", **options)
    else:
        wanted = drawn("storybook", **{"schedule": "exponential", **options})
    assert_alike(drawn(kind, **options), wanted)


@pytest.mark.parametrize("name", ["k_euler", "k_dpmpp_2m"])
def test_several_together_under_more_noise(drawn: Draw, name: str) -> None:
    texts, options = (FOX, "a wooden cabin"), {"sampler_type": name, "steps": 4}
    wanted = drawn("storybook under more noise", *texts, **options)
    assert_alike(drawn("playground", *texts, **options), wanted)
