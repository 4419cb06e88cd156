"""IP-Adapters against diffusers' on the same weights: tokens, keys and values."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from imaginairy.networks.ip_adapter import IPAdapter
from imaginairy.published.ip_adapter import ip_adapter
from imaginairy.published.naming import OtherDesignError
from tests.published.test_controlnet import SMALL, UP, XL
from tests.support.golden import CPU, assert_close
from tests.support.renamed import Held

TOLERANCE = 1e-5
SEEN, CONTEXT, WIDTH, TOKENS = 20, 48, 128, 5
PLAIN = {"proj": (4 * CONTEXT, SEEN), "norm": (CONTEXT,)}
FULL_FACE = {"proj.0": (SEEN, SEEN), "proj.2": (CONTEXT, SEEN), "proj.3": (CONTEXT,)}
READING = {
    "0.norm1": (WIDTH,), "0.norm2": (WIDTH,), "1.0": (WIDTH,),
    "0.to_q": (WIDTH, WIDTH), "0.to_kv": (2 * WIDTH, WIDTH), "0.to_out": (WIDTH, WIDTH),
    "1.1": (4 * WIDTH, WIDTH), "1.3": (WIDTH, 4 * WIDTH),
}  # fmt: skip
PLUS = {
    "proj_in": (WIDTH, SEEN), "proj_out": (CONTEXT, WIDTH), "norm_out": (CONTEXT,),
    **{f"layers.{n}.{name}": READING[name] for n in range(4) for name in READING},
}  # fmt: skip
DESIGNS: dict[str, dict[str, tuple[int, ...]]] = {
    "plain": PLAIN,
    "plus": PLUS,
    "full-face": FULL_FACE,
}
SIZES: dict[str, dict[str, Any]] = {"1": SMALL, "XL": {**XL, **UP}}


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def image_part(design: str) -> dict[str, Tensor]:
    """Return the tensors of a design as published ones name them."""
    torch.manual_seed(1)
    tensors = {}
    for name, shape in DESIGNS[design].items():
        norm, within = len(shape) == 1, name.startswith("layers.")
        tensors[f"{name}.weight"] = torch.randn(shape) / (
            1 if norm else shape[-1] ** 0.5
        )
        if norm or not within:
            tensors[f"{name}.bias"] = torch.randn(shape[0])
    return tensors | (
        {"latents": torch.randn(1, TOKENS, WIDTH)} if design == "plus" else {}
    )


def attention_part(theirs: UNet2DConditionModel) -> dict[str, Tensor]:
    """Return keys and values for a UNet, numbered as published ones are."""
    torch.manual_seed(2)
    tensors, number = {}, 1
    for name, layer in theirs.named_modules():
        if name.endswith(".attn2"):
            for kind in ("to_k_ip", "to_v_ip"):
                shape = layer.to_k.weight.shape
                tensors[f"{number}.{kind}.weight"] = (
                    torch.randn(shape) / shape[1] ** 0.5
                )
            number += 2
    return tensors


def opened(
    design: str, theirs: UNet2DConditionModel
) -> tuple[IPAdapter, dict[str, Any]]:
    """Return ours, and the tensors as diffusers takes them."""
    both = {"image_proj": image_part(design), "ip_adapter": attention_part(theirs)}
    flat = {f"{key}.{n}": t for key, part in both.items() for n, t in part.items()}
    ours = ip_adapter(Held(flat), {}).load(CPU, torch.float32)
    assert isinstance(ours, IPAdapter)
    return ours, both


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("design", DESIGNS)
def test_tokens_keys_and_values_are_theirs(design: str, size: str) -> None:
    theirs = UNet2DConditionModel(**SIZES[size]).eval()
    ours, tensors = opened(design, theirs)
    theirs._load_ip_adapter_weights([tensors], low_cpu_mem_usage=False)
    torch.manual_seed(3)
    seen = torch.randn((2, SEEN) if design == "plain" else (2, 7, SEEN))
    (projection,) = theirs.encoder_hid_proj.image_projection_layers
    wanted = projection(seen)
    tokens = ours.tokens(seen)
    assert_close(tokens, wanted, TOLERANCE)
    readers = [
        processor
        for name, processor in theirs.attn_processors.items()
        if ".attn2." in name
    ]
    pairs = ours.beside(tokens)
    assert len(pairs) == len(readers) > 0
    for (key, value), reader in zip(pairs, readers, strict=True):
        assert_close(key, reader.to_k_ip[0](wanted), TOLERANCE)
        assert_close(value, reader.to_v_ip[0](wanted), TOLERANCE)


def test_it_computes_in_the_type_it_is_loaded_in() -> None:
    theirs = UNet2DConditionModel(**SMALL)
    for design in DESIGNS:
        ours, _ = opened(design, theirs)
        ours = ours.to(torch.bfloat16)
        seen = torch.randn((2, SEEN) if design == "plain" else (2, 7, SEEN))
        assert ours.tokens(seen).dtype == torch.bfloat16, design
        assert {part.dtype for each in ours(seen) for part in each} == {torch.bfloat16}


FACE_ID = {
    "plain": {"image_proj.proj.0.weight": (8, 5), "image_proj.norm.weight": (48,)},
    "plus": {
        "image_proj.proj.0.weight": (8, 5),
        "image_proj.norm.weight": (48,),
        "image_proj.perceiver_resampler.proj_in.weight": (8, 5),
    },
}


@pytest.mark.parametrize("design", FACE_ID)
def test_what_wants_a_face_recogniser_is_refused(design: str) -> None:
    keys = {
        "ip_adapter.1.to_k_ip.weight": (32, 48),
        "ip_adapter.0.to_k_lora.down.weight": (4, 48),
    }
    held = Held({n: torch.zeros(s) for n, s in {**FACE_ID[design], **keys}.items()})
    with pytest.raises(OtherDesignError, match=r"it is a FaceID model.*use a plain"):
        ip_adapter(held, {})


def test_one_without_an_image_part_is_told_what_it_lacks() -> None:
    held = Held({"ip_adapter.1.to_k_ip.weight": torch.zeros(32, 48)})
    with pytest.raises(KeyError, match=r"image_proj\.proj\.weight"):
        ip_adapter(held, {})
