"""`--vae`: recorded, drawn with again, told of, and refused in one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.cli.stores import Stores
from imaginairy.metadata.read import read_metadata
from imaginairy.metadata.tags import parameters_text
from imaginairy.sources.checksum import summed
from tests.support.commands import Run, assert_refused, run_here
from tests.support.tiny import tiny_pipeline
from tests.support.vaes import save

SMALL = ("--size", "64", "--steps", "2", "--seed", "7", "-q")


@pytest.fixture
def drawn(run: Run, tiny_folder: Path) -> Path:
    """Draw a picture with another VAE."""
    ran = run("imagine", "a fox", "--model", tiny_folder, "--vae", save_vae(3),
              "--output-file-extension", "png", *SMALL)  # fmt: skip
    assert ran.exit_code == 0, ran.output
    [picture] = Path("outputs").iterdir()
    return picture


def save_vae(seed: int) -> Path:
    named: dict[str, Any] = tiny_pipeline(seed=seed).vae.state_dict()
    return save(named, Path("vae.safetensors")).resolve()


def test_a_picture_says_its_vae_and_is_drawn_with_it_again(
    run: Run, drawn: Path
) -> None:
    file = Path("vae.safetensors").resolve()
    said, digest = read_metadata(drawn), summed(file)
    assert (said["vae"], said["vae_sha256"]) == (str(file), digest)
    assert said["model_sha256"] != digest
    with Image.open(drawn) as image:
        parameters = str(image.info["parameters"])
    assert f"VAE hash: {digest[:10]}, VAE: vae.safetensors, " in parameters
    assert "VAE" not in parameters_text({**said, "vae": None, "vae_sha256": None})
    ran = run("again", "--trust", drawn)
    assert ran.stdout == f"{drawn}: the same picture, pixel for pixel.\n", ran.output
    assert f" model:{said['model']} vae:{file}\n" in ran.stderr


def test_weights_that_are_others_are_told_of(drawn: Path, tmp_path: Path) -> None:
    save_vae(4)
    ran = run_here(Stores(), "again", "--trust", drawn)
    assert ran.exit_code == 1
    said = f"The vae '{tmp_path / 'vae.safetensors'}' has other weights than then: SHA-"
    assert said in ran.stdout


def test_another_model_has_its_own_vae_again(
    run: Run, drawn: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    tiny_pipeline(seed=5).save_pretrained(other)
    ran = run("again", "--trust", drawn, "--model", other, "--outdir", "others")
    assert ran.exit_code == 0, ran.output
    [picture] = Path("others").iterdir()
    assert ImaginePrompt.from_file(picture).vae is None
    ran = run("again", "--trust", drawn, "--vae", other, "--outdir", "mixed")
    [picture] = Path("mixed").iterdir()
    assert ImaginePrompt.from_file(picture).vae == str(other)


def test_one_that_is_gone_is_asked_for_before_anything_is_drawn(drawn: Path) -> None:
    Path("vae.safetensors").unlink()
    ran = run_here(Stores(), "again", "--trust", drawn)
    assert_refused(ran, f"'{drawn}' cannot be drawn again as it was: There is no VAE '")
    assert ran.stderr.endswith("Another vae can be given with --vae.\n")


@pytest.mark.parametrize(
    ("vae", "words", "code"),
    [
        ("nonsense", "There is no VAE 'nonsense'; give one of sdxl-vae-fp16-fix, ", 2),
        ("", "vae", 2),
        ("a/b/c", "There is no VAE 'a/b/c'; give one of sdxl-vae-fp16-fix, taesd, ", 2),
        ("notes.txt", "'notes.txt' is ", 1),
        (".", "'.' holds no weights.", 1),
        ("sdxl-vae-fp16-fix", "has the VAE of Stable Diffusion XL, whose latents a", 1),
    ],
)
def test_nonsense_is_one_sentence(
    run: Run, tiny_folder: Path, vae: str, words: str, code: int
) -> None:
    Path("notes.txt").write_bytes(b"\0\1\2")
    ran = run("imagine", "a fox", "--model", tiny_folder, "--vae", vae, *SMALL)
    assert_refused(ran, words, code)


def test_inspect_and_model_say_how_one_is_used(run: Run) -> None:
    file = save_vae(3)
    ran = run("inspect", file, "--json")
    facts = json.loads(ran.stdout)
    assert facts["kind"] == "autoencoder" and not facts["usable"]
    advice = "one part of a model; give it as --vae beside one."
    assert facts["missing"] == [f"It is {advice}"]
    ran = run("imagine", "a fox", "--model", file, *SMALL)
    what = f"(VAE) for Stable Diffusion 1.x, 2.x or XL, which is {advice}"
    assert_refused(ran, what, 1)


def test_the_one_that_is_known_by_name(run: Run) -> None:
    said = " ".join(run("models", "sdxl-vae-fp16-fix").stdout.split())
    assert "what it is VAE: Stable Diffusion XL's, changed so that half prec" in said
    assert "licence MIT" in said and "madebyollin/sdxl-vae-fp16-fix" in said
    assert "sdxl-vae-fp16-fix is fetched when first used" in run("doctor").stdout
