"""LoRAs from what is asked for to the picture, and from the picture back."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from imaginairy import ImaginePrompt, Lora, ModelStore, Observer, imagine
from imaginairy.batches import Batches
from imaginairy.cli.stores import Stores
from imaginairy.errors import BadOptionError, CheckpointError, UnknownModelError
from imaginairy.metadata.foreign import parse_parameters
from imaginairy.metadata.tags import parameters_text
from imaginairy.outcomes import grouped
from imaginairy.settling import settled
from imaginairy.sources.shelves import ADAPTERS
from tests.support.adapters import kohya, save_bundled_style, save_style, saved
from tests.support.commands import Run, assert_refused, run_here
from tests.support.pictures import pixels
from tests.support.tiny import tiny_pipeline


@pytest.fixture(scope="module")
def loras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of LoRAs for the tiny model, and of one for no such model."""
    folder, pipeline = tmp_path_factory.mktemp("loras"), tiny_pipeline()
    save_style(pipeline, folder / "style.safetensors", ss_output_name="my style")
    save_style(pipeline, folder / "lcm-lora-2steps.safetensors")
    save_style(pipeline, folder / "other.safetensors")
    said = {"modelspec.trigger_phrase": "zorb, the blob"}
    save_style(pipeline, folder / "wordy.safetensors", **said)
    layer = "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k"
    wide = dict(kohya("lora_unet_", {layer: (640, 2048)}))
    saved(folder / "wide.safetensors", wide)
    saved(folder / "odd.safetensors", dict(kohya("lora_unet_", {"nowhere": (4, 4)})))
    return folder


@pytest.fixture(autouse=True)
def _found(loras: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADAPTERS.variable, str(loras))


@pytest.fixture(scope="module")
def tiny(tiny_folder: Path) -> Iterator[ModelStore]:
    store = ModelStore("cpu")
    yield store
    store.clear()


@pytest.fixture
def ask(tiny_folder: Path) -> Callable[..., ImaginePrompt]:
    """Make a small prompt."""
    small = {"seed": 1, "steps": 2, "model": str(tiny_folder), "sampler_type": "ddim"}

    def ask(text: str = "a red fox", **more: Any) -> ImaginePrompt:
        fields = {**small, **more}
        return ImaginePrompt(text, **{k: v for k, v in fields.items() if v != "open"})

    return ask


Ask = Callable[..., ImaginePrompt]


def test_they_add_up_and_leave_the_model_as_it_was(tiny: ModelStore, ask: Ask) -> None:
    plain, half, both, named, again = imagine(
        [
            ask(),
            ask(loras="style=0.5"),
            ask(loras=["style=0.25", "style=0.25"]),
            ask("a red fox<lora:my style:0.5>"),
            ask(),
        ],
        store=tiny,
    )
    assert plain.md5() == again.md5() != half.md5()
    assert named.md5() == half.md5(), "by what the file calls itself, too"
    first, second = (pixels(each.img) for each in (half, both))
    assert np.abs(first - second).max() <= 1
    assert [*half.metadata_dict()["lora_sha256"]] == ["style"]
    assert [*named.metadata_dict()["lora_sha256"]] == ["my style"]
    assert plain.metadata_dict()["lora_sha256"] == {}
    assert half.prompt.loras == (Lora("style", 0.5),)
    assert named.prompt.loras == ()


def test_a_model_stays_loaded_and_a_file_that_changes_is_read_again(
    tiny: ModelStore, ask: Ask, tmp_path: Path, loras: Path
) -> None:
    path = tmp_path / "own.safetensors"
    tensors = load_file(loras / "style.safetensors")
    saved(path, tensors)
    prompt = ask(loras=[str(path)])
    first = next(imagine(prompt, store=tiny))
    loaded = tiny.get(prompt.model).diffusion
    assert first.prompt.loras == (Lora(str(path)),)
    saved(path, {**tensors, "lora_unet_x.diff": torch.zeros(1)} | {
        name: each * 2 for name, each in tensors.items() if "lora_up" in name
    })  # fmt: skip
    second = next(imagine(prompt, store=tiny))
    assert second.md5() != first.md5()
    assert tiny.get(prompt.model).diffusion is loaded


