"""The front door: what it takes, what it hands on, and when it gives something back."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor

from imaginairy import (
    ImaginePrompt,
    ImagineResult,
    ModelStore,
    Observer,
    imagine,
    imagine_image_files,
)
from imaginairy.errors import BadOptionError, BadPromptError
from imaginairy.metadata.read import read_metadata
from imaginairy.observe import Step


@pytest.fixture(scope="module")
def tiny(tiny_folder: Path) -> ModelStore:
    store = ModelStore("cpu", "full")
    store.get(str(tiny_folder))
    return store


@pytest.fixture
def prompt(tiny_folder: Path) -> ImaginePrompt:
    return fox(tiny_folder)


def fox(folder: Path, **fields: Any) -> ImaginePrompt:
    small = {"seed": 3, "steps": 2, "width": 64, "height": 64, "sampler_type": "ddim"}
    return ImaginePrompt("a red fox", model=folder, **{**small, **fields})


class Diary(Observer):
    """Notes in what order it is told what."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        self.told.append((prompt.seed, steps))

    def on_step(self, step: Step) -> None:
        assert step.latents.shape == step.denoised.shape == (1, 4, 8, 8)
        self.told.append(step.index)

    def on_result(self, result: ImagineResult) -> None:
        self.told.append(result)


def test_prompts_are_drawn_one_by_one_as_they_are_asked_for(
    tiny: ModelStore, tiny_folder: Path
) -> None:
    asked: list[int] = []

    def prompts() -> Iterator[ImaginePrompt]:
        for seed in (8, 5):
            asked.append(seed)
            yield fox(tiny_folder, seed=seed)

    diary = Diary()
    results = imagine(prompts(), store=tiny, observer=diary)
    assert asked == diary.told == []
    first = next(results)
    assert asked == [8] and diary.told == [(8, 2), 0, 1, first]
    second = next(results)
    assert diary.told[4:] == [(5, 2), 0, 1, second]
    assert [first.prompt.seed, second.prompt.seed] == [8, 5]
    assert next(results, None) is None


def test_one_prompt_needs_no_list(tiny: ModelStore, prompt: ImaginePrompt) -> None:
    [alone] = imagine(prompt, store=tiny)
    [listed] = imagine([prompt], store=tiny)
    assert alone.md5() == listed.md5()
    with pytest.raises(BadPromptError, match="prompt is empty"):  # not no prompts
        next(imagine("", store=tiny))
    with pytest.raises(BadPromptError, match="prompt is empty"):
        next(imagine([""], store=tiny))


def test_device_and_precision_are_handed_on_unless_there_is_a_store(
    tiny: ModelStore, prompt: ImaginePrompt, tmp_path: Path
) -> None:
    [result] = imagine(prompt, device="cpu", precision="autocast")
    assert (result.device, result.precision) == ("cpu", "autocast")
    [result] = imagine(prompt, device="cpu")
    assert result.precision == "full", "as the tests' environment says"
    [result] = imagine(prompt, device="mars", precision="autocast", store=tiny)
    assert (result.device, result.precision) == ("cpu", "full")
    [file] = imagine_image_files(prompt, tmp_path, device="cpu", precision="autocast")
    assert read_metadata(file)["precision"] == "autocast"
    with pytest.raises(BadOptionError, match="Device 'mars'"):
        imagine_image_files(prompt, tmp_path, device="mars")


def test_nothing_learns_from_what_is_drawn(
    tiny: ModelStore, prompt: ImaginePrompt
) -> None:
    seen: list[Tensor] = []

    class Watch(Observer):
        def on_step(self, step: Step) -> None:
            seen.extend((step.latents, step.denoised))

    with torch.enable_grad():
        next(imagine(prompt, store=tiny, observer=Watch()))
    assert not any(latents.requires_grad for latents in seen)


@pytest.mark.parametrize("ending", ["png", ".PNG", "jpg", "JPG", "jpeg"])
def test_endings_are_read_as_people_write_them(
    tiny: ModelStore, prompt: ImaginePrompt, tmp_path: Path, ending: str
) -> None:
    [file] = imagine_image_files(
        prompt, tmp_path, output_file_extension=ending, store=tiny
    )
    assert file.parent == tmp_path and file.suffix == f".{ending.lower().strip('.')}"
    with Image.open(file) as image:
        assert image.format == ("PNG" if "png" in ending.lower() else "JPEG")


