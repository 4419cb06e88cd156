"""The options that are fields of a prompt: every spelling, in every command.

They are given in groups, so that a picture tells of many; what a field does to a
picture is judged in `fields.py`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from imaginairy import ImaginePrompt
from imaginairy.cli.options import dashed, spellings
from imaginairy.fields import options
from tests.support.runs import Ran, Use

OPTIONS = options(ImaginePrompt)
COMMANDS = {
    "imagine": ("imagine", "a fox"),
    "edit": ("edit", "large.png", "a fox"),
    "again": ("again", "drawn.png"),
}
TINY = ("--model", "tiny", "--steps", "1", "--seed", "7")
XL = ("--model", "xl", *TINY[2:])
EDITOR = ("--model", "editor", *TINY[2:])
LED = ("--model", "led", "--depth-image", "boxes.png", *TINY[2:])
KLEIN = ("--model", "klein", *TINY[2:], "--width", "64", "--height", "64",
         "--sampler-type", "k_euler")  # fmt: skip

Value = tuple[str | None, Any]
"""What is typed, None for a switch, and what the metadata then says."""
PLAIN: dict[str, Value] = {
    "negative_prompt": ("night", "night"),
    "prompt_strength": ("3", 3),
    "seed": ("5", 5),
    "steps": ("2", 2),
    "width": ("72", 72),
    "height": ("80", 80),
    "draw_size": ("80x64", "80x64"),
    "sampler_type": ("k_euler_a", "k_euler_a"),
    "schedule": ("karras", "karras"),
    "eta": ("0.5", 0.5),
    "speed": ("balanced", "balanced"),
    "guidance_rescale": ("0.7", 0.7),
    "guidance_interval": ("0.5:1", "0.5:1"),
    "perpendicular_negative": ("1", 1),
    "apg": ("0:15", "0:15"),
    "dynamic_threshold": ("0.99", 0.99),
    "clip_skip": ("2", 2),
    "prediction": ("v", "v"),
    "model": ("other", "other"),
    "vae": ("vae.safetensors", "vae.safetensors"),
    "text_encoders": ("clip.safetensors", ["clip.safetensors"]),
    "hypernetworks": ("hyper.pt=0.5", ["hyper.pt=0.5"]),
    "embeddings": ("fox=zorb.safetensors", ["zorb.safetensors"]),
    "fast_decode": (None, True),
    "refiner": ("tiny@0.5", "tiny@0.5"),
    "loras": ("style.safetensors=0.5", ["style.safetensors=0.5"]),
    "merge_loras": (None, True),
    "tile_mode": ("x", "x"),
    "fix_faces": (None, True),
    "fix_faces_fidelity": ("0.7", 0.7),
    "fix_faces_model": ("restorer", "restorer"),
    "fix_faces_detector": ("red_finder.onnx", "red_finder.onnx"),
    "upscaler": ("x2.safetensors", "x2.safetensors"),
    "enhance": ("negative", ["negative"]),
    "caption_text": ("seen", "seen"),
    "caption": (None, True),
    "caption_model": ("teller", "teller"),
    "variation_strength": ("0.25", 0.25),
    "variation_seed": ("9", 9),
}
TOLD: dict[str, Value] = {
    "original_size": ("96x48", "96x48"),
    "crop": ("left16", "0,16"),
    "target_size": ("72x64", "72x64"),
    "empty_negative": ("text", "text"),
}
"""What only some models are told."""
STEERED: dict[str, Value] = {
    "controls": (
        "net=0.5,hint=canny",
        [{"name": "net", "strength": 0.5, "hint": "canny"}],
    ),
    "image_prompts": (
        "red.png=0.5,adapter=reader.safetensors",
        [{"image": "red.png", "weight": 0.5, "adapter": "reader.safetensors"}],
    ),
    "control_image": ("boxes.png", "boxes.png"),
    "control_raw": (None, True),
    "control_guess": (None, True),
}
EDITED: dict[str, Value] = {"image_guidance": ("2", 2)}
"""Of a model that edits."""
NEAR: dict[str, Value] = {"depth_image": ("left.png", "left.png")}
"""What only those are told that are led by depth."""
REFERRED: dict[str, Value] = {"reference_images": ("red.png", ["red.png"])}
"""What only those look at that look at reference images."""
REFERRED_BEHIND: dict[str, Value] = {
    "reference_images": ("red.png", ["large.png", "red.png"])
}
"""The same behind the picture that is edited."""
FITTED: dict[str, Value] = {
    "width": ("72", 72),
    "height": ("72", 72),
    "draw_size": ("80x80", "80x80"),
}
"""Of a square picture to start from."""
FROM_PICTURE: tuple[dict[str, Value], ...] = (
    {
        "init_image": ("blue.png", "blue.png"),
        "init_image_strength": ("0.25", 0.25),
        "mask_image": ("left.png", "left.png"),
        "mask_mode": ("keep", "keep"),
    },
    {
        "init_image": ("boxes.png", "boxes.png"),
        "mask_prompt": ("red", "red"),
        "mask_model": ("finder", "finder"),
    },
    {
        "init_image": ("red.png", "red.png"),
        "outpaint": ("left64", "left64"),
    },
)
BEST: dict[str, Value] = {
    "best_of": ("2", None),
    "similarity_model": ("matcher", None),
}


def named(value: Any) -> Any:
    """Return the last part of what may be a path."""
    if isinstance(value, list):
        return [named(each) for each in value]
    if isinstance(value, dict):
        return {name: named(each) for name, each in value.items()}
    return Path(value).name if isinstance(value, str) and "/" in value else value


def says(field: str, value: Any) -> Callable[[Ran, Ran], None]:
    """Return a judge of what the metadata of the picture says of a field."""

    def judge(before: Ran, after: Ran) -> None:
        (metadata,) = after.metadata
        assert named(metadata[field]) == value

    return judge


def turned(option: str) -> Callable[[Ran, Ran], None]:
    """Return a judge of a switch that the metadata says is not as it was."""
    field = option.replace("-", "_")

    def judge(before: Ran, after: Ran) -> None:
        (first,), (second,) = before.metadata, after.metadata
        assert {first[field], second[field]} == {True, False}

    return judge


def two_were_compared(before: Ran, after: Ran) -> None:
    assert "best_of" in after.metadata[0]["applied"]
    assert [*after.metadata[0]["applied"]["best_of"]["scores"]] == ["7", "8"]


def the_matcher_compared(before: Ran, after: Ran) -> None:
    assert "best_of" in after.metadata[0]["applied"]
    assert named(after.metadata[0]["applied"]["best_of"]["model"]) == "matcher"


TILES = {
    dashed(name): shortcut.value
    for shortcut in OPTIONS["tile_mode"].shortcuts
    for name in (shortcut.name, *shortcut.also)
}
NET = ("--control", "net,hint=canny:boxes.png")
FACES = ("--fix-faces-model", "restorer", "--fix-faces-detector", "red_finder.onnx")


def spelled(field: str) -> tuple[str, ...]:
    """Return all spellings of a field's option."""
    return spellings(field, OPTIONS[field])


