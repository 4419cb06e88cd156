"""Small checkpoints for the tests of this folder."""

import shutil
from pathlib import Path

import pytest
import torch

from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.published import autoencoder, clip_text, unet
from imaginairy.weights.stored import as_stored
from tests.support.checkpoints import TEXT, UNET, VAE, Named, load_all
from tests.support.golden import CPU


@pytest.fixture(scope="module")
def wanted(tiny_folder: Path) -> dict[str, Named]:
    """Return the weights as loaded from what diffusers saved."""
    return load_all(tiny_folder)


@pytest.fixture(scope="module")
def compvis(tiny_folder: Path) -> Named:
    """Return the same weights in the CompVis naming, as they stand in one file.

    That the naming is CompVis' is shown by the goldens and the published names.
    """
    parts = read_checkpoint(tiny_folder).parts
    tensors: Named = {}
    for prefix, part, names in (
        (
            UNET,
            parts["denoiser"],
            unet.COMPVIS.names(parts["denoiser"].config),
        ),
        (
            VAE,
            parts["autoencoder"],
            autoencoder.COMPVIS.names(parts["autoencoder"].config),
        ),
        (
            TEXT,
            parts["text"],
            clip_text.TRANSFORMERS.names(parts["text"].config),
        ),
    ):
        ours = part.load(CPU, torch.float32).state_dict()
        for name, tensor in as_stored(ours, names).items():
            if ".attn_1." in name and tensor.ndim == 2:
                tensor = tensor[:, :, None, None]
            tensors[f"{prefix}{name}"] = tensor
    return tensors


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """Return a folder in the diffusers layout that a test may change."""
    return shutil.copytree(tiny_folder, tmp_path / "model")
