"""What tests of checkpoints share: loading, comparing and refusing them."""

import json
import math
import struct
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.models.checkpoint import Checkpoint, read_checkpoint
from imaginairy.weights.assemble import Part
from tests.support.golden import CPU

Named = dict[str, Tensor]
PARTS = ("unet", "vae", "text_encoder")
"""The folders of the parts of Stable Diffusion 1.x."""
UNET, VAE = "model.diffusion_model.", "first_stage_model."
TEXT = "cond_stage_model.transformer.text_model."
WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
}


def parts(checkpoint: Checkpoint) -> dict[str, Part]:
    return {
        "unet": checkpoint.parts["denoiser"],
        "vae": checkpoint.parts["autoencoder"],
        "text_encoder": checkpoint.parts["text"],
    }


def load_all(
    path: Path, *, half: bool = False, only: Collection[str] = PARTS
) -> dict[str, Named]:
    """Load the networks of a checkpoint; return {part: its weights by our names}."""
    return {
        name: dict(part.load(CPU, torch.float32).state_dict())
        for name, part in parts(read_checkpoint(path, half=half)).items()
        if name in only
    }


def assert_same(ours: dict[str, Named], theirs: dict[str, Named]) -> None:
    for part in PARTS:
        assert ours[part].keys() == theirs[part].keys()
        for name, tensor in theirs[part].items():
            assert torch.equal(ours[part][name], tensor), f"{part}: {name}"


def halved(weights: dict[str, Named]) -> dict[str, Named]:
    return {
        part: {name: tensor.half().float() for name, tensor in named.items()}
        for part, named in weights.items()
    }


def refusal(path: Path, *, only: Collection[str] = PARTS) -> str:
    """Return the one-line message with which a checkpoint is refused."""
    with pytest.raises(CheckpointError) as caught:
        load_all(path, only=only)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 2 * len(str(path)) + 800
    return message


def shapes_of(tensors: Named) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def write_hollow(
    path: Path, shapes: Mapping[str, tuple[int, ...]], kind: str = "F32"
) -> None:
    """Write safetensors with nothing in them but a hole, of any size in no time."""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        own = "I64" if name.endswith("position_ids") else kind
        begin, size = end, {"I64": 8, "F32": 4, "I8": 1}[own]
        end += size * math.prod(shape)
        header[name] = {"dtype": own, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


def change(folder: Path, part: str, changed: Callable[[Named], Named]) -> None:
    """Write the weights of a part anew."""
    file = folder / part / f"{WEIGHTS[part]}.safetensors"
    save_file(changed(load_file(file)), file)
