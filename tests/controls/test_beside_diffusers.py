"""Pictures under controls, to the latents, beside those that diffusers draws."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
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

from imaginairy import ModelStore, imagine
from imaginairy.control import Control
from tests.support.beside_diffusers import FOX, Last, prompts
from tests.support.beside_diffusers import theirs as drawn_by_theirs
from tests.support.golden import relative_error
from tests.support.roads import Drawn, Ours, Theirs, assert_same, wrapped
from tests.support.tiny_controls import (
    saved_file,
    tiny_controlnet,
)
from tests.support.tiny_kin import tiny_sdxl

pytestmark = pytest.mark.filterwarnings(  # diffusers calls NumPy in an old way
    "ignore:__array:DeprecationWarning"
)
TOLERANCE = 1e-4


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


def test_what_tiles_tiles_under_controls_too(
    ours: Ours, theirs: Theirs, nets: dict[str, Any], hint: Image.Image
) -> None:
    net, path = nets["one"]
    parts = torch.nn.ModuleList([theirs.pipeline.unet, net])
    all_of_them = SimpleNamespace(unet=parts, vae=theirs.pipeline.vae)
    with wrapped(SimpleNamespace(pipeline=all_of_them), "xy"):  # type: ignore[arg-type]
        kind = partial(StableDiffusionControlNetPipeline, controlnet=net)
        drawn = theirs.draw(kind=kind, image=hint)
    fields = {"controls": Control(str(path), hint, raw=True), "tile_mode": "xy"}
    assert_same(ours.draw(sampler_type="ddim", **fields), drawn, tolerance=TOLERANCE)
