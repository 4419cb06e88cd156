"""`aimg` and its smaller commands."""

import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from huggingface_hub import constants

from imaginairy.cli.aimg import COMMANDS, aimg
from imaginairy.sources.catalog import known, models_for
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import HubFile
from imaginairy.version import __version__


def test_models_lists_every_model_with_size_and_place() -> None:
    ran = CliRunner().invoke(aimg, ["models"])
    assert ran.exit_code == 0, ran.output
    rows = ran.output.splitlines()
    for spec in models_for(DRAWS):
        (row,) = [row for row in rows if row.startswith(f"{spec.name} ")]
        assert spec.licence in row
    (sd15,) = [row for row in rows if row.startswith("sd15 ")]
    assert "4.27 GB" in sd15 and " no " in sd15
    (bundled,) = [row for row in rows if row.startswith("storybook ")]
    assert " MB" in bundled and "bundled" in bundled


def test_models_tells_of_one() -> None:
    ran = CliRunner().invoke(aimg, ["models", "Bundled"])
    assert ran.exit_code == 0, ran.output
    assert ran.output.startswith("storybook\n")
    told = " ".join(ran.output.split())
    for fact in ("licence MIT", "128 x 128", "size 3", "shapes circle diamond", "fox"):
        assert fact in told
    assert "castle" not in told


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("sd15", ("4.27 GB", "512 x 512", "not on this machine")),
        ("clipseg", ("mask model", "Apache-2.0", "CIDAS/clipseg-rd64-refined")),
        ("realesrgan-x4plus", ("67 MB", "RealESRGAN_x4plus.pth")),
        ("storybook-clip", ("similarity model", "4 MB", "storybook_clip")),
    ],
)
def test_other_models_have_a_page_that_fits(name: str, facts: tuple[str, ...]) -> None:
    ran = CliRunner(env={"COLUMNS": "60"}).invoke(aimg, ["models", name])
    assert ran.exit_code == 0, ran.output
    told = " ".join(ran.output.split())
    assert all(fact in told for fact in facts) and "knows these words" not in told
    rows = [row for row in ran.output.splitlines() if "/" not in row]
    assert max(map(len, rows)) < 60


def test_models_of_a_folder_and_of_nothing(tiny_folder: Path) -> None:
    ran = CliRunner().invoke(aimg, ["models", str(tiny_folder)])
    assert ran.exit_code == 0 and "a model on this machine" in ran.output
    ran = CliRunner().invoke(aimg, ["models", "castle"])
    assert ran.exit_code == 2 and "There is no model 'castle'" in ran.stderr


def test_version_and_help() -> None:
    assert __version__ in CliRunner().invoke(aimg, ["--version"]).output
    said = CliRunner().invoke(aimg, ["--help"]).output
    assert "imagine" in said and "models" in said


@pytest.mark.parametrize("words", ["upscale", "imagine a --steps x", "describe a.png"])
def test_private_addresses_are_allowed_to_one_command_only(words: str) -> None:
    """Also where what stands behind that cannot be read."""
    said = [*words.split(), "--allow-private-urls"]
    for order in (said, [said[0], said[-1], *said[1:-1]]):
        assert CliRunner().invoke(aimg, order).exit_code == 2
        ran = CliRunner().invoke(aimg, ["describe", "http://127.0.0.1:1/"])
        assert "which is not a public address" in ran.stderr


def test_every_command_is_under_the_one_name() -> None:
    assert set(aimg.commands) == {
        "again", "benchmark", "convert", "describe", "doctor", "edit", "extract",
        "fix-faces", "gallery", "hint", "imagine", "inspect", "learn", "mask", "models",
        "serve", "upscale", "version",
    }  # fmt: skip
    said = CliRunner().invoke(aimg, ["--help"]).output
    for name in aimg.commands:
        assert f"\n  {name} " in said


def test_commands_are_listed_by_the_first_sentence_of_their_help() -> None:
    for name, command in aimg.commands.items():
        first = " ".join(str(command.help).split("\n\n")[0].split())
        assert (command.name, COMMANDS.lines[name]) == (name, first)


