"""`--fast-decode` and `--preview`: recorded, drawn with again, shown and taken away."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from imaginairy import ModelStore, Observer, Step, imagine
from imaginairy.cli.preview import PreviewFile
from imaginairy.cli.stores import Stores
from imaginairy.metadata.read import read_metadata
from imaginairy.observe import Observers
from imaginairy.sources.checksum import summed
from tests.support.commands import Run, assert_refused, run_here
from tests.support.taesd import save_halves, tiny_taesd
from tests.support.vaes import asked

SMALL = ("--size", "64", "--steps", "2", "--seed", "7", "-q")


@pytest.fixture
def model(tiny_folder: Path) -> str:
    """The tiny model, where others can be laid beside it."""
    shutil.copytree(tiny_folder, "tiny")
    return str(Path("tiny").resolve())


@pytest.fixture
def drawn(run: Run, model: str) -> Path:
    save_halves(tiny_taesd(), Path(), ".pth", "decoder")
    ran = run("imagine", "a fox", "--model", model, "--fast-decode",
              "--output-file-extension", "png", *SMALL)  # fmt: skip
    assert ran.exit_code == 0, ran.output
    [picture] = Path("outputs").iterdir()
    return picture


def test_a_picture_says_what_decoded_it_and_is_drawn_so_again(
    run: Run, drawn: Path
) -> None:
    said, file = read_metadata(drawn), Path("taesd_decoder.pth").resolve()
    assert said["fast_decode"] is True
    assert (said["decoder"], said["decoder_sha256"]) == (str(file), summed(file))
    ran = run("again", "--trust", drawn)
    assert ran.stdout == f"{drawn}: the same picture, pixel for pixel.\n", ran.output


def test_weights_that_are_others_are_told_of(drawn: Path) -> None:
    file = save_halves(tiny_taesd(seed=4), Path(), ".pth", "decoder").resolve()
    ran = run_here(Stores(), "again", "--trust", drawn)
    assert ran.exit_code == 1, ran.output
    assert f"The decoder '{file}' has other weights than then: SHA-" in ran.stdout


def test_another_model_decodes_by_its_own_again(
    run: Run, drawn: Path, tmp_path: Path
) -> None:
    ran = run("again", "--trust", drawn, "--model", "storybook", "--outdir", "others")
    assert ran.exit_code == 0, ran.output
    [picture] = [path for path in Path("others").iterdir() if path.is_file()]
    assert read_metadata(picture)["fast_decode"] is False


def test_without_a_tiny_vae_it_is_refused_in_a_sentence(run: Run, model: str) -> None:
    ran = run("imagine", "a fox", "--model", model, "--fast-decode", *SMALL)
    assert_refused(ran, "No tiny VAE is known for the model '")


class Looking(Observer):
    """Opens the preview after each step."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sizes: list[tuple[int, int] | None] = []

    def on_step(self, step: Step) -> None:
        self.sizes.append(None)
        if self.path.exists():
            with Image.open(self.path) as image:
                image.load()
                self.sizes[-1] = image.size


@pytest.mark.parametrize(
    ("pictures", "steps", "sizes"),
    [
        (1, 3, [(64, 64)] * 3),
        (2, 1, [None, (136, 68)]),
        (3, 1, [None, None, (136, 136)]),
    ],
)
def test_one_file_shows_all_that_are_drawn(
    tiny_folder: Path, tmp_path: Path, pictures: int, steps: int,
    sizes: list[tuple[int, int] | None],
) -> None:  # fmt: skip
    preview = PreviewFile(tmp_path / "new")
    looking = Looking(preview.path)
    prompts = [asked(tiny_folder, steps=steps, seed=seed) for seed in range(pictures)]
    watching = Observers(preview, looking)
    list(imagine(prompts, store=ModelStore("cpu"), observer=watching))
    assert looking.sizes == sizes
    preview.close()
    assert list(preview.path.parent.iterdir()) == []
    preview.close()


def test_it_is_made_anew_about_ten_times(tiny_folder: Path, tmp_path: Path) -> None:
    shown: list[int] = []

    class Counting(PreviewFile):
        def on_step(self, step: Step) -> None:
            self.path.unlink(missing_ok=True)
            super().on_step(step)
            shown.extend([step.index] * self.path.exists())

    preview = Counting(tmp_path)
    prompt = asked(tiny_folder, steps=25)
    list(imagine(prompt, store=ModelStore("cpu"), observer=preview))
    assert shown == [0, 3, 6, 9, 12, 15, 18, 21, 24]
    preview.close()


def test_two_runs_in_one_folder_have_one_each(
    tiny_folder: Path, tmp_path: Path
) -> None:
    """Also beside what a run left that was killed."""
    killed = tmp_path / ".preview.jpg.part"
    killed.touch()
    prompt = asked(tiny_folder, steps=1)
    first, second = PreviewFile(tmp_path), PreviewFile(tmp_path)
    for each in (first, second):
        list(imagine(prompt, store=ModelStore("cpu"), observer=each))
    assert [first.path.name, second.path.name] == ["preview.jpg", "preview_2.jpg"]
    assert first.path.exists() and second.path.exists()
    first.close()
    assert [path.suffix for path in tmp_path.glob("preview*")] == [".jpg"]
    again = PreviewFile(tmp_path)
    list(imagine(prompt, store=ModelStore("cpu"), observer=again))
    assert again.path == first.path
    for each in (second, again):
        each.close()
    assert list(tmp_path.iterdir()) == []


def test_a_preview_that_cannot_be_saved_costs_no_picture(
    tiny_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    preview = PreviewFile(tmp_path / "file")
    prompt = asked(tiny_folder, steps=2)
    [result] = imagine(prompt, store=ModelStore("cpu"), observer=preview)
    assert result.img.size == (64, 64)
    said = f"There is no preview '{tmp_path / 'file' / 'preview.jpg'}' ("
    assert [each.startswith(said) for each in caplog.messages].count(True) == 1
    preview.close()


def test_a_file_of_the_users_that_is_called_so_stays(
    tiny_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / "preview.jpg"
    Image.new("RGB", (8, 8), "red").save(own)
    was = own.read_bytes()
    preview = PreviewFile(tmp_path)
    list(
        imagine(asked(tiny_folder, steps=2), store=ModelStore("cpu"), observer=preview)
    )
    preview.close()
    assert own.read_bytes() == was
    assert (
        f"There is no preview '{own}' (another file is called so)." in caplog.messages
    )


def test_one_that_a_killed_run_left_is_written_over(
    tiny_folder: Path, tmp_path: Path
) -> None:
    store, prompt = ModelStore("cpu"), asked(tiny_folder, steps=2)
    left, preview = PreviewFile(tmp_path), PreviewFile(tmp_path)
    list(imagine(prompt, store=store, observer=left))
    shown = left.path.read_bytes()
    left.close()
    left.path.write_bytes(shown)
    (tmp_path / ".preview.jpg.part").touch()
    list(imagine(prompt, store=store, observer=preview))
    assert preview.path == left.path
    assert preview.path.read_bytes() == shown
    preview.close()
    assert list(tmp_path.iterdir()) == []
