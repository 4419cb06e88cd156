"""Where each bundled model comes from, as its folder says."""

import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from storybook import settings
from storybook.__main__ import STAGES
from storybook.recover import recover
from storybook.training import origin
from storybook.training.loop import write_checkpoint
from storybook.training.origin import FILE, add_figures, sha256, write_origin

DATA = settings.BUNDLED
FOLDERS = sorted(
    {path.relative_to(DATA).parts[0] for path in DATA.rglob("*.safetensors")}
)
REPORT = Path(origin.__file__).parents[1] / "reports" / "figures" / "report.json"


def told(folder: str) -> dict[str, Any]:
    return json.loads((DATA / folder / FILE).read_text(encoding="utf-8"))


def history_of(commit: str, file: str) -> bytes | None:
    """Return a bundled file as a commit has it, where the history is at hand."""
    if not shutil.which("git"):
        return None
    shown = subprocess.run(
        ["git", "show", f"{commit}:imaginairy/data/{file}"],
        capture_output=True, cwd=DATA,
    )  # fmt: skip
    return None if shown.returncode else shown.stdout


def test_every_bundled_model_says_where_it_comes_from() -> None:
    assert len(FOLDERS) == 11
    assert [folder for folder in FOLDERS if not (DATA / folder / FILE).exists()] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_origin_is_of_these_weights_and_of_known_stages(folder: str) -> None:
    found = told(folder)
    weights = sorted((DATA / folder).rglob("*.safetensors"))
    sums = {
        file.relative_to(DATA / folder).as_posix(): sha256(file) for file in weights
    }
    assert found["weights"] == sums
    assert found["made_by"].removeprefix("python -m storybook ") in STAGES
    assert {each["stage"] for each in found["stages"]} <= STAGES.keys()
    assert all(each.get("steps", each.get("pictures")) > 0 for each in found["stages"])
    assert found["seed"] == settings.SEED
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["date"])
    assert found["figures"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_parents_are_the_bundled_files_that_they_name(folder: str) -> None:
    for parent in told(folder)["parents"]:
        now = sha256(DATA / parent["file"])
        if "commit" not in parent:
            assert parent["sha256"] == now, parent
            continue
        assert parent["sha256"] != now, "what has not changed needs no commit"
        then = history_of(parent["commit"], parent["file"])
        if then is not None:
            assert parent["sha256"] == hashlib.sha256(then).hexdigest(), parent


def test_the_drawing_models_figures_are_those_of_its_report() -> None:
    assert told("storybook")["figures"] == json.loads(REPORT.read_text())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for checkpoints and for what is exported."""
    monkeypatch.setattr(settings, "STATE", tmp_path)
    monkeypatch.setattr(origin, "DATA", tmp_path / "data")
    (tmp_path / "data" / "made").mkdir(parents=True)
    return tmp_path


def test_an_export_writes_what_was_trained_from_what(home: Path) -> None:
    """A stage without a checkpoint was left out, a parent without a file not read."""
    made, parent = home / "data" / "made", home / "data" / "eyes.safetensors"
    for name, file in (("weights", made / "a.safetensors"), ("eyes", parent)):
        save_file({name: torch.ones(2)}, file)
    plan = replace(settings.TRAIN_TEXT, steps=9, batch=3, rate=0.5, muon=False)
    write_checkpoint("text", {"a": torch.ones(1)}, {}, optimizers={}, step=7)
    stages = {"text": plan, "decoder": plan}
    write_origin(made, "export", stages, (parent, home / "data" / "none"))
    found = json.loads((made / FILE).read_text())
    assert found.pop("date")
    assert found == {
        "made_by": "python -m storybook export",
        "seed": settings.SEED,
        "weights": {"a.safetensors": sha256(made / "a.safetensors")},
        "stages": [
            {"stage": "text", "steps": 7, "batch": 3, "rate": 0.5, "muon": False}
        ],
        "parents": [{"file": "eyes.safetensors", "sha256": sha256(parent)}],
    }
    add_figures(made, {"right": 0.9})
    again = json.loads((made / FILE).read_text())
    assert again.pop("figures") == {"right": 0.9}
    assert again.pop("date") and again == found


def test_what_goes_on_from_a_bundled_model_has_it_as_a_parent(home: Path) -> None:
    recover()
    made = home / "data" / "made"
    write_origin(made, "export", {"unet": settings.TRAIN_UNET})
    assert json.loads((made / FILE).read_text())["parents"] == [], "no step was taken"
    write_checkpoint("unet", {}, {}, optimizers={}, step=1)
    write_origin(made, "export", {"unet": settings.TRAIN_UNET})
    bundled = told("storybook")["weights"]
    assert json.loads((made / FILE).read_text())["parents"] == [
        {"file": f"storybook/{file}", "sha256": bundled[file]}
        for file in (
            "text_encoder/model.safetensors",
            "unet/diffusion_pytorch_model.safetensors",
        )
    ]
