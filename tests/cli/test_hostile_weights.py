"""What stands where weights are expected and is no file, given to every command."""

import os
from pathlib import Path

import pytest

from tests.support.commands import Run, assert_refused
from tests.support.hostile import saved

COMMANDS = (
    "imagine fruit --model {}",
    "imagine fruit --model {}+storybook",
    "imagine fruit --model storybook --vae {}",
    "imagine fruit --model storybook --refiner {}",
    "imagine fruit --prompts-file {}",
    "inspect {}",
    "describe good.png --caption-model {}",
    "upscale good.png --model {}",
    "fix-faces good.png --model {}",
    "mask good.png fruit --mask-model {}",
    "edit good.png fruit --model {}",
)


@pytest.fixture(autouse=True)
def files(run: Run) -> None:
    """The folder that commands run in, with what nobody writes into or listens at."""
    Path("good.png").write_bytes(saved("PNG", 64))
    os.mkfifo("pipe")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_each_is_one_sentence(command: str, name: str, run: Run) -> None:
    kind = "a device" if name.startswith("/dev") else "a pipe"
    assert_refused(run(*command.format(name).split()), f"'{name}' is {kind}, not a ")
    assert not Path("outputs").exists() or not any(Path("outputs").iterdir())


@pytest.mark.parametrize("name", ["model_index.json", "README.md", "weights.ckpt"])
def test_a_folder_with_one_in_it_is_looked_through_without_waiting(
    name: str, run: Run
) -> None:
    Path("model").mkdir()
    os.mkfifo(f"model/{name}")
    assert_refused(run("inspect", "model"), "'model' holds no weights")
    ran = run("imagine", "fruit", "--model", "model")
    assert_refused(ran, "The model folder has no weights", code=1)
