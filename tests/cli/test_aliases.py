"""Other tools' names for options: what they set, where they work, what is refused."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.aliases import ALIASES, OPPOSITES, as_fields
from imaginairy.cli.again_cmd import again_cmd
from imaginairy.cli.aimg import aimg
from imaginairy.cli.edit_cmd import edit_cmd
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.sections import MEANT
from imaginairy.sweeps import parse_schedule

COMMANDS = {
    imagine_cmd: ("a fox",),
    edit_cmd: ("one.png", "a fox"),
    again_cmd: ("one.png",),
}
SAME = {
    ("--cfg", "3"): ("--prompt-strength", "3"),
    ("--cfg-scale", "3"): ("--prompt-strength", "3"),
    ("--guidance-scale", "3"): ("--prompt-strength", "3"),
    ("--negative", "night"): ("--negative-prompt", "night"),
    ("--sampler", "ddim"): ("--sampler-type", "ddim"),
    ("--solver", "ddim"): ("--sampler-type", "ddim"),
    ("--ddim-eta", "0.5"): ("--eta", "0.5"),
    ("--model-weights-path", "a.ckpt"): ("--model", "a.ckpt"),
    ("--diffusion-model", "a.gguf"): ("--model", "a.gguf"),
    ("--text-encoder", "a.gguf"): ("--text-encoders", "a.gguf"),
    ("--clip-l", "a.pt", "--t5xxl", "b.pt"): (
        *("--text-encoder", "a.pt", "--text-encoder", "b.pt"),
    ),
    ("--t5xxl", "a.gguf"): ("--text-encoder", "a.gguf"),
    ("--clip-g", "a.pt"): ("--text-encoder", "a.pt"),
    ("--llm", "a.gguf"): ("--text-encoder", "a.gguf"),
    ("--lora", "a=0.5"): ("--loras", "a=0.5"),
    ("--loras", "a"): ("--lora", "a"),
    ("--lora-weights", "a"): ("--lora", "a"),
    ("--control", "canny"): ("--controls", "canny"),
    ("--controlnet", "canny"): ("--control", "canny"),
    ("--guess-mode", "--control", "canny"): ("--control-guess", "--control", "canny"),
    ("--merge", "--lora", "a"): ("--merge-loras", "--lora", "a"),
    ("--restore-faces",): ("--fix-faces",),
    ("--seamless",): ("--tile",),
    ("--cfg-rescale", "0.5"): ("--guidance-rescale", "0.5"),
    ("--perp-neg", "1"): ("--perpendicular-negative", "1"),
    ("--dynamic-thresholding", "0.9"): ("--dynamic-threshold", "0.9"),
    ("--crops-coords-top-left", "8,0"): ("--crop", "8,0"),
    ("--batch-count", "3"): ("--repeats", "3"),
    ("--embedding", "a.pt"): ("--embeddings", "a.pt"),
    ("--textual-inversion", "a.pt"): ("--embeddings", "a.pt"),
    ("--hypernetwork", "a.pt"): ("--hypernetworks", "a.pt"),
    ("--hypernet", "a.pt"): ("--hypernetworks", "a.pt"),
    ("--image-cfg", "2"): ("--image-guidance", "2"),
    ("--image-cfg-scale", "2"): ("--image-guidance", "2"),
    ("--image-guidance-scale", "2"): ("--image-guidance", "2"),
    ("--image-prompt", "a.png"): ("--image-prompts", "a.png"),
    ("--ip-adapter-image", "a.png"): ("--image-prompt", "a.png"),
    ("--reference-image", "a.png"): ("--reference-images", "a.png"),
    ("--ref-image", "a.png"): ("--reference-image", "a.png"),
    ("--depth-map", "near.png"): ("--depth-image", "near.png"),
    ("--denoising-strength", "0.7"): ("--init-image-strength", "0.3"),
}
"""What other tools call it, and what we do."""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
@pytest.mark.parametrize("theirs", SAME, ids=lambda words: words[0])
def test_an_alias_says_what_the_option_does(
    command: click.Command, theirs: tuple[str, ...]
) -> None:
    def read(*words: str) -> dict[str, Any]:
        params = command.make_context("x", [*COMMANDS[command], *words]).params
        return {name: value for name, value in params.items() if name not in OPPOSITES}

    assert read(*theirs) == read(*SAME[theirs]) != read()


def test_underscores_do_for_hyphens_and_several_names_say_several_things() -> None:
    words = ("a fox", "--clip_l=a_b.pt", "--t5xxl", "c.pt", "--cfg_scale", "3")
    params = imagine_cmd.make_context("x", [*words]).params
    assert params["text_encoders"] == ("a_b.pt", "c.pt")
    assert params["prompt_strength"] == 3
    both = as_fields({"clip_l": "a.pt", "t5xxl": ["b.pt"], "lora": "c"})
    assert both == {"text_encoders": ["a.pt", "b.pt"], "loras": "c"}


def test_every_alias_is_tried_above_and_means_a_field() -> None:
    flags = {f"--{alias.replace('_', '-')}" for alias in ALIASES}
    assert flags < {words[0] for words in SAME}
    assert not set(ALIASES) & set(ImaginePrompt.__dataclass_fields__)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_shows_aliases_behind_the_option(command: click.Command) -> None:
    ran = CliRunner().invoke(command, ["--help"], terminal_width=200)
    lines = " ".join(ran.output.split())
    assert "--prompt-strength FLOAT Guidance scale (CFG)" in lines
    assert "Also: --cfg, --cfg-scale, --guidance-scale." in lines
    assert "The same as --tile-mode xy. Also: --seamless." in lines
    for words in SAME:
        assert words[0] in lines


@pytest.fixture
def run(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command of `aimg` with the tiny model, in a folder with a picture."""
    monkeypatch.chdir(tmp_path)
    Image.linear_gradient("L").resize((64, 64)).save("one.png")

    def run(command: str, *words: str) -> Result:
        small = ("--model", str(tiny_folder), "--steps", "2", "-q", "--json")
        return CliRunner().invoke(aimg, [command, *small, *words])

    return run


