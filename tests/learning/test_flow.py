"""Adapters of flow transformers are learnt as those of UNets are."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from imaginairy import ImaginePrompt, Lesson, ModelStore, imagine, learn
from imaginairy.adapters.held import held_adapter
from imaginairy.errors import BadOptionError
from imaginairy.learning.fresh import fresh_tensors
from imaginairy.models.drawing import DrawingModel
from tests.support import tiny_flow

pytestmark = pytest.mark.filterwarnings(
    "ignore:`FluxPosEmbed` is deprecated:FutureWarning"
)
FUSED = "lora_unet_double_blocks_0_img_attn_qkv"
KINDS: dict[str, tuple[Callable[..., Any], str]] = {
    "Z-Image": (tiny_flow.zimage, "lora_unet_layers_0_attention_qkv"),
    "Flux.1": (partial(tiny_flow.flux1, dev=True), FUSED),
    "Flux.2": (tiny_flow.flux2, FUSED),
    "Chroma": (tiny_flow.chroma, FUSED),
}
"""How each is built, and what files call a layer of one that learns."""
SHOWN = ("a red circle on a white background", "a blue square on a white background")


@pytest.fixture(scope="module")
def store() -> Iterator[ModelStore]:
    store = ModelStore("cpu")
    yield store
    store.clear()


@pytest.fixture(params=KINDS)
def model(
    request: pytest.FixtureRequest, store: ModelStore, tmp_path: Path
) -> DrawingModel:
    pipeline = tiny_flow.built(KINDS[request.param][0])
    pipeline.save_pretrained(tmp_path / request.param)
    return store.get(str(tmp_path / request.param)).diffusion


def test_fresh_ones_have_a_place_and_the_names_of_files(model: DrawingModel) -> None:
    layer = KINDS[model.family.title][1]
    for kind in ("lora", "loha", "lokr"):
        fresh = fresh_tensors(kind, model, rank=2)  # type: ignore[arg-type]
        assert held_adapter(fresh, "fresh").found_in(model).unused == []
        assert f"{layer}.alpha" in fresh


def test_text_encoders_are_learnt_with_where_that_is_known(model: DrawingModel) -> None:
    if model.family.name == "flux1":
        fresh = fresh_tensors("lora", model, rank=2, text=True)
        assert any(name.startswith("lora_te1_text_model") for name in fresh)
        return
    with pytest.raises(BadOptionError, match="is not learnt with; leave --text-enc"):
        fresh_tensors("lora", model, rank=2, text=True)


def test_what_storybook_flow_is_shown_it_draws(
    store: ModelStore, tmp_path: Path
) -> None:
    """Shown in negatives, what is on white comes to be on black."""
    prompts = [
        ImaginePrompt(text, seed=3, model="storybook-flow", upscale=False)
        for text in SHOWN
    ]
    before = [result.img for result in imagine(prompts, store=store)]
    folder = tmp_path / "negatives"
    folder.mkdir()
    for number, (text, image) in enumerate(zip(SHOWN, before, strict=True)):
        ImageOps.invert(image).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(text)
    lora = learn(
        Lesson(
            folder, model="storybook-flow", output=tmp_path / "negative.safetensors",
            steps=20, batch_size=2, learning_rate=5e-3, rank=8,
        ),
        store=store,
    )  # fmt: skip
    fresh = ImaginePrompt(
        SHOWN[0], seed=9, model="storybook-flow", loras=[str(lora)], upscale=False
    )
    [after] = imagine(fresh, store=store)
    assert corner(before[0]) > 200 > 130 > corner(after.img)


def corner(image: Image.Image) -> float:
    """Return how bright a picture is where nothing is on it."""
    return float(np.asarray(image.convert("L").crop((0, 0, 12, 12))).mean())


def test_its_words_cannot_be_learnt(store: ModelStore, tmp_path: Path) -> None:
    Image.new("RGB", (128, 128)).save(tmp_path / "0.png")
    (tmp_path / "0.txt").write_text("nothing")
    out = tmp_path / "zorb.safetensors"
    lesson = Lesson(tmp_path, "zorb", kind="word", model="storybook-flow", output=out)
    with pytest.raises(BadOptionError, match="Z-Image read no learned words; learn a"):
        learn(lesson, store=store)
