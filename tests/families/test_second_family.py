"""A family that the package has never heard of is added by files and a row alone.

It has two text encoders of different widths, reads a pooled text and the picture's
size, predicts v, and draws on 16 channels for 16 x 16 pixels; see `patchwork/`.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, imagine
from imaginairy.conversion.convert import convert
from imaginairy.device import SeededNoise
from imaginairy.errors import BadOptionError, CheckpointError
from imaginairy.families.table import FAMILIES, register
from imaginairy.families.text import TextEncoder, Wanted
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.models.drawing import DrawingModel
from imaginairy.networks.layers import tiling
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.prediction import Prediction
from imaginairy.weighted_prompt import WeightedPrompt
from tests.families.patchwork.flow import FLOWING
from tests.families.patchwork.row import PATCHWORK
from tests.families.patchwork.saving import save_as_file, save_as_folder
from tests.families.patchwork.text import BigReader, BigWords

FOX = "a red fox"
LONG = "a red fox, " * 30
"""More than one window holds."""


@pytest.fixture(scope="module", autouse=True)
def family() -> Iterator[None]:
    with register(PATCHWORK):
        yield
    assert PATCHWORK not in FAMILIES


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_as_file(tmp_path_factory.mktemp("file") / "quilt.safetensors")


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


@pytest.fixture(scope="module")
def flowing() -> ModelStore:
    """Keeps it as a flow."""
    return ModelStore("cpu")


@pytest.fixture
def model(store: ModelStore, file: Path) -> DrawingModel:
    return store.get(str(file)).diffusion


def prompt(file: Path, text: str = FOX, **options: Any) -> ImaginePrompt:
    usual: dict[str, Any] = {"seed": 1, "steps": 3, "sampler_type": "k_euler"}
    return ImaginePrompt(text, model=str(file), **{**usual, **options})


def drawn(store: ModelStore, *prompts: ImaginePrompt) -> list[ImagineResult]:
    return list(imagine(prompts, store=store))


def pixels(result: ImagineResult) -> np.ndarray[Any, Any]:
    return np.asarray(result.img, dtype=int)


def photo(width: int, height: int) -> Image.Image:
    shades = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    return Image.fromarray(shades.astype(np.uint8))


def test_both_layouts_draw_the_same_at_the_native_size(
    store: ModelStore, file: Path, tmp_path: Path
) -> None:
    folder = save_as_folder(tmp_path / "quilt")
    [of_file] = drawn(store, prompt(file))
    [of_folder] = drawn(store, prompt(folder))
    assert of_file.img.size == (64, 64)
    assert np.array_equal(pixels(of_file), pixels(of_folder))
    assert of_file.model_hash != of_folder.model_hash


def test_a_picture_is_what_the_network_says(
    store: ModelStore, model: DrawingModel, file: Path
) -> None:
    """Walked by hand, in the words of the papers: v, its guidance, Euler's steps."""
    steps, scale = 4, 3.0
    [result] = drawn(store, prompt(file, steps=steps, prompt_strength=scale))
    with torch.inference_mode():
        said = Wanted([WeightedPrompt(FOX)], "", size=(64, 64))
        follow, avoid = model.condition(said)
        assert follow.tokens.shape == (1, 77, 32 + 24)
        assert follow.pooled is not None and follow.pooled.shape == (1, 24)
        betas = torch.linspace(0.00085, 0.02, 1000, dtype=torch.float64)
        alphas = (1 - betas).cumprod(0).float()
        sigmas = ((1 - alphas) / alphas).sqrt()
        times = torch.linspace(999, 0, steps).tolist()
        logs = sigmas.log().numpy()
        levels = np.exp(np.interp(times, np.arange(1000), logs)).tolist()
        x = SeededNoise(1, (1, 16, 4, 4), torch.device("cpu"))() * levels[0]
        for time, sigma, after in zip(times, levels, [*levels[1:], 0.0], strict=True):
            alpha = 1 / (1 + sigma**2)
            seen = x * sqrt(alpha)
            with_text, without = (
                model.network(seen, torch.tensor([time]), each)
                for each in (follow, avoid)
            )
            v = without + scale * (with_text - without)
            clean = sqrt(alpha) * seen - sqrt(1 - alpha) * v
            x = clean + after * (x - clean) / sigma
        wanted = ((model.decode(x)[0] + 1) * 127.5).clamp(0, 255)
    assert np.abs(pixels(result) - wanted.permute(1, 2, 0).numpy()).max() <= 1.5


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_draws_with_all_that_prompts_may_ask(
    store: ModelStore, file: Path, sampler: str
) -> None:
    def of(**options: Any) -> np.ndarray[Any, Any]:
        return pixels(drawn(store, prompt(file, sampler_type=sampler, **options))[0])

    plain = of()
    init = photo(64, 64)
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (32, 0, 64, 64))
    ways = {
        "tiled": of(tile_mode="xy"),
        "varied": of(variation_seed=9, variation_strength=0.4),
        "another prompt": of(text="a bowl"),
        "from a picture": of(init_image=init, init_image_strength=0.4),
        "masked": of(init_image=init, mask_image=mask, init_image_strength=0.1),
    }
    for way, picture in ways.items():
        assert picture.shape == (64, 64, 3)
        assert not np.array_equal(picture, plain), way
    kept = ways["masked"][:, :20], np.asarray(init, dtype=int)[:, :20]
    assert np.array_equal(*kept), "what the mask leaves stays"


