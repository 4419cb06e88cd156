"""T2I-Adapters against diffusers' on the same weights, in every naming."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import T2IAdapter, UNet2DConditionModel
from torch import Tensor

from imaginairy.published.t2i_adapter import t2i_adapter
from imaginairy.published.unet import unet
from tests.published.test_controlnet import SMALL, UP, XL, filled, told
from tests.support.golden import CPU, assert_close
from tests.support.renamed import Held, Named

TOLERANCE = 1e-5
DESIGNS: dict[str, dict[str, Any]] = {
    "full": {"adapter_type": "full_adapter", "channels": [32, 64, 64, 64]},
    "grey": {
        "adapter_type": "full_adapter", "channels": [32, 64, 64, 64], "in_channels": 1,
    },
    "XL": {
        "adapter_type": "full_adapter_xl", "channels": [32, 64, 64, 64],
        "downscale_factor": 16,
    },
    "light": {
        "adapter_type": "light_adapter", "channels": [32, 64, 64, 64],
        "num_res_blocks": 4,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def as_its_authors(named: Named) -> dict[str, Tensor]:
    """Rename an adapter as it was published first."""

    def in_row(found: re.Match[str]) -> str:
        return f"body.{2 * int(found[1]) + int(found[2])}."

    renamed = {name.removeprefix("adapter."): each for name, each in named.items()}
    if not any(name.startswith("conv_in.") for name in renamed):
        return {name.replace(".resnets.", ".body."): t for name, t in renamed.items()}
    renamed = {
        re.sub(r"body\.(\d)\.resnets\.(\d)\.", in_row, name): each
        for name, each in renamed.items()
    }
    return {
        re.sub(r"body\.(\d)\.in_conv", lambda f: f"body.{2 * int(f[1])}.in_conv", n): t
        for n, t in renamed.items()
    }


@pytest.mark.parametrize("named", ["diffusers", "authors"])
@pytest.mark.parametrize("design", DESIGNS)
def test_the_feature_maps_are_theirs(design: str, named: str) -> None:
    theirs = filled(T2IAdapter(**DESIGNS[design]), seed=1)
    weights = theirs.state_dict()
    held = Held(weights if named == "diffusers" else as_its_authors(weights))
    ours = t2i_adapter(held, {}).load(CPU, torch.float32)
    torch.manual_seed(0)
    hint = torch.rand(2, DESIGNS[design].get("in_channels", 3), 128, 96)
    for given, wanted in zip(ours(hint), theirs(hint), strict=False):
        assert_close(given, wanted, TOLERANCE)


@pytest.mark.parametrize(
    ("size", "design"), [(SMALL, "full"), (XL, "XL")], ids=["1", "XL"]
)
def test_a_unet_adds_them_where_theirs_does(size: dict[str, Any], design: str) -> None:
    theirs = filled(UNet2DConditionModel(**size, **(UP if size is XL else {})), seed=2)
    ours = unet(Held(theirs.state_dict()), dict(theirs.config)).load(CPU, torch.float32)
    torch.manual_seed(0)
    hint = torch.rand(2, 3, 128, 64)
    features = filled(T2IAdapter(**DESIGNS[design]), seed=1)(hint)
    latents, timesteps = torch.randn(2, 4, 16, 8), torch.tensor([300.0, 7.0])
    text, beside = told(size)
    (wanted,) = theirs(
        latents,
        timesteps,
        text.tokens,
        added_cond_kwargs=beside,
        down_intrablock_additional_residuals=[each.clone() for each in features],
        return_dict=False,
    )
    given = ours(latents, timesteps, replace(text, features=features))
    assert_close(given, wanted, TOLERANCE)
    plain = ours(latents, timesteps, text)
    assert not torch.allclose(given, plain, atol=1e-2)
