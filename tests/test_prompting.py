"""What the prompt says is what the picture shows."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, WeightedPrompt, imagine
from imaginairy.sources.rows import BUNDLED_FOLDER
from tests.support.pictures import border, distance, is_same, pixels, share

Draw = Callable[..., ImagineResult]
ON_WHITE = "a {} circle on a white background"


@pytest.mark.parametrize("colour", ["red", "blue", "green", "yellow"])
def test_colours_and_grounds_are_those_asked_for(colour: str, draw: Draw) -> None:
    for seed in (1, 2):
        picture = draw(ON_WHITE.format(colour), seed=seed).img
        assert share(picture, colour, (48, 48, 80, 80)) > 0.5
        assert share(border(picture), "white") > 0.8


def test_blending_goes_from_one_to_the_other(draw: Draw) -> None:
    reds = []
    for weight in (0.0, 0.5, 1.0):
        prompt = [
            WeightedPrompt(ON_WHITE.format("yellow"), 1 - weight + 1e-9),
            WeightedPrompt(ON_WHITE.format("red"), weight + 1e-9),
        ]
        middle = pixels(draw(prompt).img.crop((48, 48, 80, 80))).mean(axis=(0, 1))
        reds.append(middle[1])  # green is what yellow has and red has not
    assert reds[0] > reds[1] > reds[2], reds


def test_a_string_means_what_the_list_means(draw: Draw) -> None:
    listed = [WeightedPrompt("a red circle", 0.75), WeightedPrompt("a dog", 0.25)]
    as_list = draw(listed, steps=4).img
    as_text = draw("0.75*(a red circle)|0.25*(a dog)", steps=4).img
    assert np.array_equal(pixels(as_list), pixels(as_text))


def test_negative_prompts_steer_away(draw: Draw) -> None:
    plain, steered = (
        np.mean(
            [
                pixels(
                    draw("a landscape", seed=s, steps=4, negative_prompt=negative).img
                ).mean()
                for s in range(4)
            ]
        )
        for negative in ("", "a landscape at night")
    )
    assert steered > plain + 5, (plain, steered)


def test_a_negative_weight_pushes_away(draw: Draw) -> None:
    plain, pushed = (
        np.mean([pixels(draw(prompt, seed=s, steps=4).img).mean() for s in range(4)])
        for prompt in ("a landscape", "1*(a landscape)|-0.4*(a landscape at night)")
    )
    assert pushed > plain + 5, (plain, pushed)


def test_emphasis_makes_more_of_a_word(draw: Draw) -> None:
    brightness = [
        np.mean([pixels(draw(prompt, seed=s, steps=4).img).mean() for s in range(4)])
        for prompt in ("a landscape at (night:0.2)", "a landscape at (night:1)")
    ]
    assert brightness[0] > brightness[1] + 5, brightness
    same = [
        draw(f"a landscape at {night}", steps=3).img for night in ("night", "(night:1)")
    ]
    assert distance(*same) == 0


def test_long_prompts_are_read_to_the_end(draw: Draw) -> None:
    filler = "highly detailed, trending, sharp focus, " * 12
    ends = [
        draw(filler + ON_WHITE.format(c), seed=4, steps=4).img
        for c in ("red", "orange")
    ]
    assert distance(*ends) > 1, "the words behind the first window have no say"


def test_words_from_outside_the_world_do_no_harm(draw: Draw) -> None:
    picture = draw(
        "a red circle on a white background, zxqv flurble, unreal engine"
    ).img
    red, white = (share(picture, colour) for colour in ("red", "white"))
    assert red > 0.08 and red + white > 0.9, (red, white)
    assert share(border(picture), "white") > 0.8


def test_variations_leave_the_picture_by_degrees(draw: Draw) -> None:
    first = draw("portrait of a woman", seed=1, steps=4).img
    distances = [
        distance(
            draw(
                "portrait of a woman",
                seed=1,
                variation_seed=2,
                variation_strength=s,
                steps=4,
            ).img,
            first,
        )
        for s in (0, 0.1, 0.3, 1)
    ]
    assert distances[0] == 0
    assert distances == sorted(distances), distances
    other = draw("portrait of a woman", seed=2, steps=4).img
    whole = draw(
        "portrait of a woman", seed=1, variation_seed=2, variation_strength=1, steps=4
    ).img
    assert distance(whole, other) < 1


def test_a_seed_means_one_picture_alone_in_a_list_repeated_and_after_others(
    store: ModelStore, tmp_path: Path
) -> None:
    def prompts(*seeds: int) -> list[ImaginePrompt]:
        return [
            ImaginePrompt(
                "a dog",
                seed=seed,
                steps=2,
                model="storybook",
                sampler_type="k_euler_a",
                upscale=False,
            )
            for seed in seeds
        ]

    alone = {
        seed: next(imagine(prompts(seed)[0], store=store)).img for seed in (1, 2, 3)
    }

    def is_alone(image: Image.Image) -> list[int]:
        """Return the seeds whose picture it is, but for rounding in a batch."""
        return [seed for seed, own in alone.items() if is_same(image, own)]

    for order in ((3, 2, 1), (2, 2, 1)):
        drawn = imagine(prompts(*order), store=store)
        assert [is_alone(result.img) for result in drawn] == [[seed] for seed in order]
    one_by_one = imagine(prompts(3, 2), store=store, batch_size=1)
    for result, seed in zip(one_by_one, (3, 2), strict=True):
        assert result.img == alone[seed]
    fresh = next(imagine(prompts(2)[0], store=ModelStore(device="cpu")))
    assert fresh.img == alone[2]
    command = (
        "-r 3 --seed 1 --steps 2 --sampler k_euler_a --model storybook --device cpu "
        "--no-upscale"
    )
    subprocess.run(
        [sys.executable, "-m", "imaginairy", "a dog", *command.split(),
         "--output-file-extension", "png", "--outdir", str(tmp_path)],
        check=True,
    )  # fmt: skip
    paths = list(tmp_path.glob("*.png"))
    assert len(paths) == 3
    for path in paths:
        with Image.open(path) as repeated:
            assert is_alone(repeated) == [ImaginePrompt.from_file(path).seed]


def test_a_file_draws_its_picture_again(
    draw: Draw, store: ModelStore, tmp_path
) -> None:  # type: ignore[no-untyped-def]
    result = draw("1*(a cat)|0.4*(a (white:1.2) dog)", seed=9, tile_mode="x", steps=5)
    prompt = ImaginePrompt.from_file(result.save(tmp_path / "cat.jpg"))
    assert next(imagine(prompt, store=store)).md5() == result.md5()


def test_ready_made_embeddings_are_used(draw: Draw, store: ModelStore) -> None:
    import torch

    with torch.inference_mode():
        encoder = store.get("storybook").diffusion.encoders["text"]
        said = encoder.embed([WeightedPrompt("a cat")])
    by_text = draw("a cat", steps=4).img
    by_embedding = draw("", conditioning=said, steps=4).img
    assert distance(by_text, by_embedding) == 0


@pytest.mark.parametrize("of_folder", [False, True])
def test_unknown_words_are_said_once_for_each_prompt(
    of_folder: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = "storybook"
    if of_folder:  # what a model knows is a matter of its folder, not of its name
        shutil.copytree(BUNDLED_FOLDER / "storybook", tmp_path / "mine")
        model = str(tmp_path / "mine")
    store, options = ModelStore("cpu"), {"steps": 1, "width": 64, "height": 64}
    asked = [
        ImaginePrompt("a dragon on a red castle", negative_prompt="ugly knights",
                      model=model, upscale=False, seed=seed, **options)
        for seed in (1, 2)
    ]  # fmt: skip
    asked.append(replace(asked[0], prompt="a red fox|0.5*(a moat)", negative_prompt=""))
    asked.append(replace(asked[0], prompt="two red foxes", prompt_strength=1))
    list(imagine(asked, store=store))
    said = [text for text in caplog.messages if "does not know" in text]
    name = model if of_folder else "storybook"
    assert said == [
        f"{name} does not know: dragon, castle, ugly, knights",
        f"{name} does not know: moat",
    ]


def test_models_of_all_the_world_know_all_words(
    tiny_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = ImaginePrompt(
        "a castle", model=str(tiny_folder), steps=1, width=64, height=64
    )
    next(imagine(asked, device="cpu"))
    assert "does not know" not in caplog.text
