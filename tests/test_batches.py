"""Pictures drawn together: each is as it is alone, and none takes another with it."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, Observer, imagine
from imaginairy.api import imagine_image_files
from imaginairy.batches import Batches
from imaginairy.errors import BadImageError, BadOptionError, NotFiniteError
from imaginairy.observe import Step
from imaginairy.outcomes import grouped, outcomes
from imaginairy.samplers import SAMPLERS
from imaginairy.settling import settled
from tests.support.packages import bring, enhancer_code
from tests.support.pictures import assert_same, distance, noise
from tests.support.tiny import tiny_pipeline

LONG = "a scenic landscape of fruit " * 20
"""Of more than one window of the text encoder."""


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu", "full")


@pytest.fixture(scope="module")
def inpainting_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "inpainting"
    tiny_pipeline(inpainting=True).save_pretrained(folder)
    return folder


Ask = Callable[..., ImaginePrompt]


@pytest.fixture
def ask(tiny_folder: Path) -> Ask:
    def ask(text: Any = "a red fox", **fields: Any) -> ImaginePrompt:
        small = {"seed": 3, "steps": 3, "width": 64, "height": 64}
        usual = {**small, "model": str(tiny_folder), "sampler_type": "ddim"}
        return ImaginePrompt(text, **{**usual, **fields})

    return ask


class Diary(Observer):
    """Notes in what order it is told what."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_batch(self, pictures: int) -> None:
        self.told.append(f"batch of {pictures}")

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        self.told.append(f"start {prompt.seed}")

    def on_step(self, step: Step) -> None:
        assert len(step.latents) == len(step.denoised) == 1
        self.told.append((step.index, step.picture))

    def on_result(self, result: ImagineResult) -> None:
        self.told.append(f"result {result.prompt.seed}")

    @property
    def batches(self) -> list[int]:
        sizes = (str(each).removeprefix("batch of ") for each in self.told)
        return [int(size) for size in sizes if size.isdigit()]


def assert_as_alone(prompts: list[ImaginePrompt], store: ModelStore) -> None:
    """Judge that pictures drawn at once are those drawn one by one."""
    diary = Diary()
    together = list(imagine(prompts, store=store, batch_size=8, observer=diary))
    assert diary.batches == [len(prompts)]
    alone = list(imagine(prompts, store=store, batch_size=1))
    for one, other in zip(together, alone, strict=True):
        assert one.images.keys() == other.images.keys()
        assert one.prompt == other.prompt
        for kind, image in one.images.items():
            assert_same(image, other.images[kind])
    assert distance(alone[0].img, alone[-1].img) > 1, "they are different pictures"


@pytest.mark.parametrize("name", [row.name for row in SAMPLERS.values() if row.batches])
def test_whatever_the_sampler_each_picture_is_as_it_is_alone(
    name: str, ask: Ask, store: ModelStore
) -> None:
    """Of texts, lengths, seeds, strengths and what is avoided of their own."""
    each: dict[str, Any] = {"sampler_type": name}
    assert_as_alone(
        [
            ask(LONG, seed=2, negative_prompt="fruit", prompt_strength=3.5, **each),
            ask([("a bowl", 0.7), ("fox", 0.3)], seed=2, prompt_strength=11, **each),
        ],
        store,
    )


def edits(ask: Ask, **more: Any) -> list[ImaginePrompt]:
    images = [noise("RGB", (64, 64)), Image.new("RGB", (64, 64), "teal")]
    return [
        ask(seed=seed, init_image=image, init_image_strength=0.4, **more)
        for seed, image in enumerate(images, start=5)
    ]


def test_what_is_drawn_in_other_ways_is_as_it_is_alone(
    ask: Ask, store: ModelStore, inpainting_folder: Path
) -> None:
    left = Image.new("L", (64, 64))
    left.paste(255, (0, 0, 32, 64))
    fields: dict[str, Any] = {"sampler_type": "k_euler_a"}
    varied = {"variation_strength": 0.4, "variation_seed": 9}
    limited: dict[str, Any] = {
        "guidance_rescale": 0.7, "dynamic_threshold": 0.9, "apg": "0:2",
    }  # fmt: skip
    perpendicular: dict[str, Any] = {
        "perpendicular_negative": 1, "negative_prompt": "fruit",
        "guidance_interval": "0.5:1",
    }  # fmt: skip
    hasty: dict[str, Any] = {"speed": "fast", "steps": 8}
    inpainting = {"mask_image": left, "model": str(inpainting_folder)}
    for prompts in (
        [ask(seed=seed, tile_mode="x") for seed in (1, 2)],
        [ask(seed=seed, prompt_strength=1) for seed in (1, 2)],
        [ask(seed=1, **varied), ask(seed=2)],
        [ask(text, seed=2, **limited) for text in ("a red fox", LONG)],
        [ask(text, seed=3, **perpendicular) for text in ("a red fox", LONG)],
        [ask(text, seed=4, **hasty) for text in ("a red fox", LONG)],
        edits(ask),
        edits(ask, **fields, mask_image=left),
        edits(ask, outpaint="left16", width=80),
        edits(ask, **inpainting),
        [ask(seed=seed, model=str(inpainting_folder)) for seed in (1, 2)],
    ):
        assert_as_alone(prompts, store)


