"""What goes into `imagine` besides prompts, and what scripts get out of it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.cli.aimg import aimg
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.options import given
from imaginairy.cli.prompts_file import Prompts
from imaginairy.cli.size import NAMED, SHAPES, parse_size
from imaginairy.errors import BadOptionError
from imaginairy.fields import Section
from imaginairy.fleet.lines import FIELDS, RECORDED
from imaginairy.metadata.read import read_metadata
from tests.support.patience import HANG_GUARD_S

SMALL = ("-w", "64", "-h", "64", "--steps", "2")
OF_SERVERS = ("Server", "Limits")
"""Sections that only `aimg serve` has."""
Imagine = Callable[..., Result]


@pytest.fixture
def imagine(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Imagine:
    """Run the command with the tiny model in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def imagine(*arguments: str, typed: str | bytes = "", small: bool = True) -> Result:
        size = SMALL if small else SMALL[-2:]
        return CliRunner().invoke(
            imagine_cmd, ["--model", str(tiny_folder), *size, *arguments], input=typed
        )

    return imagine


def drawn() -> list[ImaginePrompt]:
    return [ImaginePrompt.from_file(path) for path in sorted(Path("outputs").iterdir())]


def test_a_text_file_has_one_prompt_a_line(imagine: Imagine) -> None:
    Path("list.txt").write_bytes("\ufeffa red fox\r\n\r\n  ein Kätzchen \r\n".encode())
    ran = imagine("a bowl", "--prompts-file", "list.txt", "--seed", "4")
    assert ran.exit_code == 0, ran.output
    assert [prompt.prompt_text for prompt in drawn()] == [
        "a bowl",
        "a red fox",
        "ein Kätzchen",
    ]
    assert {prompt.seed for prompt in drawn()} == {4}


def test_a_jsonl_file_has_any_field(imagine: Imagine) -> None:
    rows = [
        {"prompt": "a fox", "seed": 9, "sampler_type": "K_EULER", "tile_mode": "x"},
        "a bowl",
        {"prompt": [{"text": "a cat", "weight": 2}, "a dog"], "steps": None},
    ]
    Path("list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ran = imagine("--prompts-file", "list.jsonl", "--seed", "1", "-r", "2")
    assert ran.exit_code == 0, ran.output
    assert [(prompt.prompt_text, prompt.seed) for prompt in drawn()] == [
        ("a fox", 9),
        ("a bowl", 1),
        ("2*(a cat)|1*(a dog)", 1),
        ("a fox", 10),
        ("a bowl", 2),
        ("2*(a cat)|1*(a dog)", 2),
    ]
    first, second = drawn()[:2]
    assert (first.sampler_type, first.tile_mode) == ("k_euler", "x")
    assert (second.sampler_type, second.tile_mode, second.steps) == ("plms", "", 2)


def test_standard_input_takes_its_place_among_prompts(imagine: Imagine) -> None:
    ran = imagine("a fox", "-", "a bowl", typed='one\n\n{"prompt": "two", "seed": 5}\n')
    assert ran.exit_code == 0, ran.output
    texts = [prompt.prompt_text for prompt in drawn()]
    assert texts == ["a fox", "one", "two", "a bowl"]
    assert drawn()[2].seed == 5


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "\n \n", "There are no prompts in 'a.txt'"),
        ("a.txt", "a fox\n1*(a|b", "Line 2 of 'a.txt': "),
        ("A.txt", b"a\xff", "'A.txt' is not text in UTF-8 (byte 1)"),
        ("a.jsonl", '"a"\n{"prompt": "a"', "Line 2 of 'a.jsonl' is not JSON"),
        ("a.jsonl", '{"prompt": "a", "stesp": 3}', "Did you mean 'steps'?"),
        ("a.jsonl", '{"prompt": "a", "steps": 0}', "Line 1 of 'a.jsonl': steps 0 is"),
        ("a.jsonl", '{"prompt": "a", "steps": "3"}', "steps must be a whole number"),
        ("a.jsonl", '{"prompt": 3}', "A prompt is text"),
        ("a.jsonl", '{"prompt": [{"txt": "a"}]}', '{"text": "a fox", "weight": 0.5}'),
        ("a.jsonl", '{"seed": 3}', 'holds no "prompt"'),
        ("a.jsonl", "[" * 100_000, "is not JSON"),
        ("a.jsonl", "[1]", "is neither text in quotes nor an object"),
        ("a.jsonl", '{"prompt": "a", "mask_image": "x"}', "There is no file 'x'"),
    ],
)
def test_a_bad_line_is_named(
    imagine: Imagine, name: str, content: str | bytes, words: str
) -> None:
    data = content.encode() if isinstance(content, str) else content
    Path(name).write_bytes(data)
    ran = imagine("a fox", "--prompts-file", name)
    assert ran.exit_code == 2
    assert ran.stderr.startswith("Error: ") and words in ran.stderr, ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert not Path("outputs").exists()


