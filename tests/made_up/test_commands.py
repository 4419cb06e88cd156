"""Whatever is typed behind any command, it ends in a sentence and with a code."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from imaginairy.aliases import OPPOSITES
from imaginairy.checks import Choice
from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from imaginairy.errors import LONGEST_MESSAGE
from imaginairy.fields import options
from imaginairy.printable import COMMANDING
from imaginairy.schema import ImaginePrompt
from tests.support.examples import examples
from tests.support.made_up import PLACES, SOURCES, TEXTS

SMALL = ("--width=64", "--height=64", "--steps=1", "--seed=1", "--device=cpu")
"""What makes pictures small, where a command makes some."""
NOT_SERVED = ("--model=abacus", "--port=0")
"""What nothing goes by, so that a server has nothing to wait for."""
SOON_LEARNT = ("--size=64x64", "--steps=1", "--device=cpu")
"""What makes learning short, should it come to that."""
SEARCHED = ("again", "doctor")
"""Commands whose code 1 may tell what they found."""
NUMERIC = click.types.IntParamType | click.types.FloatParamType
NUMBERS = st.sampled_from(
    [
        "0", "1", "2", "3", "-1", "0.5", "0.25:0.75", "64", "nan", "inf", "-inf",
        "1e400", "1e-400", "9" * 400, "9" * 5000, "٣", "²", "0x10", "1_0", " 1", "",
        "1,2", "--",
    ]
)  # fmt: skip
FEW = NUMBERS.filter(lambda text: text != "64")
WORDS: dict[str, st.SearchStrategy[str]] = {
    "batch_size": FEW,
    "begins_as": TEXTS,
    "best_of": FEW,
    "c2pa_cert": st.sampled_from(SOURCES),
    "c2pa_key": st.sampled_from(SOURCES),
    "device": st.sampled_from(["cpu", "cuda", "cuda:9", "mps", "gpu", ""]),
    "files": st.sampled_from(SOURCES),
    "kinds": st.sampled_from(["canny", "tile,blur", "cany", "", ",", "é"]),
    "model_a": st.sampled_from(SOURCES),
    "model_b": st.sampled_from(SOURCES),
    "models": st.sampled_from(SOURCES),
    "loras": st.sampled_from(SOURCES),
    "folder": st.sampled_from(PLACES),
    "host": st.sampled_from(["localhost", "127.0.0.1", "::1", "0.0.0.0", "1.2.3.4"]),
    "name": st.sampled_from(SOURCES),
    "names": st.sampled_from(["example.org", "*", ""]),
    "origins": st.sampled_from(["https://example.org", "*", ""]),
    "ray": st.sampled_from(["nowhere:0", "127.0.0.1:1", "no where", ":0", ""]),
    "replicas": st.sampled_from(["1", "2", "1-4", "4-1", "0", "", "x", "9" * 5000]),
    "workers": st.sampled_from(["1", "auto", "0", "-1", "", "x", "1.5", "9" * 5000]),
    "instructions": TEXTS,
    "out": st.sampled_from(PLACES),
    "outdir": st.sampled_from(PLACES),
    "output": st.sampled_from(
        [*PLACES, "nowhere://x", "https://127.0.0.1:9/x", "memory://made-up", "s3:/x",
         "simplecache::memory://x", "://", "file://", "memory://a\0b"]
    ),
    "picture": st.sampled_from(SOURCES),
    "pictures": st.sampled_from(SOURCES),
    "prompt": TEXTS,
    "prompts": st.sampled_from(["a fox", "-", "a|b", *SOURCES]) | TEXTS,
    "prompts_file": st.sampled_from(SOURCES),
    "schedules": st.sampled_from(
        ["steps[1:2:1]", "seed[1,2]", "cfg[3]", "steps[1:inf:1]", "seed[0:1e30:1]",
         "prompt_strength[1:2:1e-99]", "prompt[a,\ud800]", "width[64:128:64]"]
    ),
    "rank": FEW,
    "repeats": FEW,
    "sample_prompts": TEXTS,
    "word": TEXTS,
    "size": st.sampled_from(["64", "64x72", "square", "4k", "9" * 5000, "1x1", "x"]),
}  # fmt: skip
"""What suits parameters for which their type says too little, by their names."""


def commands(
    command: click.Command = aimg, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command there is; none of them for the shell."""
    yield path
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from commands(each, (*path, name))


