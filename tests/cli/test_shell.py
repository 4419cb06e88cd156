"""The shell: lines to words, completion, a real terminal and real scripts."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginairy import ImaginePrompt
from imaginairy.cli.aimg import aimg
from imaginairy.cli.shell import Shell
from imaginairy.cli.shell_words import quoted, split, split_unfinished
from imaginairy.cli.stores import Stores
from imaginairy.errors import BadOptionError
from tests.support.terminal import Terminal

AIMG = Path(sys.executable).with_name("aimg")
SMALL = "-w 64 -h 64 --steps 2"


def script(lines: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run lines as a script on standard input."""
    return subprocess.run(
        [AIMG], input=lines, capture_output=True, text=True, cwd=cwd, timeout=300
    )


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in a folder with a few files."""
    monkeypatch.chdir(tmp_path)
    for name in ("one.png", "two.png", "with space.png", ".hidden", "note.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "three.png").touch()
    return Shell(aimg, Stores())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("imagine 'a red fox' --steps 3", ["imagine", "a red fox", "--steps", "3"]),
        ("'it''s' \"a \\\"b\\\"\"", ["its", 'a "b"']),
        (r"a\ b \'c \(d\)", ["a b", "'c", r"\(d\)"]),
        ("again *.png", ["again", "one.png", "two.png", "with space.png"]),
        ("again '*.png' \\*.png", ["again", "*.png", "*.png"]),
        ("again */t*.png", ["again", "folder/three.png"]),
        ("what is a fox?", ["what", "is", "a", "fox?"]),
        ("version # says which", ["version"]),
        ("a#b '#c'", ["a#b", "#c"]),
        ("   ", []),
        ("''", [""]),
    ],
)
def test_lines_become_words(shell: Shell, line: str, words: list[str]) -> None:
    assert split(line) == words


def test_a_tilde_is_home(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    assert split("~/t*.png ~/none '~'") == [
        str(Path.cwd() / "two.png"),
        str(Path.cwd() / "none"),
        "~",
    ]


def test_an_open_quote_is_said() -> None:
    with pytest.raises(BadOptionError, match="The quote ' is never closed"):
        split("imagine 'a fox")


@given(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])))
def test_what_is_quoted_is_one_word(text: str) -> None:
    assert split(quoted(text)) == [text]
    before, word = split_unfinished(f"x {quoted(text)}")
    assert (before, word.text) == (["x"], text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {"imagine", "again", "gallery", "models", "help", "exit"}),
        ("im", {"imagine"}),
        ("help mo", {"models"}),
        ("imagine 'a fox' --init-", {"--init-image", "--init-image-strength"}),
        ("imagine --sampler k_dpm_", {"k_dpm_2", "k_dpm_2_a", "k_dpm_fast"}),
        ("imagine --sampler=k_h", {"--sampler=k_heun"}),
        ("imagine --size p", {"portrait"}),
        ("imagine --init-image t", {"two.png"}),
        ("again w", {'"with space.png"'}),
        ("again fo", {"folder/"}),
        ("again 'folder/t", {"folder/three.png"}),
        ("again .h", {".hidden"}),
        ("aimg models --h", {"--help"}),
    ],
)
def test_completion(shell: Shell, line: str, expected: set[str]) -> None:
    offered = {text for text, _ in shell.completions(line)}
    assert expected <= offered
    last = line.split(" ")[-1].strip("'")
    assert all(last in text for text in offered), offered


def test_completion_says_what_things_are(shell: Shell) -> None:
    about = {text: item.help for text, item in shell.completions("imagine --s")}
    assert "the same seed gives the same image" in str(about["--seed"])
    samplers = {text: item.help for text, item in shell.completions("imagine --eta 1 ")}
    assert samplers == {}, "a prompt is nobody's to complete"


def test_a_script_runs_line_by_line(tiny_folder: Path, tmp_path: Path) -> None:
    ran = script(
        f"""# a script
aimg version
imagin "a fox"

