"""What Stable Diffusion XL is told beside the words, to the latents, as diffusers does.

On the same random weights: sizes, crops, and what an empty negative prompt is.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, imagine
from imaginairy.errors import BadOptionError, CheckpointError
from tests.support.beside_diffusers import BOWL, FOX, Last, prompts, theirs
from tests.support.golden import relative_error
from tests.support.tiny_kin import save_as_file, tiny_refiner, tiny_sdxl

TOLERANCE = 1e-4
WAYS = "force_zeros_for_empty_prompt"


@pytest.fixture(scope="module")
def pipeline() -> Any:
    made = tiny_sdxl()
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def folder(pipeline: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    saved = tmp_path_factory.mktemp("models") / "xl"
    pipeline.save_pretrained(saved)
    return saved


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


def saying(folder: Path, says: Any, to: Path) -> Path:
    """Copy a model with another word of what an empty negative prompt is."""
    shutil.copytree(folder, to)
    index = json.loads((to / "model_index.json").read_text())
    index.pop(WAYS, None)
    index |= {} if says is None else {WAYS: says}
    (to / "model_index.json").write_text(json.dumps(index))
    return to


def latents_of(asked: list[ImaginePrompt], store: ModelStore) -> dict[int, Any]:
    last = Last()
    list(imagine(asked, store=store, observer=last, batch_size=len(asked)))
    return last.latents


def test_pictures_of_a_batch_are_told_sizes_of_their_own(
    pipeline: Any, folder: Path, store: ModelStore
) -> None:
    ours: list[dict[str, Any]] = [
        {},
        {"original_size": "1024x512", "crop": "8,128"},
        {"target_size": "96x72", "crop": "top40", "negative_prompt": BOWL},
    ]
    other: list[dict[str, Any]] = [
        {},
        {"original_size": (512, 1024), "crops_coords_top_left": (8, 128)},
        {
            "target_size": (72, 96),
            "crops_coords_top_left": (40, 0),
            "negative_prompt": BOWL,
        },
    ]
    texts = (FOX, BOWL, FOX)
    asked = [
        replace(prompt, **more)
        for prompt, more in zip(prompts(folder, *texts), ours, strict=True)
    ]
    for batch in (asked[1:2], asked):
        latents = latents_of(batch, store)
        assert len(latents) == len(batch)
        for place, prompt in enumerate(batch):
            seed = prompt.seed or 0
            wanted = theirs(pipeline, texts[seed], seed, **other[seed])
            assert relative_error(latents[place], wanted) < TOLERANCE


def test_nothing_at_all_is_compared_at_the_picture_s_own_sizes(
    folder: Path, store: ModelStore
) -> None:
    fields: dict[str, Any] = {"perpendicular_negative": 1, "negative_prompt": BOWL}
    asked = prompts(folder, FOX, BOWL, **fields)
    asked[1] = replace(asked[1], original_size="1024x512", clip_skip=2)
    together = latents_of(asked, store)
    for place, prompt in enumerate(asked):
        alone = latents_of([prompt], store)[0]
        assert relative_error(together[place], alone) < TOLERANCE


@pytest.mark.parametrize(
    ("says", "asked", "negative"),
    [
        (True, None, None),
        (True, "text", ""),
        (False, None, ""),
        (False, "zeros", None),
        (None, None, None),
    ],
)
def test_an_empty_negative_is_what_the_folder_says_or_who_asks(
    pipeline: Any,
    folder: Path,
    tmp_path: Path,
    says: bool | None,
    asked: str | None,
    negative: str | None,
) -> None:
    model = saying(folder, says, tmp_path / "xl")
    fields = {"empty_negative": asked, "negative_prompt": " " if asked else ""}
    latents = latents_of(prompts(model, FOX, **fields), ModelStore("cpu"))
    wanted = theirs(pipeline, FOX, 0, negative_prompt=negative)
    assert relative_error(latents[0], wanted) < TOLERANCE
    other = theirs(pipeline, FOX, 0, negative_prompt=None if negative == "" else "")
    assert relative_error(latents[0], other) > 100 * TOLERANCE


def test_an_empty_negative_of_a_file_is_zeros(
    pipeline: Any, store: ModelStore, tmp_path: Path
) -> None:
    save_as_file(pipeline, tmp_path / "xl.safetensors")
    for way, negative in ((None, None), ("text", "")):
        asked = prompts(tmp_path / "xl.safetensors", FOX, empty_negative=way)
        wanted = theirs(pipeline, FOX, 0, negative_prompt=negative)
        assert relative_error(latents_of(asked, store)[0], wanted) < TOLERANCE


def test_what_is_neither_true_nor_false_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    model = saying(folder, "yes", tmp_path / "xl")
    with pytest.raises(CheckpointError) as refused:
        ModelStore("cpu").get(str(model))
    assert str(refused.value) == (
        f"'{model / 'model_index.json'}' has {WAYS} 'yes', which is neither true nor "
        "false."
    )


def drawn(prompt: ImaginePrompt, store: ModelStore) -> ImagineResult:
    return next(imagine(prompt, store=store))


def test_the_record_draws_it_again(
    folder: Path, store: ModelStore, tmp_path: Path
) -> None:
    given = {"original_size": " 96 X 48", "crop": " Left16 ", "target_size": "72x64"}
    kept = {"original_size": "96x48", "crop": "0,16", "target_size": "72x64"}
    for way in ("zeros", "text"):
        [asked] = prompts(folder, FOX, **given, empty_negative=way)
        first = drawn(asked, store)
        path = first.save(tmp_path / f"{way}.png")
        again = ImaginePrompt.from_file(path)
        assert {name: getattr(again, name) for name in kept} == kept
        assert again.empty_negative == way
        assert drawn(again, store).md5() == first.md5()
    plain = drawn(prompts(folder, FOX)[0], store).prompt
    assert {getattr(plain, name) for name in kept} == {None}
    assert plain.empty_negative == "zeros"
    off = drawn(prompts(folder, FOX, prompt_strength=1.0)[0], store).prompt
    assert off.empty_negative == "zeros", "as guidance may be switched on for it"
    assert replace(off, prompt_strength=2.0).empty_negative == "zeros"


@torch.inference_mode()
def test_the_refiner_is_told_all_but_the_target(
    store: ModelStore, tmp_path: Path
) -> None:
    refiner = tiny_refiner()
    refiner.set_progress_bar_config(disable=True)
    refiner.save_pretrained(tmp_path)
    asked = prompts(tmp_path, FOX, original_size="1024x512", crop="8,128")
    wanted = refiner(
        FOX,
        image=torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0)),
        denoising_start=1e-4,
        num_inference_steps=5,
        guidance_scale=5.0,
        original_size=(512, 1024),
        crops_coords_top_left=(8, 128),
        negative_crops_coords_top_left=(8, 128),
        output_type="latent",
    ).images
    assert relative_error(latents_of(asked, store)[0], wanted) < TOLERANCE
    for option in ({"target_size": "64x64"}, {"empty_negative": "zeros"}):
        with pytest.raises(BadOptionError, match="is of Stable Diffusion XL Refiner"):
            drawn(prompts(tmp_path, FOX, **option)[0], store)


@pytest.mark.parametrize(
    ("name", "readers"),
    [
        ("original_size", "Stable Diffusion XL and Stable Diffusion XL Refiner"),
        ("crop", "Stable Diffusion XL and Stable Diffusion XL Refiner"),
        ("target_size", "Stable Diffusion XL"),
    ],
)
def test_a_family_that_reads_no_sizes_refuses_them(
    name: str, readers: str, tiny_folder: Path, store: ModelStore
) -> None:
    value = "8,8" if name == "crop" else "96x64"
    with pytest.raises(BadOptionError) as refused:
        drawn(prompts(tiny_folder, FOX, **{name: value})[0], store)
    assert str(refused.value) == (
        f"The model '{tiny_folder}' is of Stable Diffusion 1.x and reads no {name}, as "
        f"models of {readers} do; leave it out."
    )


def test_a_family_that_knows_one_empty_negative_refuses_another(
    tiny_folder: Path, store: ModelStore
) -> None:
    [asked] = prompts(tiny_folder, FOX)
    plain = drawn(asked, store)
    assert plain.prompt.empty_negative is None
    as_text = drawn(replace(asked, empty_negative="text"), store)
    assert as_text.md5() == plain.md5()
    with pytest.raises(BadOptionError) as refused:
        drawn(replace(asked, empty_negative="zeros"), store)
    assert str(refused.value) == (
        f"The model '{tiny_folder}' is of Stable Diffusion 1.x, to which an empty "
        "negative prompt is text, not zeros; leave empty_negative out."
    )