def test_only_those_with_the_same_are_drawn_together(
    tiny: ModelStore, ask: Ask
) -> None:
    prompts = [
        ask(), ask(), ask(loras="style"), ask(loras="style", seed=2),
        ask(loras="style=0.5"), ask("a red fox <lora:style:0.5>"),
        ask(loras="style=0.5", merge_loras=True),
    ]  # fmt: skip
    groups = [*grouped(prompts, Batches(tiny, Observer(), 8))]
    assert [len(group) for group in groups if isinstance(group, list)] == [2, 2, 2, 1]


def test_those_of_few_steps_set_what_the_user_does_not(
    tiny: ModelStore, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "imaginairy")
    usual = {"steps": "open", "sampler_type": "open"}
    order = settled(ask(loras="lcm-lora-2steps", **usual), tiny)
    assert (order.sampler.name, order.steps, order.guidance) == ("k_lcm", 2, 1.5)
    assert (
        "lcm-lora-2steps makes it a latent consistency model (LCM), as its name says: "
        "by default 2 steps of k_lcm, guidance scale 1.5." in caplog.messages
    )
    caplog.clear()
    order = settled(ask(loras="lcm-lora-2steps", prompt_strength=4), tiny)
    assert (order.sampler.name, order.steps, order.guidance) == ("ddim", 2, 4)
    assert not caplog.messages, "said once"
    order = settled(ask(loras="lcm-lora-2steps,unet=0", **usual), tiny)
    assert order.sampler.name == "plms", "what does not act sets nothing"


def test_what_one_answers_to_is_said_once_where_the_prompt_has_none_of_it(
    tiny: ModelStore, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "imaginairy")
    settled(ask("Zorb, the blob, and a fox", loras="wordy"), tiny)
    assert "answers" not in caplog.text
    for _ in range(2):
        settled(ask(loras="wordy"), tiny)
    said = [each for each in caplog.messages if "answers" in each]
    assert said == ["wordy answers to: zorb, the blob"]


