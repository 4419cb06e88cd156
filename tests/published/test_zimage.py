"""Z-Image's transformer against diffusers' on the same weights, in each naming."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from diffusers import ZImageTransformer2DModel
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.networks.layers import while_set
from imaginairy.networks.zimage import ZImage
from imaginairy.published.naming import OtherDesignError
from imaginairy.published.zimage import zimage
from tests.published.test_controlnet import filled
from tests.support.golden import CPU, assert_close
from tests.support.kin import hollow
from tests.support.renamed import Held, Named, digest

TOLERANCE = 1e-5
SMALL: dict[str, Any] = {
    "dim": 72, "n_layers": 3, "n_refiner_layers": 2, "n_heads": 3, "n_kv_heads": 3,
    "cap_feat_dim": 20, "in_channels": 4, "axes_dims": [8, 8, 8],
    "axes_lens": [128, 64, 64],
}  # fmt: skip
RENAMED = {
    r"^all_(final_layer|x_embedder)\.2-1\.": r"\1.",
    r"attention\.norm_(q|k)\.": r"attention.\1_norm.",
    r"attention\.to_out\.0\.": "attention.out.",
}


def its_authors(named: Named) -> dict[str, Tensor]:
    """Rename one as its authors saved it: queries, keys and values lie in one."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in named.items():
        if re.search(r"attention\.to_[kv]\.", name):
            continue
        if "attention.to_q." in name:
            each = [named[name.replace("to_q", f"to_{one}")] for one in "qkv"]
            renamed[name.replace("to_q", "qkv")] = torch.cat(each)
            continue
        for theirs, authors in RENAMED.items():
            name = re.sub(theirs, authors, name)
        renamed[name] = tensor
    return renamed


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def theirs() -> Any:
    torch.manual_seed(0)
    with torch.inference_mode():
        return filled(ZImageTransformer2DModel(**SMALL), seed=1)


def loaded(named: Named, settings: dict[str, Any]) -> ZImage:
    network = zimage(Held(named), settings).load(CPU, torch.float32)
    assert isinstance(network, ZImage)
    return network


@pytest.mark.parametrize("size", [(12, 8), (16, 16)])
@pytest.mark.parametrize("renamed", [dict, its_authors])
def test_the_velocity_is_theirs(
    theirs: Any, renamed: Callable[[Named], Named], size: tuple[int, int]
) -> None:
    """Texts of one batch may be of any length: each is filled up by itself."""
    settings = dict(theirs.config) if renamed is dict else {}
    ours = loaded(renamed(theirs.state_dict()), settings)
    torch.manual_seed(1)
    latents, share = torch.randn(3, 4, *size), torch.tensor([1.0, 0.3, 0.6])
    texts = [torch.randn(length, 20) for length in (5, 40, 32)]
    told = Conditioning.stacked([Conditioning(text[None]) for text in texts])
    wanted = theirs([*latents[:, :, None]], 1 - share, texts, return_dict=False)[0]
    wanted = -torch.stack(wanted)[:, :, 0]
    assert_close(ours(latents, 1000 * share, told), wanted, TOLERANCE)
    alone = ours(latents[1:2], 1000 * share[1:2], Conditioning(texts[1][None]))
    assert_close(alone, wanted[1:2], TOLERANCE)
    with while_set(ours, slices=8):
        assert_close(ours(latents, 1000 * share, told), wanted, TOLERANCE)


def test_what_a_mask_hides_of_a_text_has_no_say(theirs: Any) -> None:
    ours = loaded(theirs.state_dict(), dict(theirs.config))
    latents, tokens = torch.randn(1, 4, 8, 8), torch.randn(1, 40, 20)
    mask, moment = torch.arange(40)[None] < 7, torch.tensor([300.0])
    others = torch.cat([tokens[:, :7], torch.randn(1, 33, 20)], dim=1)
    given = ours(latents, moment, Conditioning(tokens, mask=mask))
    assert_close(ours(latents, moment, Conditioning(others, mask=mask)), given, 1e-6)
    short = ours(latents, moment, Conditioning(tokens[:, :7]))
    assert_close(given, short, TOLERANCE)
    assert not torch.allclose(ours(latents, moment, Conditioning(tokens)), given)
    with pytest.raises(ValueError, match="cut into patches"):
        ours(torch.randn(1, 4, 8, 7), moment, Conditioning(tokens))


@pytest.mark.parametrize(
    ("renamed", "published"),
    [(dict, "342b87a80241"), (its_authors, "d216188ece55")],
    ids=["folder", "file"],
)
def test_every_tensor_of_the_published_files_has_its_place(
    renamed: Callable[[Named], Named], published: str
) -> None:
    named = renamed(hollow(ZImageTransformer2DModel))
    assert digest(named) == published
    part = zimage(Held(named), {})
    part.load(torch.device("meta"), torch.bfloat16)
    config = part.config
    assert (config.width, config.heads, config.layers) == (3840, 30, 30)
    assert (config.axes, config.theta, config.refiners) == ((32, 48, 48), 256, 2)


def test_one_that_sees_pictures_is_refused(theirs: Any) -> None:
    more = {**theirs.state_dict(), "siglip_embedder.0.weight": torch.zeros(4)}
    with pytest.raises(OtherDesignError, match="Omni"):
        zimage(Held(more), {})
