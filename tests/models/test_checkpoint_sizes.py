"""The published checkpoints, by the names and shapes of all their tensors."""

from pathlib import Path
from typing import Any

import pytest
import torch

from imaginairy.models.checkpoint import Checkpoint, read_checkpoint
from imaginairy.networks.config import AutoencoderConfig, ClipTextConfig, UNetConfig
from tests.support.checkpoints import WEIGHTS, parts, write_hollow
from tests.support.golden import CPU, tensor_shapes


def sizes(checkpoint: Checkpoint) -> tuple[Any, Any, Any]:
    return (
        checkpoint.parts["denoiser"].config,
        checkpoint.parts["autoencoder"].config,
        checkpoint.parts["text"].config,
    )


def load_and_compare_names(checkpoint: Checkpoint) -> None:
    """Load it all; nothing may be missing, and nothing left over but what is known."""
    for part in parts(checkpoint).values():
        network = part.load(CPU, torch.float32)
        spare = [name for name in part.tensors.shapes if not name.endswith("_ids")]
        assert len(network.state_dict()) == len(spare)


@pytest.mark.parametrize(
    ("kind", "channels"), [("single file", 4), ("single file inpainting", 9)]
)
def test_the_published_single_files_load(
    tmp_path: Path, kind: str, channels: int
) -> None:
    """All names and shapes of Stable Diffusion 1.5, the averages' counters included."""
    shapes = tensor_shapes(kind)
    assert len(shapes) == 1145
    write_hollow(tmp_path / "model.safetensors", shapes)
    checkpoint = read_checkpoint(tmp_path / "model.safetensors")
    assert sizes(checkpoint) == (
        UNetConfig(in_channels=channels),
        AutoencoderConfig(),
        ClipTextConfig(),
    )
    load_and_compare_names(checkpoint)


def test_the_published_folder_loads(tmp_path: Path) -> None:
    """As it is on the hub: old attention names, position ids, no config needed."""
    for part, stem in WEIGHTS.items():
        (tmp_path / part).mkdir()
        shapes = tensor_shapes(part)
        assert len(shapes) == {"unet": 686, "vae": 248, "text_encoder": 197}[part]
        write_hollow(tmp_path / part / f"{stem}.safetensors", shapes)
    assert "decoder.mid_block.attentions.0.proj_attn.bias" in tensor_shapes("vae")
    checkpoint = read_checkpoint(tmp_path)
    assert sizes(checkpoint) == (UNetConfig(), AutoencoderConfig(), ClipTextConfig())
    load_and_compare_names(checkpoint)
