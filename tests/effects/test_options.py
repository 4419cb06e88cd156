"""Whatever a user can type does what it says: all options, of all commands."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from imaginairy.cli.aimg import aimg
from tests.effects.command_options import command_options
from tests.effects.options import drawing_options
from tests.effects.prompt_options import prompt_options
from tests.effects.serving import serve_options
from tests.support.runs import Runner, Use

USES = [
    *prompt_options(),
    *drawing_options(),
    *command_options(),
    *serve_options(),
]


@pytest.fixture(scope="module")
def run(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Run commands in the furnished folder, where there is a picture drawn before."""
    runner = Runner(furnished, tmp_path_factory.mktemp("made"))
    tiny = ("a fox", "--model", "tiny", "--steps", "1")
    home = ("a red circle on a white background", "--model", "storybook", "--steps",
            "4", "-w", "64", "-h", "64", "--no-upscale")  # fmt: skip
    for name, words in (
        ("drawn", (*tiny, "--seed", "7")),
        ("drawn9", (*tiny, "--seed", "9")),
        ("home", home),
    ):
        drawn = runner("imagine", "--output-file-extension", "png", *words)
        drawn.pictures()[0].rename(furnished / f"{name}.png")
        runner.found.add(f"{name}.png")
    return runner


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("use", USES, ids=str)
def test_an_option_does_what_it_says(use: Use, run: Runner) -> None:
    before, after = run(*use.without), run(*use.given)
    assert before.code == 0, before.stderr
    use.judge(before, after)
    with pytest.raises(AssertionError):
        use.judge(before, before)
        pytest.fail("what judges it does not notice when nothing is done")


def of_command(command: click.Command, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield all that can be typed after a command and those below it."""
    for param in command.params:
        for option in (*param.opts, *param.secondary_opts):
            yield path, option
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from of_command(below, f"{path} {name}".strip())


def test_every_option_is_judged() -> None:
    judged = {(use.command, use.option) for use in USES}
    missing = {*of_command(aimg)} - judged
    assert not missing, "give each a judge in the tables beside this file"
    assert not judged - {*of_command(aimg)}
