"""Every tensor of published ControlNets, T2I-Adapters and IP-Adapters has its place.

At full size, of names and shapes alone; their digests were taken from lists of the
published tensors.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, ControlNetUnionModel, T2IAdapter

from imaginairy.published.control_forms import completed
from imaginairy.published.controlnet import controlnet
from imaginairy.published.ip_adapter import ip_adapter, numbers
from imaginairy.published.t2i_adapter import t2i_adapter
from imaginairy.published.unet import unet
from imaginairy.weights.assemble import Part
from tests.published.test_controlnet import HINTS, compvis
from tests.published.test_t2i_adapter import as_its_authors
from tests.support.kin import UNETS, hollow, kin_unet
from tests.support.renamed import Held, Named, digest

META = torch.device("meta")
SD_1: dict[str, Any] = {"cross_attention_dim": 768, "attention_head_dim": 8}
OF_UNETS = ("up_block_types", "in_channels")


def sized(kind: str) -> dict[str, Any]:
    """Return how the way down of a UNet of one of the kinds is sized."""
    return {k: v for k, v in UNETS[kind].items() if k not in OF_UNETS} | HINTS


def with_prefix(named: Named) -> Named:
    return {f"control_model.{name}": each for name, each in compvis(named).items()}


NETS: dict[str, tuple[Any, dict[str, Any], Callable[[Named], Named], str | None]] = {
    "1.5, file": (ControlNetModel, SD_1 | HINTS, with_prefix, "97447235acb0"),
    "1.5, folder": (ControlNetModel, SD_1 | HINTS, dict, "e98d096ae52c"),
    "2.1, file": (ControlNetModel, sized("2.1"), with_prefix, None),
    "2.1, folder": (ControlNetModel, sized("2.1"), dict, None),
    "XL, file": (ControlNetModel, sized("XL"), compvis, None),
    "XL, folder": (ControlNetModel, sized("XL"), dict, "1db431cae5cf"),
    "XL, union": (
        ControlNetUnionModel, sized("XL") | {"num_control_type": 6}, dict,
        "a3e2b56bb3db",
    ),
    "XL, union of eight": (
        ControlNetUnionModel, sized("XL") | {"num_control_type": 8}, dict, None,
    ),
}  # fmt: skip
"""Which class, size and naming, and the digest of the published tensors."""
SD_CHANNELS, XL_CHANNELS = [320, 640, 1280, 1280], [320, 640, 1280, 1280]
FULL: dict[str, Any] = {"adapter_type": "full_adapter", "channels": SD_CHANNELS}
LIGHT: dict[str, Any] = {
    "adapter_type": "light_adapter", "channels": [320, 640, 1280], "num_res_blocks": 4,
}  # fmt: skip
LONGER = LIGHT | {"channels": SD_CHANNELS}
"""The last of the light ones' stages is as wide as the one before, and not listed."""
FULL_XL: dict[str, Any] = {
    "adapter_type": "full_adapter_xl", "channels": XL_CHANNELS, "downscale_factor": 16,
}  # fmt: skip
ADAPTERS: dict[str, tuple[dict[str, Any], Callable[[Named], Named], str | None]] = {
    "1.5, folder": (FULL, dict, "a2fe75fd2b13"),
    "1.5, file": (FULL, as_its_authors, "3481f1c92ddb"),
    "1.5, grey, file": (FULL | {"in_channels": 1}, as_its_authors, None),
    "light, folder": (LIGHT, dict, None),
    "light, file": (LIGHT, as_its_authors, None),
    "light, longer, folder": (LONGER, dict, "64742d33fadc"),
    "light, longer, file": (LONGER, as_its_authors, "b5d0892e237b"),
    "XL, folder": (FULL_XL, dict, "e3c9499e8222"),
    "XL, file": (FULL_XL, as_its_authors, "9c19055512d5"),
}
XL_HEADS = (5, 10, 20)
VIT_H, BIG_G, HIDDEN = 1024, 1280, 1280
"""Widths of what image encoders give: embeddings of two, and hidden states."""


def assert_fits(part: Part) -> None:
    """Fill the network; a tensor with no place, or a place with none, is refused."""
    part.load(META, torch.float16)


@pytest.mark.parametrize("net", NETS)
def test_a_controlnet_of_every_kind_is_read_off_its_shapes(net: str) -> None:
    build, size, renamed, published = NETS[net]
    named = renamed(hollow(build, **size))
    assert published in (None, digest(named))
    part = controlnet(completed(Held(named), None), {})  # type: ignore[arg-type]
    down = part.config.unet
    assert down.context_dim == size["cross_attention_dim"]
    assert down.channels == size.get("block_out_channels", (320, 640, 1280, 1280))
    heads = size["attention_head_dim"]
    assert down.heads == (heads if isinstance(heads, tuple) else (heads,) * 4)
    assert part.config.hint_channels == (16, 32, 96, 256)
    assert part.config.kinds == size.get("num_control_type", 0)
    assert_fits(part)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_t2i_adapter_of_every_kind_is_read_off_its_shapes(adapter: str) -> None:
    size, renamed, published = ADAPTERS[adapter]
    named = renamed(hollow(T2IAdapter, **size))
    assert published in (None, digest(named))
    part = t2i_adapter(Held(named), {})
    light = size in (LIGHT, LONGER)
    last = size["channels"][-1:] if light else []
    assert part.config.channels == (*size["channels"], *last)
    assert part.config.light == light
    assert part.config.colours == size.get("in_channels", 3)
    assert_fits(part)


