"""Tiny VAEs (TAESD): in place of a model's own, to decode fast, and for previews."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from imaginairy import (
    ImaginePrompt,
    ImagineResult,
    ModelStore,
    Observer,
    Step,
    imagine,
)
from imaginairy.errors import BadOptionError, CheckpointError
from imaginairy.models.previews import tiny_vae_of
from imaginairy.pixels import image_to_tensor
from imaginairy.sources.checksum import summed
from tests.support.golden import assert_close
from tests.support.taesd import halves, save_halves, tiny_taesd
from tests.support.tiny_kin import tiny_sdxl
from tests.support.vaes import asked, save


@pytest.fixture(scope="module")
def theirs() -> Any:
    return tiny_taesd(seed=1)


@pytest.fixture(scope="module")
def kept() -> ModelStore:
    return ModelStore("cpu")


@pytest.fixture
def model(tiny_folder: Path, tmp_path: Path) -> Path:
    """The tiny model in a folder where others can be laid beside it."""
    place = tmp_path / "models" / "checkpoints" / "tiny"
    place.parent.mkdir(parents=True)
    place.symlink_to(tiny_folder)
    return place


def as_folder(taesd: Any, place: Path) -> Path:
    taesd.save_pretrained(place)
    return place


def as_file(taesd: Any, place: Path) -> Path:
    return save(taesd.state_dict(), place / "taesd.safetensors")


def as_tools_keep_it(taesd: Any, place: Path) -> Path:
    named = {
        f"taesd_{half}.{name}": tensor
        for half, own in halves(taesd.state_dict()).items()
        for name, tensor in own.items()
    }
    return save({**named, "vae_scale": torch.ones(1)}, place / "tiny.safetensors")


def as_vae_of_a_folder(taesd: Any, place: Path) -> Path:
    taesd.save_pretrained(place / "vae")
    return place


def as_folder_of_halves(taesd: Any, place: Path) -> Path:
    return save_halves(taesd, place / "halves", ".pth").parent


LAYOUTS: dict[str, Callable[[Any, Path], Path]] = {
    "folder": as_folder,
    "file": as_file,
    "file of two halves": as_tools_keep_it,
    "folder of a model": as_vae_of_a_folder,
    "halves": lambda taesd, place: save_halves(taesd, place, ".safetensors"),
    "halves, pickled": lambda taesd, place: save_halves(taesd, place, ".pth"),
    "halves, by the other": lambda taesd, place: save_halves(
        taesd, place, ".pth"
    ).with_name("taesd_encoder.pth"),
    "folder of halves": as_folder_of_halves,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@torch.inference_mode()
def test_one_takes_the_place_of_a_vae_from_every_layout(
    kept: ModelStore, theirs: Any, tiny_folder: Path, tmp_path: Path, layout: str
) -> None:
    path = LAYOUTS[layout](theirs, tmp_path)
    model = kept.get(str(tiny_folder), vae=str(path)).diffusion
    picture, noise = torch.rand(1, 3, 64, 64) * 2 - 1, torch.randn(1, 4, 8, 8)
    latents = theirs.encode(picture).latents
    assert_close(model.encode(picture, noise), latents, 1e-5)
    assert_close(model.decode(latents), theirs.decode(latents).sample, 1e-5)


@torch.inference_mode()
def test_a_decoder_alone_leaves_encoding_to_the_models_own(
    theirs: Any, tiny_folder: Path, tmp_path: Path
) -> None:
    store, file = ModelStore("cpu"), save_halves(theirs, tmp_path, ".pth", "decoder")
    plain = store.get(str(tiny_folder)).diffusion
    model = store.get(str(tiny_folder), vae=str(file)).diffusion
    picture, noise = torch.rand(1, 3, 64, 64) * 2 - 1, torch.randn(1, 4, 8, 8)
    latents = plain.encode(picture, noise)
    assert torch.equal(model.encode(picture, noise), latents)
    assert_close(model.decode(latents), theirs.decode(latents).sample, 1e-5)


def refuse(place: Path, lay: Callable[[Path], Path]) -> tuple[Path, str]:
    path = lay(place)
    with pytest.raises(CheckpointError) as refused:
        ModelStore("cpu").get(str(place / "tiny"), vae=str(path))
    return path, str(refused.value)


def two_decoders(place: Path) -> Path:
    file = save_halves(tiny_taesd(), place, ".pth", "decoder")
    shutil.copy(file, place / "taesd_encoder.pth")
    return file


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "an encoder alone": (
        lambda place: save_halves(tiny_taesd(), place, ".pth", "encoder").with_name(
            "taesd_encoder.pth"
        ),
        "'{path}' is the encoder of a tiny autoencoder alone; put its decoder beside "
        "it, as taesd_decoder beside taesd_encoder.",
    ),
    "two decoders": (
        two_decoders,
        "'{place}/taesd_encoder.pth' is not the encoder of '{path}'.",
    ),
    "16 channels": (
        lambda place: as_file(tiny_taesd(latent_channels=16), place),
        "The autoencoder of '{path}' makes latents of 16 channels for 8 x 8 pixels; "
        "Stable Diffusion 1.x draws those of 4 for 8 x 8.",
    ),
    "a scale of nothing": (
        lambda place: as_folder(tiny_taesd(scaling_factor=0.0), place / "scaled"),
        "'{path}/config.json' has scaling_factor '0.0', which is no number above 0.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_named(
    tiny_folder: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "tiny").symlink_to(tiny_folder)
    lay, wanted = REFUSED[name]
    path, said = refuse(tmp_path, lay)
    assert said.startswith(wanted.format(path=path, place=tmp_path))


def test_one_of_another_family_is_refused_before_it_is_fetched(
    kept: ModelStore, tiny_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="'taesdxl' has the VAE of Stable Diff"):
        kept.get(str(tiny_folder), vae="taesdxl")
    tiny_sdxl().save_pretrained(tmp_path / "xl")
    with pytest.raises(CheckpointError, match=r"'taesd' has the VAE of .* 1\.x, whose"):
        ModelStore("cpu").get(str(tmp_path / "xl"), vae="taesd")


# --- to decode fast -------------------------------------------------------------------


class Watching(Observer):
    """Keeps the steps, and what they look like."""

    def __init__(self, **preview: bool) -> None:
        self.steps: list[Step] = []
        self.previews: list[np.ndarray] = []
        self.preview = preview

    def on_step(self, step: Step) -> None:
        self.steps.append(step)
        self.previews.append(as_numbers(step.preview(**self.preview)))


def as_numbers(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=float)


def shown(taesd: Any, latents: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        picture = taesd.decode(latents).sample[0].permute(1, 2, 0)
    return ((picture + 1) * 127.5).clamp(0, 255).numpy()


def drawn(prompt: ImaginePrompt, **watching: bool) -> tuple[ImagineResult, Watching]:
    seen = Watching(**watching)
    [result] = imagine(prompt, store=ModelStore("cpu"), observer=seen)
    return result, seen


PLACES = ("checkpoints", "checkpoints/vae_approx", "VAE-taesd", "vae_approx")


def test_it_is_found_where_tools_keep_it(theirs: Any, model: Path) -> None:
    loaded = ModelStore("cpu").get(str(model))
    assert tiny_vae_of(loaded) is None
    for place in PLACES:
        folder = model.parents[1] / place
        file = save_halves(theirs, folder, ".pth", "decoder")
        row = tiny_vae_of(loaded)
        assert row is not None and row.name == str(file.resolve())
        file.unlink()
        as_folder(theirs, folder / "taesd")
        row = tiny_vae_of(loaded)
        assert row is not None and row.name == str((folder / "taesd").resolve())
        shutil.rmtree(folder / "taesd")


def test_it_decodes_fast_where_it_lies_beside_the_model(
    theirs: Any, model: Path
) -> None:
    file = save_halves(theirs, model.parent, ".safetensors", "decoder")
    result, seen = drawn(asked(model, fast_decode=True))
    wanted = shown(theirs, seen.steps[-1].denoised)
    assert np.abs(as_numbers(result.img) - wanted).max() < 2
    assert np.abs(as_numbers(result.img) - seen.previews[-1]).max() < 2
    own, _ = drawn(asked(model))
    assert np.abs(as_numbers(own.img) - as_numbers(result.img)).mean() > 1
    said = result.metadata_dict()
    assert said["fast_decode"] is True and said["vae"] is None
    assert said["decoder"] == str(file.resolve())
    assert said["decoder_sha256"] == summed(file)
    plain = own.metadata_dict()
    assert (plain["decoder"], plain["decoder_sha256"]) == (None, None)


def test_init_images_are_encoded_by_the_models_own(theirs: Any, model: Path) -> None:
    as_file(theirs, model.parent)
    init = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    options: dict[str, Any] = {"init_image": init, "init_image_strength": 0.5}
    (_, own), (_, fast) = (
        drawn(asked(model, fast_decode=fast, **options)) for fast in (False, True)
    )
    assert torch.equal(own.steps[0].latents, fast.steps[0].latents)


def test_the_one_that_is_given_decodes_fast_too(
    theirs: Any, model: Path, tmp_path: Path
) -> None:
    vae = str(as_file(theirs, tmp_path))
    (plain, _), (fast, _) = (
        drawn(asked(model, vae=vae, fast_decode=fast)) for fast in (False, True)
    )
    assert np.array_equal(as_numbers(plain.img), as_numbers(fast.img))


def test_without_one_decoding_fast_is_refused(model: Path) -> None:
    with pytest.raises(BadOptionError) as refused:
        drawn(asked(model, fast_decode=True))
    assert str(refused.value) == (
        f"No tiny VAE is known for the model '{model.resolve()}', so nothing decodes "
        "fast; give one of its own with vae, or leave fast_decode out."
    )


def test_pictures_with_and_without_follow_each_other(theirs: Any, model: Path) -> None:
    as_file(theirs, model.parent)
    store = ModelStore("cpu")
    network = store.get(str(model)).diffusion.network
    prompts = [asked(model, fast_decode=fast) for fast in (False, True, True, False)]
    images = [as_numbers(result.img) for result in imagine(prompts, store=store)]
    assert store.get(str(model)).diffusion.network is network
    assert np.array_equal(images[0], images[3])
    assert np.array_equal(images[1], images[2])
    assert not np.array_equal(images[0], images[1])


# --- previews -------------------------------------------------------------------------


def test_a_preview_is_decoded_by_the_tiny_vae_and_leaves_the_picture_as_it_is(
    theirs: Any, model: Path
) -> None:
    plain, _ = drawn(asked(model))
    as_file(theirs, model.parent)
    result, seen = drawn(asked(model))
    assert np.array_equal(as_numbers(plain.img), as_numbers(result.img))
    for step, preview in zip(seen.steps, seen.previews, strict=True):
        assert np.abs(preview - shown(theirs, step.denoised)).max() < 2
        whole = as_numbers(step.decode(step.denoised))
        assert np.abs(whole - preview).mean() > 1, "that stays exact"


def test_the_bundled_model_has_one_that_knows_its_latents(kept: ModelStore) -> None:
    pairs: list[list[np.ndarray]] = []

    class Both(Observer):
        def on_step(self, step: Step) -> None:
            if step.index == 5:
                both = (step.decode(step.denoised), step.preview())
                pairs.append([as_numbers(each) for each in both])

    prompt = ImaginePrompt(
        "a red circle on a blue background", seed=3, steps=6, model="storybook",
        upscale=False, sampler_type="k_dpmpp_2m",
    )  # fmt: skip
    list(imagine(prompt, store=kept, observer=Both()))
    [(whole, tiny)] = pairs
    error = ((whole - tiny) ** 2).mean()
    assert 0 < error < 255**2 / 10**2.5, "25 dB"


def test_without_one_a_preview_shows_the_colours_of_the_latents(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, seen = drawn(asked(model, width=96), fetch=True)
    assert [preview.shape for preview in seen.previews] == [(64, 96, 3)] * 3
    said = f"Previews of {model.resolve()} show colours alone: no tiny VAE is known "
    assert [each.startswith(said) for each in caplog.messages].count(True) == 1


def test_a_broken_one_costs_no_picture(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = model.parent / "taesd_decoder.safetensors"
    file.write_bytes(b"nonsense")
    result, seen = drawn(asked(model))
    assert result.img.size == (64, 64) and len(seen.previews) == 3
    assert f"show colours alone: '{file}' " in caplog.text
    with pytest.raises(CheckpointError, match=r"taesd_decoder\.safetensors"):
        drawn(asked(model, fast_decode=True))


@torch.inference_mode()
def test_colours_are_those_that_the_models_own_decoder_gives(kept: ModelStore) -> None:
    """Of the bundled model, whose latents mean something."""
    model = kept.get("storybook").diffusion
    picture = Image.new("RGB", (64, 64), "skyblue")
    ImageDraw.Draw(picture).ellipse((12, 8, 44, 52), fill="crimson")
    latents = model.encode(image_to_tensor(picture), torch.zeros(1, 4, 8, 8))
    rough = model.with_decoder(model.colours)
    whole, colours = (each.decode(latents)[0].numpy() for each in (model, rough))
    assert whole.shape == colours.shape
    assert np.corrcoef(whole.ravel(), colours.ravel())[0, 1] > 0.9
    assert model.decoder is model.autoencoder, "that is left as it was"
