"""The arguments, and the options of the commands that draw nothing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from imaginairy.version import __version__
from tests.effects.conversions import convert_options, extract_options
from tests.effects.lessons import learn_options
from tests.effects.options import (
    Judge,
    a_closed_port_is_asked,
    nothing_tells_how_it_was_made,
    signing,
)
from tests.effects.prompt_options import TINY
from tests.support.credentials import EDITED
from tests.support.runs import Ran, Use
from tests.support.tiny_words import SAYS

DRAW = ("imagine", "a fox", *TINY)
EDIT = ("edit", "large.png", "a fox", *TINY)
AGAIN = ("again", "--trust", "drawn.png")
DESCRIBE = ("describe", "red.png", "--caption-model", "teller")
AT_HOME = ("describe", "home.png")
FACES = ("fix-faces", "face.png", "--model", "restorer", "--detector", "storybook")
HINT = ("hint", "boxes.png", "canny")
MASK = ("mask", "boxes.png", "red", "--mask-model", "finder")
LARGER = ("upscale", "face.png", "--model", "x2.safetensors")
LARGER_FACES = (*LARGER, "--fix-faces")
INSPECT = ("inspect", "storybook")
MEASURE = ("benchmark", "--tiny", "--quick")
DEFAULT = ("models", "default", "sd14", ";", "models", "default")


def texts(ran: Ran) -> list[str]:
    return [each["prompt_text"] for each in ran.metadata]


def names(ran: Ran, folder: str = "outputs") -> list[str]:
    return [path.name for path in ran.pictures(folder)]


def differ(before: Ran, after: Ran) -> bool:
    """Tell whether two pictures of one size are clearly others."""
    first, second = before.pixels(), after.pixels()
    return first.shape == second.shape and float(np.abs(first - second).max()) > 10


def says_it(word: str) -> Judge:
    """Return a judge that a word is what is said, and was not without."""

    def judge(before: Ran, after: Ran) -> None:
        assert word not in before.stdout
        assert word in after.stdout

    return judge


def refused(words: str) -> Judge:
    """Return a judge that it is refused in these words, with nothing done."""

    def judge(before: Ran, after: Ran) -> None:
        assert (before.code, after.code) == (0, 2)
        assert words in after.stderr
        assert not [name for name in after.files if name.startswith("outputs/")]

    return judge


def the_hint_is_of_that_kind(before: Ran, after: Ran) -> None:
    assert [ran.done("hint")["kind"] for ran in (before, after)] == ["canny", "invert"]
    assert differ(before, after)


def another_finds_it(before: Ran, after: Ran) -> None:
    models = [Path(ran.done("hint")["model"]).name for ran in (before, after)]
    assert models == ["depths1", "depths2"]
    assert differ(before, after)


def others_are_found(before: Ran, after: Ran) -> None:
    people = [Path(ran.done("hint")["person_model"]).name for ran in (before, after)]
    assert people == ["people1", "people2"]
    assert differ(before, after)


def the_hint_is_another(option: str, value: str) -> Judge:
    """Return a judge that the option is noted, and that the hint is another."""

    def judge(before: Ran, after: Ran) -> None:
        assert str(after.done("hint")[option[2:]]).removesuffix(".0") == value
        assert differ(before, after)

    return judge


def less_is_said(before: Ran, after: Ran) -> None:
    assert before.stderr and not after.stderr
    assert before.stdout == after.stdout
    assert names(before) == names(after)


def elsewhere(before: Ran, after: Ran) -> None:
    assert names(before) and not names(after)
    assert names(after, "here") == names(before)


def as_jpg(before: Ran, after: Ran) -> None:
    assert {path.suffix for path in before.pictures()} == {".png"}
    assert {path.suffix for path in after.pictures()} == {".jpg"}
    with Image.open(after.pictures()[0]) as image:
        assert image.format == "JPEG"


def it_is_drawn_of_the_text(before: Ran, after: Ran) -> None:
    assert (texts(before), texts(after)) == (["a fox"], ["a bowl"])


def each_line_is_drawn(before: Ran, after: Ran) -> None:
    assert texts(after) == ["a fox", "a fruit", "a red bowl"]


def it_is_drawn_from_the_picture(before: Ran, after: Ran) -> None:
    (metadata,) = after.metadata
    assert metadata["init_image"].endswith("boxes.png")


def it_is_what_that_picture_says(before: Ran, after: Ran) -> None:
    assert [each["seed"] for each in after.metadata] == [9]
    assert "drawn9.png: the same picture, pixel for pixel" in after.stdout


def it_is_drawn_by_its_own_model(before: Ran, after: Ran) -> None:
    assert "drawn anew, with model" in before.stdout
    assert "drawn.png: the same picture, pixel for pixel" in after.stdout


def the_named_file_is_done(before: Ran, after: Ran) -> None:
    assert [name.partition("_")[2].partition("_")[0] for name in names(after)] == [
        "red"
    ]


def the_faces_are_closer(before: Ran, after: Ran) -> None:
    said = [ran.done("fix_faces").get("fidelity") for ran in (before, after)]
    assert said == [0.2, 1.0]
    assert differ(before, after)


def the_faces_are_others(before: Ran, after: Ran) -> None:
    assert "restored 1 face" in before.stderr
    assert "restored 1 face" in after.stderr
    assert differ(before, after)


def no_face_is_found(before: Ran, after: Ran) -> None:
    assert "restored 1 face" in before.stderr
    assert "No face was found" in after.stderr


def faces_are_restored_too(before: Ran, after: Ran) -> None:
    assert "face" not in before.stderr.replace("face_upscaled", "")
    assert "restored 1 face" in after.stderr
    assert differ(before, after)
    assert after.done("fix_faces")["fidelity"] == 0.8, "as in the reference"


def larger(times: float) -> Judge:
    """Return a judge that the picture is so many times as large."""

    def judge(before: Ran, after: Ran) -> None:
        assert before.pixels().shape == (256, 256, 3)
        assert after.pixels().shape == (128 * times, 128 * times, 3)
        said = [ran.done("upscale").get("scale") for ran in (before, after)]
        assert said == [2, times]

    return judge


def white(ran: Ran) -> tuple[float, float]:
    """Return how much of the left and of the right half of a mask is white."""
    mask = ran.pixels(names(ran).index(next(n for n in names(ran) if "_mask" in n)))
    return float(mask[:, :32].mean() / 255), float(mask[:, 32:].mean() / 255)


def all_of_the_red_picture_is_found(before: Ran, after: Ran) -> None:
    assert white(before)[1] < 0.1
    assert white(after) == (1, 1)


def the_other_box_is_found(before: Ran, after: Ran) -> None:
    (left, none), (gone, right) = white(before), white(after)
    assert min(left, right) > 0.3 > 0.1 > max(none, gone)


def the_mask_is_another(before: Ran, after: Ran) -> None:
    assert abs(white(before)[0] - white(after)[0]) > 0.2


def it_is_kept_as_default(before: Ran, after: Ran) -> None:
    assert before.stdout.startswith("sd15, or the bundled model")
    assert after.stdout.startswith("sd14, as '")
    assert "config/imaginairy/default-model" in after.files


def it_is_taken_back(before: Ran, after: Ran) -> None:
    assert before.stdout.startswith("sd14, as '")
    assert after.stdout.startswith("sd15, or the bundled model")
    assert "config/imaginairy/default-model" not in after.files


def it_is_told_in_a_word(before: Ran, after: Ran) -> None:
    assert "a white background" in before.stdout
    assert after.stdout.strip() in SAYS


def it_is_told_otherwise(before: Ran, after: Ran) -> None:
    assert before.code == after.code == 0
    assert before.stdout != after.stdout


def command_options() -> Iterator[Use]:
    """Yield what each command has for itself."""
    yield Use(
        "", "--version", ("version",), ("--version",), says_it(f"version {__version__}")
    )
    yield from _of("imagine", _imagine())
    yield from _of("edit", _edit())
    yield from _of("again", _again())
    yield from _of("benchmark", _benchmark())
    yield from _of("convert", convert_options())
    yield from _of("extract", extract_options())
    yield from _of("learn", learn_options())
    yield from _of("describe", _describe())
    yield from _of("fix-faces", _fix_faces())
    yield from _of("hint", _hint())
    yield from _of("mask", _mask())
    yield from _of("upscale", _upscale())
    yield Use("gallery", "folder", (*DRAW, ";", "gallery"),
              (*DRAW, "--outdir", "here", "--repeats", "2", ";", "gallery", "here"),
              says_it("here/index.html: 2 pictures"))  # fmt: skip
    yield Use("inspect", "name", INSPECT, ("inspect", "x2.safetensors"),
              says_it("Real-ESRGAN"))  # fmt: skip
    yield Use("inspect", "--json", INSPECT, (*INSPECT, "--json"),
              says_it('"kind": "model"'))  # fmt: skip
    yield Use("models", "--json", ("models",), ("models", "--json"),
              says_it('"models": [{"name": "sd15"'))  # fmt: skip
    about = ("models", "about", "storybook")
    yield Use("models about", "--json", about, (*about, "--json"),
              says_it('"native_size": [128, 128]'))  # fmt: skip
    yield Use("models about", "name", ("models", "about", "storybook"),
              ("models", "about", "sd14"), says_it("sd14"))  # fmt: skip
    yield Use("models default", "name", ("models", "default"), DEFAULT,
              it_is_kept_as_default)  # fmt: skip
    yield Use("models default", "--unset", DEFAULT, (*DEFAULT, "--unset"),
              it_is_taken_back)  # fmt: skip


Row = tuple[str, tuple[str, ...], tuple[str, ...], Judge]


def _of(command: str, rows: Iterator[Row]) -> Iterator[Use]:
    for option, without, given, judge in rows:
        yield Use(command, option, without, given, judge)


def _imagine() -> Iterator[Row]:
    yield "prompts", DRAW, ("imagine", "a bowl", *TINY), it_is_drawn_of_the_text
    lines = (*DRAW, "--prompts-file", "list.txt")
    yield "--prompts-file", DRAW, lines, each_line_is_drawn
    version = ("imagine", "--version")
    yield "--version", ("imagine", "--help"), version, says_it(f"version {__version__}")


def _edit() -> Iterator[Row]:
    other = ("edit", "boxes.png", "a fox", *TINY)
    yield "picture", EDIT, other, it_is_drawn_from_the_picture
    other = ("edit", "large.png", "a bowl", *TINY)
    yield "prompts", EDIT, other, it_is_drawn_of_the_text
    editor = ("edit", "large.png", *TINY[2:], "--model", "editor")
    told = (*editor, "--instruct", "a bowl")
    yield "--instruct", (*editor, "a fox"), told, it_is_drawn_of_the_text


def _again() -> Iterator[Row]:
    yield (
        "pictures",
        AGAIN,
        ("again", "--trust", "drawn9.png"),
        it_is_what_that_picture_says,
    )
    other, own = (*AGAIN[:1], *AGAIN[2:], *TINY[:2]), AGAIN
    yield "--trust", other, own, it_is_drawn_by_its_own_model
    yield "--prompt", AGAIN, (*AGAIN, "--prompt", "a bowl"), it_is_drawn_of_the_text


def _benchmark() -> Iterator[Row]:
    yield "--tiny", ("version",), MEASURE, says_it("64 x 64")
    yield "--quick", MEASURE[:2], MEASURE, says_it("up to 3 rounds")
    yield "--xl", MEASURE, (*MEASURE, "--xl"), says_it("SDXL, guided step")
    yield "--json", MEASURE, (*MEASURE, "--json"), says_it('{"machine": {')
    device = (*MEASURE, "--device", "abacus")
    yield "--device", MEASURE, device, refused("Device 'abacus' is not available here")
    precision = (*MEASURE, "--precision", "abacus")
    yield "--precision", MEASURE, precision, refused("'abacus' is not one of")


def _describe() -> Iterator[Row]:
    teller = ("--caption-model", "teller")
    yield "pictures", DESCRIBE, ("describe", "blue.png", *teller), says_it("blue\n")
    told = (*AT_HOME, *teller)
    yield "--caption-model", AT_HOME, told, it_is_told_in_a_word
    wordy = ("describe", "red.png", "--caption-model", "wordy")
    yield "--beams", wordy, (*wordy, "--beams", "1"), it_is_told_otherwise
    yield from _device_and_quiet(AT_HOME)


def _fix_faces() -> Iterator[Row]:
    restorer, detector = FACES[2:4], FACES[4:]
    yield "files", FACES, ("fix-faces", "red.png", *FACES[2:]), the_named_file_is_done
    yield "--fidelity", FACES, (*FACES, "--fidelity", "1"), the_faces_are_closer
    yield "--model", (*FACES[:2], *detector), FACES, the_faces_are_others
    finder = (*FACES[:4], "--detector", "red_finder.onnx")
    yield "--detector", (*FACES[:2], *restorer), finder, no_face_is_found
    yield from _files(FACES)
    yield from _device_and_quiet(FACES)


def _hint() -> Iterator[Row]:
    yield "files", HINT, ("hint", "red.png", "canny"), the_named_file_is_done
    yield "kinds", HINT, (*HINT[:2], "invert"), the_hint_is_of_that_kind
    for option, kind, value in (
        ("--low", "canny", "1"),
        ("--high", "canny", "1000"),
        ("--sigma", "blur", "30"),
        ("--cell", "colours", "8"),
        ("--seed", "shuffle", "3"),
    ):
        base = ("hint", "face.png", kind)
        yield option, base, (*base, option, value), the_hint_is_another(option, value)
    near = ("hint", "face.png", "depth", "--hint-model")
    yield "--hint-model", (*near, "depths1"), (*near, "depths2"), another_finds_it
    posed = ("hint", "face.png", "pose", "--hint-model", "poses", "--person-model")
    yield "--person-model", (*posed, "people1"), (*posed, "people2"), others_are_found
    yield from _files(HINT)
    yield from _private_and_quiet(HINT)


def _mask() -> Iterator[Row]:
    red = ("mask", "red.png", *MASK[2:])
    yield "picture", MASK, red, all_of_the_red_picture_is_found
    bowl = ("mask", "boxes.png", "bowl", *MASK[3:])
    yield "mask_prompt", MASK, bowl, the_other_box_is_found
    yield "--mask-model", MASK[:3], (*MASK[:4], "random"), the_mask_is_another
    yield "--outdir", MASK, (*MASK, "--outdir", "here"), elsewhere
    yield "--no-metadata", MASK, (*MASK, "--no-metadata"), nothing_tells_how_it_was_made
    yield from _device_and_quiet(MASK)


def _upscale() -> Iterator[Row]:
    yield "files", LARGER, ("upscale", "red.png", *LARGER[2:]), the_named_file_is_done
    yield "--model", LARGER, (*LARGER[:3], "x3.safetensors"), larger(3)
    yield "--scale", LARGER, (*LARGER, "--scale", "1.5"), larger(1.5)
    yield "--fix-faces", LARGER, LARGER_FACES, faces_are_restored_too
    other = (*LARGER_FACES, "--fix-faces-model", "restorer")
    yield "--fix-faces-model", LARGER_FACES, other, the_faces_are_others
    other = (*LARGER_FACES, "--fix-faces-detector", "red_finder.onnx")
    yield "--fix-faces-detector", LARGER_FACES, other, no_face_is_found
    yield from _files(LARGER)
    yield from _device_and_quiet(LARGER)


def _files(base: tuple[str, ...]) -> Iterator[Row]:
    yield "--outdir", base, (*base, "--outdir", "here"), elsewhere
    jpg = (*base, "--output-file-extension", "jpg")
    yield "--output-file-extension", base, jpg, as_jpg
    yield "--no-metadata", base, (*base, "--no-metadata"), nothing_tells_how_it_was_made
    for option, with_it, more, judge in signing(EDITED):
        yield option, (*base, *more), (*base, *more, option, *with_it), judge


def _device_and_quiet(base: tuple[str, ...]) -> Iterator[Row]:
    no_device = refused("Error: Device 'abacus' is not available here")
    yield "--device", base, (*base, "--device", "abacus"), no_device
    yield from _private_and_quiet(base)


def _private_and_quiet(base: tuple[str, ...]) -> Iterator[Row]:
    private = (base[0], "http://127.0.0.1:9/a.png", *base[2:])
    given = (*private, "--allow-private-urls")
    yield "--allow-private-urls", base, given, a_closed_port_is_asked
    for option in ("-q", "--quiet"):
        yield option, base, (*base, option), less_is_said