def command_of(path: tuple[str, ...]) -> click.Command:
    """Return a command by its words."""
    command: click.Command = aimg
    for word in path:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    return command


def suitable(parameter: click.Parameter) -> st.SearchStrategy[str]:
    """Return what suits a parameter; a new one may have to be told of in `WORDS`."""
    name = str(parameter.name)
    row = options(ImaginePrompt).get(name)
    if name in WORDS:
        return WORDS[name]
    if isinstance(parameter.type, click.Choice):
        return st.sampled_from([str(each) for each in parameter.type.choices])
    if isinstance(parameter.type, NUMERIC):
        return NUMBERS
    if row is not None and isinstance(row.check, Choice):
        return st.sampled_from(row.check.words)
    is_known = row is not None or name.endswith(("model", "detector"))
    is_known |= name in (opposite for opposite in OPPOSITES)
    assert is_known, f"say what suits {name}"
    return NUMBERS | st.sampled_from(SOURCES)


@st.composite
def typed(draw: st.DrawFn, path: tuple[str, ...]) -> list[str]:
    """Make up what is typed behind a command."""
    command = command_of(path)
    known = command.get_params(click.Context(command))
    words = [*path]
    if "steps" in (each.name for each in known):
        words += SMALL
    if path == ("serve",):
        words += NOT_SERVED
    if path == ("learn",):
        words = [*path, *SOON_LEARNT]
    if "tiny" in (each.name for each in known):
        words += ["--tiny", "--device=abacus"]  # so that it is measured now and then
    for parameter in draw(st.lists(st.sampled_from(known), max_size=4)):
        words += draw(given_to(parameter))
    for parameter in known:
        if isinstance(parameter, click.Argument) and draw(st.integers(0, 9)):
            words += draw(given_to(parameter))
    if draw(st.integers(0, 9)) == 0:
        words.insert(draw(st.integers(0, len(words))), draw(TEXTS.filter(is_inside)))
    return words


@st.composite
def given_to(draw: st.DrawFn, parameter: click.Parameter) -> list[str]:
    """Make up what is typed for a parameter."""
    if isinstance(parameter, click.Option):
        name = draw(st.sampled_from([*parameter.opts, *parameter.secondary_opts]))
        if parameter.is_flag:
            return [name]
    writes = parameter.name in ("out", "outdir", "folder")
    odd = not writes and draw(st.integers(0, 3)) == 0
    values = TEXTS.filter(is_little) if odd else suitable(parameter)
    if isinstance(parameter, click.Argument):
        several = parameter.nargs != 1 and draw(st.integers(0, 3)) == 0
        return [draw(values) for _ in range(2 if several else 1)]
    value = draw(values)
    joined = name.startswith("--") and draw(st.booleans())
    return [f"{name}={value}"] if joined else [name, value]


def is_inside(text: str) -> bool:
    """Tell whether a text, taken for a folder to write to, leads nowhere else."""
    return not text.strip().startswith(("/", "-")) and ".." not in text


def is_little(text: str) -> bool:
    """Tell whether a text is no number of as many pixels or steps as take long."""
    return re.search(r"\d\d", text) is None or len(text) > 300


def run_with(path: tuple[str, ...], words: list[str], **more: Any) -> None:
    """Run what was typed behind a command, and check how it ends."""
    assert_well_ended(path, words, CliRunner().invoke(aimg, words, **more))