def test_what_is_generated_is_the_same(run: Any) -> None:
    theirs = ("--cfg", "2", "--negative", "day", "--sampler", "k_euler", "--seed", "1")
    started = run("edit", "one.png", "a", *theirs, "--denoising-strength", "0.75")
    assert started.exit_code == 0, started.output
    said = json.loads(started.stdout)
    assert (said["prompt_strength"], said["negative_prompt"]) == (2.0, "day")
    assert (said["sampler_type"], said["init_image_strength"]) == ("k_euler", 0.25)
    again = run(
        "again", "--trust", said["path"], "--denoising-strength", "0.5", "--cfg", "1"
    )
    assert again.exit_code == 0, again.output
    now = json.loads(again.stdout)
    assert (now["init_image_strength"], now["prompt_strength"]) == (0.5, 1.0)


def test_prompts_files_and_sweeps_take_them_too(run: Any) -> None:
    row = {"prompt": "a", "cfg_scale": 2, "negative": "b", "denoising_strength": 0.9}
    Path("p.jsonl").write_text(json.dumps(row | {"init_image": "one.png"}))
    ran = run("imagine", "--prompts-file", "p.jsonl", "--arg-schedule", "cfg[1,3]")
    assert ran.exit_code == 0, ran.output
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [each["prompt_strength"] for each in rows] == [1.0, 3.0]
    assert {each["init_image_strength"] for each in rows} == {0.1}
    assert {each["negative_prompt"] for each in rows} == {"b"}
    strengths = ("init_image_strength", [1.0, 0.7, 0.4])
    assert parse_schedule("denoising-strength[0:0.6:0.3]") == strengths


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--denoising-strength", "1", "--init-image-strength", "0"), "give one"),
        (("--denoising-strength", "1.5"), "denoising_strength 1.5 is out of range"),
        (("--denoising-strength", "nan"), "denoising_strength must be a number"),
        (("--denoising-strength", "0.5"), "needs an init_image"),
        (("--arg-schedule", "denoising_strength[0,2]"), "2.0 is out of range"),
        (("--arg-schedule", "cfg[2]", "--arg-schedule", "prompt_strength[3]"), "twice"),
        *(((flag, "x"), sentence) for flag, sentence in MEANT.items()),
    ],
)
def test_what_cannot_be_meant_is_refused(
    words: tuple[str, ...], said: str, run: Any
) -> None:
    ran = run("imagine", "a fox", *words)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert said in ran.output.splitlines()[-1]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"cfg": 2, "prompt_strength": 3}, "cfg and prompt_strength say the same"),
        ({"denoising_strength": "much"}, "Line 1 of 'p.jsonl': denoising_strength"),
    ],
)
def test_rows_that_cannot_be_meant_are_refused(
    row: dict[str, Any], said: str, run: Any
) -> None:
    Path("p.jsonl").write_text(json.dumps({"prompt": "a"} | row))
    ran = run("imagine", "--prompts-file", "p.jsonl")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert said in ran.output