def test_listing_and_completing_commands_imports_none() -> None:
    code = """
import sys
from click.shell_completion import ShellComplete
from imaginairy.cli.aimg import COMMANDS, aimg
offered = ShellComplete(aimg, {}, "aimg", "").get_completions([], "ma")
assert [(item.value, item.help[:12]) for item in offered] == [("mask", "Find in PICT")]
try:
    aimg(["--help"])
except SystemExit:
    print([name for name in sys.modules if name.endswith("_cmd")])
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"


def test_what_shells_offer_first() -> None:
    items = ShellComplete(aimg, {}, "aimg", "").get_completions([], "")
    assert {item.value for item in items} == {*aimg.commands}
    items = ShellComplete(aimg, {}, "aimg", "").get_completions([], "--")
    assert {item.value for item in items} == {"--version", "--help"}


def test_version_names_what_it_stands_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "pillow":
            raise metadata.PackageNotFoundError(name)
        return f"1 of {name}"

    monkeypatch.setattr(metadata, "version", version)
    assert CliRunner().invoke(aimg, ["version"]).output.splitlines() == [
        f"imaginairy       {__version__}",
        f"python           {platform.python_version()}",
        "torch            1 of torch",
        "huggingface_hub  1 of huggingface_hub",
        "safetensors      1 of safetensors",
        "pillow           not installed",
        "numpy            1 of numpy",
        f"system           {platform.system()} {platform.machine()}",
        f"at               {sys.prefix}",
    ]


def page(*words: str, columns: int = 200) -> list[str]:
    ran = CliRunner(env={"COLUMNS": str(columns)}).invoke(aimg, ["models", *words])
    assert ran.exit_code == 0, ran.output
    return ran.stdout.splitlines()


def test_the_page_of_a_model_has_a_row_for_each_fact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    spec = known(DRAWS, "sd15")
    assert isinstance(spec.weights, HubFile)
    lines = page("sd15")
    assert lines[0] == "sd15" and max(map(len, lines)) < 88
    text = " ".join(" ".join(lines[1:]).split())
    assert text == (
        f"what it is {spec.summary} also called {', '.join(spec.aliases)} size 4.27 GB "
        f"licence {spec.licence} family Stable Diffusion 1.x native size 512 x 512 "
        "pixels by default 40 steps of plms, guidance scale 7.5 where it lies not on "
        "this machine; fetched when it "
        f"is first used, from https://huggingface.co/{spec.weights.repo}"
    )
    assert all(line.startswith("  ") for line in lines[1:])
    (row,) = [line for line in lines if "by default" in line]
    assert row.startswith("  by default    40 steps")
    folder = tmp_path / f"models--{spec.weights.repo.replace('/', '--')}"
    file = folder / "snapshots" / spec.weights.revision / spec.weights.path
    file.parent.mkdir(parents=True)
    file.touch()
    assert f"where it lies {file}" in " ".join(" ".join(page("sd15")).split())


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        (
            "RealESRGAN-x4plus",
            "first used, from https://github.com/xinntao/Real-ESRGAN",
        ),
        (
            "clipseg",
            "first used, from https://huggingface.co/CIDAS/clipseg-rd64-refined",
        ),
        ("lanczos", "where it lies nowhere: it is computed"),
        ("storybook-faces", "what it is face detector: "),
    ],
)
def test_where_models_beside_it_lie(
    name: str, facts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lines = page(name)
    assert lines[0] == name.lower()
    assert facts in " ".join(" ".join(lines).split())


def test_the_size_of_a_folder_is_that_of_its_files(tiny_folder: Path) -> None:
    files = [file for file in tiny_folder.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    told = " ".join(" ".join(page(str(tiny_folder))).split())
    assert f"size {size / 1e6:.0f} MB" in told
    assert f"where it lies {tiny_folder}" in told


@pytest.mark.parametrize(
    ("words", "offered", "not_offered"),
    [
        (["models", "sto"], {"storybook"}, {"sd15"}),
        (["models", "de"], {"default"}, {"about"}),
        (["models", "SD"], {"sd15", "sd14"}, {"storybook"}),
        (["models", "default", "s"], {"sd15", "storybook"}, set()),
        (["models", "about", "sd15-i"], {"sd15-inpainting"}, {"sd15"}),
        (["imagine", "--model", "sd1"], {"sd14", "sd15"}, {"storybook"}),
        (["imagine", "--mask-model", "c"], {"clipseg"}, {"storybook-clipseg"}),
        (["imagine", "--fix-faces-detector", "y"], {"yunet"}, {"codeformer"}),
        (["imagine", "--caption-model", "storybook"], {"storybook-blip"}, {"clipseg"}),
        (["imagine", "--sampler", "dd"], {"ddim"}, {"plms"}),
        (["imagine", "--schedule", "k"], {"karras"}, {"normal"}),
        (["imagine", "--mask-mode", "ke"], {"keep"}, {"replace"}),
        (["imagine", "--schedule", ""], {"karras", "normal", "beta"}, {""}),
        (["imagine", "--tile-mode", ""], {"x", "y", "xy"}, {""}),
    ],
)
def test_what_shells_offer(
    words: list[str], offered: set[str], not_offered: set[str]
) -> None:
    *before, word = words
    items = ShellComplete(aimg, {}, "aimg", "").get_completions(before, word)
    found = {item.value for item in items if item.type == "plain"}
    assert offered <= found and not not_offered & found


def test_shells_say_what_a_model_is() -> None:
    shell = ShellComplete(aimg, {}, "aimg", "")
    items = shell.get_completions(["models", "about"], "storybook")
    said = {item.value: item.help for item in items}
    assert said["storybook"] == known(DRAWS, "storybook").summary


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (["imagine", "--model"], True),
        (["imagine", "--init-image"], True),
        (["imagine", "--mask-image"], True),
        (["imagine", "--upscaler"], True),
        (["edit"], True),
        (["upscale"], True),
        (["imagine", "--sampler"], False),
        (["imagine", "--size"], False),
    ],
)
def test_where_files_are_offered_too(words: list[str], files: bool) -> None:
    items = ShellComplete(aimg, {}, "aimg", "").get_completions(words, "a")
    assert ("file" in {item.type for item in items}) == files


def test_help_has_its_sections_in_order_and_breaks_no_option() -> None:
    ran = CliRunner().invoke(aimg, ["imagine", "--help"], terminal_width=60)
    heads = re.findall(r"^(\w[\w ]+):$", ran.stdout, re.M)
    assert heads == [
        "Prompt", "Size", "Sampling", "Editing", "Controls", "Image prompts",
        "Finishing", "Output",
            "Model",
        "Logging and help",
    ]  # fmt: skip
    assert "\u2011" not in ran.stdout
    assert not re.search(r"--?[\w-]*-$", ran.stdout, re.M), "no option is broken"
    again = CliRunner().invoke(aimg, ["again", "--help"]).stdout
    assert re.search(r"\nOther:\n  --prompt TEXT ", again)
    prompt, size, output = (
        again.index(f"\n{head}:") for head in ("Prompt", "Size", "Output")
    )
    assert prompt < again.index("--seed") < size < again.index("--width") < output
    assert again.index("--device") > again.index("\nModel:")
