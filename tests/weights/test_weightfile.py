"""Files of tensors: read whole, in one piece or in shards."""

import json
import struct
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from imaginairy.weights.weightfile import open_weights
from tests.support.golden import DATA, normal
from tests.support.weightfiles import TENSORS, WRITERS, assert_holds, each_kind, refusal

# --- what is read ---------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("ending", [".safetensors", ".ckpt", ".bin", ""])
def test_the_kind_is_told_by_content_not_by_the_ending(
    tmp_path: Path, write: Callable[[Path], None], ending: str
) -> None:
    write(tmp_path / f"weights{ending}")
    opened = open_weights(tmp_path / f"weights{ending}")
    assert_holds(opened, TENSORS)
    assert opened.files == (tmp_path / f"weights{ending}",)


@pytest.mark.parametrize("length", range(64, 600, 8))
def test_safetensors_with_headers_of_any_length(tmp_path: Path, length: int) -> None:
    """The length comes first in the file, and may start like a pickle or a zip."""
    file = tmp_path / "weights"
    data = struct.pack("<2f", 1, 2)
    header = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'.ljust(length)
    file.write_bytes(struct.pack("<Q", length) + header + data)
    assert_holds(open_weights(file), {"a": torch.tensor([1.0, 2.0])})


def test_safetensors_whose_data_lies_askew(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    header = (
        b'{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"a":{"dtype":"F32","shape":[2,1],"data_offsets":[1,9]},'
        b'"__metadata__":{"format":"pt"}}'
    )
    file.write_bytes(struct.pack("<QB", len(header), 5)[:8] + header + b"\x05")
    with file.open("ab") as opened:
        opened.write(struct.pack("<2f", 1, 2))
    assert_holds(
        open_weights(file),
        {"a": torch.tensor([[1.0], [2.0]]), "b": torch.tensor([5], dtype=torch.uint8)},
    )


def test_safetensors_are_read_where_they_lie_not_where_they_are_listed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "weights"
    header = (
        b'{"z":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},'
        b'"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    )
    data = struct.pack("<4f", 1, 2, 3, 4)
    file.write_bytes(struct.pack("<Q", len(header)) + header + data)
    assert_holds(
        open_weights(file),
        {"a": torch.tensor([1.0, 2.0]), "z": torch.tensor([3.0, 4.0])},
    )


def test_writing_to_a_tensor_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        write(tmp_path / name)
        before = (tmp_path / name).read_bytes()
        open_weights(tmp_path / name).read("a.weight").fill_(9)
        assert (tmp_path / name).read_bytes() == before


@each_kind
def test_tensors_survive_the_return_of_their_memory(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "weights")
    opened = open_weights(tmp_path / "weights")
    tensor = opened.below("a.").read("weight")
    opened.below("a.").rest()
    assert torch.equal(tensor, TENSORS["a.weight"])


def test_memory_of_mapped_tensors_is_given_back(tmp_path: Path) -> None:
    """Of a file, of a part of one, and of shards: it lies in the file alone again."""
    save_file({"a.x": torch.ones(10_000)}, tmp_path / "one.safetensors")
    index = write_index(tmp_path, {"a.x": "one.safetensors"})
    for file in (tmp_path / "one.safetensors", index):
        opened = open_weights(file)
        for tensors, name in ((opened, "a.x"), (opened.below("a."), "x")):
            tensor = tensors.read(name)
            tensor.fill_(9)  # in memory, where it is not to stay
            tensors.rest()
            assert torch.equal(tensor, torch.ones(10_000))


def test_names_below_a_prefix(tmp_path: Path) -> None:
    save_file({"x.y.a": torch.ones(1), "x.b": torch.ones(2)}, tmp_path / "weights")
    below = open_weights(tmp_path / "weights").below("x.").below("y.")
    assert below.shapes == {"a": (1,)}
    assert below.prefix == "x.y."
    assert below.files == (tmp_path / "weights",)
    assert below.read("a").tolist() == [1.0]


@pytest.mark.parametrize("key", [None, "state_dict", "params_ema", "params"])
def test_tensors_lie_at_the_top_or_under_a_known_key(
    tmp_path: Path, key: str | None
) -> None:
    content: Any = OrderedDict(TENSORS)
    torch.save({key: content} if key else content, tmp_path / "weights")
    assert_holds(open_weights(tmp_path / "weights"), TENSORS)


def test_averaged_weights_are_preferred(tmp_path: Path) -> None:
    content = {"params": {"a": torch.zeros(1)}, "params_ema": {"a": torch.ones(1)}}
    torch.save(content, tmp_path / "weights")
    assert_holds(open_weights(tmp_path / "weights"), {"a": torch.ones(1)})


def test_only_named_plain_tensors_are_taken_from_a_pickle(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantised tensors are on their way out
        quantised = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    content = {
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "shared": torch.ones(4)[1:3],
        1: torch.ones(2),
        "text": "words",
        "list": [torch.ones(2)],
        "sparse": torch.ones(2, 2).to_sparse(),
        "nowhere": torch.empty(2, device="meta"),
        "quantised": quantised,
    }
    torch.save(content, tmp_path / "weights")
    opened = open_weights(tmp_path / "weights")
    assert opened.shapes == {"parameter": (2,), "shared": (2,)}


def test_an_old_lightning_checkpoint_is_read_without_lightning() -> None:
    """It mentions the nine foreign names of the published Stable Diffusion files."""
    assert "pytorch_lightning" not in sys.modules
    opened = open_weights(DATA / "lightning_tiny.ckpt")
    prefix = "model.diffusion_model."
    assert opened.shapes == {
        f"{prefix}time_embed.0.weight": (16, 4),
        f"{prefix}out.2.bias": (4,),
        f"{prefix}half_example.weight": (3, 5),
        "first_stage_model.quant_conv.weight": (8, 8, 1, 1),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": (1, 77),
        "cond_stage_model.transformer.text_model.final_layer_norm.weight": (8,),
        "model_ema.decay": (),
        "model_ema.num_updates": (),
    }
    name = f"{prefix}time_embed.0.weight"
    weight = normal(f"ckpt/tiny/{name}", (16, 4)) * 0.5
    assert torch.equal(opened.read(name), weight)
    assert opened.read(f"{prefix}half_example.weight").dtype == torch.float16
    assert opened.read("model_ema.num_updates").dtype == torch.int32
    assert "pytorch_lightning" not in sys.modules


def test_nothing_is_said_while_reading(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not even about pickles of protocol 3, which torch warns of."""
    for name, write in WRITERS.items():
        write(tmp_path / name)
    torch.save(TENSORS, tmp_path / "protocol 3", pickle_protocol=3)
    for file in tmp_path.iterdir():
        open_weights(file)
    assert capfd.readouterr() == ("", "")


# --- shards ---------------------------------------------------------------------------


def write_index(folder: Path, weight_map: object) -> Path:
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}, indent=2))
    return index


def test_shards_are_read_as_one(tmp_path: Path) -> None:
    names = list(TENSORS)
    first = {name: TENSORS[name] for name in names[:3]}
    second = {name: TENSORS[name] for name in names[3:]}
    save_file(first, tmp_path / "one.safetensors")
    torch.save(second, tmp_path / "two.bin")
    places = dict.fromkeys(first, "one.safetensors") | dict.fromkeys(second, "two.bin")
    opened = open_weights(write_index(tmp_path, places))
    assert_holds(opened, TENSORS)
    assert opened.files == (tmp_path / "one.safetensors", tmp_path / "two.bin")
    opened.rest()
    assert_holds(opened, TENSORS)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.safetensors",
        "sub/inside.safetensors",
        "..",
        ".",
        "",
        "missing.safetensors",
        "nul\0.safetensors",
        "lone \ud800.safetensors",
    ],
)
def test_shards_are_read_from_beside_their_index_only(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    save_file({"a": torch.ones(1)}, tmp_path / "outside.safetensors")
    save_file({"a": torch.ones(1)}, folder / "sub" / "inside.safetensors")
    message = refusal(write_index(folder, {"a": name}))
    assert f"lists the file '{name}', which is not beside it" in message


def test_shards_given_by_an_absolute_path_are_refused(tmp_path: Path) -> None:
    shard = tmp_path / "shard.safetensors"
    save_file({"a": torch.ones(1)}, shard)
    message = refusal(write_index(tmp_path, {"a": str(shard)}))
    assert "not beside it" in message


def test_an_index_that_lists_itself_is_refused(tmp_path: Path) -> None:
    index = write_index(tmp_path, {"a": "model.safetensors.index.json"})
    assert "is not a weight file but JSON" in refusal(index)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '{"weight_map": 1}',
        '{"weight_map": {}}',
        '{"weight_map": ["a"]}',
        '{"weight_map": {"a": ["b"]}}',
        '{"weight_map": {"a": 1, "b": "c"}}',
        '{"weight_map": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
    ids=range(8),
)
def test_an_index_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    index = tmp_path / "index.json"
    index.write_text(text)
    said = refusal(index)
    assert "is no index of sharded weights" in said or "has weight_map" in said


@pytest.mark.parametrize("place", [None, 3, True])
def test_an_index_that_lists_no_names_is_refused(tmp_path: Path, place: object) -> None:
    said = refusal(write_index(tmp_path, {"a": place}))
    assert f"has weight_map.a '{place}', which is no text" in said


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_tensors_are_read_where_they_lie_without_a_map(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    """As of files that are too large to map, or whose header alone is wanted."""
    tensors = {
        "b": torch.arange(6).reshape(2, 3).to(dtype),
        "a": torch.tensor(7).to(dtype),
        "none": torch.empty(0, 3, dtype=dtype),
    }
    save_file(tensors, tmp_path / "x.safetensors", metadata={"title": "Fox"})
    opened = open_weights(tmp_path / "x.safetensors", hollow=True)
    assert opened.metadata == {"title": "Fox"}
    assert opened.types == dict.fromkeys(tensors, dtype)
    assert opened.shapes == {"b": (2, 3), "a": (), "none": (0, 3)}
    for name, tensor in tensors.items():
        assert torch.equal(opened.read(name), tensor)


def test_containers_that_hold_themselves_are_gone_through_once(tmp_path: Path) -> None:
    many: list[object] = []
    many += [many] * 1000
    torch.save({"list": [many, {"a": torch.ones(2)}]}, tmp_path / "x.ckpt")
    assert [*open_weights(tmp_path / "x.ckpt").shapes] == ["list.1.a"]
