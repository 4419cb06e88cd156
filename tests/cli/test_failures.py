"""One picture that fails does not end a run of several."""

import json
from pathlib import Path
from shutil import copytree

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from imaginairy.cli.again_cmd import again_cmd
from imaginairy.cli.imagine_cmd import imagine_cmd


@pytest.fixture(scope="module")
def broken(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without a UNet."""
    folder = copytree(tiny_folder, tmp_path_factory.mktemp("models") / "broken")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    return folder


def run(tmp_path: Path, model: Path, *arguments: str) -> Result:
    given = ["--model", str(model), "--size", "64", "--steps", "1", "--seed", "1"]
    given += ["--device", "cpu", "--sampler", "ddim", "--outdir", str(tmp_path / "out")]
    return CliRunner().invoke(imagine_cmd, [*arguments, *given])


def saved(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.glob("out/*.jpg"))


def test_the_others_are_drawn_and_a_summary_ends_the_run(
    tmp_path: Path, tiny_folder: Path, broken: Path
) -> None:
    lines = [
        {"prompt": "a fox"},
        {"prompt": "a bowl", "model": str(broken)},
        {"prompt": "a landscape"},
        {"prompt": "fruit", "model": str(broken)},
        {"prompt": "a red bowl"},
    ]
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    ran = run(tmp_path, tiny_folder, "--prompts-file", str(file), "--grid")
    assert ran.exit_code == 1
    names = saved(tmp_path)
    assert [name.split("PS7.5_")[1] for name in names] == [
        "a_fox.jpg", "a_landscape.jpg", "a_red_bowl.jpg",
    ]  # fmt: skip
    assert ran.stderr.count("has no weights in 'unet/'") == 1  # the same is said once
    assert "Error: 'a bowl': The model folder" in ran.stderr
    assert ran.stderr.splitlines()[-1] == (
        "Error: 2 of 5 pictures could not be generated ('a bowl', 'fruit'); what is "
        "wrong is said above, and the others are saved."
    )
    assert "[5/5] a red bowl" in ran.stderr
    assert len(list(tmp_path.glob("out/grids/*.jpg"))) == 1


def test_one_alone_fails_with_its_own_words_and_code(
    tmp_path: Path, tiny_folder: Path, broken: Path
) -> None:
    ran = run(tmp_path, broken, "a fox")
    assert ran.exit_code == 1
    assert ran.stderr.splitlines()[-1].startswith("Error: The model folder has no")


def test_where_all_are_bad_use_the_code_says_so(
    tmp_path: Path, tiny_folder: Path
) -> None:
    ran = run(tmp_path, tiny_folder, "a fox", "a bowl", "--clip-skip", "9")
    assert ran.exit_code == 2
    assert ran.stderr.splitlines()[-1].startswith("Error: 2 of 2 pictures could not")
    assert not saved(tmp_path)


@pytest.mark.parametrize("option", ["init_image", "mask_image"])
def test_pictures_to_draw_from_are_all_read_before_the_first_is_drawn(
    tmp_path: Path, tiny_folder: Path, option: str
) -> None:
    good, bad, file = (tmp_path / name for name in ("good.png", "bad.png", "p.jsonl"))
    Image.new("RGB", (64, 64), "red").save(good)
    bad.write_bytes(good.read_bytes()[:60])
    last = {"prompt": "b", "init_image": str(good), option: str(bad)}
    lines = [{"prompt": "a", "init_image": str(good)}, last]
    file.write_text("\n".join(map(json.dumps, lines)))
    ran = run(tmp_path, tiny_folder, "--prompts-file", str(file))
    assert ran.exit_code == 2
    assert f"'{bad}' is not a picture that can be read" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_models_are_all_found_before_the_first_picture_is_drawn(
    tmp_path: Path, tiny_folder: Path
) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "a"}\n{"prompt": "b", "model": "no-such-model"}')
    ran = run(tmp_path, tiny_folder, "--prompts-file", str(file))
    assert ran.exit_code == 2 and "There is no model 'no-such-model'" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_pictures_drawn_again_are_compared_with_their_own_file(
    tmp_path: Path, tiny_folder: Path, broken: Path
) -> None:
    moved = copytree(tiny_folder, tmp_path / "moved")
    for model, prompt in ((moved, "a fox"), (tiny_folder, "a bowl")):
        assert run(tmp_path, model, prompt).exit_code == 0
    (moved / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    pictures = [str(path) for path in sorted((tmp_path / "out").glob("*.jpg"))]
    ran = CliRunner().invoke(
        again_cmd, ["--trust", *pictures, "--outdir", str(tmp_path / "new")]
    )
    assert ran.exit_code == 1 and "1 of 2 pictures" in ran.stderr
    assert ran.stdout.startswith(f"{pictures[1]}: the same picture")


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        (["--show-work"], "steps"),
        (["--gif"], "gif"),
        (["--compare-gif", "--init-image", "red.png"], "compare_gif"),
        (["--grid"], "grids"),
        (["--compilation-anim", "gif"], "compilations"),
    ],
)
def test_folders_of_all_that_is_saved_are_tried_before_the_first_picture_is_drawn(
    tmp_path: Path, tiny_folder: Path, options: list[str], folder: str
) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / folder).write_text("no folder")
    options = [option.replace("red.png", f"{tmp_path}/red.png") for option in options]
    ran = run(tmp_path, tiny_folder, "a fox", "a bowl", *options)
    assert ran.exit_code != 0 and not saved(tmp_path)
    (line,) = ran.stderr.splitlines()
    assert str(Path("out", folder)) in line, "said once, and before '[1/2] a fox'"


def test_every_picture_needs_one_to_compare_it_with(
    tmp_path: Path, tiny_folder: Path
) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    file = tmp_path / "prompts.jsonl"
    lines = [{"prompt": "a", "init_image": str(tmp_path / "red.png")}, {"prompt": "b"}]
    file.write_text("\n".join(map(json.dumps, lines)))
    ran = run(tmp_path, tiny_folder, "--prompts-file", str(file), "--compare-gif")
    assert ran.exit_code == 2 and "--compare-gif needs an --init-image" in ran.stderr
    assert not (tmp_path / "out").exists()
