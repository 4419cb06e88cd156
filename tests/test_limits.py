"""What each field of a prompt is by default, may be at most, and what it needs."""

from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imaginairy import ImaginePrompt, LazyLoadingImage
from imaginairy.checks import as_pillow, parse_margins
from imaginairy.errors import BadImageError, BadOptionError, BadPromptError
from imaginairy.fields import filled_caption
from imaginairy.samplers import SAMPLERS

IMAGE = Image.new("RGB", (64, 64))
DEFAULTS: dict[str, Any] = {
    "negative_prompt": "",
    "mask_mode": "replace",
    "mask_modify_original": True,
    "tile_mode": "",
    "speed": "exact",
    "fast_decode": False,
    "hypernetworks": (),
    "merge_loras": False,
    "loras": (),
    "text_encoders": (),
    "embeddings": (),
    "guidance_rescale": 0.0,
    "perpendicular_negative": 0.0,
    "fix_faces": False,
    "caption_text": "",
    "enhance": (),
    "caption": False,
    "controls": (),
    "image_prompts": (),
    "reference_images": (),
    "control_raw": False,
    "control_guess": False,
    "best_of": 1,
    "variation_strength": 0.0,
}
"""All others are None: the model decides, or chance."""
LIMITS: dict[str, tuple[Any, Any]] = {
    "prompt_strength": (0, 100),
    "seed": (0, 2**63 - 1),
    "steps": (1, 1000),
    "width": (64, 8192),
    "height": (64, 8192),
    "eta": (0, 1),
    "guidance_rescale": (0, 1),
    "perpendicular_negative": (0, 100),
    "dynamic_threshold": (0.5, 1),
    "clip_skip": (1, 100),
    "init_image_strength": (0, 1),
    "fix_faces_fidelity": (0, 1),
    "best_of": (1, 100),
    "variation_strength": (0, 1),
    "variation_seed": (0, 2**63 - 1),
}
WHOLE = ("seed", "steps", "clip_skip", "best_of", "variation_seed")
WITH: dict[str, dict[str, Any]] = {
    "init_image_strength": {"init_image": IMAGE},
    "fix_faces_fidelity": {"fix_faces": True},
    "perpendicular_negative": {"negative_prompt": "night"},
}
"""What some of them need beside them."""


def test_defaults() -> None:
    prompt = ImaginePrompt("a fox")
    for each in fields(prompt):
        if each.name not in ("prompt", "seed"):
            expected = DEFAULTS.get(each.name)
            assert getattr(prompt, each.name) == expected, each.name


@pytest.mark.parametrize("name", LIMITS)
def test_both_ends_of_a_range_are_in_it_and_no_more(name: str) -> None:
    step = 8 if name in ("width", "height") else 1 if name in WHOLE else 1e-6
    low, high = LIMITS[name]
    for end, beyond in ((low, low - step), (high, high + step)):
        prompt = ImaginePrompt("a", **{name: end}, **WITH.get(name, {}))
        assert getattr(prompt, name) == end
        with pytest.raises(BadOptionError) as refused:
            ImaginePrompt("a", **{name: beyond}, **WITH.get(name, {}))
        assert str(refused.value) == (
            f"{name} {beyond} is out of range; give one from {low:g} to {high:g}."
        )


@pytest.mark.parametrize("name", [*WHOLE, "width", "height"])
def test_what_is_counted_is_whole(name: str) -> None:
    words = f"{name} must be a whole number, not 64.5."
    with pytest.raises(BadOptionError, match=f"^{words}$"):
        ImaginePrompt("a", **{name: 64.5})


@pytest.mark.parametrize(
    ("width", "nearest"), [(65, 64), (67, 64), (69, 72), (8191, 8192), (100, 96)]
)
def test_the_nearest_size_is_named(width: int, nearest: int) -> None:
    words = f"^width {width} is not a multiple of 8; the nearest is {nearest}.$"
    with pytest.raises(BadOptionError, match=words):
        ImaginePrompt("a", width=width)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(1), 1),
        (torch.tensor(0.25), 0.25),
        (np.array(0.5), 0.5),
        (Fraction(1, 4), 0.25),
    ],
)
def test_numbers_become_pythons_own(given: Any, taken: float) -> None:
    prompt = ImaginePrompt("a", eta=given)
    assert prompt.eta == taken and type(prompt.eta) is type(taken)


