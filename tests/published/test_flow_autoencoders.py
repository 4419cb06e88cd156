"""The autoencoders of Flux.1 and Flux.2 against diffusers' on the same weights."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderKLFlux2
from torch import Tensor

from imaginairy.conversion.pieces import pieces_of
from imaginairy.families.family import function
from imaginairy.families.flow_autoencoders import (
    FLUX_1_AUTOENCODER,
    FLUX_2_AUTOENCODER,
)
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.layers import while_set
from imaginairy.published.autoencoder import autoencoder, channels_of
from tests.published.test_controlnet import filled
from tests.support.golden import CPU, assert_close
from tests.support.kin import hollow
from tests.support.renamed import (
    Held,
    Named,
    compvis_autoencoder,
    digest,
    flux_2_autoencoder,
)

BLOCKS: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
SMALL: dict[str, Any] = BLOCKS | {
    "block_out_channels": (8, 8, 16, 16), "norm_num_groups": 4,
}  # fmt: skip
FULL: dict[str, Any] = BLOCKS | {"block_out_channels": (128, 256, 512, 512)}
ONE: dict[str, Any] = {
    "latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False,
    "scaling_factor": 0.3611, "shift_factor": 0.1159,
}  # fmt: skip
SMALL_DECODER = {"decoder_block_out_channels": (4, 8, 8, 12)}
TWO: dict[str, Any] = {"latent_channels": 32}


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def loaded(named: Named, usual: Any, **settings: Any) -> Autoencoder:
    said = {**usual, **settings, "norm_num_groups": 4}
    network = autoencoder(Held(named), said).load(CPU, torch.float32)
    assert isinstance(network, Autoencoder)
    return network


@pytest.mark.parametrize("renamed", [dict, compvis_autoencoder])
def test_latents_of_flux_1_are_scaled_and_shifted(
    renamed: Callable[[Named], Named],
) -> None:
    theirs = filled(AutoencoderKL(**SMALL, **ONE), seed=1)
    ours = loaded(renamed(theirs.state_dict()), FLUX_1_AUTOENCODER.usual)
    pictures, noise = torch.rand(2, 3, 48, 40) * 2 - 1, torch.randn(2, 16, 6, 5)
    drawn = theirs.encode(pictures).latent_dist
    wanted = (drawn.mean + drawn.std * noise - 0.1159) * 0.3611
    assert_close(ours.latents_of(pictures, noise), wanted, 1e-5)
    decoded = theirs.decode(noise / 0.3611 + 0.1159).sample
    assert_close(ours.pictures_of(noise), decoded, 1e-5)
    with while_set(ours, in_stripes=True):
        assert_close(ours.latents_of(pictures, noise), wanted, 1e-5)
        assert_close(ours.pictures_of(noise), decoded, 1e-5)


@pytest.mark.parametrize(
    ("renamed", "more"),
    [
        (dict, {}),
        (compvis_autoencoder, {}),
        (flux_2_autoencoder, {}),
        (dict, SMALL_DECODER),
        (flux_2_autoencoder, SMALL_DECODER),
    ],
)
def test_latents_of_flux_2_are_normalised_place_by_place(
    renamed: Callable[[Named], Named], more: dict[str, Any]
) -> None:
    theirs = filled(AutoencoderKLFlux2(**SMALL, **TWO, **more), seed=1)
    theirs.bn.running_mean.normal_()
    theirs.bn.running_var.uniform_(1e-4, 2)
    ours = loaded(renamed(theirs.state_dict()), FLUX_2_AUTOENCODER.usual)
    pictures, noise = torch.rand(2, 3, 48, 32) * 2 - 1, torch.randn(2, 32, 6, 4)
    wanted = packed(theirs.encode(pictures).latent_dist.mode())
    mean, variance = (
        each[:, None, None] for each in (theirs.bn.running_mean, theirs.bn.running_var)
    )
    deviation = (variance + theirs.config.batch_norm_eps).sqrt()
    wanted = (wanted - mean) / deviation
    assert_close(packed(ours.latents_of(pictures, noise)), wanted, 1e-5)
    unpacked = torch.nn.functional.pixel_shuffle(packed(noise) * deviation + mean, 2)
    decoded = theirs.decode(unpacked).sample
    assert_close(ours.pictures_of(noise), decoded, 1e-5)
    with while_set(ours, in_stripes=True):
        assert_close(ours.pictures_of(noise), decoded, 1e-5)
    odd = torch.randn(1, 32, 3, 5)  # what no squares divide
    assert ours.pictures_of(odd).shape == (1, 3, 24, 40)


def packed(latents: Tensor) -> Tensor:
    """Put squares of 2 x 2 latents into channels, as Flux.2 has them."""
    return torch.nn.functional.pixel_unshuffle(latents, 2)


FILES: dict[str, tuple[Any, dict[str, Any], Callable[[Named], Named], str]] = {
    "1, folder": (AutoencoderKL, ONE, dict, "428bb77a3f17"),
    "1, file": (AutoencoderKL, ONE, compvis_autoencoder, "6d1b1d297fe0"),
    "2, folder": (AutoencoderKLFlux2, TWO, dict, "7aaa5dba00ba"),
    "2, file": (AutoencoderKLFlux2, TWO, flux_2_autoencoder, "3b6aec4a94f1"),
}
"""Which class, size and naming, and the digest of the published tensors."""


@pytest.mark.parametrize("file", FILES)
def test_every_tensor_of_the_published_files_has_its_place(file: str) -> None:
    build, size, renamed, published = FILES[file]
    named = renamed(hollow(build, **FULL, **size))
    assert digest(named) == published
    part = autoencoder(Held(named), {})
    part.load(torch.device("meta"), torch.bfloat16)
    config = part.config
    later = file.startswith("2")
    assert channels_of(Held(named).shapes) == config.latent_channels
    assert config.latent_channels == (32 if later else 16)
    assert config.quantises == config.by_places == later
    assert (config.channels, config.downsampling) == ((128, 256, 512, 512), 8)


@pytest.mark.parametrize("file", FILES)
def test_they_are_written_as_they_are_published(file: str) -> None:
    """In each naming, from each."""
    build, size, renamed, _ = FILES[file]
    row = FLUX_2_AUTOENCODER if file.startswith("2") else FLUX_1_AUTOENCODER
    part = autoencoder(Held(renamed(hollow(build, **FULL, **size))), row.usual)
    assert row.written is not None
    for laid, naming in (("folder", row.written.folder), ("file", row.written.file)):
        pieces = pieces_of(part, function(naming), torch.bfloat16).pieces
        shapes = {each.name: torch.empty(each.shape, device="meta") for each in pieces}
        assert digest(shapes) == FILES[f"{file[0]}, {laid}"][3]
    said = function(row.written.config)(part)
    with torch.device("meta"):
        theirs = json.loads(json.dumps(dict(build(**FULL, **size).config)))
    assert said.pop("_class_name") == build.__name__
    assert said == {name: theirs[name] for name in said}
    assert {*size} <= {*said}
