"""Flux.1, Flux.2 and Chroma against diffusers' on the same weights, in each naming."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from diffusers import (
    ChromaTransformer2DModel,
    Flux2Transformer2DModel,
    FluxTransformer2DModel,
)

from imaginairy.conditioning import Conditioning
from imaginairy.networks.flux import Flux
from imaginairy.networks.tokens import cut, joined
from imaginairy.published.flux import flux
from tests.published.test_controlnet import filled
from tests.support.flow_names import its_authors
from tests.support.golden import CPU, assert_close
from tests.support.kin import hollow
from tests.support.renamed import Held, Named, digest

pytestmark = pytest.mark.filterwarnings(
    "ignore:`FluxPosEmbed` is deprecated:FutureWarning"
)
TOLERANCE = 1e-5
SMALL: dict[str, Any] = {
    "in_channels": 16, "num_layers": 2, "num_single_layers": 3,
    "attention_head_dim": 16, "num_attention_heads": 4, "joint_attention_dim": 24,
}  # fmt: skip
ONE: dict[str, Any] = SMALL | {"pooled_projection_dim": 20, "axes_dims_rope": (4, 6, 6)}
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Flux.1 schnell": (FluxTransformer2DModel, ONE),
    "Flux.1 dev": (FluxTransformer2DModel, ONE | {"guidance_embeds": True}),
    "Flux.2": (
        Flux2Transformer2DModel,
        SMALL | {"axes_dims_rope": (4, 4, 4, 4), "guidance_embeds": False},
    ),
    "Flux.2 dev": (Flux2Transformer2DModel, SMALL | {"axes_dims_rope": (4, 4, 4, 4)}),
    "Chroma": (
        ChromaTransformer2DModel,
        SMALL | {"axes_dims_rope": (4, 6, 6), "approximator_hidden_dim": 40},
    ),
}


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("renamed", [dict, its_authors])
@pytest.mark.parametrize("kind", KINDS)
def test_the_velocity_is_theirs(kind: str, renamed: Callable[[Named], Named]) -> None:
    build, size = KINDS[kind]
    torch.manual_seed(0)
    theirs = filled(build(**size), seed=1)
    part = flux(Held(renamed(theirs.state_dict())), dict(theirs.config))
    ours = part.load(CPU, torch.float32)
    assert isinstance(ours, Flux)
    latents, tokens = torch.randn(2, 4, 6, 8), torch.randn(2, 5, 24)
    share = torch.tensor([1.0, 0.3])
    pooled, guidance = torch.randn(2, 20), torch.tensor([3.5, 2.0])
    given = ours(latents, 1000 * share, Conditioning(tokens, pooled, guidance=guidance))
    axes = len(size["axes_dims_rope"])
    text_ids, image_ids = torch.zeros(5, axes), torch.zeros(12, axes)
    image_ids[:, 1], image_ids[:, 2] = (
        torch.arange(12) // 4,
        torch.arange(12) % 4,
    )
    if axes > 3:
        text_ids[:, 3] = torch.arange(5)
    asked: dict[str, Any] = {
        "hidden_states": cut(latents, 2, channels_last=False),
        "encoder_hidden_states": tokens, "timestep": share,
        "txt_ids": text_ids, "img_ids": image_ids,
    }  # fmt: skip
    if kind.startswith("Flux.1"):
        asked["pooled_projections"] = pooled
    if size.get("guidance_embeds", kind == "Flux.2 dev"):
        asked["guidance"] = guidance
    (wanted,) = theirs(**asked, return_dict=False)
    wanted = joined(wanted, latents.shape, 2, channels_last=False)
    assert_close(given, wanted, TOLERANCE)


def test_what_a_mask_hides_of_a_text_has_no_say() -> None:
    build, size = KINDS["Chroma"]
    torch.manual_seed(0)
    theirs = filled(build(**size), seed=1)
    ours = flux(Held(theirs.state_dict()), dict(theirs.config)).load(CPU, torch.float32)
    latents, tokens = torch.randn(1, 4, 6, 8), torch.randn(1, 5, 24)
    mask = torch.tensor([[True, True, True, False, False]])
    moment = torch.tensor([300.0])
    given = ours(latents, moment, Conditioning(tokens, mask=mask))
    others = torch.cat([tokens[:, :3], torch.randn(1, 2, 24)], dim=1)
    assert_close(ours(latents, moment, Conditioning(others, mask=mask)), given, 1e-6)
    assert not torch.allclose(ours(latents, moment, Conditioning(tokens)), given)


SCHNELL: dict[str, Any] = {"guidance_embeds": False}
KLEIN: dict[str, Any] = {
    "in_channels": 128, "num_layers": 5, "num_single_layers": 20,
    "num_attention_heads": 24, "joint_attention_dim": 7680, "guidance_embeds": False,
}  # fmt: skip
FULL: dict[str, tuple[Any, dict[str, Any], Callable[[Named], Named], str]] = {
    "schnell, folder": (FluxTransformer2DModel, SCHNELL, dict, "c2dfeddd23da"),
    "schnell, file": (FluxTransformer2DModel, SCHNELL, its_authors, "0de02c715271"),
    "dev, file": (
        FluxTransformer2DModel, {"guidance_embeds": True}, its_authors, "42e92a209e64",
    ),
    "klein, folder": (Flux2Transformer2DModel, KLEIN, dict, "bd1d59d92814"),
    "klein, file": (Flux2Transformer2DModel, KLEIN, its_authors, "20154f326a4d"),
    "Chroma, file": (ChromaTransformer2DModel, {}, its_authors, "f3e77e122afc"),
}  # fmt: skip
"""Which class, size and naming, and the digest of the published tensors."""


@pytest.mark.parametrize("file", FULL)
def test_every_tensor_of_the_published_files_has_its_place(file: str) -> None:
    build, size, renamed, published = FULL[file]
    named = renamed(hollow(build, **size))
    assert digest(named) == published
    for gain in ("scale", "weight"):
        again = {re.sub(r"\.scale$", f".{gain}", n): t for n, t in named.items()}
        part = flux(Held(again), {})
        part.load(torch.device("meta"), torch.bfloat16)
    config = part.config
    assert (config.width, config.heads) == (3072, 24)
    klein = "klein" in file
    blocks = (5, 20) if klein else (19, 38)
    assert (config.doubles, config.singles) == blocks
    assert config.axes == ((32,) * 4 if klein else (16, 56, 56))
    assert config.theta == (2000 if klein else 10000)
    assert config.in_channels == (32 if klein else 16)
    assert config.gated == klein
    assert config.bias != klein
    assert config.reads_guidance == ("dev" in file)
    assert (config.pooled_dim is None) == (klein or "Chroma" in file)