def test_what_it_predicts_is_said_by_its_row_alone(file: Path) -> None:
    for prediction in get_args(Prediction):
        with register(replace(PATCHWORK, name="kin", prediction=prediction)):
            assert read_checkpoint(file).schedule.predicts == prediction
            [result] = drawn(ModelStore("cpu"), prompt(file))
        assert result.img.size == (64, 64)


def test_a_network_that_sees_the_mask_is_told_of_it(tmp_path: Path) -> None:
    file = save_as_file(tmp_path / "quilt.safetensors", in_channels=16 + 1 + 16)
    store = ModelStore("cpu")
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (32, 0, 64, 64))
    init = photo(64, 64)
    [plain] = drawn(store, prompt(file))
    [masked] = drawn(store, prompt(file, init_image=init, mask_image=mask))
    kept = pixels(masked)[:, :20], np.asarray(init, dtype=int)[:, :20]
    assert np.array_equal(*kept)
    assert not np.array_equal(pixels(plain), pixels(masked))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_as_a_flow_it_is_drawn_by_the_samplers_made_for_flows(
    flowing: ModelStore, file: Path, sampler: str
) -> None:
    store = flowing
    with register(FLOWING):
        usual = ImaginePrompt(FOX, model=str(file), seed=1)
        asked = replace(usual, sampler_type=sampler)
        if "flow" not in SAMPLERS[sampler].schedules:
            with pytest.raises(BadOptionError, match="is not made for this model"):
                drawn(store, asked)
            return
        [by_default], [by_name] = drawn(store, usual), drawn(store, asked)
        assert by_default.prompt.sampler_type == "k_euler"
        assert by_default.prompt.steps == by_name.prompt.steps == 4
        assert by_default.prompt.prompt_strength == 2
        init = replace(asked, init_image=photo(64, 64), init_image_strength=0.5)
        assert not np.array_equal(pixels(drawn(store, init)[0]), pixels(by_name))
        with pytest.raises(BadOptionError, match=r"the flow .* leave predic"):
            drawn(store, replace(asked, prediction="v"))


