"""`imagine`, as a user runs it: real files, real errors, and real processes."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaginairy import ImaginePrompt
from tests.support.commands import Run, assert_refused, process
from tests.support.patience import HANG_GUARD_S, wait_until

SMALL = ("--width", "64", "--height", "64", "--steps", "3")


def test_prompts_become_files(tiny_folder: Path, tmp_path: Path) -> None:
    ran = process(
        "imagine", "a scenic landscape", "a bowl of fruit", *SMALL,
        "--model", tiny_folder, "--seed", "7", "-r", "2", "--prompt-strength", "5",
        cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert [path.name for path in sorted((tmp_path / "outputs").iterdir())] == [
        "000001_7_PLMS3_PS5_a_scenic_landscape.jpg",
        "000002_7_PLMS3_PS5_a_bowl_of_fruit.jpg",
        "000003_8_PLMS3_PS5_a_scenic_landscape.jpg",
        "000004_8_PLMS3_PS5_a_bowl_of_fruit.jpg",
    ]
    assert "[2/4] a bowl of fruit  64x64 seed:7 cfg:5 steps:3" in ran.stderr
    assert ran.stdout == ""


def test_a_second_run_numbers_on(run: Run, tiny_folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        ran = run(
            "imagine", "a fox", "--model", tiny_folder, *SMALL, "--seed", "7", "-q",
            "--outdir", "here", "--output-file-extension", "png",
        )  # fmt: skip
        assert (ran.exit_code, ran.output) == (0, "")
    first, second = sorted((tmp_path / "here").iterdir())
    assert first.name.startswith("000001_") and second.name.startswith("000002_")
    with Image.open(first) as a, Image.open(second) as b:
        assert np.array_equal(np.asarray(a), np.asarray(b)), "same seed, other picture"


def test_without_a_seed_each_repeat_takes_a_fresh_one(
    run: Run, tiny_folder: Path, tmp_path: Path
) -> None:
    run("imagine", "a fox", "-r", "3", "--model", tiny_folder, *SMALL)
    files = (tmp_path / "outputs").iterdir()
    assert len({ImaginePrompt.from_file(file).seed for file in files}) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([""], "Error: The prompt is empty; say what to draw."),
        (["a fox", "--width", "0"], "Error: width 0 is out of range; give one from"),
        (["a fox", "--steps", "0"], "Error: steps 0 is out of range"),
        (["a fox", "--sampler", "plsm"], "Did you mean 'plms'?"),
        (["a fox", "--model", "sd16"], "Error: There is no model 'sd16'; give one of"),
        (["a fox", "--model", "/no/such"], "Error: There is no model '/no/such'"),
        (["a fox", "--repeats", "0"], "Error: repeats 0 is out of range"),
        (["a fox", "--device", "abacus"], "Error: Device 'abacus' is not available"),
        (["a fox", "--model", "broken.ckpt"], "is not a weight file but text"),
        ([], "Missing argument 'PROMPT...'"),
        (["a fox", "--setps", "3"], "No such option"),
    ],
)
def test_bad_use_is_one_sentence(
    arguments: list[str], words: str, run: Run, tmp_path: Path
) -> None:
    Path("broken.ckpt").write_text("not weights")
    code = 1 if "broken.ckpt" in arguments else 2
    assert_refused(run("imagine", *arguments), words, code)
    assert not (tmp_path / "outputs").exists()


def test_a_bad_prompt_is_found_before_the_first_is_drawn(
    run: Run, tiny_folder: Path, tmp_path: Path
) -> None:
    ran = run("imagine", "a fox", " ", "--model", tiny_folder, *SMALL)
    assert_refused(ran, "The prompt is empty; say what to draw.")
    assert not (tmp_path / "outputs").exists()


def test_an_outdir_that_is_a_file(run: Run, tiny_folder: Path) -> None:
    Path("outputs").write_text("")
    ran = run("imagine", "a fox", "--model", tiny_folder, *SMALL)
    assert_refused(ran, "outputs' is a file and no folder; give another")


def test_ctrl_c_keeps_what_is_saved(tiny_folder: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "imaginairy", "a fox", "-r", "1000",
         "--model", str(tiny_folder), *SMALL],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        outputs = tmp_path / "outputs"
        wait_until(lambda: len(list(outputs.glob("*.jpg"))) >= 2, process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=HANG_GUARD_S)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "Stopped; what was saved stays." in said
    assert "Traceback" not in said
    assert all(path.suffix == ".jpg" for path in outputs.iterdir())
    for path in outputs.iterdir():
        ImaginePrompt.from_file(path)


def test_offline_without_a_model_the_bundled_one_draws(
    run: Run, tmp_path: Path
) -> None:
    own = {"XDG_CACHE_HOME": str(tmp_path / "cache")}  # where nothing was said yet
    ran = run("imagine", "a red circle", "--steps", "2", "--no-upscale", **own)
    assert ran.exit_code == 0, ran.output
    notes = [line for line in ran.stderr.splitlines() if "cannot be fetched" in line]
    assert len(notes) == 1
    assert "HF_HUB_OFFLINE" in notes[0] and "storybook" in notes[0]
    (drawn,) = (tmp_path / "outputs").glob("*.jpg")
    assert ImaginePrompt.from_file(drawn).model == "storybook"


def test_a_model_asked_for_by_name_never_falls_back(run: Run, tmp_path: Path) -> None:
    ran = run("imagine", "a fox", "--model", "sd15")
    assert_refused(ran, "cannot be downloaded: HF_HUB_OFFLINE is set", code=1)
    assert "storybook" not in ran.stderr
    assert not (tmp_path / "outputs").exists()


def test_sweeps_sheets_animations_and_steps(
    run: Run, tiny_folder: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (80, 64), "teal").save("teal.png")
    ran = run(
        "imagine", "a fox", "a bowl", "--model", tiny_folder, *SMALL, "-q", "--seed=1",
        "--arg-schedule", "prompt_strength[2:4:1]", "--arg-schedule", "seed[1,2]",
        "--grid", "--compilation-anim", "gif", "--show-work", "--gif",
        "--init-image", "teal.png", "--init-image-strength", "0.4", "--compare-gif",
        "--caption-text", "{seed} at {prompt_strength}",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    out = tmp_path / "outputs"
    pictures = sorted(out.glob("*.jpg"))
    assert len(pictures) == 2 * 3 * 2
    assert [ImaginePrompt.from_file(p).seed for p in pictures[:4]] == [1, 2, 1, 2]
    with Image.open(out / "grids" / "000001_grid.jpg") as sheet:
        assert sheet.width > 2 * 64 and sheet.height > 6 * 64
    with Image.open(out / "compilations" / "000001_anim.gif") as animation:
        assert animation.n_frames == 12  # type: ignore[attr-defined]
    for folder, ending, count in (("gif", "gif", 12), ("compare_gif", "gif", 12)):
        assert len(list((out / folder).glob(f"*.{ending}"))) == count
    steps = out / "steps" / pictures[0].stem
    assert sorted(path.name for path in steps.iterdir()) == [
        "init_image.png", "step_001.jpg", "step_002.jpg",
    ]  # fmt: skip
