"""Another VAE for a model: from every kind of file, shared, switched, recorded."""

import gc
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, imagine
from imaginairy.models.vae import load_vae
from imaginairy.sources.checksum import summed
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import VAE
from imaginairy.sources.rows import BUNDLED_FOLDER
from tests.support.golden import CPU, assert_close
from tests.support.tiny import tiny_pipeline
from tests.support.tiny_kin import tiny_sd2, tiny_sdxl
from tests.support.vaes import LAYOUTS, as_folder, asked, pictures, save

SCALE = 0.18215
STORYBOOK = BUNDLED_FOLDER / "storybook"


@pytest.fixture(scope="module")
def theirs() -> Any:
    """Another VAE than that of the tiny model."""
    return tiny_pipeline(seed=3).vae


@pytest.fixture(scope="module")
def kept() -> ModelStore:
    return ModelStore("cpu")


@pytest.mark.parametrize("layout", LAYOUTS)
@torch.inference_mode()
def test_it_encodes_and_decodes_as_diffusers_does(
    kept: ModelStore, theirs: Any, tiny_folder: Path, tmp_path: Path, layout: str
) -> None:
    path = LAYOUTS[layout](theirs, tmp_path)
    model = kept.get(str(tiny_folder), vae=str(path)).diffusion
    picture, noise = torch.rand(1, 3, 64, 64) * 2 - 1, torch.zeros(1, 4, 8, 8)
    moments = theirs.encode(picture).latent_dist
    latents = moments.mean * SCALE
    assert_close(model.encode(picture, noise), latents)
    noisy = (moments.mean + moments.std) * SCALE
    assert_close(model.encode(picture, noise + 1), noisy)
    assert_close(model.decode(latents), theirs.decode(latents / SCALE).sample)


@torch.inference_mode()
def test_a_whole_picture_is_that_of_diffusers(
    kept: ModelStore, theirs: Any, tiny_folder: Path, tmp_path: Path
) -> None:
    pipeline = tiny_pipeline()
    pipeline.vae = theirs
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(1))
    wanted = pipeline(
        "a red fox", num_inference_steps=3, guidance_scale=5.0, latents=noise,
        output_type="np",
    ).images[0]  # fmt: skip
    file = LAYOUTS["CompVis"](theirs, tmp_path)
    [ours] = pictures(asked(tiny_folder, vae=str(file)), store=kept)
    cut_off = wanted - ours / 255  # what is below a shade of 255
    assert cut_off.min() > -1e-4 and cut_off.max() < 1 / 255 + 1e-4


@pytest.mark.parametrize("kind", [tiny_sd2, tiny_sdxl])
def test_that_of_a_model_is_the_same_given_as_a_file(
    tmp_path: Path, kind: Callable[[], Any]
) -> None:
    """In whichever family, whose scale it then has."""
    pipeline, store = kind(), ModelStore("cpu")
    pipeline.save_pretrained(tmp_path / "model")
    file = save(pipeline.vae.state_dict(), tmp_path / "vae.safetensors")
    own, same = pictures(
        *(asked(tmp_path / "model", vae=vae) for vae in (None, str(file))), store=store
    )
    assert np.array_equal(own, same)


def test_the_bundled_model_with_its_own_and_with_another(
    draw: Callable[..., ImagineResult], tmp_path: Path
) -> None:
    weights = load_file(STORYBOOK / "vae" / "diffusion_pytorch_model.safetensors")
    own = save(weights, tmp_path / "own.safetensors")
    changed = {n: t + 0.02 * torch.randn(t.shape).half() for n, t in weights.items()}
    other = save(changed, tmp_path / "other.safetensors")
    options = {"steps": 3, "width": 64, "height": 64}
    plain, same, differs = (
        draw("a red fox", vae=vae and str(vae), **options) for vae in (None, own, other)
    )
    shown = [np.asarray(each.img, dtype=float) for each in (plain, same, differs)]
    assert np.array_equal(shown[0], shown[1])
    assert np.abs(shown[0] - shown[2]).mean() > 1


# --- what is shared, kept and recorded ------------------------------------------------


def test_all_but_the_vae_is_shared_and_the_last_one_is_kept(
    theirs: Any, tiny_folder: Path, tmp_path: Path
) -> None:
    store, name = ModelStore("cpu"), str(tiny_folder)
    one = str(LAYOUTS["diffusers"](theirs, tmp_path))
    two = str(as_folder(theirs, tmp_path / "two"))
    plain = store.get(name)
    first = store.get(name, vae=one)
    assert first.vae is not None and first.vae.name == one
    for role in ("denoiser", "text"):
        assert first.diffusion.networks[role] is plain.diffusion.networks[role]
    assert first.diffusion.autoencoder is not plain.diffusion.autoencoder
    assert store.get(name, vae=one) is first
    assert store.get(name) is plain and plain.vae is None
    gone = weakref.ref(first.diffusion.autoencoder)
    second = store.get(name, vae=two)
    assert second.diffusion.network is plain.diffusion.network
    del first
    gc.collect()
    assert gone() is None, "only the last one is kept"
    store.clear()
    again = store.get(name, vae=two)
    assert again.diffusion.network is not plain.diffusion.network