def test_a_pipe_is_no_file_of_prompts(imagine: Imagine) -> None:
    """None writes into this one, and reading it would wait for ever."""
    os.mkfifo("list.txt")
    ran = imagine("--prompts-file", "list.txt")
    assert ran.exit_code == 2
    assert ran.stderr == (
        "Error: 'list.txt' is a pipe, not a file of prompts; give '-' as the file to "
        "read standard input.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--prompts-file", "none.txt"], "'none.txt' does not exist"),
        (["--prompts-file", "/dev/zero"], "is a device, not a file of prompts"),
        (["-"], "There are no prompts in standard input"),
        (["a fox", "--json", "--show"], "--json and --show both write"),
        (["a fox", "--compare-gif"], "--compare-gif needs an --init-image"),
        ([], "Missing argument 'PROMPT...'"),
    ],
)
def test_bad_use(imagine: Imagine, arguments: list[str], words: str) -> None:
    ran = imagine(*arguments)
    assert ran.exit_code == 2
    assert words in ran.stderr
    assert not Path("outputs").exists()


def test_json_is_everything_and_nothing_else(imagine: Imagine) -> None:
    ran = imagine("a fox", "ein Kätzchen", "--json", "--seed", "3")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [row["prompt_text"] for row in rows] == ["a fox", "ein Kätzchen"]
    for row in rows:
        assert row.pop("path") in map(str, Path("outputs").iterdir())
    assert rows == [read_metadata(path) for path in sorted(Path("outputs").iterdir())]
    assert "saved outputs" in ran.stderr


def test_what_json_says_can_be_drawn_again(imagine: Imagine) -> None:
    first = imagine("a fox", "--json", "-q", "--output-file-extension", "png")
    assert first.stderr == ""
    again = imagine("-", "-q", "--output-file-extension", "png", typed=first.stdout)
    assert again.exit_code == 0, again.output
    one, two = sorted(Path("outputs").iterdir())
    with Image.open(one) as a, Image.open(two) as b:
        assert np.array_equal(np.asarray(a), np.asarray(b))
    said = set(json.loads(first.stdout))
    besides = set(RECORDED) - {"afterwards"}  # of other commands, on files there are
    assert said - set(FIELDS) == besides, "what a file says besides fields"


def test_json_is_printed_as_soon_as_a_picture_is_there(
    tiny_folder: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "imaginairy", "a fox", "-r", "1000", "--json", "-q",
         "--model", str(tiny_folder), *SMALL],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    try:
        picture = tmp_path / json.loads(process.stdout.readline())["path"]
        assert picture.is_file()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=HANG_GUARD_S)
    finally:
        process.kill()
    assert process.returncode == 130
    for line in said.splitlines():
        json.loads(line)


def test_show_draws_on_standard_output(imagine: Imagine) -> None:
    ran = imagine("a fox", "a bowl", "--show", "-q")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.count("\u2580") > 100
    assert ran.stderr == ""


def test_two_lines_of_one_prompt_are_two_pictures_of_a_sheet(imagine: Imagine) -> None:
    Path("list.jsonl").write_text('{"prompt":"a","seed":1}\n{"prompt":"a","seed":2}')
    ran = imagine("--prompts-file", "list.jsonl", "-r", "2", "--grid", "-q")
    assert ran.exit_code == 0, ran.output
    with Image.open("outputs/grids/000001_grid.jpg") as sheet:
        assert sheet.width > 2 * 64 and sheet.height > 2 * 64


@pytest.mark.parametrize(
    ("text", "pixels"),
    [("512x768", (512, 768)), ("64", (64, 64)), ("720P", (1280, 720)), *NAMED.items()],
)
def test_sizes(text: str, pixels: tuple[int, int]) -> None:
    assert parse_size(text).pixels == pixels
    ImaginePrompt("a", width=pixels[0], height=pixels[1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sqaure", "Did you mean 'square'?"),
        ("512x", "write width and height as 512x768"),
        ("512x-8", "write width and height as 512x768"),
        ("500x512", "width 500 is not a multiple of 8; the nearest is 496"),
        ("8x512", "width 8 is out of range"),
    ],
)
def test_sizes_that_cannot_be(text: str, words: str) -> None:
    with pytest.raises(BadOptionError, match=words.replace("?", r"\?")):
        parse_size(text)


@pytest.mark.parametrize(
    ("shape", "size"),
    [("square", (64, 64)), ("portrait", (64, 96)), ("landscape", (96, 64))],
)
def test_shapes_are_of_the_models_size(
    imagine: Imagine, shape: str, size: tuple[int, int]
) -> None:
    assert shape in SHAPES
    ran = imagine("a fox", "--size", shape, small=False)
    assert ran.exit_code == 0, ran.output
    assert [(prompt.width, prompt.height) for prompt in drawn()] == [size]