imagine "a fox" 'a bowl' --model {tiny_folder} {SMALL} --seed 1 -q
imagine 'a
help models
exit
imagine "never drawn" --model {tiny_folder} {SMALL}
""",
        cwd=tmp_path,
    )
    assert ran.returncode == 2, ran.stderr
    assert ran.stdout.startswith("imaginairy ")
    assert "List the models known by name" in ran.stdout
    assert "aimg>" not in ran.stdout + ran.stderr
    assert "No such command 'imagin'" in ran.stderr and "'imagine'" in ran.stderr
    assert "The quote ' is never closed" in ran.stderr
    assert "Traceback" not in ran.stderr
    drawn = [path.name for path in sorted((tmp_path / "outputs").iterdir())]
    assert [name[-9:] for name in drawn] == ["a_fox.jpg", "_bowl.jpg"]


def test_models_stay_loaded(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_folder, folder)
    process = subprocess.Popen(
        [AIMG], cwd=tmp_path, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin and process.stdout
    try:
        command = f"imagine 'a fox' --model {folder} {SMALL} -q --json\n"
        process.stdin.write(command)
        process.stdin.flush()
        assert "path" in process.stdout.readline()
        shutil.rmtree(folder)  # what is drawn from now on is drawn from memory
        process.stdin.write(command)
        said, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "path" in said


def test_a_script_is_standard_input_of_its_commands(
    tiny_folder: Path, tmp_path: Path
) -> None:
    ran = script(
        f"imagine - --model {tiny_folder} {SMALL} -q\na fox\na bowl\n", cwd=tmp_path
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    prompts = [
        ImaginePrompt.from_file(path).prompt_text
        for path in sorted((tmp_path / "outputs").iterdir())
    ]
    assert prompts == ["a fox", "a bowl"]


def test_nothing_heavy_is_imported_for_help() -> None:
    code = (
        "import contextlib, io, sys\nfrom imaginairy.cli.aimg import aimg\n"
        "with contextlib.redirect_stdout(io.StringIO()), "
        "contextlib.suppress(SystemExit):\n    aimg(['again', '--help'])\n"
        "heavy = {'torch', 'prompt_toolkit', 'huggingface_hub', 'transformers'}\n"
        "print(heavy & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.strip() == "set()", ran.stdout + ran.stderr


# A person at a terminal


def at_terminal(cwd: Path) -> Terminal:
    return Terminal([AIMG], cwd=cwd, XDG_STATE_HOME=str(cwd / "state"))


def test_completing_mistakes_help_and_leaving(tmp_path: Path) -> None:
    with at_terminal(tmp_path) as terminal:
        terminal.expect("Ctrl-C stops a picture.")
        terminal.expect("aimg>")
        terminal.send("mod\t")
        terminal.expect("models")
        terminal.send("\r")
        terminal.expect("storybook")
        terminal.expect("aimg>")
        terminal.send("imagine --setps 3 'a fox'\r")
        terminal.expect("No such option")
        terminal.expect("--steps")
        terminal.send("halp\r")
        terminal.expect("No such command 'halp'")
        terminal.send("never sent\x03")  # Ctrl-C takes the line away
        terminal.send("help imagine\r")
        terminal.expect("Generate an image of each PROMPT")
        terminal.send("help exit\r")
        terminal.expect("Leave.")
        terminal.expect("aimg>")
        terminal.send("\x04")
        assert terminal.ended() == 0
        assert "Traceback" not in terminal.raw


def test_the_history_outlasts_the_shell(tmp_path: Path) -> None:
    with at_terminal(tmp_path) as terminal:
        terminal.expect("aimg>")
        terminal.send("version\r")
        terminal.expect("safetensors")
        terminal.expect("aimg>")
        terminal.send("exit\r")
        assert terminal.ended() == 0
    (history,) = (tmp_path / "state").rglob("shell_history")
    assert "version" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0, "what people draw is theirs"
    with at_terminal(tmp_path) as terminal:
        terminal.expect("aimg>")
        terminal.send("\x1b[A\x1b[A\r")  # up, past `exit`
        terminal.expect("safetensors")
        terminal.send("quit\r")
        assert terminal.ended() == 0


def test_ctrl_c_ends_the_picture_and_not_the_shell(
    tiny_folder: Path, tmp_path: Path
) -> None:
    with at_terminal(tmp_path) as terminal:
        terminal.expect("aimg>")
        terminal.send(f"imagine 'a red fox' -r 1000 --model {tiny_folder} {SMALL}\r")
        terminal.expect("saved outputs/000002")
        terminal.send("\x03")
        terminal.expect("Stopped; what was saved stays.")
        terminal.expect("aimg>")
        drawn = len(list((tmp_path / "outputs").glob("*.jpg")))
        terminal.send("again outputs/000001*.jpg\r")  # a pattern, and the shell lives
        terminal.expect("the same picture, pixel for pixel.")
        terminal.expect("aimg>")
        terminal.send("\x04")
        assert terminal.ended() == 0
    assert 2 <= drawn < 1000
    files = list((tmp_path / "outputs").iterdir())
    assert len(files) == drawn + 1
    assert {path.suffix for path in files} == {".jpg"}, "nothing half done stays"


def test_two_shells_can_be_open(tmp_path: Path) -> None:
    with at_terminal(tmp_path) as one, at_terminal(tmp_path) as other:
        for terminal in (one, other):
            terminal.expect("aimg>")
            terminal.send("version\r")
            terminal.expect("safetensors")
