"""Controls from what is asked for to the picture, beside diffusers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    MultiAdapter,
    StableDiffusionAdapterPipeline,
    StableDiffusionControlNetImg2ImgPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLControlNetPipeline,
)
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.control import Control
from tests.support.beside_diffusers import FOX, Last, prompts
from tests.support.beside_diffusers import theirs as drawn_by_theirs
from tests.support.golden import relative_error
from tests.support.photographs import ASTRONAUT
from tests.support.pictures import assert_same as assert_alike
from tests.support.roads import Drawn, Ours, Theirs, assert_same
from tests.support.tiny_controls import (
    saved_file,
    saved_folder,
    tiny_adapter,
    tiny_controlnet,
)
from tests.support.tiny_kin import tiny_sdxl

pytestmark = pytest.mark.filterwarnings(  # diffusers calls NumPy in an old way
    "ignore:__array:DeprecationWarning"
)
TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def ours(tiny_folder: Path) -> Ours:
    return Ours(tiny_folder)


@pytest.fixture(scope="module")
def theirs(tiny_folder: Path) -> Theirs:
    return Theirs(tiny_folder)


@pytest.fixture(scope="module")
def hint() -> Image.Image:
    with Image.open(ASTRONAUT) as image:
        return image.convert("RGB").resize((64, 64))


@pytest.fixture(scope="module")
def other(hint: Image.Image) -> Image.Image:
    return hint.transpose(Image.Transpose.ROTATE_180)


@pytest.fixture(scope="module")
def nets(theirs: Theirs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Controls as diffusers has them, and where they lie."""
    folder, unet = tmp_path_factory.mktemp("controls"), theirs.pipeline.unet
    one, two = tiny_controlnet(unet, 1), tiny_controlnet(unet, 2)
    pools = tiny_controlnet(unet, 3, global_pool_conditions=True)
    adapter = tiny_adapter(4)
    second = tiny_adapter(6)
    return {
        "second": (second, saved_folder(second, folder / "second")),
        "one": (one, saved_folder(one, folder / "one")),
        "two": (two, saved_file(two, folder / "two.safetensors", "control_model.")),
        "pools": (pools, saved_folder(pools, folder / "pools")),
        "adapter": (adapter, saved_folder(adapter, folder / "adapter")),
    }


@pytest.fixture
def controlled(theirs: Theirs, nets: dict[str, Any]) -> Callable[..., Drawn]:
    """Draw with diffusers under ControlNets of these names."""

    def draw(
        *names: str, kind: Any = StableDiffusionControlNetPipeline, **options: Any
    ) -> Drawn:
        found = [nets[name][0] for name in names]
        net = found[0] if len(found) == 1 else found
        return theirs.draw(kind=partial(kind, controlnet=net), **options)

    return draw


@pytest.mark.parametrize(
    ("names", "said", "told"),
    [
        (["one"], [{}], {}),
        (["two"], [{"strength": 0.6}], {"controlnet_conditioning_scale": 0.6}),
        (
            ["one"],
            [{"start": 0.2, "end": 0.75}],
            {"control_guidance_start": 0.2, "control_guidance_end": 0.75},
        ),
        (["one"], [{"guess": True}], {"guess_mode": True}),
        (["pools"], [{}], {}),
        (
            ["one", "two"],
            [{"strength": 0.5}, {"strength": 1.5, "end": 0.5}],
            {
                "controlnet_conditioning_scale": [0.5, 1.5],
                "control_guidance_end": [1.0, 0.5],
            },
        ),
    ],
    ids=["plain", "strength", "steps", "guess", "pools", "two"],
)
def test_controlnets_steer_as_in_diffusers(
    ours: Ours,
    controlled: Callable[..., Drawn],
    nets: dict[str, Any],
    hint: Image.Image,
    other: Image.Image,
    names: list[str],
    said: list[dict[str, Any]],
    told: dict[str, Any],
) -> None:
    images = [hint, other][: len(names)]
    drawn = controlled(*names, image=images if len(names) > 1 else hint, **told)
    asked = [
        Control(str(nets[name][1]), image, raw=True, **more)
        for name, image, more in zip(names, images, said, strict=True)
    ]
    given = ours.draw(controls=asked, sampler_type="ddim")
    assert_same(given, drawn, tolerance=TOLERANCE)
    plain = ours.draw(sampler_type="ddim")
    assert relative_error(given.latents, plain.latents) > 100 * TOLERANCE