def test_a_whole_number_of_another_kind_stays_whole() -> None:
    prompt = ImaginePrompt("a", steps=np.uint8(9))  # type: ignore[arg-type]
    assert prompt.steps == 9 and type(prompt.steps) is int


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mask_image": IMAGE}, "mask_image needs an init_image; give one."),
        ({"mask_prompt": "a"}, "mask_prompt needs an init_image; give one."),
        ({"outpaint": "all8"}, "outpaint needs an init_image; give one."),
        (
            {"apg": "0", "prompt_strength": 1},
            "apg changes guidance, which a prompt_strength of 1 switches off.",
        ),
        (
            {"perpendicular_negative": 1},
            "perpendicular_negative needs a negative_prompt; give one.",
        ),
        *(
            (
                {"guidance_interval": text},
                f"guidance_interval {text!r} cannot be read; give the shares of the "
                "steps where it starts and where it ends, from 0 to 1, as 0.2:0.8.",
            )
            for text in ("half", "0.2", "0.8:0.2", "0.5:0.5", "-1:1", "0:1:2", 0.5)
        ),
        *(
            (
                {"apg": text},
                f"apg {text!r} cannot be read; give eta, from 0 to 1, and, where they "
                "are to be others, the norm threshold, above 0, and the momentum, "
                "between -1 and 1, as 0:15:-0.5.",
            )
            for text in ("on", "2", "0:0", "0:inf", "0:1:1", "0:1:0:0", "nan", "")
        ),
        *(
            (
                {"dynamic_threshold": text},
                f"dynamic_threshold {text!r} cannot be read; give a share, as 0.995, "
                "or a share and the prompt strength (guidance scale) to whose range to "
                "hold it, as 0.995:7.",
            )
            for text in ("on", "", "0.9:7:1", "7/0.9", True)
        ),
        *(
            (
                {"dynamic_threshold": f"0.9:{strength:g}"},
                f"the strength of dynamic_threshold {strength} is out of range; give "
                "one from 1 to 100.",
            )
            for strength in (0.5, 101.0)
        ),
        (
            {"init_image_strength": 0.0},
            "init_image_strength needs an init_image; give one.",
        ),
        (
            {"init_image": IMAGE, "mask_image": IMAGE, "mask_prompt": "a"},
            "mask_image and mask_prompt both say where to paint; give one of them.",
        ),
        (
            {"init_image": IMAGE, "mask_prompt": "a", "outpaint": "all8"},
            "mask_prompt and outpaint both say where to paint; give one of them.",
        ),
        (
            {"init_image": IMAGE, "mask_image": IMAGE, "outpaint": "all8"},
            "mask_image and outpaint both say where to paint; give one of them.",
        ),
        (
            {"init_image": IMAGE, "mask_model": "a"},
            "mask_model needs a mask_prompt; give one.",
        ),
        (
            {"upscale": False, "upscaler": "lanczos"},
            "upscale is off, so the upscaler 'lanczos' has nothing to do; leave one of "
            "them out.",
        ),
        *(
            ({name: value}, f"{name} needs fix_faces; ask for that too.")
            for name, value in (
                ("fix_faces_fidelity", 0.0),
                ("fix_faces_model", "a"),
                ("fix_faces_detector", "a"),
            )
        ),
        ({"caption_model": "a"}, "caption_model needs caption; switch it on."),
        ({"similarity_model": "a"}, "similarity_model needs best_of; give 2 or more."),
    ],
)
def test_what_one_field_needs_of_another(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOptionError) as refused:
        ImaginePrompt("a", **options)
    assert str(refused.value) == words


