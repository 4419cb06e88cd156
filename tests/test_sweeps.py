"""One prompt over a range of values."""

import pytest

from imaginairy.errors import BadOptionError
from imaginairy.fields import in_words_of
from imaginairy.sweeps import parse_schedule, swept


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("prompt_strength[2:8:0.5]", "prompt_strength", [2 + n / 2 for n in range(13)]),
        ("prompt-strength[1:0:-0.25]", "prompt_strength", [1, 0.75, 0.5, 0.25, 0]),
        ("init_image_strength[0:1:0.1]", "init_image_strength",
         [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("seed[1,2,3]", "seed", [1, 2, 3]),
        (" steps [10:30:10] ", "steps", [10, 20, 30]),
        ("sampler_type[plms, ddim]", "sampler_type", ["plms", "ddim"]),
        ("steps[5:5:1]", "steps", [5]),
        ("seed[1:6:2]", "seed", [1, 3, 5]),
        ("seed[6:1:-2]", "seed", [6, 4, 2]),
        ("eta[0:1e-1:1e-1]", "eta", [0, 0.1]),
        ("eta[0e-99]", "eta", [0]),
        ("cfg[3,5]", "prompt_strength", [3, 5]),
        ("denoising-strength[0:0.5:0.25]", "init_image_strength", [1, 0.75, 0.5]),
        ("mask_prompt[a, b:c]", "mask_prompt", ["a", "b:c"]),
        ("seed[0:9999:1]", "seed", [*range(10_000)]),
        (f"eta[1e-30,1{'0' * 30}]", "eta", [1e-30, 1e30]),
    ],
)  # fmt: skip
def test_schedules(text: str, name: str, values: list[object]) -> None:
    assert parse_schedule(text) == (name, values)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed", "cannot be read; write"),
        ("seed[]", "cannot be read"),
        ("seed[1,x]", "cannot be read"),
        ("seed[1:5]", "cannot be read"),
        ("seed[1:5:x]", "cannot be read"),
        ("seed[1:5:1,2]", "cannot be read"),
        ("seed[1:5:1:1]", "cannot be read"),
        ("seed[1:5:0]", "the step never gets there: from 1 to 5 it .* positive, not 0"),
        ("seed[5:5:0]", "the step never gets there"),
        ("seed[1:5:-1]", "never gets there: .* must be positive, not -1"),
        ("eta[1:0:0.5]", "never gets there: from 1 to 0 it must be negative, not 0.5"),
        ("seed[0:10000:1]", "too many values, 10001; at most 10000"),
        ("eta[1e31]", "a number that is too large for any field"),
        ("eta[1e-31]", "a number that is too small for any field"),
        ("seed[0:1e9:1]", "too many values, 1000000001; at most 10000 .* larger step"),
        ("eta[0:1:1e-29]", "too many values"),
        ("eta[0:1:1e-99999999]", "a number that is too small"),
        ("seed[0:1e999999:1]", "a number that is too large"),
        ("seed[1e999999]", "a number that is too large"),
        ("seed[nan:5:1]", "cannot be read"),
        ("seed[1:inf:1]", "cannot be read"),
        ("seed[1:5:nan]", "cannot be read"),
        ("seed[1,nan]", "cannot be read"),
        ("eta[-Infinity]", "cannot be read"),
        ("steps[1:2:0.5]", "gives steps fractions"),
        ("sede[1,2]", "names no field.*Did you mean 'seed'"),
        ("prompt[a,b]", "names no field"),
        ("conditioning[1]", "names no field"),
    ],
)
def test_bad_schedules(text: str, words: str) -> None:
    with pytest.raises(BadOptionError, match=words):
        parse_schedule(text)


def test_every_combination_with_one_seed() -> None:
    sweeps = [parse_schedule("steps[10,20]"), parse_schedule("prompt_strength[1:3:1]")]
    prompts = [*swept("a fox", {"width": 64}, sweeps)]
    assert [(p.steps, p.prompt_strength) for p in prompts] == [
        (10, 1), (10, 2), (10, 3), (20, 1), (20, 2), (20, 3),
    ]  # fmt: skip
    assert len({prompt.seed for prompt in prompts}) == 1
    assert all(prompt.width == 64 for prompt in prompts)
    seeds = swept("a", {"seed": 9}, [parse_schedule("seed[1,2]")])
    assert [prompt.seed for prompt in seeds] == [1, 2], "what is swept wins"
    kept = swept("a", {"seed": 9}, [parse_schedule("steps[1,2]")])
    assert [prompt.seed for prompt in kept] == [9, 9]
    (alone,) = swept("a", {"steps": 3}, [])
    assert alone.steps == 3


def test_what_needs_another_field_is_swept_with_it() -> None:
    sweeps = [parse_schedule("upscaler[lanczos,storybook]")]
    prompts = [*swept("a", {"upscaler": "x"}, sweeps)]
    assert [prompt.upscaler for prompt in prompts] == ["lanczos", "storybook"]


def test_too_many_combinations_are_refused_before_they_are_made() -> None:
    sweeps = [parse_schedule("seed[1:5000:1]"), parse_schedule("steps[1:1000:1]")]
    with pytest.raises(BadOptionError, match="too many combinations, 5000000; at most"):
        swept("a fox", {}, sweeps)
    steps = parse_schedule("steps[1:100:1]")
    with pytest.raises(BadOptionError, match="too many combinations, 10100; at most"):
        swept("a", {}, [parse_schedule("seed[1:101:1]"), steps])


def test_values_are_checked_like_any_other() -> None:
    with pytest.raises(BadOptionError, match="steps 0 is out of range"):
        next(swept("a fox", {}, [parse_schedule("steps[0,1]")]))
    with pytest.raises(BadOptionError, match="scheduled twice"):
        swept("a fox", {}, [parse_schedule("seed[1]"), parse_schedule("seed[2]")])


def test_weights_of_a_loras_parts_are_no_values_of_their_own() -> None:
    values = ["", "x=0.5,unet=1,in4=2", "y", "z=1@0-0.5"]
    assert parse_schedule(f"lora[{', '.join(values)}]") == ("loras", values)
    swept_over = swept("a", {}, [parse_schedule("loras[,x=0.5]")])
    assert [in_words_of(each, "loras") for each in swept_over] == ["none", "x=0.5"]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("controls", ["canny", "x=0.5,hint=depth,raw:a.png@0-1", "raw.pth,guess"]),
        ("image_prompts", ["a.png", "b.png=0.5,layers=style,mask=the fox@0-1", "c"]),
    ],
)
def test_nor_is_what_more_is_said_of_what_steers(field: str, values: list[str]) -> None:
    assert parse_schedule(f"{field}[{', '.join(values)}]") == (field, values)
