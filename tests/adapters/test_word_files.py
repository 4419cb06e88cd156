"""Learned words are read from every form of file that they are saved in."""

from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from imaginairy.adapters.word_file import read_word, require_suits, word_of
from imaginairy.errors import CheckpointError
from tests.support.pickles import Global, save

THREE = torch.arange(3 * 768.0).reshape(3, 768)
ONE = THREE[0]
G = torch.arange(3 * 1280.0).reshape(3, 1280)


def webui(vectors: Tensor, held: Any = None) -> dict[str, Any]:
    """What A1111 saves."""
    return {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": vectors} if held is None else held,
        "name": "zorb",
        "step": 4000,
        "sd_checkpoint": "abc",
        "sd_checkpoint_name": "model",
    }


class ParameterDict(dict[str, Any]):
    """Pickles as PyTorch's module of that name did before version 1.12."""

    def __init__(self, vectors: Tensor) -> None:
        self.vectors = vectors

    def __reduce__(self) -> Any:
        made = Global("torch.nn.modules.container", "ParameterDict")
        state = {"training": True, "_parameters": OrderedDict({"*": self.vectors})}
        return made, (), state


FORMS: dict[str, tuple[Any, dict[int, Tensor]]] = {
    "A1111, pickled": (webui(THREE), {768: THREE}),
    "A1111, a parameter": (webui(torch.nn.Parameter(THREE)), {768: THREE}),
    "A1111, safetensors": ({"emb_params": THREE}, {768: THREE}),
    "diffusers, one vector": ({"<zorb>": ONE}, {768: ONE[None]}),
    "diffusers, several": ({"<zorb>": THREE.half()}, {768: THREE.half().float()}),
    "XL": ({"clip_l": THREE, "clip_g": G}, {768: THREE, 1280: G}),
    "XL, of old": (
        {"text_encoders_0": THREE, "text_encoders_1": G},
        {768: THREE, 1280: G},
    ),
    "the second encoder's alone": ({"clip_g": G}, {1280: G}),
    "a list": (
        [{"a": ONE}, {"b": G, "c": THREE[1:]}],
        {768: THREE, 1280: G},
    ),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_pickled_words_are_read(form: str, legacy: bool, tmp_path: Path) -> None:
    content, vectors = FORMS[form]
    save(content, tmp_path / "zorb.pt", legacy=legacy)
    word = read_word(tmp_path / "zorb.pt")
    if form == "a list":  # the vectors of one width in their order
        content, vectors = None, {768: torch.cat([ONE[None], THREE[1:]]), 1280: G}
    assert list(word.vectors) == list(vectors)
    assert all(torch.equal(word.vectors[width], vectors[width]) for width in vectors)
    assert word.is_choice == (form == "a list")


@pytest.mark.parametrize(
    "form", [f for f in FORMS if f != "a list" and "pick" not in f]
)
def test_safetensors_are_read(form: str, tmp_path: Path) -> None:
    content, vectors = FORMS[form]
    if "string_to_param" in content:
        content = {"string_to_param.*": THREE}
    save_file({n: part.clone() for n, part in content.items()}, tmp_path / "zorb")
    word = read_word(tmp_path / "zorb")
    assert all(torch.equal(word.vectors[width], vectors[width]) for width in vectors)


def test_a_module_of_old_that_held_them_is_read(tmp_path: Path) -> None:
    save(webui(THREE, ParameterDict(THREE)), tmp_path / "old.pt", legacy=True)
    assert torch.equal(read_word(tmp_path / "old.pt").vectors[768], THREE)


@pytest.mark.parametrize(
    ("content", "asked", "names"),
    [
        ({"emb_params": THREE}, "", ("badhands-v2",)),
        (webui(THREE), "", ("badhands-v2",)),
        ({"clip_g": G}, "", ("badhands-v2",)),
        ({"<hand>": ONE}, "", ("<hand>", "badhands-v2")),
        ({"<hand>": ONE}, "fist", ("fist",)),
    ],
)
def test_a_word_goes_by_what_the_file_calls_it_and_is_called(
    content: Any, asked: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    torch.save(content, tmp_path / "badhands-v2.pt")
    assert read_word(tmp_path / "badhands-v2.pt", asked).names == names


def test_words_that_come_with_a_lora_are_read() -> None:
    word = word_of("zorb", {"clip_l": THREE, "clip_g": G}, "lora.safetensors")
    assert word.name == "zorb" and list(word.vectors) == [768, 1280]
    assert word_of("zorb", {"string_to_param.*": ONE}, "it").suits(768)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            {"lora_unet_conv_in.lora_up.weight": torch.ones(320, 4),
             "lora_unet_conv_in.lora_down.weight": torch.ones(4, 4, 3, 3)},
            "but a LoRA; give it with --lora.",
        ),
        ({"a": torch.ones(2, 2, 2)}, "holds no learned word (textual inversion), but"),
        ({"emb_params": torch.ones(1001, 8)}, "it takes 1 to 1000 vectors of numbers"),
        ({"emb_params": torch.ones(0, 768)}, "it takes 1 to 1000 vectors of numbers"),
        ({"emb_params": torch.ones(768, dtype=torch.int64)}, "torch.int64"),
        ({"emb_params": ONE * torch.nan}, "not finite"),
        ({"clip_l": THREE, "clip_g": G[:2]}, "whose vectors belong together"),
        ({"a": ONE, "b": ONE}, "but something else"),
        ({"step": 3}, "holds no tensors by name"),
    ],
)  # fmt: skip
def test_what_is_none_is_refused(content: Any, says: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "it.pt")
    with pytest.raises(CheckpointError) as refusal:
        read_word(tmp_path / "it.pt")
    assert says in str(refusal.value)


