"""Nothing that a file, a server or a name says commands the terminal."""

import ast
import re
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imaginairy.printable import printable
from tests.support.commands import Run, process
from tests.support.odd_server import OddServer

CLI = Path(__file__).parent.parent.parent / "imaginairy" / "cli"
EVIL = "a\x1b]0;owned\x07\x1b[31m\x9b2J\x08\r\u202egnp\u2066"
COMMANDS = (
    "describe {}",
    "upscale {}",
    "fix-faces {}",
    "mask {} fruit",
    "again {}",
    "edit {} fruit --model storybook",
    "edit good.png {} --model storybook --steps 1 --mask-prompt x{{",
    "imagine fruit --model storybook --init-image {}",
    "imagine fruit --model {}",
    "imagine fruit --prompts-file {}",
    "imagine fruit --sampler {}",
    "imagine fruit --outdir good.png/{}",
    "imagine fruit --arg-schedule {}",
    "gallery {}",
    "inspect {}",
    "models about {}",
    "models default {}",
    "describe http://{}/",
    "{}",
    "--{}",
    "imagine fruit --{}",
    "imagine fruit --seed {}",
    "imagine fruit --output-file-extension {}",
    "upscale good.png --scale {}",
    "models default fruit {}",
)
COMMANDING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def assert_plain(said: str) -> None:
    assert not COMMANDING.search(said), said


@pytest.mark.parametrize("is_there", [False, True], ids=["missing", "there"])
@pytest.mark.parametrize("command", COMMANDS)
def test_names_command_nothing(command: str, is_there: bool, run: Run) -> None:
    Image.new("RGB", (64, 64)).save("good.png")
    if is_there:
        Path(EVIL).write_text(f"no picture but {EVIL}")
    ran = run(*(word.format(EVIL) for word in command.split()))
    assert_plain(ran.stdout)
    assert_plain(ran.stderr)


def test_metadata_commands_nothing(run: Run) -> None:
    texts = PngInfo()
    sampler = f"Steps: 1, Sampler: {EVIL}, Seed: 1, Size: 64x64, Model: {EVIL}"
    texts.add_itxt("parameters", f"fruit {EVIL}\n{sampler}, {EVIL}: {EVIL}")
    Image.new("RGB", (64, 64)).save("evil.png", pnginfo=texts)
    for words in ((), ("--model", "storybook", "--sampler", "ddim")):
        ran = run("again", "evil.png", *words)
        assert "\N{REPLACEMENT CHARACTER}" in ran.stderr
        assert_plain(ran.output)


@pytest.mark.usefixtures("private_urls")
def test_servers_command_nothing(run: Run) -> None:
    with OddServer(f"HTTP/1.1 500 {EVIL[:20]}\r\n\r\n".encode("latin-1")) as server:
        ran = run("describe", server.url)
    assert "the server answered 500 a" in ran.stderr
    assert_plain(ran.output)


def test_a_process_is_as_careful(tmp_path: Path) -> None:
    ran = process("imagine", "fruit", "--init-image", EVIL, cwd=tmp_path)
    assert ran.returncode == 2
    assert "There is no file 'a\N{REPLACEMENT CHARACTER}]0;owned" in ran.stderr
    assert_plain(ran.stderr)


def test_what_people_write_is_printed_as_it_is() -> None:
    said = "two\tlines\nand é, 東京\u3000の絵, ש, 👩\u200d🎨"
    assert printable(said) == said
    assert printable("\udc80") == "\N{REPLACEMENT CHARACTER}"


def test_commands_speak_through_one_function() -> None:
    """But for JSON, which is ASCII, pictures, and what `doctor` colours itself."""
    found = {
        f"{path.name}: {ast.unparse(node)[:21]}"
        for path in CLI.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("click.echo", "print", "click.secho")
        and not ast.unparse(node).startswith(("click.echo(json.dumps", "click.echo()"))
    }
    coloured = "doctor_cmd.py: click.echo('\\n'.join("
    assert found == {"run.py: click.echo(printable(", coloured}