def assert_well_ended(path: tuple[str, ...], words: list[str], ran: Result) -> None:
    """Check that a command ended as all should, whatever was typed."""
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    assert ran.exit_code in (0, 1, 2)
    said = ran.stderr.splitlines()
    assert not any(line.startswith("Traceback") for line in said), ran.stderr
    assert not re.search(COMMANDING, ran.stderr), ran.stderr
    assert "--show" in words or not re.search(COMMANDING, ran.stdout), ran.stdout
    assert all(len(line) < 2 * LONGEST_MESSAGE for line in said), max(said, key=len)
    found = ran.exit_code == 1 and path[:1] and path[0] in SEARCHED
    if ran.exit_code and not found:
        assert any(line.startswith("Error: ") for line in said), ran.stderr


PATHS = tuple(commands())


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
@examples(3)
@given(data=st.data())
def test_every_command_ends_in_a_sentence(
    path: tuple[str, ...], room: Path, stores: Stores, data: st.DataObject
) -> None:
    words = data.draw(typed(path))
    entered = data.draw(TEXTS).encode(errors="replace")
    run_with(path, words, input=entered, obj=stores)


ODD = ("\x1b[2J\ud800", "9" * 5000)


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_option_is_given_something_odd(
    path: tuple[str, ...], room: Path, stores: Stores
) -> None:
    command = command_of(path)
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    behind = [SUITS.get(str(each.name), "red.png") for each in arguments]
    if any(each.name == "outdir" for each in command.params):
        behind += ["--outdir", "red.png"]  # which is none, and so nothing is drawn
    if path == ("serve",):
        behind += NOT_SERVED
    for parameter in command.get_params(click.Context(command)):
        for name in (*parameter.opts, *parameter.secondary_opts):
            values = ODD if isinstance(parameter, click.Option) else ()
            if getattr(parameter, "is_flag", False):
                values = ("",)
            for value in values:
                run_with(path, [*path, f"{name}={value}", *behind], obj=stores)


SUITS = {"folder": "red.png", "name": "lanczos"}
"""Arguments with which nothing comes of a command."""
SURROUNDINGS = (
    ("models",),
    ("models", "default"),
    ("models", "about", "sd15"),
    ("doctor",),
    ("describe", "red.png"),
    ("upscale", "red.png", "--outdir", "fifo"),
    ("inspect", "junk.ckpt"),
    ("imagine", "a fox", "--init-image", "red.png", "--outdir", "red.png"),
    ("imagine", "a fox", "--init-image", "http://127.0.0.1:1/", "--outdir", "red.png"),
)
VARIABLES = (
    "IMAGINAIRY_MODEL", "IMAGINAIRY_MAX_PIXELS", "IMAGINAIRY_ALLOW_PRIVATE_URLS",
    "IMAGINAIRY_C2PA_CERT", "HOME", "COLUMNS", "LINES", "TERM", "TERM_PROGRAM",
    "NO_COLOR", "FORCE_COLOR",
    "http_proxy", "no_proxy", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME",
)  # fmt: skip


def can_be_set(text: str) -> bool:
    """Tell whether a text can be the value of a variable."""
    try:
        return b"\0" not in os.fsencode(text) and is_inside(text)
    except UnicodeEncodeError:
        return False


@pytest.mark.parametrize("columns", ["0", "1", "2", "9" * 400])
def test_terminals_of_odd_width(columns: str, room: Path, stores: Stores) -> None:
    helped = [(*path, "--help") for path in PATHS]
    for words in (*SURROUNDINGS[:4], ("inspect", "junk.pth"), *helped):
        run_with(words[:1], list(words), obj=stores, env={"COLUMNS": columns})


@examples(5)
@given(data=st.data())
def test_whatever_the_environment_says(
    room: Path, stores: Stores, data: st.DataObject
) -> None:
    words = data.draw(st.sampled_from(SURROUNDINGS))
    values = (NUMBERS | TEXTS | st.sampled_from(PLACES)).filter(can_be_set)
    names = st.sampled_from(VARIABLES)
    said = data.draw(st.dictionaries(names, values, min_size=1, max_size=3))
    run_with(words[:1], list(words), obj=stores, env=said)
