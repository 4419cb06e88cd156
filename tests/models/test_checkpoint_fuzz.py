"""Checkpoints broken at random: refused, unless what is broken changes nothing."""

import json
import math
import struct
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from imaginairy.models.checkpoint import read_checkpoint
from tests.support.checkpoints import (
    PARTS,
    TEXT,
    UNET,
    Named,
    load_all,
    refusal,
    shapes_of,
    write_hollow,
)
from tests.support.examples import examples

broken_at_random = examples(1)

Shape = tuple[int, ...]
POSITIONS = f"{TEXT}embeddings.position_embedding.weight"
FREE: dict[str, Any] = {
    f"{TEXT}embeddings.token_embedding.weight": lambda shape: shape[1:] == (48,),
    POSITIONS: lambda shape: shape[1:] == (48,) and shape[0] > 2,
    f"{UNET}input_blocks.0.0.weight": lambda shape: (
        len(shape) == 4 and shape[1] in (4, 9) and (shape[0], *shape[2:]) == (32, 3, 3)
    ),
}
"""Tensors with a side that no other has, and whether they may have a shape."""


def never(_: Shape) -> bool:
    return False


def squeezed(shape: Shape) -> Shape:
    """Leave the 1 x 1 of a convolution out, which may be a matrix product."""
    return shape[:2] if shape[2:] == (1, 1) else shape


@st.composite
def changed(draw: st.DrawFn, shape: Shape) -> Shape:
    """Make up a shape, more or less like the one given."""
    sides = st.one_of(st.integers(0, 70), st.sampled_from([0, 4, 9, 48, 77, 2**62]))
    kind = draw(st.sampled_from(["other", "one side", "order", "ones"]))
    if kind == "order":
        return tuple(draw(st.permutations(shape)))
    if kind == "ones":
        return (*shape, *[1] * draw(st.integers(0, 2)))
    if kind == "one side" and shape:
        place = draw(st.integers(0, len(shape) - 1))
        return (*shape[:place], draw(sides), *shape[place + 1 :])
    return tuple(draw(st.lists(sides, max_size=5)))


@broken_at_random
@given(data=st.data())
def test_tensors_of_any_other_shape_are_refused(
    compvis: Named, tmp_path: Path, data: st.DataObject
) -> None:
    """Unless it is the tensor alone that says how long that side is."""
    file, shapes = tmp_path / "model.safetensors", shapes_of(compvis)
    names = st.one_of(st.sampled_from(sorted(shapes)), st.sampled_from(sorted(FREE)))
    before = dict(shapes)
    for name in data.draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        shape = data.draw(changed(shapes[name]))
        shapes[name] = shape if math.prod(shape) < 10**6 else (*shape, 0)
    write_hollow(file, shapes)
    fits = all(
        squeezed(shape) == squeezed(before[name])
        or (name in FREE and FREE[name](shape))
        for name, shape in shapes.items()
    )
    if fits:
        load_all(file)
    else:
        refusal(file)


def header_of(file: Path) -> Any:
    """Return what safetensors say of their tensors; None where that is no JSON."""
    content = file.read_bytes()
    [length] = struct.unpack("<Q", content[:8])
    try:
        return json.loads(content[8 : 8 + length])
    except ValueError:
        return None


@broken_at_random
@given(data=st.data())
def test_names_with_wrong_letters_are_refused(
    compvis: Named, tmp_path: Path, data: st.DataObject
) -> None:
    file = tmp_path / "model.safetensors"
    write_hollow(file, shapes_of(compvis))
    whole = header_of(file)
    with file.open("r+b") as opened:
        [length] = struct.unpack("<Q", opened.read(8))
        for _ in range(data.draw(st.integers(1, 4))):
            opened.seek(8 + data.draw(st.integers(0, length - 1)))
            opened.write(data.draw(st.binary(min_size=1, max_size=1)))
    if header_of(file) == whole:
        load_all(file)
    else:
        refusal(file)


def is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def unet_heads(settings: dict[str, Any]) -> tuple[int, ...] | None:
    """Return the heads of the UNet's two levels, of 32 and 64 channels, if any."""
    said = settings.get("num_attention_heads") or settings.get("attention_head_dim")
    heads = said if isinstance(said, list) and said else [said or 8] * 2
    named = (settings.get("num_attention_heads"), settings.get("attention_head_dim"))
    fit = len(heads) == 2 and all(map(is_count, heads))
    fit = fit and all(each or each is None for each in named)
    return tuple(heads) if fit and not (32 % heads[0] or 64 % heads[1]) else None


def makes_sense(part: str, settings: dict[str, Any]) -> bool:
    groups = settings.get("norm_num_groups", 32)
    if part == "text_encoder":
        heads = settings.get("num_attention_heads", 1)
        known = settings.get("hidden_act", "gelu") in ("gelu", "quick_gelu")
        return is_count(heads) and 48 % heads == 0 and known
    in_groups = is_count(groups) and 32 % groups == 0
    return in_groups and (part == "vae" or unet_heads(settings) is not None)


VALUES = st.recursive(
    st.sampled_from([1, 2, 4, 8, 16, 32, "gelu", [4, 8]])
    | st.none()
    | st.booleans()
    | st.integers(-3, 70)
    | st.floats()
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2)
    ),
)


@broken_at_random
@example(part="unet", given={"norm_num_groups": 2.0})
@example(part="unet", given={"attention_head_dim": [8.0, 8]})
@example(part="unet", given={"attention_head_dim": []})
@example(part="text_encoder", given={"num_attention_heads": 3.0})
@example(part="text_encoder", given={"num_attention_heads": -3})
@given(
    part=st.sampled_from(PARTS),
    given=st.dictionaries(
        st.sampled_from(
            [
                "attention_head_dim",
                "num_attention_heads",
                "norm_num_groups",
                "hidden_act",
            ]
        ),
        VALUES,
        min_size=1,
    ),
)
def test_settings_that_make_sense_are_met_and_all_others_refused(
    folder: Path, part: str, given: dict[str, Any]
) -> None:
    file = folder / part / "config.json"
    file.write_text(json.dumps(given))
    try:
        if not makes_sense(part, given):
            refusal(folder)
            return
        load_all(folder)
        checkpoint = read_checkpoint(folder)
        if part == "unet":
            assert checkpoint.parts["denoiser"].config.heads == unet_heads(given)
            groups = checkpoint.parts["denoiser"].config.norm_groups
        elif part == "vae":
            groups = checkpoint.parts["autoencoder"].config.norm_groups
        else:
            heads = given.get("num_attention_heads", 1)
            assert checkpoint.parts["text"].config.heads == heads
            return
        assert groups == given.get("norm_num_groups", 32)
    finally:
        file.unlink()