def test_with_what_they_need_they_are_taken() -> None:
    ImaginePrompt("a", similarity_model="b", best_of=2)
    ImaginePrompt("a", caption_model="b", caption=True)
    ImaginePrompt("a", init_image=IMAGE, mask_prompt="b", mask_model="c")
    assert ImaginePrompt("a", upscaler="lanczos").upscale is True
    assert ImaginePrompt("a", upscale=False).upscaler is None


@pytest.mark.parametrize("name", SAMPLERS)
def test_eta_is_for_samplers_that_take_it(name: str) -> None:
    if SAMPLERS[name].takes_eta:
        assert ImaginePrompt("a", sampler_type=name, eta=0.5).eta == 0.5
        return
    with pytest.raises(BadOptionError) as refused:
        ImaginePrompt("a", sampler_type=name, eta=0.5)
    said = str(refused.value)
    assert said.startswith(f"The sampler '{name}' adds no noise and takes no eta; ddim")
    listed = said.rpartition("; ")[2].removesuffix(" do.").split(", ")
    assert listed == [each for each in SAMPLERS if SAMPLERS[each].takes_eta]


def test_some_take_eta_and_some_do_not() -> None:
    taking = {name for name in SAMPLERS if SAMPLERS[name].takes_eta}
    assert {"ddim", "k_euler_a"} < taking
    assert not {"plms", "k_lcm", "k_euler"} & taking
    assert ImaginePrompt("a", eta=0.5).sampler_type is None, "the model's is not known"


def test_seeds_are_random_and_apart() -> None:
    prompts = [ImaginePrompt("a", variation_strength=0.3) for _ in range(20)]
    seeds = [prompt.seed or 0 for prompt in prompts]
    varied = [prompt.variation_seed or 0 for prompt in prompts]
    assert len({*seeds, *varied}) > 35
    assert all(1 <= seed <= 1_000_000_000 for seed in (*seeds, *varied))
    assert max(seeds) > 10_000_000
    assert ImaginePrompt("a").variation_seed is None
    assert ImaginePrompt("a", variation_strength=0.3, variation_seed=5).seed != 5


# Pictures, texts and flags


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mask_mode": "repalce"}, "mask_mode 'repalce' is unknown; choose one of "
         "replace, keep. Did you mean 'replace'?"),
        ({"tile_mode": "z"}, "tile_mode 'z' is unknown; choose one of '', x, y, xy."),
        ({"schedule": 3}, "schedule 3 is unknown; choose one of normal, karras, "
         "exponential, sgm_uniform, simple, trailing, beta, align_your_steps, lcm."),
        ({"upscale": "yes"}, "upscale is true or false, not 'yes'."),
        ({"caption": 1}, "caption is true or false, not 1."),
        ({"model": 3}, "model must be a name or a path, not 3."),
        ({"model": " "}, "model is empty; leave it out or give a name."),
        ({"enhance": 3}, "enhance is a name or several, not 3."),
        ({"enhance": ["a", 3]}, "enhance is a name or several, not ['a', 3]."),
        ({"caption_text": "{sede}"}, "caption_text names '{sede}', which is no field"),
        ({"caption_text": "{conditioning}"}, "caption_text names '{conditioning}'"),
        ({"conditioning": torch.zeros(1, 2, 3) / 0}, "conditioning holds NaN or infin"),
        ({"conditioning": torch.zeros(2, 2, 3)}, "not one of (2, 2, 3)."),
        ({"conditioning": torch.zeros(2, 3)}, "not one of (2, 3)."),
        ({"conditioning": 3}, "of shape (1, tokens, dim), not int."),
        ({"init_image": 3}, "init_image is a path, a web address or a picture, not i"),
        ({"init_image": torch.zeros(3, 8, 8)}, "fromarray makes a picture of it."),
        ({"init_image": np.zeros((8, 8, 3))}, "fromarray makes a picture of it."),
        ({"init_image": Image.new("RGB", (0, 8))}, "init_image has no pixels: it is"),
    ],
)  # fmt: skip
def test_what_a_field_cannot_be(options: dict[str, Any], words: str) -> None:
    with pytest.raises((BadOptionError, BadImageError)) as refused:
        ImaginePrompt("a", **options)
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["steps", "seed", "prompt_strength"])
def test_numbers_of_thousands_of_digits_are_refused(name: str) -> None:
    with pytest.raises(BadOptionError, match="not one of thousands of digits") as said:
        ImaginePrompt("a", **{name: 10**5000})
    assert str(said.value).startswith(f"{name} must be a ")


