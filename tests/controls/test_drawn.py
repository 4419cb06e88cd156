"""What pictures may be drawn with under controls."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.errors import BadOptionError
from imaginairy.hints.make import make_hint
from imaginairy.samplers import SAMPLERS
from imaginairy.settling import settled
from imaginairy.steps.prepare import prepare
from tests.support.adapters import save_style
from tests.support.pictures import assert_same as assert_alike
from tests.support.pictures import distance, furthest, is_same
from tests.support.roads import Ours
from tests.support.tiny import tiny_pipeline

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


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_is_steered(ours: Ours, ask: Ask, sampler: str) -> None:
    plain, given = imagine(
        [
            ask(of="", control_image=None, sampler_type=sampler),
            ask(sampler_type=sampler),
        ],
        store=ours.store,
    )
    assert furthest(plain.img, given.img) > 10
    if SAMPLERS[sampler].adaptive:
        controls = tuple(replace(each, end=0.5) for each in ask().controls)
        with pytest.raises(BadOptionError, match="no control can act for a part"):
            settled(ask(controls=controls, sampler_type=sampler), ours.store)


@pytest.mark.parametrize("channels", [4, 9])
def test_what_a_mask_keeps_is_kept(
    ours: Ours, ask: Ask, hint: Image.Image, channels: int, tmp_path: Path
) -> None:
    more: dict[str, Any] = {}
    if channels == 9:
        tiny_pipeline(inpainting=True).save_pretrained(tmp_path / "model")
        more["model"] = str(tmp_path / "model")
    mask = Image.new("L", (64, 64))
    mask.paste(255, (32, 0, 64, 64))
    painted = {"init_image": hint, "mask_image": mask, "control_image": None}
    plain, edges, hidden = imagine(
        [
            ask(of="", **painted, **more),
            ask(**painted, **more),
            ask(**painted, **more, controls=f"{ask().controls[0].name},hint=inpaint"),
        ],
        store=ours.store,
    )
    for each in (edges, hidden):
        assert furthest(each.img.crop((0, 0, 24, 64)), hint.crop((0, 0, 24, 64))) <= 1
        assert furthest(each.img, plain.img) > 10
    assert edges.md5() != hidden.md5()
    assert is_same(hidden.images["hint_inpaint"], hint)
    assert is_same(edges.images["hint_canny"], make_hint("canny", hint, (64, 64)))


def test_a_control_for_inpainting_sees_nothing_where_is_painted(
    ours: Ours, ask: Ask, hint: Image.Image
) -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (32, 0, 64, 64))
    name = ask().controls[0].name
    fields = {"control_image": None, "controls": f"{name},hint=inpaint"}
    order = settled(ask(init_image=hint, mask_image=mask, **fields), ours.store)
    (made,) = prepare(order, ours.store).hints
    seen = np.asarray(hint, np.float32).transpose(2, 0, 1)[None] / 255
    assert np.array_equal(made.values[..., :32], seen[..., :32])
    assert (made.values[..., 32:] == -1).all()
    with pytest.raises(BadOptionError, match="there is no mask; give init_image with"):
        settled(ask(init_image=hint, **fields), ours.store)


def test_beyond_its_edges_the_hint_of_a_picture_says_nothing(
    ours: Ours, ask: Ask, hint: Image.Image
) -> None:
    fields = {"init_image": hint, "outpaint": "left32", "control_image": None}
    sized = {"width": None, "height": None, "draw_size": "96x64"}
    (edges,) = imagine(ask(**fields, **sized), store=ours.store)
    seen = edges.images["hint_canny"]
    assert seen.size == (96, 64)
    assert not np.asarray(seen.crop((0, 0, 30, 64))).any()
    inner = np.asarray(seen.crop((34, 0, 96, 64)))
    assert np.array_equal(inner, np.asarray(make_hint("canny", hint, (64, 64)))[:, 2:])


def test_it_acts_beside_adapters_on_what_begins_a_picture(
    ours: Ours, ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="imaginairy")
    style = save_style(tiny_pipeline(), tmp_path / "style.safetensors")
    lora = {"loras": str(style)}
    plain, both, merged, alone = imagine(
        [
            ask(),
            ask(**lora),
            ask(**lora, merge_loras=True),
            ask(**lora, of="", control_image=None),
        ],
        store=ours.store,
    )
    assert_alike(both.img, merged.img)
    assert furthest(both.img, plain.img) > 5
    assert furthest(both.img, alone.img) > 5
    tiny_pipeline(seed=3).save_pretrained(tmp_path / "other")
    refiner = {"refiner": f"{tmp_path / 'other'}@0.5", "steps": 4}
    whole = tuple(replace(each, end=1.0) for each in ask().controls)
    half = tuple(replace(each, end=0.5) for each in ask().controls)
    first, second = imagine(
        [ask(**refiner, controls=whole), ask(**refiner, controls=half)],
        store=ours.store,
    )
    assert first.md5() == second.md5(), "the refiner is not steered"
    assert f"the controls act on {ask().model} alone" in caplog.messages


@pytest.mark.parametrize("of", ["one", "adapter"])
def test_steps_that_share_what_is_deep_are_steered(
    ours: Ours, ask: Ask, of: str, caplog: pytest.LogCaptureFixture
) -> None:
    exact, shared, plain = imagine(
        [
            ask(of=of, steps=12),
            ask(of=of, steps=12, speed="balanced"),
            ask(of="", control_image=None, steps=12),
        ],
        store=ours.store,
    )
    assert 0 < distance(exact.img, shared.img) < distance(exact.img, plain.img) / 2
    assert "leaves nothing out" not in caplog.text
