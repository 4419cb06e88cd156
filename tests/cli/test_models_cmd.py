"""`aimg models`: the list, one model, and the one that is used where none is named."""

import json
import logging
import os
import time
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from huggingface_hub import constants
from platformdirs import user_cache_path
from safetensors.torch import save_file

from imaginairy import ImaginePrompt, ModelStore
from imaginairy.cli.aimg import aimg
from imaginairy.cli.columns import wrapped
from imaginairy.cli.stores import Stores
from imaginairy.errors import UnknownModelError
from imaginairy.families.table import FAMILIES
from imaginairy.sources.catalog import MODELS, known, models_for
from imaginairy.sources.control_rows import CONTROL_ROWS
from imaginairy.sources.locate import locate
from imaginairy.sources.own_default import VARIABLE, save_default
from imaginairy.sources.roles import (
    BUNDLED_MODEL,
    CONTROL,
    DRAWS,
    IMAGE_PROMPT,
    TEXT_ENCODER,
    VAE,
)
from imaginairy.sources.rows import BundledFolder
from imaginairy.sources.shelves import CONTROLS

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `aimg` as a user who has said nothing yet and was told nothing."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path, **environment: str) -> Result:
        runner = CliRunner(env=environment)
        return runner.invoke(aimg, [*map(str, words)], obj=Stores())

    return run


def storybook() -> Path:
    """Return the folder of the bundled model."""
    weights = known(DRAWS, BUNDLED_MODEL).weights
    assert isinstance(weights, BundledFolder)
    return weights.path


def test_without_a_choice_it_is_the_catalogs(run: Run) -> None:
    ran = run("models", "default")
    assert ran.output == "sd15, or the bundled model where that cannot be had\n"
    assert "Without --model: sd15, or the bundled model" in run("models").output


def test_packings_are_told_with_the_one_that_fits(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    said = " ".join(run("models", "Z-Image").output.split())
    assert "packings z-image-turbo:bf16 (20.69 GB), z-image-turbo:folder (To" in said
    assert "taken here z-image-turbo: " in said
    assert " of memory; others: --model z-image-turbo:" in said
    assert "z-image-turbo 7-20.7 GB no" in " ".join(run("models").output.split())
    one = " ".join(run("models", "z-image-turbo:q4_k").output.split())
    assert "size 6.70 GB" in one and "packings" not in one
    facts = json.loads(run("models", "z-image-turbo", "--json").output)
    names = {each["name"]: each["here"] for each in facts["packings"]}
    assert names == dict.fromkeys(("bf16", "folder", "q8_0", "q4_k"), False)
    for name, words in (("z-image-turbo:q4_k", "q4_k, as"), ("chroma:q9", "come as")):
        assert words in run("models", "default", name).output


def test_families_are_listed_in_a_sentence(run: Run) -> None:
    said = " ".join(run("models").output.split())
    assert "1.x or Stable Diffusion XL Refiner model works by its path or as" in said
    assert said.count(" or Stable Diffusion") == 1


def test_a_choice_is_kept_shown_and_taken_back(run: Run, tmp_path: Path) -> None:
    ran = run("models", "default", "SD-1.4")
    file = tmp_path / "config" / "imaginairy" / "default-model"
    assert ran.output == f"sd14, as '{file}' says\n"
    assert run("models", "default").output == ran.output
    assert locate(DRAWS, None).name == "sd14"
    assert f"Without --model: sd14, as '{file}' says." in run("models").output
    assert run("models", "default", "--unset").output.startswith("sd15, or")
    assert run("models", "default", "--unset").exit_code == 0, "twice is no harm"
    assert locate(DRAWS, None).name == BUNDLED_MODEL


def test_the_variable_wins(run: Run) -> None:
    run("models", "default", "sd14")
    environment = {VARIABLE: "storybook"}
    ran = run("models", "default", **environment)
    assert ran.output == f"storybook, as {VARIABLE} says\n"
    ran = run("models", "default", "sd15-inpainting", **environment)
    assert (
        ran.stderr == f"Note: sd15-inpainting is kept, but {VARIABLE} wins over it.\n"
    )
    ran = run("models", "default", **{VARIABLE: "  "})
    assert ran.output.startswith("sd15-inpainting, as '"), "blank is not set"


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("sd155", 2, "There is no model 'sd155'; give one of"),
        ("storybook-clip", 2, "There is no model 'storybook-clip'"),
        ("", 2, "A model goes by a name or a path, not ''."),
        ("missing.safetensors", 2, "There is no model 'missing.safetensors'"),
        ("notes.txt", 1, "'notes.txt' is neither a safetensors file nor"),
        (".", 1, "."),
    ],
)
def test_nonsense_is_refused_and_not_kept(
    run: Run, name: str, code: int, words: str
) -> None:
    Path("notes.txt").write_bytes(b"\0\1\2")
    ran = run("models", "default", name)
    assert (ran.exit_code, ran.stdout) == (code, ""), ran.output
    assert ran.stderr.startswith("Error: ") and words in ran.stderr
    assert run("models", "default").output.startswith("sd15, or")
    assert run("models", "default", "sd14", "--unset").exit_code == 2