def test_words_in_any_case_and_truth_for_tiles() -> None:
    assert ImaginePrompt("a", mask_mode="KEEP").mask_mode == "keep"
    modes = {True: "xy", False: "", np.True_: "xy", "XY": "xy", "x": "x"}
    for given, mode in modes.items():
        assert ImaginePrompt("a", tile_mode=given).tile_mode == mode  # type: ignore[arg-type]
    assert ImaginePrompt("a", fix_faces=np.True_).fix_faces is True  # type: ignore[arg-type]


def test_a_text_has_200000_bytes_at_most() -> None:
    longest = "ä" * 100_000
    assert ImaginePrompt("a", negative_prompt=longest).negative_prompt == longest
    for name in ("prompt", "negative_prompt", "caption_text"):
        with pytest.raises(BadPromptError) as refused:
            ImaginePrompt(**{"prompt": "a", name: longest + "x"})
        assert str(refused.value) == (
            f"The {name} is 200001 bytes long; at most 200000 are possible."
        )


def test_a_caption_is_filled_in_from_the_prompt() -> None:
    text = "{prompt} {seed} {steps} {width} {mask_mode} {{seed}} {not a field}"
    prompt = ImaginePrompt("1*(a)|2*(b)", seed=3, width=64, caption_text=text)
    assert filled_caption(prompt) == ("1*(a)|2*(b) 3 None 64 replace {3} {not a field}")


def test_a_picture_in_memory_or_a_file_is_read(tmp_path: Path) -> None:
    IMAGE.save(tmp_path / "a.png")
    given = ImaginePrompt("a", init_image=str(tmp_path / "a.png")).init_image
    assert isinstance(given, LazyLoadingImage)
    assert as_pillow("image", tmp_path / "a.png").size == (64, 64)
    assert as_pillow("image", given).size == (64, 64)
    assert as_pillow("image", IMAGE) is IMAGE


@pytest.mark.parametrize(
    ("text", "margins"),
    [
        ("up10,down300,left50,right40", (10, 40, 300, 50)),
        ("u10,d300,l50,r40", (10, 40, 300, 50)),
        ("ALL 8", (8, 8, 8, 8)),
        ("a8", (8, 8, 8, 8)),
        ("all8, left0", (8, 8, 8, 0)),
        ("left16,all8", (8, 8, 8, 16)),
        ("down1", (0, 0, 1, 0)),
        ("up8192", (8192, 0, 0, 0)),
    ],
)
def test_margins(text: str, margins: tuple[int, ...]) -> None:
    assert parse_margins(text) == margins
    assert ImaginePrompt("a", init_image=IMAGE, outpaint=text).outpaint == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("all0", "outpaint 'all0' adds 0 pixels at most; give 1 to 8192 for at least"),
        ("up0,left0", "adds 0 pixels at most"),
        ("up8193", "outpaint 'up8193' adds 8193 pixels at most; give 1 to 8192"),
        ("up1,up2", "outpaint 'up1,up2' cannot be read at 'up2'; write each side once"),
        ("up1,u2", "cannot be read at 'u2'"),
        ("up1,,down2", "cannot be read at ''"),
        ("top5", "cannot be read at 'top5'"),
        ("up-5", "cannot be read at 'up-5'"),
        ("up", "cannot be read at 'up'"),
        ("up" + "9" * 5000, "cannot be read at 'up999"),
        ("5", "cannot be read at '5'"),
        ("lef5", "cannot be read at 'lef5'"),
    ],
)
def test_margins_that_cannot_be(text: str, words: str) -> None:
    with pytest.raises(BadOptionError) as refused:
        ImaginePrompt("a", init_image=IMAGE, outpaint=text)
    assert words in str(refused.value)
