"""The shell: lines to words, completion, a real terminal and real scripts."""

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from imaginairy import ImaginePrompt
from imaginairy.cli.aimg import aimg
from imaginairy.cli.run import reporting_errors
from imaginairy.cli.shell import run_shell
from imaginairy.cli.shell_lines import Shell
from imaginairy.cli.shell_words import quoted, split, split_unfinished
from imaginairy.cli.stores import Stores
from imaginairy.errors import BadOptionError
from tests.support.patience import HANG_GUARD_S
from tests.support.terminal import Terminal

AIMG = Path(sys.executable).with_name("aimg")
SMALL = "-w 64 -h 64 --steps 2"


def script(lines: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run lines as a script on standard input."""
    return subprocess.run(
        [AIMG],
        input=lines,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=HANG_GUARD_S,
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


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("qu", ["quit"]),
        ("h", ["help", "hint"]),
        ("help ", [*sorted(aimg.commands)]),
        ("help ed", ["edit"]),
        ("exit ", []),
        ("help version ", []),
        ("gallery ", ["folder/", "note.txt", "one.png", "two.png", '"with space.png"']),
        ("gallery ./o", ["./one.png"]),
        ("gallery ~/folder/t", ["{home}/folder/three.png"]),
        ("gallery none/", []),
        ("imagine --init-image=on", ["--init-image=one.png"]),
        ("upscale --model=la", ["--model=lanczos"]),
    ],
)
def test_all_that_can_stand_there_is_offered_in_order(
    shell: Shell, line: str, offered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path.cwd()
    monkeypatch.setenv("HOME", str(home))
    expected = [text.format(home=home) for text in offered]
    assert [text for text, _ in shell.completions(line)] == expected


def test_completion_says_what_things_are(shell: Shell) -> None:
    about = {text: item.help for text, item in shell.completions("imagine --s")}
    assert "the same seed gives the same image" in str(about["--seed"])
    samplers = {text: item.help for text, item in shell.completions("imagine --eta 1 ")}
    assert samplers == {}, "a prompt is nobody's to complete"


def test_a_script_runs_line_by_line_and_is_what_a_dash_reads(
    tiny_folder: Path, tmp_path: Path
) -> None:
    ran = script(
        f"""# a script
aimg version
imagin "a fox"

imagine "a fox" 'a bowl' --model {tiny_folder} {SMALL} --seed 1 -q
imagine 'a
help models
imagine - --model {tiny_folder} {SMALL} --seed 1 -q
fruit
exit
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
    drawn = sorted((tmp_path / "outputs").iterdir())
    assert [ImaginePrompt.from_file(path).prompt_text for path in drawn] == [
        "a fox", "a bowl", "fruit", "exit",
    ]  # fmt: skip


def test_models_stay_loaded(
    tiny_folder: Path, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(tiny_folder, Path("model").absolute())
    command = f"imagine 'a fox' --model {folder} {SMALL} -q"
    assert shell.run(command) == 0
    model = shell.stores.get().get(str(folder)).diffusion
    shutil.rmtree(folder)  # what is drawn from now on is drawn from memory
    for more in ("", "--steps 2", "--cfg 1 --sampler k_euler", "--seed 3"):
        assert shell.run(f"{command} {more}") == 0
        assert shell.stores.get().get(str(folder)).diffusion is model
    assert capsys.readouterr() == ("", "")
    assert len([*Path("outputs").iterdir()]) == 5


def small_group() -> click.Group:
    """A shell of commands that end in every way."""

    @click.group("small", invoke_without_command=True)
    @click.pass_context
    def small(context: click.Context) -> None:
        if context.invoked_subcommand is None:
            context.exit(run_shell(small, context.ensure_object(Stores)))

    @small.command()
    @click.argument("code", type=int)
    def leave(code: int) -> None:
        sys.exit(code)

    @small.command()
    def words() -> None:
        sys.exit("in words")

    @small.command()
    def fault() -> None:
        raise RuntimeError("a fault of ours")

    @small.command()
    @reporting_errors
    def stopped() -> None:
        raise KeyboardInterrupt

    @small.command()
    def say() -> None:
        click.echo("said")

    return small


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        ("say\nsay", 0, 2),
        ("leave 3\nsay\nleave 0", 3, 1),
        ("leave 3\nleave 4\nsay", 4, 1),
        ("words\nsay", 1, 1),
        ("fault\nsay", 1, 1),
        ("stopped\nsay", 130, 0),
        ("leave 3\nstopped\nsay", 130, 0),
        ("nonsense\nsay", 2, 1),
        ("say 'open\nsay", 2, 1),
        ("say\nexit\nsay", 0, 1),
        ("leave 5\nquit\nsay", 5, 0),
        ("small say\nsmall\n\n# say\nsay", 0, 2),
        ("", 0, 0),
    ],
)
def test_a_script_goes_on_after_failures_and_ends_with_ctrl_c(
    lines: str, code: int, said: int
) -> None:
    ran = CliRunner().invoke(small_group(), input=lines)
    assert (ran.exit_code, ran.stdout.count("said")) == (code, said), ran.output
    assert ("RuntimeError: a fault of ours" in ran.stderr) == ("fault" in lines)


def test_help_is_of_the_shell_and_of_its_commands() -> None:
    ran = CliRunner().invoke(
        small_group(), input="help\nhelp say\nhelp exit\nhelp help"
    )
    assert ran.stdout.count("Usage: small [OPTIONS] [COMMAND]") == 1
    assert ran.stdout.count("Usage: small say [OPTIONS]") == 1
    assert ran.stdout.endswith("\nLeave.\nSay what a command does.\n")


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
        terminal.expect("aimg>")
        terminal.send("never sent")
        terminal.expect("never sent")
        terminal.send("\x03")  # Ctrl-C takes the line away
        terminal.expect("aimg>")
        terminal.send("help imagine\r")
        terminal.expect("Generate an image of each PROMPT")
        terminal.send("help exit\r")
        terminal.expect("Leave.")
        terminal.expect("aimg>")
        terminal.send("\x04")
        assert terminal.ended() == 0
        assert "Traceback" not in terminal.raw


def test_the_history_outlasts_the_shells_that_are_open(tmp_path: Path) -> None:
    with at_terminal(tmp_path) as one, at_terminal(tmp_path) as other:
        for terminal, line in ((other, "help version"), (one, "version")):
            terminal.expect("aimg>")
            terminal.send(f"{line}\r")
            terminal.expect("Usage:" if line.startswith("help") else "safetensors")
            terminal.expect("aimg>")
            terminal.send("exit\r")
            assert terminal.ended() == 0
    (history,) = (tmp_path / "state").rglob("shell_history")
    kept = history.read_text().splitlines()
    assert "+help version" in kept and "+version" in kept
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
        terminal.expect(f"model '{tiny_folder}'")
        terminal.expect("Read and fetch that? [y/N]: ")
        terminal.send("y\r")
        terminal.expect("the same picture")
        terminal.expect("aimg>")
        terminal.send("\x04")
        assert terminal.ended() == 0
    assert 2 <= drawn < 1000
    files = list((tmp_path / "outputs").iterdir())
    assert len(files) == drawn + 1
    assert {path.suffix for path in files} == {".jpg"}, "nothing half done stays"