def test_a_lines_own_size_wins(imagine: Imagine) -> None:
    typed = '{"prompt": "a", "width": 80}\n{"prompt": "b"}'
    ran = imagine("-", "--size", "72", small=False, typed=typed)
    assert ran.exit_code == 0, ran.output
    assert [(prompt.width, prompt.height) for prompt in drawn()] == [(80, 64), (72, 72)]


def test_size_said_twice(imagine: Imagine) -> None:
    ran = imagine("a fox", "--size", "512")
    assert ran.exit_code == 2
    assert "--size and --width both say how large the picture is" in ran.stderr


def test_options_hold_for_every_prompt() -> None:
    options: dict[str, Any] = {"seed": 3, "steps": None}
    asked = Prompts(["a", "b"], None, given(options))
    assert [each.fields for each in asked] == [{"seed": 3}] * 2


def test_help_shows_every_option_in_its_section() -> None:
    ran = CliRunner().invoke(imagine_cmd, ["--help"], terminal_width=90)
    assert ran.exit_code == 0
    titles = re.findall(r"^(\S.+):$", ran.output, re.MULTILINE)
    sections = [each for each in get_args(Section) if each not in OF_SERVERS]
    assert titles == sections, "give the new option a section"
    context = click.Context(imagine_cmd)
    for param in imagine_cmd.get_params(context):
        for option in param.opts if isinstance(param, click.Option) else []:
            named = [line for line in ran.output.splitlines() if f"{option}" in line]
            assert named, option


def test_help_shows_defaults() -> None:
    said = " ".join(CliRunner().invoke(imagine_cmd, ["--help"]).output.split())
    for words in ("[default: outputs]", "[default: jpg]", "[default: on]"):
        assert words in said


# Completion in the shells of the system


def completed(name: str, **environment: str) -> str:
    ran = subprocess.run(
        [str(Path(sys.executable).with_name(name))],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    assert ran.stderr == ""
    return ran.stdout


@pytest.mark.parametrize("name", ["aimg", "imagine"])
@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("bash", "complete -o nosort"),
        ("zsh", "#compdef"),
        ("fish", "complete --no-files"),
    ],
)
def test_a_shell_gets_a_script(name: str, shell: str, words: str) -> None:
    script = completed(name, **{f"_{name.upper()}_COMPLETE": f"{shell}_source"})
    assert words in script
    assert f"_{name.upper()}_COMPLETE={shell}_complete" in script


def test_bash_completes_commands_options_and_values(tmp_path: Path) -> None:
    folder = Path(sys.executable).parent
    script = """
    eval "$(_AIMG_COMPLETE=bash_source aimg)"
    try() {
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
        _aimg_completion aimg 2>/dev/null; echo "${COMPREPLY[@]}"
    }
    try aimg ag
    try aimg imagine --sampler-ty
    try aimg imagine '"a fox"' --sampler k_eu
    try aimg again x.png --model sd1
    """
    ran = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
    )
    assert ran.stdout.splitlines() == [
        "again",
        "--sampler-type",
        "k_euler k_euler_a",
        "sd15 sd15-inpainting sd14",
    ], ran.stderr


def test_aimg_knows_all_commands() -> None:
    said = CliRunner().invoke(aimg, ["--help"]).output
    names = "imagine edit again mask describe upscale fix-faces models gallery doctor"
    for name in (*names.split(), "version"):
        assert f"\n  {name} " in said


@pytest.mark.parametrize(
    ("prompts", "hinted"),
    [
        (("a", "fox"), True),
        (("a", " red", "fox,"), True),
        (("fox",), False),
        (("a fox", "bowl"), False),
        (("a", ""), False),
    ],
)
def test_words_without_quotes_around_them_are_noticed(
    imagine: Imagine, prompts: tuple[str, ...], hinted: bool
) -> None:
    ran = imagine(*prompts, "--steps", "1")
    assert ("write quotes around them" in ran.stderr) == hinted, ran.output
    if hinted:
        assert f"{len(prompts)} prompts of one word each" in ran.stderr
        assert f'"{" ".join(" ".join(prompts).split())}".' in ran.stderr
        assert len(drawn()) == len(prompts), "a hint is no refusal"


def test_the_log_says_which_of_several_is_drawn_and_shortens_prompts(
    imagine: Imagine,
) -> None:
    best = ("--best-of", "2", "--similarity-model", "storybook-clip")
    ran = imagine("a fox " * 500, "a bowl", *best)
    assert ran.exit_code == 0, ran.output
    begun = [line for line in ran.stderr.splitlines() if line.startswith("[")]
    start = f"{'a fox ' * 13}a…"
    assert [line.partition("  ")[0] for line in begun] == [
        f"[1/2] (1 of 2) {start}",
        f"[1/2] (2 of 2) {start}",
        "[2/2] (1 of 2) a bowl",
        "[2/2] (2 of 2) a bowl",
    ]
    assert max(map(len, ran.stderr.splitlines())) < 250
