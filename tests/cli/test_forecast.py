"""`--plan`: what a run would take, with nothing of it done."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file

from imaginairy.cli.forecast_words import in_time, memory_line
from imaginairy.cli.rates import Kind, Rate
from imaginairy.conversion.convert import convert
from tests.support import tiny_flow
from tests.support.commands import Run, assert_refused
from tests.support.tiny import tiny_pipeline
from tests.support.tiny_image_prompts import (
    saved_ip_adapter,
    tiny_encoder,
    tiny_ip_adapter,
)

SMALL = ("-w", "64", "-h", "64")


@pytest.fixture(autouse=True)
def nothing_was_drawn_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def plan_of(run: Run, *words: object) -> dict[str, Any]:
    ran = run("imagine", *words, "--plan", "--json")
    assert ran.exit_code == 0, ran.output
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def test_what_is_here_is_settled_as_it_would_be_drawn(
    run: Run, tiny_folder: Path, tmp_path: Path
) -> None:
    files = (file for file in tiny_folder.rglob("*") if file.is_file())
    size = sum(file.stat().st_size for file in files)
    told = plan_of(run, "a fox", "--model", tiny_folder, *SMALL, "--steps", 6)
    (kind,) = told["kinds"]
    facts = {
        "images": 1,
        "model": str(tiny_folder),
        "generated_at": "64x64",
        "saved_at": "64x64",
        "steps": 6,
        "sampler_type": "plms",
    }
    assert facts.items() <= kind.items()
    assert 0 < kind["memory_of_models"] <= size and kind["memory_beside"] > 0
    drawing = next(each for each in told["models"] if each["role"] == "draws")
    assert (drawing["path"], drawing["size"]) == (str(tiny_folder), size)
    assert told["memory_free"] > 0 and told["computed_in"] == "float32"
    assert told["seconds"] is None, "nothing was measured yet"
    assert [*tmp_path.iterdir()] == [], "nothing is saved, nothing is kept"


def test_a_model_is_opened_once_for_many_prompts(
    run: Run, tiny_folder: Path, tmp_path: Path
) -> None:
    folder, file = tmp_path / "v", tmp_path / "v.safetensors"
    shutil.copytree(tiny_folder, folder)
    noise = folder / "scheduler" / "scheduler_config.json"
    v = {"prediction_type": "v_prediction"}
    noise.write_text(json.dumps({**json.loads(noise.read_text()), **v}))
    convert(str(folder), str(file))
    ran = run("imagine", "a fox", "a bowl", "--model", file, *SMALL, "--plan")
    assert ran.exit_code == 0, ran.output
    assert ran.output.count("as it says of itself") == 1


def test_alike_images_are_told_together(run: Run, tiny_folder: Path) -> None:
    sweep = ("--arg-schedule", "steps[1,2]", "-r", 1000)
    told = plan_of(run, "a fox", "a bowl", "--model", tiny_folder, *SMALL, *sweep)
    assert told["images"] == 4000
    assert [(each["images"], each["steps"]) for each in told["kinds"]] == [
        (2000, 1), (2000, 2),
    ]  # fmt: skip
    sweep = ("--arg-schedule", "steps[1,2,3]", "-r", 67)
    told = plan_of(run, "a fox", "--model", tiny_folder, *SMALL, *sweep)
    assert sum(each["images"] for each in told["kinds"]) == told["images"] == 201


def test_what_is_not_here_is_told_by_what_is_known_of_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("IMAGINAIRY_SAFETY_MODE", "disabled")
    told = plan_of(run, "a fox", "--model", "sd15", "--steps", 7, "--size", "512x768")
    (kind,) = told["kinds"]
    facts = {"generated_at": "512x768", "steps": 7, "sampler_type": "plms"}
    assert facts.items() <= kind.items() and kind["memory_of_models"] is None
    model, vocabulary = told["models"]
    assert model["path"] is None and model["size"] == 4_265_146_304
    assert model["origin"].startswith("https://huggingface.co/")
    assert vocabulary["role"] == "vocabulary" and vocabulary["path"] is None
    assert told["download"] is None or told["download"] > model["size"]
    assert told["unreachable"], "no test may ask the hub"
    said = run("imagine", "a fox", "--model", "sd15", "--plan").stdout
    assert "4.27 GB" in said and "cannot be fetched now" in said
    assert not (tmp_path / "hub").exists()


def test_the_packing_that_would_be_fetched_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("IMAGINAIRY_SAFETY_MODE", "disabled")
    for name, low in (("z-image-turbo", True), ("z-image-turbo:q4_k", False)):
        words = ("a fox", "--model", name, *["--low-memory"] * low)
        model, vocabulary = plan_of(run, *words)["models"]
        assert model["name"] == name and model["size"] == 6_696_836_004
        assert "Z-Image-Turbo-GGUF and " in model["origin"]
        assert vocabulary["size"] == 11_422_654, "no file of these has one"
        assert ("packing" in model) == low
    text = tmp_path / "text.safetensors"
    save_file(tiny_flow.qwen(8, layers=1).model.state_dict(), text)
    model, given = plan_of(run, *words, "--text-encoder", text)["models"][:2]
    assert model["size"] == 6_696_836_004 - 2_497_281_312, "its own is not fetched"
    assert given["path"] == str(text)
    said = run("imagine", "a fox", "--model", "z-image", "--low-memory", "--plan")
    assert "because little memory is to be taken; others:" in (
        " ".join(said.stdout.split())
    )


@pytest.mark.parametrize("asked", ["--fast-decode", "--preview"])
@pytest.mark.parametrize(
    ("model", "tiny", "is_here"),
    [("sd15", "taesd", False), ("storybook", "storybook-tiny", True)],
)
def test_a_tiny_vae_is_told_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    model: str, tiny: str, is_here: bool, asked: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("IMAGINAIRY_SAFETY_MODE", "disabled")
    told = plan_of(run, "a fox", "--model", model, asked)
    vaes = [each for each in told["models"] if each["role"] == "vae"]
    assert [(vae["name"], vae["path"] is not None) for vae in vaes] == [(tiny, is_here)]


def test_models_beside_are_named(run: Run) -> None:
    more = ("--caption", "--fix-faces", "--best-of", 2)
    told = plan_of(run, "a fox", "--model", "storybook", *more)
    assert {each["name"] for each in told["models"]} == {
        "storybook", "storybook-upscaler", "storybook-codeformer", "storybook-faces",
        "storybook-blip", "storybook-clip",
    }  # fmt: skip
    (kind,) = told["kinds"]
    assert kind["best_of"] == 2 and {"upscale", "caption"} <= {*kind["afterwards"]}
    assert told["download"] == 0 and told["unreachable"] is None


def test_images_of_the_web_are_not_fetched(run: Run, tiny_folder: Path) -> None:
    address = "http://127.0.0.1:9/a.png"
    words = ("a fox", "--model", tiny_folder, "--init-image", address)
    ran = run("imagine", *words, "--plan")
    assert ran.exit_code == 0, ran.output
    assert f"{address} is fetched when it is used" in ran.stderr


def test_adapters_that_are_not_here_are_told_and_left_out(
    run: Run, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    words = (
        "a <lora:some/one:1> <hypernet:some/five:1> fox",
        "--model",
        tiny_folder,
        *SMALL,
    )
    more = ("--lora", "http://127.0.0.1:9/two.safetensors=0.5", "--merge-loras")
    told = plan_of(run, *words, *more, "--embedding", "some/three")
    adapters = [each for each in told["models"] if each["role"] == "adapter"]
    assert {each["name"] for each in adapters} == {
        "some/one", "http://127.0.0.1:9/two.safetensors", "some/three",
        "some/five",
    }  # fmt: skip
    assert all(each["path"] is None and each["origin"] for each in adapters)
    assert told["download"] is None
    assert_refused(run("imagine", *words, "--lora", "four", "--plan"), "no LoRA 'four'")


def test_controls_that_are_not_here_are_told_and_left_out(
    run: Run, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the model is here, is of a known family, or of one that is not known."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64)).save("hint.png")
    words = ("a fox", *SMALL, "--control-raw", "--control-image", "hint.png")
    given = [part for name in ("edges", "some/one") for part in ("--control", name)]
    for model, known in ((tiny_folder, 2), ("sd15", 2), ("some/model", 1)):
        told = plan_of(run, *words, "--model", model, *given)
        controls = [each for each in told["models"] if each["role"] == "control"]
        expected = ["sd15-canny", "some/one"][-known:]
        assert [each["name"] for each in controls] == expected
        assert all(each["path"] is None and each["origin"] for each in controls)
    said = run("imagine", *words, *given, "--model", "sd15", "--plan").stdout
    assert "some/one, fetched from" in " ".join(said.split())
    words = (*words, "--model", tiny_folder, "--control", "cany", "--plan")
    assert_refused(run("imagine", *words), "no control 'cany'")


def test_a_text_may_say_nothing_but_what_is_to_be_fetched(
    run: Run, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    text = "<lora:some/one:1><hypernet:some/two:1>"
    ran = run("imagine", text, "--model", tiny_folder, *SMALL, "--plan")
    assert ran.exit_code == 0, ran.output
    words = " ".join(ran.stdout.split())
    assert "to fetch what the hub does not say before; it cannot be fetched" in words


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--steps", 0), "steps 0 is out of range"),
        (("--init-image", "none.png"), "There is no file 'none.png'"),
        (("--model", "castle"), "There is no model 'castle'"),
        (("--model", "storybook", "--crop", "1,1"), "reads no crop"),
        (("--arg-schedule", "steps[1"), "steps[1"),
        (("--compare-gif",), "--compare-gif needs an --init-image"),
        (("--sampler", "k_tcd", "--schedule", "karras"), "karras"),
        (("--refiner", "storybook@2"), "cannot be read"),
    ],
)
def test_nonsense_is_refused_as_when_it_is_drawn(
    run: Run, more: tuple[object, ...], words: str
) -> None:
    usual = () if "--model" in more else ("--model", "storybook")
    for plan in ((), ("--plan",)):
        assert_refused(run("imagine", "a fox", *usual, *more, *plan), words)


def test_edit_and_again_tell_their_plans_too(run: Run, tiny_folder: Path) -> None:
    Image.new("RGB", (128, 96), "red").save("red.png")
    words = ("a fox", "--model", tiny_folder, "--steps", 4, "--seed", 1)
    ran = run("edit", "red.png", *words, "--plan", "--init-image-strength", "0.5")
    assert ran.exit_code == 0 and "2 steps of plms" in ran.stdout
    assert run("imagine", *words, *SMALL).exit_code == 0
    (picture,) = Path("outputs").iterdir()
    ran = run("again", picture, "--trust", "--plan", "--steps", 3)
    assert ran.exit_code == 0 and "3 steps of plms" in ran.stdout
    assert [*Path("outputs").iterdir()] == [picture]


def test_what_former_runs_took_tells_the_time(run: Run, tiny_folder: Path) -> None:
    words = ("a fox", "--model", tiny_folder, *SMALL)
    assert run("imagine", *words, "--steps", 3, "-q").exit_code == 0
    (file,) = Path("cache").rglob("rates.json")
    (row,) = json.loads(file.read_text())
    kind, rate = Kind(*row[:-2]), Rate(*row[-2:])
    assert (kind.model, kind.drawn, kind.guided) == (str(tiny_folder), "64x64", True)
    seconds = plan_of(run, *words, "--steps", 10)["seconds"]
    assert seconds == pytest.approx(10 * rate.prediction + rate.around)
    larger = ("a fox", "--model", tiny_folder, "-w", 128, "-h", 64, "--steps", 10)
    assert plan_of(run, *larger)["seconds"] == pytest.approx(2 * seconds)
    twice = plan_of(run, *words, "--steps", 10, "--sampler", "k_heun", "-r", 2)
    each = 2 * 10 * rate.prediction + rate.around
    assert twice["seconds"] == pytest.approx(2 * each)
    assert plan_of(run, *words, "--cfg", 1)["seconds"] is None, "that takes half"
    assert plan_of(run, *words, "--speed", "fast")["seconds"] is None, "that takes less"
    assert plan_of(run, *words, "--low-memory")["seconds"] is None, "that takes more"
    assert "as former runs took" in run("imagine", *words, "--plan").stdout


@pytest.mark.parametrize("said", ["", "[[1, 2]]", "{", "5", '[["a", "b", 1, "x"]]'])
def test_what_is_no_record_of_ours_tells_nothing(
    run: Run, tiny_folder: Path, said: str
) -> None:
    file = Path("cache/imaginairy/rates.json")
    file.parent.mkdir(parents=True)
    file.write_text(said)
    words = ("a fox", "--model", tiny_folder, *SMALL, "--steps", 2)
    assert plan_of(run, *words)["seconds"] is None
    assert run("imagine", *words, "-q").exit_code == 0
    assert plan_of(run, *words)["seconds"] > 0


def test_a_cache_that_cannot_be_written_to_changes_nothing(
    run: Run, tiny_folder: Path
) -> None:
    Path("cache").write_text("a file")
    words = ("a fox", "--model", tiny_folder, *SMALL, "--steps", 2, "-q")
    ran = run("imagine", *words)
    assert (ran.exit_code, ran.output) == (0, "")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.123, "0.12 s"),
        (99.4, "99 s"),
        (99.7, "2 min"),
        (600, "10 min"),
        (9000, "2.5 h"),
    ],
)
def test_times_are_told_as_people_say_them(seconds: float, said: str) -> None:
    assert in_time(seconds) == said


def test_the_memory_told_is_the_most_that_is_taken() -> None:
    kinds = [
        {"memory_of_models": weights, "memory_beside": beside, "together": 1}
        for weights, beside in ((3 * 10**9, 10**9), (2 * 10**9, 5 * 10**9))
    ]
    told = {"kinds": kinds, "memory_free": 6 * 10**9, "device": "cpu"}
    said = memory_line({**told, "computed_in": "float32"})
    assert said.startswith("about 2.00 GB for weights in float32 and 5.00 GB for an")
    assert said.endswith("more slowly")


def test_what_reads_image_prompts_is_told_and_left_out_where_it_is_not_here(
    run: Run, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64)).save("dog.png")
    tiny_encoder().save_pretrained("image_encoder")
    both = tiny_ip_adapter("plus", tiny_pipeline().unet)
    saved_ip_adapter(both, Path("reader.safetensors"))

    def told(image: str, model: object) -> list[tuple[str, str, bool]]:
        words = ("", *SMALL, "--image-prompt", image, "--model", model)
        models = plan_of(run, *words)["models"]
        roles = ("image-prompt", "image-encoder")
        found = [each for each in models if each["role"] in roles]
        assert all(each["origin"] or each["path"] for each in found)
        return sorted((m["role"], m["name"], bool(m["path"])) for m in found)

    usual = [
        ("image-encoder", "clip-vit-h-image", False),
        ("image-prompt", "ip-adapter-sd15", False),
    ]
    assert told("dog.png", tiny_folder) == told("dog.png", "sd15") == usual
    assert told("dog.png", "some/model") == []
    mine = [("image-prompt", "me/mine", False)]
    assert told("dog.png,adapter=me/mine", tiny_folder) == mine
    assert told("dog.png,adapter=me/mine", "some/model") == mine
    here = told("dog.png,adapter=reader.safetensors", tiny_folder)
    names = [("image-encoder", "image_encoder"), ("image-prompt", "reader.safetensors")]
    assert [(role, Path(name).name, is_here) for role, name, is_here in here] == [
        (role, name, True) for role, name in names
    ]
    words = ("a fox", "--image-prompt", "dog.png,adapter=ip-adaptor", "--plan")
    assert_refused(
        run("imagine", *words, "--model", tiny_folder), "no IP-Adapter 'ip-adaptor'"
    )