def test_the_bundled_model_is_not_said_to_miss_what_a_lora_knows(
    store: ModelStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = save_bundled_style(tmp_path / "own.safetensors")
    path.with_suffix(".json").write_text('{"activation text": "zorb blobby"}')
    with_it = ImaginePrompt("a zorb, a qux", loras=[path], model="storybook")
    settled(with_it, store)
    assert "storybook does not know: qux" in caplog.messages


def test_what_cannot_act_is_refused(tiny: ModelStore, ask: Ask) -> None:
    def refuse(error: type[Exception], said: str, **more: Any) -> None:
        with pytest.raises(error, match=said):
            settled(ask(**more), tiny)

    refuse(UnknownModelError, "no LoRA 'stile'.*mean 'style'", loras="stile")
    refuse(CheckpointError, r"XL \(SDXL\); the model is Stable D", loras="wide")
    refuse(CheckpointError, "fits no layer of this model", loras="odd")
    adaptive = {"sampler_type": "k_dpm_adaptive", "loras": "style@0-0.5"}
    refuse(BadOptionError, "adaptive' chooses its steps as it goes", **adaptive)
    settled(ask(**{**adaptive, "loras": "style"}), tiny)
    with pytest.raises(BadOptionError, match=r"merge_loras needs loras; give one\."):
        ask(merge_loras=True)
    ask("a <lora:style> fox", merge_loras=True)


def test_the_refiner_draws_without_them(
    tiny: ModelStore, ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "imaginairy")
    tiny_pipeline(seed=3).save_pretrained(tmp_path / "other")
    refined = ask(loras="style", refiner=f"{tmp_path / 'other'}@0.5")
    same = replace(refined, loras=())
    with_it, without = imagine([refined, same], store=tiny, batch_size=1)
    assert f"the LoRAs act on {refined.model} alone" in caplog.messages
    assert with_it.md5() != without.md5()


# What a picture says


def test_other_tools_read_them_in_the_parameters(tiny: ModelStore, ask: Ask) -> None:
    prompt = ask("a fox <lora:my style:0.25>", loras=["style=0.5,unet=1", "other"])
    said = next(imagine(prompt, store=tiny)).metadata_dict()
    text = parameters_text(said)
    typed = "a fox <lora:my style:0.25> <lora:style:0.5:1> <lora:other:1>"
    assert text.splitlines()[0] == typed
    hashes = said["lora_hashes"]
    listed = ", ".join(f"{name}: {hashes[name]}" for name in hashes)
    assert [*hashes] == ["style", "other", "my style"]
    assert f'Lora hashes: "{listed}", ' in text
    record = parse_parameters(text)
    assert record is not None
    assert record.fields["prompt"] == typed
    assert record.lora_hashes == hashes
    assert not record.unknown


@pytest.fixture(scope="module")
def stores() -> Iterator[Stores]:
    stores = Stores()
    yield stores
    stores.clear()


@pytest.fixture
def run(stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `aimg` in a folder of its own, with its own LoRAs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv(ADAPTERS.variable, str(tmp_path / "mine"))

    def run(*words: object) -> Any:
        stores.clear()  # what was looked up once stays the same
        return run_here(stores, *words)

    return run


def test_a_picture_is_drawn_again_with_a_file_of_the_same_hash(
    run: Run, loras: Path, tiny_folder: Path
) -> None:
    style = Path("mine/style.safetensors")
    style.write_bytes((loras / "style.safetensors").read_bytes())
    small = ("--model", tiny_folder, "--steps", 1, "--seed", 1)
    drawn = run("imagine", "a <lora:style:0.5> fox", "--lora", "style=0.3", *small)
    assert drawn.exit_code == 0, drawn.output
    (path,) = Path("outputs").glob("*.jpg")
    kept = ("again", path, "--model", tiny_folder, "--json")
    again = run(*kept[:2], "--trust")
    assert again.stdout.endswith("the same picture, pixel for pixel.\n"), again.output
    same = run("again", path, "--trust", "--lora", "style=0.3")
    assert "pixel for pixel" in same.stdout, same.output
    other = run("again", path, "--trust", "--lora", "style=0.4", "--lora", "style=0")
    assert "with loras style=0.4, style=0 in place of style=0.3." in other.stdout
    moved = style.rename("mine/moved.safetensors")
    again = run("again", path, "--trust")
    assert "pixel for pixel" in again.stdout, again.output
    assert f"the LoRA style is now {moved.absolute()}, by its SHA-256" in again.stderr
    said = json.loads(run(*kept).stdout)
    assert said["prompt_text"] == "a  fox"
    assert said["loras"] == [f"{moved.absolute()}=0.3", f"{moved.absolute()}=0.5"]
    assert_refused(run("again", path, "--trust", "--lora", "x"), "There is no LoRA 'x'")
    moved.unlink()
    gone = "cannot be drawn again as it was: There is no LoRA 'style'"
    assert_refused(run("again", path, "--trust"), gone)
    louder = {"lora_unet_conv_out.diff": torch.ones(4, 32, 3, 3)}
    saved(style, louder)
    other = run("again", path, "--trust")
    assert other.exit_code == 1, other.output
    assert "The LoRA 'style' has other weights than then: SHA-256 " in other.stdout


def test_pictures_of_other_tools_are_drawn_with_theirs(
    run: Run, loras: Path, tiny_folder: Path
) -> None:
    from PIL.PngImagePlugin import PngInfo

    from imaginairy.sources.checksum import checksum_of_tensors

    path = Path("mine/renamed.safetensors")
    path.write_bytes((loras / "style.safetensors").read_bytes())
    digest = checksum_of_tensors(path)[:12]
    text = (
        "a fox <lora:pencil:0.5>\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1, "
        f'Size: 64x64, Model: x, Lora hashes: "pencil: {digest}"'
    )
    written = PngInfo()
    written.add_text("parameters", text)
    Image.new("RGB", (64, 64)).save("theirs.png", pnginfo=written)
    again = run("again", "theirs.png", "--model", tiny_folder, "--trust", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["loras"] == [f"{path.absolute()}=0.5"]
    assert "left out" not in again.stderr