def test_only_what_is_alike_and_next_to_each_other_is_drawn_at_once(
    ask: Ask, store: ModelStore, inpainting_folder: Path
) -> None:
    def sizes(*prompts: ImaginePrompt) -> list[int]:
        groups = grouped(prompts, Batches(store, Observer(), 3))
        return [len(group) for group in groups if isinstance(group, list)]

    one = ask(steps=1)
    image = Image.new("RGB", (64, 64), "teal")
    for other in (
        {"steps": 2}, {"width": 72}, {"sampler_type": "k_euler"}, {"tile_mode": "y"},
        {"apg": "0"}, {"guidance_rescale": 0.5}, {"guidance_interval": "0:0.5"},
        {"eta": 0.5}, {"prompt_strength": 1}, {"init_image": image, "steps": 3},
        {"prediction": "v"},
        {"model": str(inpainting_folder)}, {"vae": str(inpainting_folder)},
    ):  # fmt: skip
        assert sizes(one, one, ask(**{"steps": 1, **other}), one) == [2, 1, 1]
    assert sizes(*[one] * 7) == [3, 3, 1]
    scheduled = ask(sampler_type="k_euler", steps=1)
    assert sizes(scheduled, replace(scheduled, schedule="karras")) == [1, 1]
    kept = ask(init_image=image, init_image_strength=0.6)
    assert sizes(kept, replace(kept, init_image_strength=0.1)) == [1, 1]
    assert sizes(kept, replace(kept, init_image_strength=0.55)) == [2]
    slow, fast = ask(steps=8), ask(steps=8, speed="fast")
    assert sizes(slow, fast, fast) == [1, 2]
    adaptive = ask(sampler_type="k_dpm_adaptive", steps=1)
    assert sizes(adaptive, adaptive) == [1, 1]


def test_all_are_begun_walk_step_by_step_and_end_one_by_one(
    ask: Ask, store: ModelStore
) -> None:
    diary = Diary()
    prompts = [ask(seed=seed, steps=2) for seed in (4, 5, 6)]
    results = imagine(prompts, store=store, batch_size=2, observer=diary)
    assert next(results).prompt.seed == 4
    walk = [(0, 0), (0, 1), (1, 0), (1, 1)]
    first = ["batch of 2", "start 4", "start 5", *walk, "result 4"]
    assert diary.told == first, "the second is finished when it is asked for"
    assert [result.prompt.seed for result in results] == [5, 6]
    rest = ["result 5", "batch of 1", "start 6", (0, 0), (1, 0), "result 6"]
    assert diary.told == first + rest


def test_each_shows_its_own_steps(ask: Ask, store: ModelStore, tmp_path: Path) -> None:
    prompts = [ask(seed=seed, steps=2) for seed in (4, 5, 5)]
    frames = {}
    for size in (1, 3):
        files = imagine_image_files(
            prompts, tmp_path / str(size), record_step_images=True, store=store,
            batch_size=size,
        )  # fmt: skip
        frames[size] = [
            Image.open(tmp_path / str(size) / "steps" / file.stem / "step_001.jpg")
            for file in files
        ]
    for together, alone in zip(frames[3], frames[1], strict=True):
        assert distance(together, alone) < 0.2
    assert distance(frames[3][0], frames[3][1]) > 1


def came(prompts: list[Any], store: ModelStore, size: int = 8) -> list[Any]:
    """Return the seeds of what came, and what was said of what failed."""
    batches = Batches(store, Observer(), size)
    return [
        str(each) if isinstance(each, Exception) else each.prompt.seed
        for each in outcomes(prompts, batches)
    ]


