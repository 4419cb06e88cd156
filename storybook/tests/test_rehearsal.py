"""The way from nothing to a model that draws, taken in a rehearsal."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from imaginairy import ImaginePrompt, ModelStore, imagine
from storybook import settings
from storybook.training.ahead import drawn_ahead
from storybook.training.origin import sha256
from tests.support.patience import HANG_GUARD_S

ROOT = Path(__file__).parents[2]
DRAWING = (
    "cache",
    "autoencoder",
    "latents",
    "twins",
    "tokenizer",
    "text",
    "unet",
    "export",
)
FLOW = (
    "flow-tokenizer",
    "flow-texts",
    "flow-autoencoder",
    "flow-latents",
    "flow",
    "flow-steps",
    "flow-export",
)
"""What follows, from the same pictures."""


def rehearse(state: Path, *stages: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "storybook", "--rehearse", *stages],
        capture_output=True, text=True, cwd=ROOT, timeout=HANG_GUARD_S,
        env=os.environ | {"STORYBOOK_STATE": str(state)},
    )  # fmt: skip


def test_a_model_made_from_nothing_draws(tmp_path: Path) -> None:
    ran = rehearse(tmp_path, *DRAWING, *FLOW, "unet")
    assert ran.returncode == 0, ran.stderr
    *_, again = ran.stdout.split("storybook: ")
    assert again == "unet\n", "what is finished is not trained again"
    home = tmp_path / "rehearsal"
    for name in ("autoencoder", "text", "unet", "flow-autoencoder", "flow"):
        last = (home / f"{name}.log").read_text().splitlines()[-1]
        assert json.loads(last)["step"] == 2
    made = home / "data" / "storybook"
    told = json.loads((made / "origin.json").read_text())
    trained = {each["stage"]: each["steps"] for each in told["stages"]}
    assert trained == {"autoencoder": 2, "text": 2, "unet": 2} and not told["parents"]
    unet = "unet/diffusion_pytorch_model.safetensors"
    assert len(told["weights"]) == 3 and told["weights"][unet] == sha256(made / unet)
    for folder in ("unet", "vae", "text_encoder"):
        ours, bundled = (
            json.loads((place / folder / "config.json").read_text())
            for place in (made, settings.BUNDLED / "storybook")
        )
        assert bundled.items() <= ours.items(), "it is of the size of the bundled one"
    flow = home / "data" / "storybook_flow"
    told = json.loads((flow / "origin.json").read_text())
    assert [each["steps"] for each in told["stages"]] == [2, 2, 2]
    prompts = [
        ImaginePrompt(
            "a dog", seed=1, steps=2, width=128, height=128, model=str(folder),
            upscale=False,
        )
        for folder in (made, flow)
    ]  # fmt: skip
    for result in imagine(prompts, store=ModelStore("cpu")):
        assert result.img.size == (128, 128)
        assert result.img.getextrema() != ((0, 0),) * 3


def test_an_unknown_stage_is_named(tmp_path: Path) -> None:
    ran = rehearse(tmp_path, "unnet")
    assert ran.returncode == 2
    assert "unknown stage 'unnet'" in ran.stderr


def test_a_rehearsal_fails_where_helpers_could_not_be_sent_what_they_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert list(drawn_ahead(lambda step: step, range(2), 0)) == [0, 1]
    monkeypatch.setattr("storybook.settings.REHEARSAL", True)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        list(drawn_ahead(lambda step: step, range(2), 0))
    assert list(drawn_ahead(squared, range(2), 0)) == [0, 1]


def squared(step: int) -> int:
    return step * step


@pytest.mark.parametrize("helpers", [0, 2])
def test_batches_come_in_order_whoever_draws_them(helpers: int) -> None:
    assert list(drawn_ahead(squared, range(3, 9), helpers)) == [9, 16, 25, 36, 49, 64]
