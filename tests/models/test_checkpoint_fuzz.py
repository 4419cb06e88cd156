"""Checkpoints broken at random: read or refused, and nothing else."""

import json
import math
import struct
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from imaginairy.errors import CheckpointError
from imaginairy.models.checkpoint import PARTS
from tests.support.checkpoints import Named, load_all, shapes_of, write_hollow
from tests.support.examples import examples

broken_at_random = examples(1)


def load_or_refuse(path: Path) -> None:
    try:
        load_all(path)
    except CheckpointError as error:
        assert "\n" not in str(error)


@broken_at_random
@given(data=st.data())
def test_tensors_of_any_shape_are_loaded_or_refused(
    compvis: Named, tmp_path: Path, data: st.DataObject
) -> None:
    shapes = shapes_of(compvis)
    names = st.sampled_from(sorted(shapes))
    sides = st.one_of(st.integers(0, 70), st.sampled_from([0, 2**31, 2**62]))
    for name in data.draw(st.lists(names, min_size=1, max_size=3)):
        shape = tuple(data.draw(st.lists(sides, max_size=5)))
        shapes[name] = shape if math.prod(shape) < 10**6 else (*shape, 0)
    write_hollow(tmp_path / "model.safetensors", shapes)
    load_or_refuse(tmp_path / "model.safetensors")


@broken_at_random
@given(data=st.data())
def test_names_with_wrong_letters_are_refused(
    compvis: Named, tmp_path: Path, data: st.DataObject
) -> None:
    file = tmp_path / "model.safetensors"
    write_hollow(file, shapes_of(compvis))
    with file.open("r+b") as opened:
        [length] = struct.unpack("<Q", opened.read(8))
        for _ in range(data.draw(st.integers(1, 4))):
            opened.seek(8 + data.draw(st.integers(0, length - 1)))
            opened.write(data.draw(st.binary(min_size=1, max_size=1)))
    load_or_refuse(file)


@broken_at_random
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
        st.recursive(
            st.none() | st.booleans() | st.integers(-3, 70) | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.text(), inner, max_size=2)
            ),
        ),
        min_size=1,
    ),
)
def test_settings_that_make_no_sense_are_met_or_refused(
    folder: Path, part: str, given: dict[str, Any]
) -> None:
    (folder / part / "config.json").write_text(json.dumps(given))
    try:
        load_or_refuse(folder)
    finally:
        (folder / part / "config.json").unlink()