def test_pickles_run_nothing(tmp_path: Path) -> None:
    path = tmp_path / "zorb.pt"
    save({"string_to_param": Global("os", "system"), "*": ONE}, path)
    with pytest.raises(CheckpointError, match="could run code"):
        read_word(path)


@pytest.mark.parametrize(
    ("vectors", "widths", "says"),
    [
        ({"emb_params": THREE}, (768,), None),
        ({"emb_params": THREE}, (1024,), "for Stable Diffusion 1.x; the model 'm' is"),
        ({"emb_params": THREE}, (768, 1280), "whose text is 768 and 1280 wide"),
        ({"clip_l": THREE, "clip_g": G}, (768, 1280), None),
        ({"clip_l": THREE, "clip_g": G}, (1280,), None),
        ({"clip_l": THREE, "clip_g": G}, (768,), "for Stable Diffusion XL (SDXL); the"),
        ({"clip_g": G}, (768, 1280), "for the refiner of Stable Diffusion XL; the"),
        ({"0.a": ONE, "1.b": G}, (768,), None),
        ({"0.a": ONE, "1.b": G}, (1024,), "a learned word for Stable Diffusion XL"),
        (
            {"emb_params": torch.ones(32)},
            (768,),
            "for text encoders 32 wide; the model",
        ),
        ({"emb_params": THREE}, (), "the model 'm' is of Another Family; give"),
    ],
)
def test_a_word_is_for_models_of_its_width(
    vectors: dict[str, Tensor], widths: tuple[int, ...], says: str | None
) -> None:
    encoders = {str(n): SimpleNamespace(width=n, words=()) for n in widths}
    family = SimpleNamespace(title="Another Family")
    model = SimpleNamespace(encoders=encoders, family=family)
    word = word_of("zorb", vectors, "zorb.pt")
    if says is None:
        require_suits(word, "zorb.pt", model, "m")
        return
    with pytest.raises(CheckpointError) as refusal:
        require_suits(word, "zorb.pt", model, "m")
    assert says in str(refusal.value)