def test_what_fails_takes_no_other_with_it(
    ask: Ask, store: ModelStore, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    Image.new("RGB", (64, 64)).save(broken)
    picture = ask(seed=2, init_image=broken)
    broken.write_bytes(broken.read_bytes()[:60])
    deep = ask(seed=4, clip_skip=50)
    first, refused, third, skipped, fifth = came(
        [ask(seed=1), picture, ask(seed=3), deep, ask(seed=5)], store
    )
    assert [first, third, fifth] == [1, 3, 5]
    assert "broken.png" in refused
    assert skipped.startswith("A clip_skip of 50 is more than the 2 layers")
    results = imagine([ask(seed=1), picture, ask(seed=3)], store=store, batch_size=3)
    assert next(results).prompt.seed == 1
    with pytest.raises(BadImageError):
        next(results)


def test_what_a_list_of_prompts_cannot_be_is_said_after_what_came_before(
    ask: Ask, store: ModelStore
) -> None:
    def prompts() -> Iterator[Any]:
        yield ask(seed=1)
        yield ask(seed=2)
        raise KeyError("what the caller did")

    results = imagine(prompts(), store=store, batch_size=3)
    assert [next(results).prompt.seed for _ in range(2)] == [1, 2]
    with pytest.raises(KeyError, match="what the caller did"):
        next(results)
    assert came([ask(seed=1), ""], store)[0] == 1


def test_a_picture_that_is_not_finite_is_the_only_one_lost(
    ask: Ask, store: ModelStore
) -> None:
    huge = torch.full((1, 77, 48), 3e38)
    lost = ask(seed=2, conditioning=huge)
    first, said, third = came([ask(seed=1), lost, ask(seed=3)], store)
    assert (first, third) == (1, 3)
    assert "not finite" in said
    with pytest.raises(NotFiniteError):
        list(imagine(lost, store=store))


@pytest.fixture
def narrow(tiny_folder: Path) -> Iterator[ModelStore]:
    """A store whose memory holds the predictions of two pictures, and of no more."""
    store = ModelStore("cpu")
    network = store.get(str(tiny_folder)).diffusion.network

    def refuse(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        if len(given[0]) > 4:  # guided ones count twice
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    handle = network.register_forward_pre_hook(refuse)
    yield store
    handle.remove()
    store.clear()


def test_half_of_them_are_drawn_where_memory_is_short(
    ask: Ask, narrow: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    diary = Diary()
    prompts = [ask(seed=seed, steps=1) for seed in range(9)]
    with caplog.at_level(logging.WARNING, "imaginairy"):
        results = list(imagine(prompts, store=narrow, batch_size=7, observer=diary))
    assert [result.prompt.seed for result in results] == [*range(9)]
    assert diary.batches == [7, 3, *[1] * 9], "and it is known for those that follow"
    said = "There is not enough memory for 7 images at once; generating 3."
    assert said in caplog.messages


def test_how_many_are_drawn_at_once(
    ask: Ask, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as pay on a CPU, and as half of the free memory holds."""

    def room(size: int | None = None, **fields: Any) -> int:
        return Batches(store, Observer(), size).room(settled(ask(**fields), store))

    assert room() == 8 and room(draw_size="128x128") == 4
    assert room(draw_size="256x256") == 1 and room(draw_size="512x64") == 2
    assert room(5) == 5 and room(100, draw_size="256x256") == 100
    assert room(5, sampler_type="k_dpm_adaptive") == 1
    order = settled(ask(), store)
    each = 2 * store.get(order.model).diffusion.bytes_held(order.drawn)
    for free, fits in ((2.1 * 3 * each, 3), (1, 1), (None, 8)):
        monkeypatch.setattr(
            "imaginairy.batches.free_bytes", lambda device, free=free: free
        )
        assert room() == fits
    for bad in (0, -1, 1.5, "many"):
        with pytest.raises(BadOptionError, match="batch_size"):
            Batches(store, Observer(), bad)  # type: ignore[arg-type]


def test_an_enhancer_that_fails_takes_only_its_own_picture(
    ask: Ask, store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(tmp_path, "one-package", "burn", enhancer_code("burn", "1 / 0"))
    monkeypatch.syspath_prepend(tmp_path)
    diary = Diary()
    prompts = [ask(seed=1), ask(seed=2, enhance=["burn"]), ask(seed=3)]
    batches = Batches(store, diary, 3)
    first, failed, third = outcomes(prompts, batches)
    assert str(failed) == "The enhancer 'burn' failed: division by zero."
    assert isinstance(first, ImagineResult) and isinstance(third, ImagineResult)
    assert diary.batches == [3], "and nothing is drawn twice"


def test_what_was_saved_stays_when_it_is_broken_off(
    ask: Ask, store: ModelStore, tmp_path: Path
) -> None:
    class Impatient(Observer):
        results = 0

        def on_result(self, result: ImagineResult) -> None:
            self.results += 1
            if self.results == 2:
                raise KeyboardInterrupt

    prompts = [ask(seed=seed) for seed in (1, 2, 3)]
    with pytest.raises(KeyboardInterrupt):
        imagine_image_files(
            prompts, tmp_path, store=store, observer=Impatient(), batch_size=3
        )
    assert [file.name[:8] for file in tmp_path.glob("*.jpg")] == ["000001_1"]
