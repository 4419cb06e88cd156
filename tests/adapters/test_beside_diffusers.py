"""Pictures with LoRAs, to the latents, beside those that diffusers draws with them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from imaginairy import ModelStore, imagine
from imaginairy.adapters.acting import acting
from imaginairy.adapters.file import read_adapter
from imaginairy.lora import Lora
from tests.support.adapters import attended, every_layer, kohya, peft, saved
from tests.support.beside_diffusers import FOX, Last, prompts, theirs
from tests.support.golden import relative_error
from tests.support.tiny import tiny_pipeline
from tests.support.tiny_kin import tiny_sd2, tiny_sdxl

TOLERANCE = 1e-4
MODELS: dict[str, Callable[[], Any]] = {
    "1": tiny_pipeline,
    "2": tiny_sd2,
    "XL": tiny_sdxl,
}


def texts_of(pipeline: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the text encoders of a pipeline, with what both spellings call them."""
    is_xl = hasattr(pipeline, "text_encoder_2")
    yield "lora_te1_" if is_xl else "lora_te_", "text_encoder.", pipeline.text_encoder
    if is_xl:
        yield "lora_te2_", "text_encoder_2.", pipeline.text_encoder_2


def of_kohya(pipeline: Any) -> dict[str, Tensor]:
    """A LoRA of the UNet's convolutions too, and of the text encoders."""
    drawn = every_layer(pipeline.unet)
    known = {name: shape for name, shape in drawn.items() if "add_emb" not in name}
    tensors = dict(kohya("lora_unet_", known))  # diffusers loses the rest
    for start, _, network in texts_of(pipeline):
        tensors |= kohya(start, attended(network))
    return tensors


def of_peft(pipeline: Any) -> dict[str, Tensor]:
    """The same as diffusers saves it, of attention alone."""
    tensors = dict(peft("unet.", attended(pipeline.unet)))
    for _, start, network in texts_of(pipeline):
        tensors |= peft(start, attended(network))
    return tensors


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


@pytest.mark.parametrize("spelled", [of_kohya, of_peft])
@pytest.mark.parametrize("name", MODELS)
def test_a_lora_acts_as_in_diffusers(
    name: str, spelled: Callable[[Any], dict[str, Tensor]], store: ModelStore,
    tmp_path: Path,
) -> None:  # fmt: skip
    pipeline = MODELS[name]()
    pipeline.set_progress_bar_config(disable=True)
    model = tmp_path / "model"
    pipeline.save_pretrained(model)
    file = saved(tmp_path / "lora.safetensors", spelled(pipeline))
    plain = theirs(pipeline, FOX, 0)
    pipeline.load_lora_weights(tmp_path, weight_name=file.name)
    wanted = theirs(pipeline, FOX, 0, cross_attention_kwargs={"scale": 0.7})
    assert relative_error(wanted, plain) > 100 * TOLERANCE

    last = Last()
    adapter = read_adapter(file)
    with acting(store.get(str(model)).diffusion, [(adapter, Lora(str(file), 0.7))]):
        list(imagine(prompts(model, FOX), store=store, observer=last))
    assert relative_error(last.latents[0], wanted) < TOLERANCE