def typed(values: dict[str, Value], number: int = 0) -> dict[str, tuple[str, ...]]:
    """Return what is typed of each field, in one of its spellings."""
    options = {field: spelled(field)[min(number, len(spelled(field)) - 1)]
               for field in values}  # fmt: skip
    return {
        field: (option, *([] if values[field][0] is None else [str(values[field][0])]))
        for field, option in options.items()
    }


def prompt_options() -> Iterator[Use]:
    """Yield every spelling of every field's option, in every command that has it."""
    for command, start in COMMANDS.items():
        yield from _plain(command, (*start, *TINY))
        yield from _in_groups(command, (*start, *XL), TOLD)
        yield from _in_groups(command, (*start, *TINY), STEERED)
        of = () if command == "edit" else ("--init-image", "red.png")
        yield from _in_groups(command, (*start, *EDITOR, *of), EDITED)
        yield from _in_groups(command, (*start, *LED), NEAR)
        others = REFERRED_BEHIND if command == "edit" else REFERRED
        yield from _in_groups(command, (*start, *KLEIN), others)
        yield from _from_pictures(command, (*start, *TINY))
        yield from _switches(command, (*start, *TINY))


def _plain(command: str, base: tuple[str, ...]) -> Iterator[Use]:
    values = {**PLAIN, **(FITTED if command == "edit" else {})}
    yield from _in_groups(command, base, values)
    words = typed(BEST)
    whole = (*base, *(word for each in words.values() for word in each))
    yield Use(command, "--best-of", base, whole, two_were_compared)
    yield Use(command, "--similarity-model", base, whole, the_matcher_compared)
    larger = (*base, "--upscale")  # alone, for an upscaler means it too
    yield Use(command, "--upscale", base, larger, says("upscale", True))
    for option, mode in TILES.items():
        yield Use(command, option, base, (*base, option), says("tile_mode", mode))


def _in_groups(
    command: str, base: tuple[str, ...], values: dict[str, Value]
) -> Iterator[Use]:
    """Yield fields given all at once, as often as one of them has spellings."""
    for number in range(max(len(spelled(field)) for field in values)):
        words = typed(values, number)
        whole = (*base, *(word for each in words.values() for word in each))
        for field, (option, *_) in words.items():
            if number < len(spelled(field)):
                yield Use(command, option, base, whole, says(field, values[field][1]))


def _from_pictures(command: str, base: tuple[str, ...]) -> Iterator[Use]:
    for values in FROM_PICTURE:
        words = typed(values)
        if command == "edit":
            base = ("edit", words.pop("init_image")[1], *base[2:])
        whole = (*base, *(word for each in words.values() for word in each))
        for field, (option, *_) in words.items():
            yield Use(command, option, base, whole, says(field, values[field][1]))
    start = () if command == "edit" else ("--init-image", "red.png")
    base = (*base, *start)
    turned = (*base, "--denoising-strength", "0.25")
    judge = says("init_image_strength", 0.75)
    yield Use(command, "--denoising-strength", base, turned, judge)


def _switches(command: str, base: tuple[str, ...]) -> Iterator[Use]:
    """Turn off what was turned on before it, and the other way."""
    start = () if command == "edit" else ("--init-image", "red.png")
    masked = (*base, *start, "--mask-image", "left.png")
    for words, first, last, needed in (
        (base, "--fix-faces", "--no-fix-faces", FACES),
        (base, "--caption", "--no-caption", ("--caption-model", "teller")),
        (base, "--upscale", "--no-upscale", ()),
        (base, "--fast-decode", "--no-fast-decode", ()),
        (masked, "--mask-modify-original", "--no-mask-modify-original", ()),
        (masked, "--no-mask-modify-original", "--mask-modify-original", ()),
        (
            (*base, "--lora", "style.safetensors"),
            "--merge-loras",
            "--no-merge-loras",
            (),
        ),
        ((*base, *NET), "--control-raw", "--no-control-raw", ()),
        ((*base, *NET), "--control-guess", "--no-control-guess", ()),
    ):
        judge = turned(last.removeprefix("--").removeprefix("no-"))
        yield Use(command, last, (*words, first, *needed), (*words, first, last), judge)
