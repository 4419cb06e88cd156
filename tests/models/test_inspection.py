"""What a model is before it is used: its parts, and why it would be refused."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from imaginairy.models.inspection import inspected
from tests.support.tiny_kin import save_as_file, tiny_sd2

LOST = ("middle_block.0.in_layers.2.bias", "mid_block.resnets.0.conv1.bias")


def test_names_behind_a_trainer_s_own_are_counted(
    tiny_folder: Path, tmp_path: Path
) -> None:
    plain, wrapped = tmp_path / "plain.safetensors", tmp_path / "wrapped.safetensors"
    save_as_file(tiny_sd2(), plain)
    named = load_file(plain)
    save_file({f"model.{name}": tensor for name, tensor in named.items()}, wrapped)
    parts = inspected(plain).parts
    assert parts == inspected(wrapped).parts
    assert sum(parts.values()) == sum(t.numel() for t in named.values())


@pytest.mark.parametrize("layout", ["file", "folder"])
def test_what_would_be_refused_is_missing(tmp_path: Path, layout: str) -> None:
    pipeline, path = tiny_sd2(), tmp_path / "model.safetensors"
    if layout == "folder":
        pipeline.save_pretrained(tmp_path / "folder")
        path = tmp_path / "folder"
        weights = path / "unet" / "diffusion_pytorch_model.safetensors"
    else:
        save_as_file(pipeline, path)
        weights = path
    named = load_file(weights)
    lost = next(name for name in named if name.endswith(LOST))
    save_file({name: t for name, t in named.items() if name != lost}, weights)
    said = inspected(path)
    assert said.family == "Stable Diffusion 2.x" and not said.usable
    assert "tensors 1 missing (" in said.missing[0]
    save_file({**named, lost: named[lost].to(torch.int8)}, weights)
    assert "only floating-point weights are supported." in inspected(path).missing[0]


def test_packed_weights_are_named(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    save_as_file(tiny_sd2(), file)
    named = load_file(file)
    weight = next(name for name in named if name.endswith("to_q.weight"))
    count, scale = named[weight].numel(), weight.replace(".weight", ".weight_scale")
    plain = inspected(file)
    named |= {weight: named[weight].to(torch.float8_e4m3fn), scale: torch.ones(())}
    save_file(named, file)
    said = inspected(file)
    assert said.usable and said.parameters == plain.parameters
    assert said.precision["scaled float8_e4m3fn"] == count
    save_file({**named, weight: named[weight].view(torch.uint8)}, file)
    said = inspected(file)
    assert not said.usable
    assert "holds weights that are packed in a way that is not read" in said.missing[0]


def test_a_folder_of_some_parts_says_what_it_lacks(
    tiny_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_folder / "vae", tmp_path / "vae")
    said = inspected(tmp_path)
    assert said.what == "a folder of parts of a model (vae)" and not said.usable
    assert "has no weights in 'unet/'; it should hold" in said.missing[0]
