"""Pictures made of reference images, beside diffusers' pipeline for them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.errors import BadOptionError
from imaginairy.families.flux2 import FLUX2
from imaginairy.families.references import References
from tests.support import tiny_flow
from tests.support.beside_diffusers import Last
from tests.support.flow_names import its_authors
from tests.support.golden import assert_close

FOX = "a red fox"
STEPS = 2
TOLERANCE = 1e-4


def patches(size: tuple[int, int], seed: int) -> Image.Image:
    """Return a picture of colours that run into each other."""
    colours = np.random.default_rng(seed).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)


HOUSE, CAT, SKY = patches((80, 64), 1), patches((70, 85), 2), patches((80, 64), 3)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    """Theirs, which looks closely at what it is shown."""
    pipeline = tiny_flow.built(tiny_flow.flux2)
    tiny_flow.sharpened(pipeline)
    return pipeline


@pytest.fixture(scope="module")
def folder(pipeline: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("klein")
    pipeline.save_pretrained(where)
    return where


@pytest.fixture(scope="module")
def store() -> Iterator[ModelStore]:
    with torch.inference_mode():
        yield ModelStore("cpu")


def wanted(pipeline: Any, text: str = FOX, **more: Any) -> Tensor:
    """Return what theirs draws of the noise of seed 1, (1, 3, h, w) in [0, 1]."""
    size = more.get("image", [HOUSE])[0].size
    width, height = (side // 16 * 2 for side in size)
    chance = torch.Generator().manual_seed(1)
    noise = torch.randn((1, 32, height, width), generator=chance)
    with torch.inference_mode():
        drawn: Tensor = pipeline(
            prompt=text, latents=F.pixel_unshuffle(noise, 2), output_type="pt",
            num_inference_steps=STEPS, sigmas=[1 - k / STEPS for k in range(STEPS)],
            width=8 * width, height=8 * height, **more,
        ).images  # fmt: skip
    return drawn


def drawn(
    store: ModelStore, folder: Path, *references: Any, text: str = FOX, **more: Any
) -> Tensor:
    """Return what ours draws of each of some rows of reference images."""
    usual = {"seed": 1, "steps": STEPS, "model": str(folder)}
    watch = Last()
    asked = [
        ImaginePrompt(text, reference_images=row, **{**usual, **more})
        for row in references
    ]
    [*imagine(asked, store=store, observer=watch)]
    latents = [watch.latents[number] for number in sorted(watch.latents)]
    model = store.get(str(folder)).diffusion
    with torch.inference_mode():
        pictures = [model.decode(each) for each in latents]
    return torch.cat([(each / 2 + 0.5).clamp(0, 1) for each in pictures])


def test_pictures_are_theirs_as_large_as_the_first_reference(
    store: ModelStore, folder: Path, pipeline: Any
) -> None:
    for references in ([HOUSE], [CAT, HOUSE]):
        theirs = wanted(pipeline, image=references)
        assert_close(drawn(store, folder, references), theirs, TOLERANCE)
    assert theirs.shape[2:] == (80, 64), "of 70x85, what there are whole squares of"
    other = drawn(store, folder, [CAT, SKY])
    assert (other - theirs).abs().max() > 100 * TOLERANCE, "the second has a say"


def test_they_go_along_with_parts_that_a_transformer_alone_is_given(
    store: ModelStore, folder: Path, pipeline: Any, tmp_path: Path
) -> None:
    weights = its_authors(pipeline.transformer.state_dict())
    tiny_flow.save_split(tmp_path, {"alone": weights})
    beside = {"text_encoders": str(folder / "text_encoder"), "vae": str(folder / "vae")}
    usual = {"seed": 1, "steps": STEPS, "reference_images": [HOUSE]}
    whole, alone = (
        ImaginePrompt(FOX, model=str(model), **usual, **given)
        for model, given in (
            (folder, {}),
            (tmp_path / "alone.safetensors", beside),
        )
    )
    one, other = (np.asarray(r.img, int) for r in imagine([whole, alone], store=store))
    assert np.abs(one - other).max() <= 1


def test_what_is_avoided_is_told_of_them_too(
    store: ModelStore, folder: Path, pipeline: Any
) -> None:
    pipeline.register_to_config(is_distilled=False)
    theirs = wanted(pipeline, image=[HOUSE], guidance_scale=3.0)
    pipeline.register_to_config(is_distilled=True)
    ours = drawn(store, folder, [HOUSE], prompt_strength=3, negative_prompt="")
    assert_close(ours, theirs, 5 * TOLERANCE)


def test_they_are_drawn_together_as_alone_and_at_any_size(
    store: ModelStore, folder: Path
) -> None:
    rows = [[HOUSE], [SKY]]
    together = drawn(store, folder, *rows, width=64, height=80)
    assert together.shape[2:] == (80, 64)
    alone = [drawn(store, folder, row, width=64, height=80) for row in rows]
    assert_close(together, torch.cat(alone), TOLERANCE)
    assert (alone[0] - alone[1]).abs().max() > 100 * TOLERANCE
    wide = drawn(store, folder, [HOUSE], width=120)
    assert wide.shape[2:] == (96, 128), "in the shape of the reference, about"
    low = drawn(store, folder, [HOUSE], height=96)
    assert low.shape[2:] == (96, 128)


@pytest.mark.parametrize(
    ("own", "size"),
    [
        ((64, 512), (64, 512)),
        ((1500, 1100), (1195, 876)),
        ((8000, 1000), (2896, 362)),
        ((1024, 1024), (1024, 1024)),
    ],
)
def test_a_large_one_is_seen_smaller(
    own: tuple[int, int], size: tuple[int, int]
) -> None:
    assert FLUX2.references == References(1024 * 1024)
    assert FLUX2.references.size(own) == size


def test_what_cannot_be_looked_at_is_refused(
    store: ModelStore, folder: Path, tiny_folder: Path
) -> None:
    for size in ((63, 80), (64, 520)):
        with pytest.raises(BadOptionError, match=f"{size[0]}x{size[1]} shows too litt"):
            drawn(store, folder, [Image.new("RGB", size)])
    room = store.get(str(folder)).diffusion.bytes_held
    assert room((96, 64), [(96, 32), (64, 48)]) == room((96, 128)), "they take memory"
    fits = store.get(str(folder)).diffusion.size_in
    free = 4 * room((320, 320))
    assert fits((640, 640), [], free) == (208, 208)
    assert fits((640, 640), [(640, 640)] * 4, free) is None, "they alone take it"
    words = r"Stable Diffusion 1\.x and looks at no reference_images, as a Flux"
    with pytest.raises(BadOptionError, match=words):
        drawn(store, tiny_folder, [HOUSE])
