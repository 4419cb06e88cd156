"""`--text-encoder`: recorded, drawn with again, told of, refused in one sentence."""

from pathlib import Path
from typing import Any

from imaginairy import ImaginePrompt
from imaginairy.cli.stores import Stores
from imaginairy.metadata.read import read_metadata
from imaginairy.sources.checksum import summed
from tests.support.commands import Run, assert_refused, run_here
from tests.support.tiny import tiny_pipeline
from tests.support.vaes import save

SMALL = ("--size", "64", "--steps", "2", "--seed", "7", "-q")


def saved(seed: int) -> Path:
    named: dict[str, Any] = tiny_pipeline(seed=seed).text_encoder.state_dict()
    return save(named, Path("clip.safetensors")).resolve()


def test_a_picture_says_its_text_encoder_and_is_drawn_with_it_again(
    run: Run, tiny_folder: Path, tmp_path: Path
) -> None:
    words = ("imagine", "a fox", "--model", tiny_folder, *SMALL)
    png = ("--output-file-extension", "png")
    ran = run(*words, "--clip_l", saved(3), *png)
    assert ran.exit_code == 0, ran.output
    [drawn] = Path("outputs").iterdir()
    file, said = Path("clip.safetensors").resolve(), read_metadata(drawn)
    assert said["text_encoders"] == [str(file)]
    assert said["text_encoder_sha256"] == {str(file): summed(file)}
    ran = run("again", "--trust", drawn)
    assert ran.stdout == f"{drawn}: the same picture, pixel for pixel.\n", ran.output
    assert f" text-encoder:{file}\n" in ran.stderr
    ran = run("again", "--trust", drawn, "--model", "storybook", "--outdir", "others")
    assert ran.exit_code == 0, ran.output
    [picture] = Path("others").iterdir()
    assert ImaginePrompt.from_file(picture).text_encoders == ()
    saved(4)
    ran = run_here(Stores(), "again", "--trust", drawn)
    assert ran.exit_code == 1
    assert f"The text encoder '{file}' has other weights than then: SHA-" in ran.stdout
    file.unlink()
    ran = run_here(Stores(), "again", "--trust", drawn)
    start = f"'{drawn}' cannot be drawn again as it was: There is no text encoder '"
    assert_refused(ran, start)
    end = "Another text encoder can be given with --text-encoder.\n"
    assert ran.stderr.endswith(end)
    ran = run(*words, "--text-encoder", tmp_path / "x.gguf")
    assert_refused(ran, "x.gguf'; give one of qwen3-4b, t5-xxl, clip-l, the path of a")


def test_inspect_and_models_say_how_one_is_used(run: Run) -> None:
    ran = run("inspect", saved(3))
    advice = "It is one part of a model; give it as --text-encoder beside one."
    assert advice in " ".join(ran.stdout.split())
    said = " ".join(run("models", "t5-xxl").stdout.split())
    assert "what it is text encoder: the encoder of T5 1.1 XXL, that of Flux" in said