def test_files_come_in_the_order_of_their_prompts_and_all_who_watch_are_told(
    tiny: ModelStore, tiny_folder: Path, tmp_path: Path
) -> None:
    diary = Diary()
    files = imagine_image_files(
        (fox(tiny_folder, seed=seed) for seed in (8, 5)),
        tmp_path,
        record_step_images=True,
        observer=diary,
        store=tiny,
    )
    assert [file.name[:8] for file in files] == ["000001_8", "000002_5"]
    assert diary.told[:3] == [(8, 2), 0, 1] and len(diary.told) == 8
    for file in files:
        steps = sorted((tmp_path / "steps" / file.stem).iterdir())
        assert [step.name for step in steps] == ["step_001.jpg", "step_002.jpg"]


def test_a_folder_that_goes_half_way_is_made_anew_and_that_is_said(
    tiny: ModelStore,
    tiny_folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Remover(Observer):
        def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
            shutil.rmtree(tmp_path / "out", ignore_errors=True)

    prompts = [fox(tiny_folder, seed=seed) for seed in (1, 2)]
    first, second = imagine_image_files(
        prompts, tmp_path / "out", store=tiny, observer=Remover(), batch_size=1
    )
    assert [first.exists(), second.exists()] == [False, True]
    said = "was removed while images were saved in it; it is made anew"
    assert [said in line for line in caplog.messages].count(True) == 1


@pytest.mark.parametrize(
    ("asked", "folders"),
    [
        ({}, set()),
        ({"record_step_images": True}, {"steps"}),
        ({"make_gif": True}, {"gif"}),
        ({"make_compare_gif": True}, {"compare_gif"}),
    ],
)
def test_only_what_was_asked_for_is_saved_beside_the_image(
    tiny: ModelStore,
    tiny_folder: Path,
    tmp_path: Path,
    asked: dict[str, bool],
    folders: set[str],
) -> None:
    prompt = fox(tiny_folder, init_image=Image.new("RGB", (64, 64), "red"))
    imagine_image_files(prompt, tmp_path, store=tiny, **asked)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == folders


def test_an_ending_is_refused_before_any_work(tmp_path: Path) -> None:
    def prompts() -> Iterator[ImaginePrompt]:
        raise AssertionError("a prompt was asked for")
        yield

    with pytest.raises(BadOptionError, match="bmp"):
        imagine_image_files(prompts(), tmp_path / "new", output_file_extension="bmp")
    with pytest.raises(BadOptionError, match="outdir is the path of a folder, not"):
        imagine_image_files(prompts(), 3)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_a_result_shows_the_init_image_and_mask_that_were_worked_on(
    tiny: ModelStore, tiny_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the size of that work, white where the init image stays."""
    caplog.set_level("INFO")
    small = Image.new("RGB", (64, 64), "red")
    next(imagine(fox(tiny_folder, init_image=small), store=tiny))
    assert "is worked on at" not in caplog.text
    init = Image.new("RGB", (128, 192), "red")
    mask = Image.new("L", (128, 192))
    mask.paste(255, (0, 0, 128, 96))
    [result] = imagine(
        fox(tiny_folder, init_image=init, mask_image=mask, height=96), store=tiny
    )
    assert result.init_image is not None and result.mask is not None
    assert result.img.size == result.init_image.size == result.mask.size == (64, 96)
    assert result.init_image.getpixel((5, 5)) == (255, 0, 0)
    painted = ImageOps.invert(result.mask)
    assert (painted.getpixel((5, 5)), painted.getpixel((5, 90))) == (255, 0)
    assert result.images.keys() == {"generated", "modified_original"}
    assert result.images["modified_original"].size == (128, 192)
    assert (result.prompt.width, result.prompt.height) == (64, 96)
    assert result.prompt.draw_size == "64x96"
    assert "the picture of 128x192 is worked on at 64x96" in caplog.messages
    [plain] = imagine(fox(tiny_folder), store=tiny)
    assert plain.init_image is None and plain.mask is None


@pytest.mark.parametrize(
    ("shade", "said"), [(0, "The mask paints nothing"), (255, "paints everything")]
)
def test_a_mask_that_makes_no_difference_is_said(
    tiny: ModelStore,
    tiny_folder: Path,
    caplog: pytest.LogCaptureFixture,
    shade: int,
    said: str,
) -> None:
    mask = Image.new("L", (64, 64), shade)
    init = Image.new("RGB", (64, 64), "red")
    next(imagine(fox(tiny_folder, init_image=init, mask_image=mask), store=tiny))
    assert said in caplog.text