def image_plain(seen: int, context: int) -> dict[str, tuple[int, ...]]:
    return {
        "proj.weight": (4 * context, seen), "proj.bias": (4 * context,),
        "norm.weight": (context,), "norm.bias": (context,),
    }  # fmt: skip


def image_full_face(seen: int, context: int) -> dict[str, tuple[int, ...]]:
    return {
        "proj.0.weight": (seen, seen), "proj.0.bias": (seen,),
        "proj.2.weight": (context, seen), "proj.2.bias": (context,),
        "proj.3.weight": (context,), "proj.3.bias": (context,),
    }  # fmt: skip


def image_plus(width: int, context: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "latents": (1, 16, width),
        "proj_in.weight": (width, HIDDEN), "proj_in.bias": (width,),
        "proj_out.weight": (context, width), "proj_out.bias": (context,),
        "norm_out.weight": (context,), "norm_out.bias": (context,),
    }  # fmt: skip
    for layer in range(4):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"layers.{layer}.{norm}.{k}": (width,) for k in NORM}
        shapes |= {
            f"layers.{layer}.0.to_q.weight": (width, width),
            f"layers.{layer}.0.to_kv.weight": (2 * width, width),
            f"layers.{layer}.0.to_out.weight": (width, width),
            f"layers.{layer}.1.1.weight": (4 * width, width),
            f"layers.{layer}.1.3.weight": (width, 4 * width),
        }
    return shapes


NORM = ("weight", "bias")
IP_ADAPTERS: dict[str, tuple[str, dict[str, tuple[int, ...]], str | None]] = {
    "1.5": ("1.5", image_plain(VIT_H, 768), "7a37dc467472"),
    "1.5, Plus": ("1.5", image_plus(768, 768), "566bd6d4fa89"),
    "1.5, full face": ("1.5", image_full_face(HIDDEN, 768), None),
    "XL, ViT-H": ("XL", image_plain(VIT_H, 2048), "4b6f8caacbe2"),
    "XL, bigG": ("XL", image_plain(BIG_G, 2048), "f1c7fcd3f45a"),
    "XL, Plus": ("XL", image_plus(1280, 2048), "05222f56b1f9"),
}
PLUS_HEADS = {"1.5, Plus": 12, "XL, Plus": 20}


def key_values(unet_: Named, context: int) -> dict[str, tuple[int, ...]]:
    """Return shapes of keys and values for each cross-attention: down, up, middle."""
    widths = [
        tensor.shape[0]
        for part in ("down_blocks.", "up_blocks.", "mid_block.")
        for name, tensor in unet_.items()
        if name.startswith(part) and name.endswith(".attn2.to_k.weight")
    ]
    return {
        f"{2 * place + 1}.{kind}.weight": (width, context)
        for place, width in enumerate(widths)
        for kind in ("to_k_ip", "to_v_ip")
    }


@pytest.mark.parametrize("adapter", IP_ADAPTERS)
def test_an_ip_adapter_of_every_kind_is_read_off_its_shapes(adapter: str) -> None:
    family, image, published = IP_ADAPTERS[adapter]
    sizes = SD_1 if family == "1.5" else UNETS["XL"]
    context = sizes["cross_attention_dim"]
    base = (
        hollow(kin_unet, "2.1", **SD_1) if family == "1.5" else hollow(kin_unet, "XL")
    )
    shapes = {f"image_proj.{name}": shape for name, shape in image.items()}
    pairs = key_values(base, context)
    shapes |= {f"ip_adapter.{name}": shape for name, shape in pairs.items()}
    named = {name: torch.empty(shape, device=META) for name, shape in shapes.items()}
    assert published in (None, digest(named))
    part = ip_adapter(Held(named), {})
    assert len(numbers(part.tensors.shapes)) == (70 if family == "XL" else 16)
    assert part.config.heads == PLUS_HEADS.get(adapter, 12)
    assert part.config.tokens == (16 if "Plus" in adapter else 4)
    assert_fits(part)


def control_lora(whole: Named, rank: int = 4) -> Named:
    """Lay a ControlNet down as Control-LoRAs are: matrices as what is added to the
    UNet's own, by two thin ones."""
    thin = {"lora_controlnet": torch.zeros(0, device=META)}
    for name, tensor in whole.items():
        own = not name.startswith(
            ("input_hint_block", "zero_convs", "middle_block_out")
        )
        if tensor.ndim > 1 and own:
            out, *rest = tensor.shape
            end = name.removesuffix(".weight")
            thin[f"{end}.up"] = torch.empty(
                out, rank, *[1] * (len(rest) - 1), device=META
            )
            thin[f"{end}.down"] = torch.empty(rank, *rest, device=META)
        else:
            thin[name] = tensor
    return thin


@pytest.mark.parametrize("kind", ["XL", "1.5"])
def test_a_control_lora_of_full_size_is_completed_by_its_unet(kind: str) -> None:
    sizes = sized("XL") if kind == "XL" else SD_1 | HINTS
    base = hollow(kin_unet, "XL") if kind == "XL" else hollow(kin_unet, "2.1", **SD_1)
    part = unet(Held(base), {})
    ours = part.load(META, torch.float16)
    thin = control_lora(compvis(hollow(ControlNetModel, **sizes)))
    whole = completed(Held(thin), ours)  # type: ignore[arg-type]
    told = {
        "attention_head_dim": [*part.config.heads],
        "norm_num_groups": part.config.norm_groups,
    }
    read = controlnet(whole, told)
    assert read.config.unet.heads == part.config.heads
    assert read.config.unet.down == part.config.down