def test_pictures_with_several_follow_each_other_and_say_which(
    theirs: Any, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, store = LAYOUTS["diffusers"](theirs, tmp_path), ModelStore("cpu")
    network = store.get(str(tiny_folder)).diffusion.network
    vaes = (None, file.name, file.name, None)
    results = list(imagine([asked(tiny_folder, vae=v) for v in vaes], store=store))
    assert store.get(str(tiny_folder)).diffusion.network is network
    said = [result.metadata_dict() for result in results]
    assert [each["vae"] for each in said] == [None, str(file), str(file), None]
    sums = [each["vae_sha256"] for each in said]
    assert sums == [None, summed(file), summed(file), None]
    assert len({each["model_sha256"] for each in said}) == 1
    drawn = [np.asarray(result.img) for result in results]
    assert np.array_equal(drawn[0], drawn[3]) and np.array_equal(drawn[1], drawn[2])
    assert not np.array_equal(drawn[0], drawn[1])
    results[1].save("a.png")
    assert ImaginePrompt.from_file("a.png").vae == str(file)


# --- its scale, and its precision -----------------------------------------------------


def test_its_scale_is_what_it_says_or_else_the_model_s(
    theirs: Any, tmp_path: Path
) -> None:
    model, place = tmp_path / "model", tmp_path / "vae"
    pipeline = tiny_pipeline()
    pipeline.vae.register_to_config(scaling_factor=0.5)
    pipeline.save_pretrained(model)
    theirs.save_pretrained(place)
    store, config = ModelStore("cpu"), place / "config.json"

    def scale(path: Path) -> float:
        store.clear()
        found: float = store.get(
            str(model), vae=str(path)
        ).diffusion.autoencoder.config.scale_factor
        return found

    said = json.loads(config.read_text())
    weights = place / "diffusion_pytorch_model.safetensors"
    for value, wanted in ((0.25, 0.25), (None, 0.5)):
        config.write_text(json.dumps({**said, "scaling_factor": value}))
        assert scale(place) == scale(weights) == wanted
    config.write_text(json.dumps({"_class_name": "Another", "scaling_factor": 0.25}))
    assert scale(place) == 0.5, "it is not about this"


@pytest.mark.parametrize(
    ("kind", "upcast", "dtype"),
    [
        (tiny_sdxl, None, torch.float32),
        (tiny_sdxl, True, torch.float32),
        (tiny_sdxl, False, torch.float16),
        (tiny_sd2, None, torch.float16),
    ],
)
def test_half_precision_holds_only_what_says_so(
    theirs: Any,
    tmp_path: Path,
    kind: Callable[[], Any],
    upcast: bool | None,
    dtype: torch.dtype,
) -> None:
    kind().save_pretrained(tmp_path / "model")
    model = ModelStore("cpu").get(str(tmp_path / "model")).diffusion
    theirs.save_pretrained(tmp_path / "vae")
    file = tmp_path / "vae" / "config.json"
    file.write_text(
        json.dumps({**json.loads(file.read_text()), "force_upcast": upcast})
    )
    row = locate(VAE, str(tmp_path / "vae"))
    network, _ = load_vae(row, model, "model", CPU, torch.float16)
    assert {weight.dtype for weight in network.parameters()} == {dtype}


def test_latents_that_a_model_normalises_are_its_own(
    theirs: Any, tmp_path: Path
) -> None:
    """Whatever a VAE for those of the usual kind says of its scale."""
    pipeline, means, spread = tiny_sdxl(), [0.5, -1.0, 2.0, 0.0], [1.0, 2.0, 3.0, 4.0]
    pipeline.vae.register_to_config(
        scaling_factor=0.5, latents_mean=means, latents_std=spread
    )
    pipeline.save_pretrained(tmp_path / "model")
    theirs.save_pretrained(tmp_path / "vae")
    model = ModelStore("cpu").get(str(tmp_path / "model"), vae=str(tmp_path / "vae"))
    config = model.diffusion.autoencoder.config
    assert (config.scale_factor, config.means) == (0.5, tuple(means))
    assert config.deviations == tuple(spread)


def test_a_refiner_goes_on_with_what_another_vae_shows(
    theirs: Any, tiny_folder: Path, tmp_path: Path
) -> None:
    """And each of the two models may draw first, or have no VAE of its own."""
    other, store = tmp_path / "other", ModelStore("cpu")
    tiny_pipeline(seed=4).save_pretrained(other)
    shutil.rmtree(other / "vae")
    vae = str(LAYOUTS["diffusers"](theirs, tmp_path))
    pairs = [(tiny_folder, other), (other, tiny_folder), (tiny_folder, other)]
    prompts = [asked(a, refiner=f"{b}@0.5", vae=vae) for a, b in pairs]
    first, second, again = pictures(*prompts, store=store)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
    [alone] = pictures(asked(tiny_folder, vae=vae), store=store)
    assert not np.array_equal(first, alone)
