"""Image prompts from what is asked for to the picture, beside diffusers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from transformers import CLIPImageProcessor

from imaginairy import ImageReference, ModelStore, imagine
from imaginairy.errors import CheckpointError
from tests.support.beside_diffusers import FOX, Last, prompts
from tests.support.beside_diffusers import theirs as drawn_by_theirs
from tests.support.golden import relative_error
from tests.support.photographs import ASTRONAUT
from tests.support.roads import Drawn, Ours, Theirs, assert_same
from tests.support.tiny_image_prompts import (
    SIDE,
    saved_ip_adapter,
    tiny_encoder,
    tiny_ip_adapter,
)
from tests.support.tiny_kin import tiny_sdxl

TOLERANCE = 1e-4
FILES = {"plain": "plain.bin", "plus": "plus.safetensors", "full-face": "face.bin"}


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def ours(tiny_folder: Path) -> Ours:
    return Ours(tiny_folder)


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    with Image.open(ASTRONAUT) as image:
        whole = image.convert("RGB").resize((90, 70))
    return [whole, whole.transpose(Image.Transpose.ROTATE_180).resize((50, 64))]


def seeing(pipeline: Any, designs: list[str], encoder: Any) -> Any:
    """Let a pipeline of diffusers' read image prompts; return what it loaded."""
    both = [tiny_ip_adapter(d, pipeline.unet, n) for n, d in enumerate(designs)]
    pipeline.unet._load_ip_adapter_weights(both, low_cpu_mem_usage=False)
    size = {"size": {"shortest_edge": SIDE}, "crop_size": SIDE}
    pipeline.register_modules(
        image_encoder=encoder, feature_extractor=CLIPImageProcessor(**size)
    )
    pipeline.set_progress_bar_config(disable=True)
    return both


class World:
    """IP-Adapters of all designs as they lie on disk, and in diffusers."""

    def __init__(self, folder: Path, tiny_folder: Path) -> None:
        self.folder, self.tiny_folder = folder, tiny_folder
        self.encoder = tiny_encoder()
        self.encoder.save_pretrained(folder / "image_encoder")

    def asked(self, *designs: str) -> tuple[Theirs, list[str]]:
        """Return diffusers with adapters, and where these lie."""
        theirs = Theirs(self.tiny_folder)
        with torch.inference_mode(False):
            both = seeing(theirs.pipeline, [*designs], self.encoder)
        return theirs, [
            str(saved_ip_adapter(each, self.folder / FILES[design]))
            for design, each in zip(designs, both, strict=True)
        ]


@pytest.fixture
def world(tmp_path: Path, tiny_folder: Path) -> World:
    return World(tmp_path, tiny_folder)


def theirs_drawn(theirs: Theirs, images: Any, scales: Any, **more: Any) -> Drawn:
    def kind(**parts: Any) -> Any:
        parts.pop("requires_safety_checker", None)
        pipeline = StableDiffusionPipeline(**parts, requires_safety_checker=False)
        pipeline.set_ip_adapter_scale(scales)
        return pipeline

    return theirs.draw(kind=kind, ip_adapter_image=images, **more)


@pytest.mark.parametrize("design", FILES)
def test_an_image_has_its_say_as_in_diffusers(
    ours: Ours, world: World, images: list[Image.Image], design: str
) -> None:
    theirs, (adapter,) = world.asked(design)
    drawn = theirs_drawn(theirs, [images], 0.8)
    asked = [ImageReference(each, 0.8, adapter=adapter) for each in images]
    given = ours.draw(image_prompts=asked, sampler_type="ddim")
    assert_same(given, drawn, tolerance=TOLERANCE)
    plain = ours.draw(sampler_type="ddim")
    assert relative_error(given.latents, plain.latents) > 100 * TOLERANCE
    silent = [ImageReference(images[0], 0, adapter=adapter)]
    nothing = ours.draw(image_prompts=silent, sampler_type="ddim")
    assert torch.equal(nothing.latents, plain.latents)


def test_two_adapters_and_their_regions_add_up_as_in_diffusers(
    ours: Ours, world: World, images: list[Image.Image]
) -> None:
    theirs, adapters = world.asked("plain", "plus")
    masks = torch.zeros(2, 1, 1, 64, 64)
    masks[0, ..., :32], masks[1, ..., 32:] = 1, 1
    drawn = theirs_drawn(
        theirs, images, [0.9, 0.5],
        cross_attention_kwargs={"ip_adapter_masks": [*masks]},
    )  # fmt: skip
    asked = [
        ImageReference(
            image, weight, adapter=adapter,
            mask=Image.fromarray((255 * mask[0, 0].numpy()).astype(np.uint8)),
        )
        for image, weight, adapter, mask in zip(
            images, (0.9, 0.5), adapters, masks, strict=True
        )
    ]  # fmt: skip
    given = ours.draw(image_prompts=asked, sampler_type="ddim")
    assert_same(given, drawn, tolerance=TOLERANCE)
    one_side = ours.draw(image_prompts=asked[:1], sampler_type="ddim")
    assert relative_error(given.latents, one_side.latents) > TOLERANCE