def test_from_a_picture(
    ours: Ours,
    controlled: Callable[..., Drawn],
    nets: dict[str, Any],
    hint: Image.Image,
    other: Image.Image,
) -> None:
    kind = StableDiffusionControlNetImg2ImgPipeline
    more = {"controlnet_conditioning_scale": 1.0, "control_guidance_start": 0.5}
    drawn = controlled(
        "one", kind=kind, image=hint, control_image=other, strength=0.5, **more
    )
    given = ours.draw(
        init_image=hint,
        init_image_strength=0.5,
        controls=Control(str(nets["one"][1]), start=0.5),
        control_image=other,
        control_raw=True,
        sampler_type="ddim",
    )
    assert_same(given, drawn, tolerance=TOLERANCE)


@pytest.mark.parametrize("names", [["adapter"], ["adapter", "second"]])
def test_adapters_steer_as_in_diffusers(
    ours: Ours,
    theirs: Theirs,
    nets: dict[str, Any],
    hint: Image.Image,
    names: list[str],
) -> None:
    found = [nets[name][0] for name in names]
    several = len(names) > 1
    adapter = MultiAdapter(found) if several else found[0]

    def kind(image_encoder: None, **parts: Any) -> Any:
        return StableDiffusionAdapterPipeline(**parts, adapter=adapter)

    drawn = theirs.draw(
        kind=kind,
        image=[hint] * len(names) if several else hint,
        adapter_conditioning_scale=[0.7] * len(names) if several else 0.7,
        height=64, width=64,
    )  # fmt: skip
    asked = [Control(str(nets[name][1]), hint, 0.7, raw=True) for name in names]
    assert_same(ours.draw(controls=asked, sampler_type="ddim"), drawn)


def test_sdxl(tmp_path: Path, hint: Image.Image) -> None:
    pipeline = tiny_sdxl()
    net = tiny_controlnet(pipeline.unet)
    pipeline.save_pretrained(tmp_path / "model")
    file = saved_file(net, tmp_path / "net.safetensors")
    under = StableDiffusionXLControlNetPipeline(**pipeline.components, controlnet=net)
    under.set_progress_bar_config(disable=True)
    wanted = drawn_by_theirs(
        under, FOX, 0, image=hint, controlnet_conditioning_scale=0.8
    )
    last = Last()
    asked = {"controls": Control(str(file), hint, 0.8, raw=True)}
    list(
        imagine(
            prompts(tmp_path / "model", FOX, **asked),
            store=ModelStore("cpu"),
            observer=last,
        )
    )
    assert relative_error(last.latents[0], wanted) < TOLERANCE


# What it works with


@pytest.fixture
def ask(tiny_folder: Path, nets: dict[str, Any], hint: Image.Image) -> Any:
    """Make a prompt under a control, which is a raw hint unless it is said."""

    def ask(text: str = FOX, *, of: str = "one", **more: Any) -> ImaginePrompt:
        fields = {
            "seed": 1, "steps": 3, "model": str(tiny_folder), "sampler_type": "ddim",
            "width": 64, "height": 64, "control_image": hint,
            "controls": f"{nets[of][1]},hint=canny" if of else None, **more,
        }  # fmt: skip
        return ImaginePrompt(text, **{k: v for k, v in fields.items() if v is not None})

    return ask


Ask = Callable[..., ImaginePrompt]


def test_without_strength_the_picture_is_as_without(ours: Ours, ask: Ask) -> None:
    plain = ask(of="", control_image=None)
    controls = tuple(replace(each, strength=0.0) for each in ask().controls)
    none, given, after = imagine(
        [plain, ask(controls=controls), plain], store=ours.store, batch_size=1
    )
    assert none.md5() == given.md5() == after.md5()


def test_a_batch_is_its_pictures_one_by_one(
    ours: Ours, ask: Ask, hint: Image.Image, other: Image.Image
) -> None:
    for of, more in (("one", {}), ("adapter", {}), ("pools", {})):
        asked = [
            ask(of=of, control_image=image, seed=seed, **more)
            for seed, image in enumerate([hint, other, hint])
        ]
        together = list(imagine(asked, store=ours.store, batch_size=3))
        alone = list(imagine(asked, store=ours.store, batch_size=1))
        for one, single in zip(together, alone, strict=True):
            assert_alike(one.img, single.img)
        assert together[0].md5() != together[2].md5()


def test_where_memory_is_short_rows_have_the_hints_of_their_own_pictures(
    ours: Ours, ask: Ask, hint: Image.Image, other: Image.Image, tiny_folder: Path
) -> None:
    asked = [ask(control_image=image) for image in (hint, other)]
    usual = list(imagine(asked, store=ours.store, batch_size=2))
    little = ModelStore("cpu", low_memory=True)
    work = f"the UNet of '{tiny_folder}'"
    little.economy._taken[work] = {0: 2}  # up to one by one
    sliced = list(imagine(asked, store=little, batch_size=2))
    for one, single in zip(sliced, usual, strict=True):
        assert_alike(one.img, single.img)
