"""Every field is checked once, with a message that helps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imaginairy import ImaginePrompt, WeightedPrompt
from imaginairy.errors import BadOptionError, BadPromptError
from imaginairy.order import filled, order_of
from imaginairy.samplers import SAMPLERS
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import BESIDE, DRAWS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width 0 is out of range; give one from 64 to 8192"),
        ({"width": 100}, "width 100 is not a multiple of 8; the nearest is 96"),
        ({"height": 64.5}, "height must be a whole number, not 64.5"),
        ({"height": 10_000}, "out of range"),
        ({"steps": 0}, "steps 0 is out of range; give one from 1 to 1000"),
        ({"steps": True}, "steps must be a whole number, not True"),
        ({"prompt_strength": -1}, "prompt_strength -1 is out of range"),
        (
            {"prompt_strength": float("nan")},
            "prompt_strength must be a number, not nan",
        ),
        ({"prompt_strength": "7"}, "prompt_strength must be a number, not '7'"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"sampler_type": "plsm"}, "There is no sampler 'plsm'.*Did you mean 'plms'"),
        (
            {"sampler_type": "DPM++ 2M Karras"},
            "names a noise schedule too; give k_dpmpp_2m, and karras as the schedule",
        ),
        (
            {"sampler_type": "DPM++ 2M SDE Exponential"},
            "give k_dpmpp_2m_sde, and exponential as the schedule",
        ),
        ({"sampler_type": "DPM++ 2M SDE Turbo"}, "There is no sampler"),
        ({"sampler_type": 3}, "sampler_type must be a name, not 3"),
        ({"model": " "}, "model is empty"),
        ({"negative_prompt": 3}, "negative_prompt is text, not int"),
        ({"conditioning": "x"}, "conditioning must be a tensor of shape"),
        ({"conditioning": torch.zeros(2, 3)}, r"not one of \(2, 3\)"),
    ],
)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOptionError, match=words):
        ImaginePrompt("a fox", **options)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", "The prompt is empty; say what to draw"),
        (" \n", "The prompt is empty"),
        ([], "The prompt is empty"),
        (3, "not int"),
        (b"fox", "not bytes"),
        ([3], "A part of a prompt is text, .* not int"),
        ([WeightedPrompt("cat", 1), WeightedPrompt("dog", -1)], "add up to 0"),
        ("fox" * 70_000, "210000 bytes long; at most 200000"),
        ("\ud800", "not valid text"),
    ],
)
def test_bad_prompts(prompt: Any, words: str) -> None:
    with pytest.raises(BadPromptError, match=words):
        ImaginePrompt(prompt)


def test_a_weight_is_a_number() -> None:
    with pytest.raises(BadPromptError, match="weight is a number, not 'much'"):
        WeightedPrompt("cat", "much")  # type: ignore[arg-type]


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(TypeError, match="setps"):
        ImaginePrompt("a fox", setps=3)  # type: ignore[call-arg]


def test_seeds_left_open_are_chosen_once_and_differ() -> None:
    prompts = [ImaginePrompt("a fox") for _ in range(20)]
    assert len({prompt.seed for prompt in prompts}) > 15
    assert replace(prompts[0]).seed == prompts[0].seed


def test_the_model_fills_in_what_was_left_open() -> None:
    spec = known(DRAWS, "storybook")
    whole = filled(ImaginePrompt("a fox", steps=7), spec)
    assert (whole.upscaler, whole.width) == ("storybook-upscaler", None)
    small = filled(ImaginePrompt("a fox", upscale=False), spec)
    assert (small.width, small.height) == spec.defaults.native_size
    assert whole.steps == 7
    assert whole.sampler_type == spec.defaults.sampler
    assert whole.model == "storybook"
    assert filled(small, known(DRAWS, "sd15")).width == spec.defaults.width


@pytest.mark.parametrize(
    ("options", "filled_in"),
    [
        ({"upscale": False}, set()),
        ({}, {"upscaler"}),
        ({"upscale": False, "caption": True}, {"caption_model"}),
        ({"upscale": False, "best_of": 2}, {"similarity_model"}),
        (
            {"upscale": False, "fix_faces": True},
            {"fix_faces_fidelity", "fix_faces_model", "fix_faces_detector"},
        ),
        (
            {"init_image": Image.new("RGB", (64, 64)), "mask_prompt": "a fox"},
            {"mask_model", "upscaler"},
        ),
    ],
)
def test_only_what_has_something_to_do_is_filled_in(
    options: dict[str, Any], filled_in: set[str]
) -> None:
    prompt = ImaginePrompt("a fox", **options)
    whole = filled(prompt, known(DRAWS, "storybook"))
    beside = {row.option for row in BESIDE.values()} | {"fix_faces_fidelity"}
    assert filled_in == {
        name for name in beside if name and getattr(whole, name) is not None
    }


@pytest.mark.parametrize(
    ("sampler", "asked", "eta"),
    [
        ("k_euler_a", None, 1),
        ("k_euler_a", 0.5, 0.5),
        ("ddim", None, 0),
        ("plms", None, 0),
    ],
)
def test_eta_is_the_samplers_own_where_none_is_given(
    sampler: str, asked: float | None, eta: float
) -> None:
    spec = known(DRAWS, "storybook")
    prompt = filled(ImaginePrompt("a fox", sampler_type=sampler, eta=asked), spec)
    assert order_of(prompt, spec).eta == eta


def test_embeddings_do_not_count_when_prompts_are_compared_or_shown() -> None:
    first, second = (
        ImaginePrompt("a", seed=1, conditioning=torch.full((1, 2, 3), number))
        for number in (0.0, 1.0)
    )
    assert first == second
    assert "conditioning" not in repr(first)


def test_weighted_prompts_print_as_they_are_written() -> None:
    prompt = ImaginePrompt([WeightedPrompt("cat", 2), "dog"])
    assert prompt.prompt_text == "2*(cat)|1*(dog)"
    assert ImaginePrompt("a cat").prompt_text == "a cat"


@given(
    prompts=st.lists(
        st.builds(
            WeightedPrompt,
            st.text(st.characters(exclude_categories=("Cs",)), max_size=20).map(
                lambda text: text + "x"
            ),
            st.floats(0.1, 9),
        ),
        min_size=1,
        max_size=3,
    ),
    seed=st.integers(0, 2**63 - 1),
    steps=st.none() | st.integers(1, 1000),
    strength=st.none() | st.floats(0, 100),
)
def test_dict_and_back(
    prompts: list[WeightedPrompt], seed: int, steps: int | None, strength: float | None
) -> None:
    prompt = ImaginePrompt(prompts, seed=seed, steps=steps, prompt_strength=strength)
    assert ImaginePrompt.from_dict(prompt.to_dict()) == prompt


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_is_called_by_its_own_name(name: str) -> None:
    for written in (name, name.upper()):
        assert ImaginePrompt("a fox", sampler_type=written).sampler_type == name


def test_samplers_are_known_by_other_tools_names() -> None:
    for theirs, ours in {"Euler a": "k_euler_a", "dpmpp_2m": "k_dpmpp_2m"}.items():
        assert ImaginePrompt("a fox", sampler_type=theirs).sampler_type == ours


@pytest.mark.parametrize(
    "said",
    ["x@2", "x@1", "x@0", "x@-0.5", "x@nan", "@0.5", "@", "x@", "x@0.5:0.6", " @0.5"],
)
def test_what_is_no_refiner_is_refused(said: str) -> None:
    with pytest.raises(BadOptionError, match=r"cannot be read.* as NAME@0\.8\.$"):
        ImaginePrompt("a fox", refiner=said)


@pytest.mark.parametrize(
    ("said", "is_read"),
    [
        ("sdxl-refiner", "sdxl-refiner@0.8"),
        ("sdxl-refiner@.75", "sdxl-refiner@0.75"),
        ("owner/repo@main", "owner/repo@main@0.8"),
        ("owner/repo@v1.0@0.9", "owner/repo@v1.0@0.9"),
        (Path("a@b/c.safetensors"), "a@b/c.safetensors@0.8"),
    ],
)
def test_a_refiner_is_a_model_and_a_share(said: Any, is_read: str) -> None:
    assert ImaginePrompt("a fox", refiner=said).refiner == is_read
