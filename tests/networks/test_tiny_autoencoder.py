"""TAESD: every naming has its place, and it computes what diffusers' does."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import AutoencoderTiny
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.networks.config import TinyAutoencoderConfig
from imaginairy.networks.tiny_autoencoder import TinyAutoencoder
from imaginairy.published.tiny_autoencoder import tiny_autoencoder
from tests.support.golden import CPU, assert_close
from tests.support.kin import hollow
from tests.support.renamed import Held, Named, digest
from tests.support.taesd import halves, tiny_taesd

SIZES: dict[str, dict[str, Any]] = {
    "as published": {"width": 64},
    "narrow": {},
    "16 channels": {"latent_channels": 16},
    "uneven": {"num_encoder_blocks": (1, 2, 1, 3), "num_decoder_blocks": (2, 1, 3, 1)},
}
DIGESTS = {
    "diffusers": "5a15e41b244a",
    "encoder": "fdea92f5d743",
    "decoder": "2d9d6d79a874",
}
"""Of the published files' names and shapes."""
SCALES: tuple[dict[str, Any], ...] = ({}, {"scaling_factor": 0.5})


def as_author(named: Named) -> Named:
    return {
        f"{half}.{name}": tensor
        for half, own in halves(dict(named)).items()
        for name, tensor in own.items()
    }


def loaded(named: Named, **settings: Any) -> Any:
    return tiny_autoencoder(Held(named), settings).load(CPU, torch.float32)


@pytest.mark.parametrize("naming", [dict, as_author])
@pytest.mark.parametrize("sizes", SIZES)
@torch.inference_mode()
def test_it_encodes_and_decodes_as_diffusers_does(
    sizes: str, naming: Callable[[Named], Named]
) -> None:
    theirs = tiny_taesd(**SIZES[sizes])
    ours = loaded(naming(theirs.state_dict()))
    picture = torch.rand(2, 3, 40, 24) * 2 - 1
    latents = torch.randn(2, ours.config.latent_channels, 5, 3) * 4
    assert_close(ours.encode(picture), theirs.encode(picture).latents, tolerance=1e-5)
    assert_close(ours.decode(latents), theirs.decode(latents).sample, tolerance=1e-5)


def test_the_published_files_are_read_off_their_shapes() -> None:
    named = hollow(AutoencoderTiny)
    own = halves(dict(named))
    assert digest(named) == DIGESTS["diffusers"]
    assert {half: digest(own[half]) for half in own} == {
        half: DIGESTS[half] for half in own
    }
    for each in (named, as_author(named)):
        part = tiny_autoencoder(Held(each), {})
        assert part.config == TinyAutoencoderConfig()
        part.load(torch.device("meta"), torch.float16)


@torch.inference_mode()
def test_the_decoder_alone_is_enough_to_decode() -> None:
    theirs = tiny_taesd()
    named = {n: t for n, t in theirs.state_dict().items() if n.startswith("decoder.")}
    ours, latents = loaded(named), torch.randn(1, 4, 4, 4)
    assert ours.encoder is None
    assert_close(ours.decode(latents), theirs.decode(latents).sample, tolerance=1e-5)
    with pytest.raises(ValueError, match="has no encoder"):
        ours.encode(torch.zeros(1, 3, 32, 32))


@torch.inference_mode()
def test_latents_are_those_that_the_diffusion_model_sees() -> None:
    theirs = tiny_taesd()
    plain, scaled = (loaded(theirs.state_dict(), **said) for said in SCALES)
    picture, latents = torch.rand(1, 3, 32, 32), torch.randn(1, 4, 4, 4)
    noise = torch.randn(1, 4, 4, 4)
    assert torch.equal(plain.latents_of(picture, noise), plain.encode(picture))
    assert torch.equal(plain.pictures_of(latents), plain.decode(latents))
    assert_close(scaled.latents_of(picture, noise), plain.encode(picture) * 0.5)
    assert_close(scaled.pictures_of(latents * 0.5), plain.decode(latents))


def test_what_it_learns_by_is_what_it_computes() -> None:
    """In place or not, the numbers are the same."""
    network, latents = (
        TinyAutoencoder(TinyAutoencoderConfig(8)),
        torch.randn(1, 4, 4, 4),
    )
    learning: Tensor = network.decode(latents)
    with torch.inference_mode():
        assert_close(network.decode(latents), learning)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decoder.layers.7.conv.2.bias": None}, "1 missing .decoder.layers.7.conv.2"),
        ({"decoder.layers.9.conv.6.bias": (8,)}, "1 unexpected .decoder.layers.9.conv"),
        ({"encoder.layers.2.weight": (8, 4, 3, 3)}, "1 misshapen .encoder.layers.2.w"),
        (
            {"encoder.layers.2.weight": None},
            "halves pictures 2 times and its decoder",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    change: dict[str, tuple[int, ...] | None], said: str
) -> None:
    named = dict(hollow(tiny_taesd))
    for name, shape in change.items():
        named.pop(name, None)
        if shape is not None:
            named[name] = torch.empty(shape, device="meta")
    with pytest.raises(CheckpointError, match=said):
        tiny_autoencoder(Held(named), {}).load(CPU, torch.float32)