def test_pictures_of_a_batch_each_see_their_own_image(
    world: World, images: list[Image.Image], tiny_folder: Path
) -> None:
    _, (adapter,) = world.asked("plus")
    asked = [
        prompts(tiny_folder, FOX, image_prompts=[ImageReference(i, adapter=adapter)])[0]
        for i in images
    ]
    apart = [*imagine(asked, store=ModelStore("cpu"), batch_size=1)]
    watch = Last()
    drawn = [*imagine(asked, store=ModelStore("cpu"), batch_size=2, observer=watch)]
    assert set(watch.latents) == {0, 1}, "they are one batch"
    for one, other in zip(apart, drawn, strict=True):
        off = np.abs(np.asarray(one.img, float) - np.asarray(other.img, float))
        assert off.max() <= 1
    both = [np.asarray(each.img, float) for each in drawn]
    assert np.abs(both[0] - both[1]).mean() > 1


def test_steps_guidance_noise_and_weights(
    ours: Ours, world: World, images: list[Image.Image]
) -> None:
    _, (plain, plus) = world.asked("plain", "plus")

    def drawn(*asked: ImageReference, **more: Any) -> torch.Tensor:
        found = ours.draw(image_prompts=asked, sampler_type="ddim", **more).latents
        assert found is not None
        return found

    none = ours.draw(sampler_type="ddim", prompt_strength=1).latents
    image, other = images
    for adapter in (plain, plus):
        whole = drawn(ImageReference(image, adapter=adapter))
        late = drawn(ImageReference(image, adapter=adapter, start=0.5))
        noisy = drawn(ImageReference(image, adapter=adapter, noise=0.5))
        style = drawn(ImageReference(image, adapter=adapter, layers="style"))
        layout = drawn(ImageReference(image, adapter=adapter, layers="composition"))
        ways = [whole, late, noisy, style, layout]
        for number, one in enumerate(ways):
            for another in ways[:number]:
                assert relative_error(one, another) > 10 * TOLERANCE
        unguided = drawn(ImageReference(image, adapter=adapter), prompt_strength=1)
        assert relative_error(unguided, none) > 10 * TOLERANCE
        # one that counts next to nothing is next to nothing
        barely = ImageReference(other, 1e-6, adapter=adapter)
        beside = drawn(ImageReference(image, adapter=adapter), barely)
        assert relative_error(beside, whole) < 10 * TOLERANCE


def test_sdxl_sees_images_as_in_diffusers(
    tmp_path: Path, images: list[Image.Image]
) -> None:
    theirs = tiny_sdxl()
    theirs.save_pretrained(tmp_path / "xl")
    encoder = tiny_encoder()
    encoder.save_pretrained(tmp_path / "image_encoder")
    with torch.inference_mode(False):
        (both,) = seeing(theirs, ["plus"], encoder)
    theirs.set_ip_adapter_scale(0.7)
    adapter = saved_ip_adapter(both, tmp_path / "plus.safetensors")
    wanted = drawn_by_theirs(theirs, FOX, 0, ip_adapter_image=images[0])
    asked = [ImageReference(images[0], 0.7, adapter=str(adapter))]
    watch = Last()
    store = ModelStore("cpu")
    [
        *imagine(
            prompts(tmp_path / "xl", FOX, image_prompts=asked),
            store=store,
            observer=watch,
        )
    ]
    assert relative_error(watch.latents[0], wanted) < TOLERANCE


def test_another_image_encoder_is_refused(
    ours: Ours, world: World, images: list[Image.Image]
) -> None:
    _, (adapter,) = world.asked("plain")
    both = torch.load(adapter)
    both["image_proj"]["proj.weight"] = torch.randn(4 * 48, 9)
    wide = saved_ip_adapter(both, world.folder / "wide.safetensors")
    refusal = r"reads 9 numbers of an image; the image encoder .* gives 24"
    with pytest.raises(CheckpointError, match=refusal):
        ours.draw(image_prompts=[ImageReference(images[0], adapter=str(wide))])
