"""Which adapters lie in the folders, and what is said of them."""

import json
from pathlib import Path

import pytest
import torch
from click.shell_completion import ShellComplete

from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from imaginairy.models.known_adapters import KnownAdapter, known_adapters
from imaginairy.sources.shelves import ADAPTERS, CONTROLS
from tests.support.adapters import kohya, save_bundled_style, saved
from tests.support.commands import run_here


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of adapters, with what is none among them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(ADAPTERS.variable, str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine"
    folder.mkdir()
    save_bundled_style(folder / "Sketch.safetensors")
    layer = "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k"
    said = {"ss_tag_frequency": json.dumps({"a": {"zorb": 5, "blob": 2}})}
    saved(
        folder / "xl.safetensors",
        dict(kohya("lora_unet_", {layer: (64, 2048)})),
        **said,
    )
    saved(folder / "word.safetensors", {"emb_params": torch.zeros(1, 768)})
    saved(folder / "model.safetensors", {"conv.weight": torch.zeros(1, 1)})
    (folder / "old.pt").write_bytes(b"\x80\x02")
    beside = {"activation text": "pencil\x1b[31m sketch", "sd version": "SD1"}
    (folder / "Sketch.json").write_text(json.dumps(beside))
    return folder


def test_those_in_the_folders_are_told_by_their_headers(mine: Path) -> None:
    found = {each.name: each for each in known_adapters()}
    assert [*found][:4] == ["Sketch", "old", "word", "xl"]
    sketch = found["Sketch"]
    assert (sketch.kind, sketch.family) == ("LoRA", "SD1")
    assert sketch.words == ("pencil\N{REPLACEMENT CHARACTER}[31m sketch",)
    xl, word, old = found["xl"], found["word"], found["old"]
    assert (xl.family, xl.words) == ("Stable Diffusion XL (SDXL)", ("zorb", "blob"))
    assert (word.kind, word.family) == ("textual inversion", "Stable Diffusion 1.x")
    path = mine / "old.pt"
    assert old == KnownAdapter("old", path, kind="", family="", words=(), size=2)


def test_commands_show_them(mine: Path) -> None:
    lines = run_here(Stores(), "models").stdout.splitlines()
    begin = lines.index("Adapters, for --lora or, learned words, in the prompt:")
    assert lines[begin + 1].split() == ["NAME", "SIZE", "KIND", "FOR", "ANSWERS", "TO"]
    assert [each.split()[0] for each in lines[begin + 2 : begin + 6]] == [
        "Sketch", "old", "word", "xl",
    ]  # fmt: skip
    said = json.loads(run_here(Stores(), "models", "--json").stdout)
    assert [each["name"] for each in said["adapters"]][:4] == [
        "Sketch", "old", "word", "xl",
    ]  # fmt: skip
    assert said["adapters"][3]["words"] == ["zorb", "blob"]
    told = run_here(Stores(), "inspect", "Sketch").stdout
    assert "a LoRA" in told and "[31m sketch" in told and "\x1b" not in told
    assert "It works beside a model; give the model, and this with" in told


def test_tab_completes_them(mine: Path) -> None:
    shell = ShellComplete(aimg, {}, "aimg", "")
    items = shell.get_completions(["imagine", "a fox", "--lora"], "sk")
    assert [each.value for each in items if each.type == "plain"] == ["Sketch"]
    assert {each.type for each in items} == {"plain", "file"}
    beside = mine.parent / "models" / "loras"
    beside.mkdir(parents=True)
    (beside / "near.safetensors").touch()
    (beside.parent / "m.safetensors").touch()
    words = ["imagine", "--model", "models/m.safetensors", "--lora"]
    assert "near" in [each.value for each in shell.get_completions(words, "")]


def test_tab_completes_controls(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the model's family where it is known by name, and all others' else."""
    monkeypatch.setenv(CONTROLS.variable, str(mine))
    shell = ShellComplete(aimg, {}, "aimg", "")

    def offered(*words: str, start: str = "") -> set[str]:
        items = shell.get_completions(["imagine", *words, "--control"], start)
        return {each.value for each in items if each.type == "plain"}

    assert offered() >= {"canny", "sd15-canny", "t2i-sd15-colour", "Sketch"}
    assert offered(start="sc") == {"scribble"}
    assert offered("--model", "sdxl", start="sd") >= {"sdxl-canny", "sdxl-union"}
    assert not {each for each in offered("--model", "sdxl") if "sd15" in each}
    assert offered("--model", "x/y") >= {"sd15-canny", "sdxl-canny", "sd21-canny"}