def test_tiles_have_no_seam(store: ModelStore, model: DrawingModel, file: Path) -> None:
    """Noise moved round moves the picture round, and nothing else."""
    with torch.inference_mode():
        latents = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(0))
        with tiling(model.network, model.autoencoder, x=True, y=True):
            still = model.decode(latents).roll((32, 16), dims=(2, 3))
            moved = model.decode(latents.roll((2, 1), dims=(2, 3)))
    torch.testing.assert_close(moved, still, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("sampler", [n for n, row in SAMPLERS.items() if row.batches])
def test_pictures_drawn_together_are_those_drawn_alone(
    store: ModelStore, model: DrawingModel, file: Path, sampler: str
) -> None:
    """Texts of other lengths too, which are padded and masked beside each other."""
    prompts = [
        prompt(file, text, seed=seed, sampler_type=sampler)
        for text, seed in ((LONG, 2), ("a (bowl:1.4) of fruit", 3))
    ]
    seen: list[int] = []
    hook = model.network.register_forward_pre_hook(lambda _, a: seen.append(len(a[0])))
    together = list(imagine(prompts, store=store, batch_size=2))
    hook.remove()
    assert {*seen} == {4}, "what to follow and what to avoid of two"
    for each, alone in zip(together, prompts, strict=True):
        [single] = imagine(alone, store=store, batch_size=1)
        assert np.abs(pixels(single) - pixels(each)).max() <= 1


def test_sizes_are_rounded_to_its_grid_and_saved_as_asked(
    store: ModelStore, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    [result] = drawn(store, prompt(file, width=104, height=72))
    assert result.images["generated"].size == (96, 64)
    assert result.img.size == (104, 72)
    assert "draws sides that are multiples of 32: drawn at 96x64" in caplog.text
    [result] = drawn(store, prompt(file, init_image=photo(110, 60)))
    assert {side % 32 for side in result.images["generated"].size} == {0}


def test_long_texts_are_as_long_for_both_sides(model: DrawingModel) -> None:
    with torch.inference_mode():
        said = Wanted([WeightedPrompt(LONG)], FOX, size=(64, 64))
        follow, avoid = model.condition(said)
    assert avoid is not None
    assert follow.tokens.shape == avoid.tokens.shape
    assert follow.tokens.shape[1] > 77
    assert follow.pooled is not None and avoid.pooled is not None
    assert not torch.equal(follow.pooled, avoid.pooled)


def test_embeddings_of_another_width_are_refused(store: ModelStore, file: Path) -> None:
    with pytest.raises(BadOptionError, match=r"7 wide; this model's text embeddings"):
        drawn(store, prompt(file, "", conditioning=torch.zeros(1, 77, 7)))


def test_its_words_are_read_as_its_row_says(
    model: DrawingModel, store: ModelStore, tmp_path: Path
) -> None:
    assert type(model.encoders["big"]) is BigReader
    assert type(model.encoders["big"].tokenizer) is BigWords
    assert type(model.encoders["small"]) is TextEncoder
    file = save_as_file(tmp_path / "quilt.safetensors")
    shutil.rmtree(tmp_path / "words_big")
    with pytest.raises(CheckpointError, match="no vocabulary for its big reader; put"):
        drawn(store, prompt(file))


def test_a_part_that_is_missing_is_named(tmp_path: Path, store: ModelStore) -> None:
    file = save_as_file(tmp_path / "quilt.safetensors")
    whole = load_file(file)
    save_file({n: t for n, t in whole.items() if n != "quilt.read.big.lexicon"}, file)
    with pytest.raises(CheckpointError) as caught:
        drawn(store, prompt(file))
    assert "no big reader of the Patchwork design: the tensor 'lexicon'" in str(
        caught.value
    )


def test_a_layer_that_one_of_its_text_encoders_lacks_is_refused(tmp_path: Path) -> None:
    """The small one has two layers and the big one a single."""
    file = save_as_file(tmp_path / "quilt.safetensors")
    whole = load_file(file)
    for layer, said in (("1", None), ("2", "which is no whole number from 1 to 1")):
        save_file(whole, file, {"modelspec.encoder_layer": layer})
        if said is None:
            assert read_checkpoint(file).clip_skip == 1
        else:
            with pytest.raises(CheckpointError, match=said):
                read_checkpoint(file)


@pytest.mark.parametrize("out", ["out.safetensors", "out/"])
def test_one_that_does_not_say_how_it_is_written_is_not_converted(
    out: str, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="of Patchwork, models of which cannot"):
        convert(str(file), f"{tmp_path}/{out}")
