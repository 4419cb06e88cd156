"""Whatever a picture says about itself, and whatever is typed into the shell."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imaginairy import ImaginePrompt
from imaginairy.cli.aimg import aimg
from imaginairy.cli.shell_lines import Shell
from imaginairy.cli.shell_words import quoted, split, split_unfinished
from imaginairy.cli.stores import Stores
from imaginairy.errors import BadOptionError
from imaginairy.fleet.lines import RECORDED
from imaginairy.metadata.read import read_written
from tests.made_up.conftest import SMALL
from tests.made_up.test_commands import PATHS, assert_well_ended, typed
from tests.made_up.test_python import FIELDS
from tests.support.examples import examples
from tests.support.made_up import PLACES, SOURCES, TEXTS, documented, said_in_words

ENDLESS_NUMBER = "a number of 5000 digits"
NUMBERS = st.sampled_from(
    [0, 1, 2, -1, 64, 0.5, -0.0, 2**31, 2**63, 10**400, 1e308, float("nan"),
     float("inf"), True, ENDLESS_NUMBER]
)  # fmt: skip
SIMPLE = NUMBERS | TEXTS | st.sampled_from(SOURCES) | st.none()
SAID = st.recursive(
    SIMPLE,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXTS, each, max_size=3),
    max_leaves=4,
)
NAMES = st.sampled_from([*FIELDS, *RECORDED, "safety", "text", "weight"]) | TEXTS
RECORDS = st.dictionaries(NAMES, SAID, max_size=4)
SETTINGS = st.lists(
    st.tuples(
        st.sampled_from(
            ["Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model",
             "Model hash", "VAE", "Denoising strength", "Clip skip", "Hires upscale",
             "Variation seed", "Variation seed strength", "ENSD", "Version", "Eta"]
        ),
        NUMBERS.map(str) | TEXTS,
    ),
    max_size=8,
)  # fmt: skip
CALLS = (
    ("again", "stranger.png"),
    ("again", "stranger.png", "--trust"),
    ("again", "stranger.png", "--json", "--model", "storybook", "--prompt", "a fox"),
    ("describe", "stranger.png"),
    ("upscale", "stranger.png"),
    ("gallery",),
)
ALONE = [path for path in PATHS if path]


def as_json(record: dict[str, Any]) -> str:
    """Write a record as JSON, with numbers that Python would not write."""
    return json.dumps(record).replace(f'"{ENDLESS_NUMBER}"', "9" * 5000)


def save_stranger(comment: str, parameters: str) -> None:
    """Save a picture that says what was made up, as ours and as another tool's."""
    image = Image.new("RGB", (64, 64), "red")
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + comment.encode("utf-16", "replace")
    info = PngInfo()
    if parameters:
        info.add_itxt("parameters", parameters.encode(errors="replace").decode())
    image.save("stranger.png", exif=exif, pnginfo=info)


def strangers(data: st.DataObject, tiny_folder: Path) -> None:
    """Save a picture of which some is as it should be, and the rest made up."""
    usual = {**SMALL, "model": str(tiny_folder)}
    base = data.draw(st.sampled_from([usual, {"prompt": "a fox"}, {}]))
    record = as_json({**base, **data.draw(RECORDS)})
    told = ", ".join(f"{name}: {value}" for name, value in data.draw(SETTINGS))
    is_ours = data.draw(st.booleans())
    save_stranger(*((record, "") if is_ours else ("", f"a fox\n{told}")))


@given(data=st.data())
@examples(3)
def test_prompts_of_strangers(
    room: Path, tiny_folder: Path, data: st.DataObject
) -> None:
    strangers(data, tiny_folder)
    read_written(Path("stranger.png"))
    expected = documented(ImaginePrompt.from_file)
    said_in_words(lambda: ImaginePrompt.from_file("stranger.png"), expected)


@given(data=st.data())
@examples(5)
def test_pictures_of_strangers(
    room: Path, stores: Stores, tiny_folder: Path, data: st.DataObject
) -> None:
    strangers(data, tiny_folder)
    words = [*data.draw(st.sampled_from(CALLS))]
    ran = CliRunner().invoke(aimg, words, obj=stores)
    assert_well_ended((words[0],), words, ran)


@given(data=st.data())
@examples(3)
def test_prompts_from_files(room: Path, stores: Stores, data: st.DataObject) -> None:
    texts = (
        TEXTS | RECORDS.map(as_json) | RECORDS.map(lambda r: as_json({**SMALL, **r}))
    )
    lines = "\n".join(data.draw(st.lists(texts, max_size=3)))
    name = data.draw(st.sampled_from(["made.txt", "made.jsonl", "-"]))
    entered = lines.encode(errors="replace")
    if name != "-":
        Path(name).write_bytes(entered)
    words = [
        "imagine",
        "--prompts-file",
        name,
        "--width=64",
        "--height=64",
        "--steps=1",
    ]
    ran = CliRunner().invoke(aimg, words, input=entered, obj=stores)
    assert_well_ended(("imagine",), words, ran)


@given(data=st.data())
@examples(5)
def test_scripts_of_the_shell(room: Path, stores: Stores, data: st.DataObject) -> None:
    commands = st.sampled_from(ALONE).flatmap(typed)
    lines = data.draw(st.lists(commands.map(as_line) | TEXTS, max_size=3))
    entered = "\n".join(lines).encode(errors="replace")
    ran = CliRunner().invoke(aimg, input=entered, obj=stores)
    assert_well_ended(("again",), lines, ran)


def as_line(words: list[str]) -> str:
    """Write words as a line of the shell."""
    return " ".join(map(quoted, words))


@given(text=TEXTS | st.sampled_from([*SOURCES, *PLACES]))
@examples(5)
def test_words_of_the_shell(room: Path, text: str) -> None:
    if "\n" not in text:
        assert split(quoted(text)) == [text]
    said_in_words(lambda: split(text), (BadOptionError,))
    split_unfinished(text)


@given(data=st.data())
@examples(5)
def test_what_the_shell_completes(
    room: Path, stores: Stores, data: st.DataObject
) -> None:
    command = data.draw(st.sampled_from(ALONE).flatmap(typed).map(as_line) | TEXTS)
    cut = data.draw(st.integers(0, len(command)))
    list(Shell(aimg, stores).completions(command[:cut]))