def test_imagine_edit_and_again_use_it_and_record_what_was_used(
    run: Run, tiny_folder: Path
) -> None:
    relative = os.path.relpath(tiny_folder)
    assert run("models", "default", relative).exit_code == 0
    small = ("--steps", "2", "-w", "64", "-h", "64", "--seed", "1")
    ran = run("imagine", "a fox", *small)
    assert ran.exit_code == 0, ran.output
    assert "cannot be fetched" not in ran.output
    (picture,) = Path("outputs").iterdir()
    assert ImaginePrompt.from_file(picture).model == str(tiny_folder.resolve())
    ran = run("edit", picture, "a bowl", *small, "--outdir", "edited")
    assert ran.exit_code == 0, ran.output
    (edited,) = Path("edited").glob("*.jpg")
    assert ImaginePrompt.from_file(edited).model == str(tiny_folder.resolve())
    ran = run("imagine", "a fox", *small, **{VARIABLE: "no/such/model.ckpt"})
    assert ran.exit_code == 2
    assert f"The default model, as {VARIABLE} says: There is no model" in ran.stderr
    assert f"take it back: unset {VARIABLE}." in ran.stderr


def test_a_store_that_is_kept_follows_a_change(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ModelStore("cpu")
    assert store.locate(None).name == BUNDLED_MODEL
    save_default("sd14")
    assert store.locate(None).name == "sd14"
    monkeypatch.setenv(VARIABLE, "sd15")
    assert store.locate(None).name == "sd15", "used or refused, nothing in its place"
    monkeypatch.setenv(VARIABLE, "sd155")
    with pytest.raises(UnknownModelError, match="Did you mean 'sd15'"):
        store.locate(None)


def test_doctor_looks_for_it(run: Run, tmp_path: Path) -> None:
    ran = run("doctor", **{VARIABLE: "sd14"})
    assert f"ok      default   sd14 is the default, as {VARIABLE} says" in ran.output
    (tmp_path / "broken.safetensors").write_bytes(b"<html>")
    save_default(str(tmp_path / "broken.safetensors"))
    ran = run("doctor")
    assert ran.exit_code == 1
    (line,) = [each for each in ran.output.splitlines() if "  default   " in each]
    assert line.startswith("broken") and "is not a weight file" in line
    assert "try: aimg models default --unset" in ran.output


def test_what_cannot_be_fetched_is_said_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("imaginairy")
    monkeypatch.setattr(logger, "propagate", True)

    def said(level: int = logging.WARNING) -> int:
        caplog.clear()
        monkeypatch.setattr(logger, "level", level)
        logger.setLevel(level)
        assert locate(DRAWS, None).name == BUNDLED_MODEL
        return len({each for each in caplog.messages if "cannot be fetched" in each})

    assert said(logging.ERROR) == 0
    assert [said(), said(), said()] == [1, 0, 0], "what was not shown was not said"
    monkeypatch.delenv("HF_HUB_OFFLINE")
    file = user_cache_path("imaginairy") / "said" / "model"
    other = file.read_text().replace("HF_HUB_OFFLINE is set", "no answer")
    file.write_text(other)
    assert [said(), said()] == [1, 0], "another reason is news"
    yesterday = time.time() - 25 * 60 * 60
    os.utime(file, (yesterday, yesterday))
    assert [said(), said()] == [1, 0]


def test_the_list_stands_by_family(run: Run) -> None:
    lines = run("models").output.splitlines()
    for family in FAMILIES:
        begin = lines.index(f"{family.title}:")
        listed = takewhile(bool, lines[begin + 1 :])
        rows = [
            row for row in MODELS if row.family == family.name and row.role != CONTROL
        ]
        assert [line.split()[0] for line in listed] == [row.name for row in rows]
    assert [each for each in lines if "  VAE: " in each]


def test_the_list_for_programs(run: Run) -> None:
    said = json.loads(run("models", "--json").stdout)
    assert said["default"].startswith("sd15, or the bundled")
    models = {
        model["name"]: (group["family"], model)
        for group in said["families"]
        for model in group["models"]
    }
    assert {*models} == {
        row.name
        for role in (DRAWS, VAE, TEXT_ENCODER, IMAGE_PROMPT)
        for row in models_for(role)
    }
    for family, model in models.values():
        assert family == model["family"]
    _, sd15 = models["sd15"]
    assert (sd15["size"], sd15["path"]) == (4265146304, None)
    assert sd15["origin"].endswith("/stable-diffusion-v1-5/stable-diffusion-v1-5")
    assert (sd15["native_size"], sd15["steps"]) == ([512, 512], 40)
    _, bundled = models["storybook"]
    assert bundled["path"] == str(storybook()) and bundled["origin"] is None
    for words in (("models", "--json", "sd15"), ("models", "sd15", "--json")):
        assert json.loads(run(*words).stdout) == sd15
    assert json.loads(run("models", "clipseg", "--json").stdout)["role"] == "mask"
    ran = run("models", "--json", "default")
    assert ran.exit_code == 2 and "--json goes with the list, or" in ran.stderr


def test_controls_are_listed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the catalog by family, and those in the folders by what they are."""
    monkeypatch.setenv(CONTROLS.variable, str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    hint = {"input_hint_block.0.weight": torch.zeros(16, 3, 3, 3)}
    reads = {"middle_block.1.transformer_blocks.0.attn2.to_k.weight": (1280, 768)}
    tensors = hint | {name: torch.zeros(shape) for name, shape in reads.items()}
    save_file(tensors, tmp_path / "mine" / "mine.safetensors")
    save_file(
        {"x.lora_down.weight": torch.zeros(4, 4)}, tmp_path / "mine/l.safetensors"
    )
    lines = run("models").output.splitlines()
    for row in CONTROL_ROWS:
        (line,) = [each for each in lines if each.split()[:1] == [row.name]]
        assert row.summary in line
        assert (row.hint or f"{len(row.hints)} kinds") in line
    found = lines.index("Controls in your folders:")
    assert lines[found + 2].split() == [
        "mine", "4", "MB", "ControlNet", *["Stable", "Diffusion", "1.x"]
    ]  # fmt: skip
    said = json.loads(run("models", "--json").stdout)
    listed = {row["name"] for each in said["controls"] for row in each["controls"]}
    assert listed == {row.name for row in CONTROL_ROWS}
    (mine,) = said["controls_found"]
    assert (mine["name"], mine["kind"]) == ("mine", "ControlNet")
    union = json.loads(run("models", "sdxl-promax", "--json").stdout)
    assert (union["union"], union["hints"][:2]) == (True, ["pose", "depth"])
    page = run("models", "sd15-canny").output
    assert "fetched when it is first used, from" in page
    assert "lllyasviel/control_v11p_sd15_canny" in page


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_list_fits_the_terminal(run: Run, columns: int) -> None:
    ran = run("models", COLUMNS=str(columns))
    lines = ran.output.splitlines()
    assert max(map(len, lines)) <= columns
    for spec in models_for(DRAWS):
        assert spec.name in [line.split("  ")[0] for line in lines]
        assert spec.licence.split()[0] in ran.output
    assert any(line.startswith("NAME ") for line in lines) == (columns == 200)


def test_doctor_fits_the_terminal(run: Run) -> None:
    wide = run("doctor").output
    narrow = run("doctor", COLUMNS="60").output
    assert max(map(len, narrow.splitlines())) <= 60 < max(map(len, wide.splitlines()))
    assert len(narrow.splitlines()) > len(wide.splitlines())
    assert narrow.split()[-4:] == wide.split()[-4:]


def test_commands_are_not_broken_within_a_word() -> None:
    command = "rm '/a/very/long/path/that/does/not/fit'"
    assert wrapped("try: ", command, 20, whole=True) == (
        "try: rm\n     '/a/very/long/path/that/does/not/fit'"
    )
    assert wrapped("ok  ", "abc /def/ghi/jkl/mno", 12) == (
        "ok  abc /def\n    /ghi/jkl\n    /mno"
    )
