"""A model of the family by chance, saved in either layout."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.clip_text import ClipText
from imaginairy.networks.config import AutoencoderConfig, ClipTextConfig
from imaginairy.published import autoencoder, clip_text
from imaginairy.weights.stored import Names, stored_as
from tests.families.patchwork.network import (
    Reader,
    ReaderConfig,
    Stitcher,
    StitcherConfig,
)
from tests.families.patchwork.published import READER, STITCHER
from tests.families.patchwork.row import PATCHWORK
from tests.support.tiny import tiny_tokenizer

CODEC = AutoencoderConfig(
    channels=(8, 8, 8, 8, 8),
    blocks_per_level=1,
    latent_channels=16,
    norm_groups=4,
    scale_factor=0.5,
)


def networks(in_channels: int = 16) -> dict[str, tuple[nn.Module, Names]]:
    """Return a network of each role with its published names."""
    torch.manual_seed(3)
    vocab_size = len(tiny_tokenizer())
    text = ClipTextConfig(
        vocab_size=vocab_size, width=32, layers=2, heads=4, mlp_width=32
    )
    stitcher, reader = StitcherConfig(in_channels), ReaderConfig(vocab_size)
    return {
        "denoiser": (Stitcher(stitcher), STITCHER.names(stitcher)),
        "autoencoder": (Autoencoder(CODEC), autoencoder.COMPVIS.names(CODEC)),
        "small": (ClipText(text), clip_text.TRANSFORMERS.names(text)),
        "big": (Reader(reader), READER.names(reader)),
    }


def published(network: nn.Module, names: Names) -> dict[str, Tensor]:
    """Give a network's tensors their published names."""
    tensors = network.state_dict()
    return {stored_as(ours, names).name: tensors[ours] for ours in tensors}


def save_as_file(file: Path, in_channels: int = 16) -> Path:
    """Save all networks in one file, and the vocabularies beside it.

    Args:
        in_channels: of the stitcher; 33 see a mask and what it leaves.
    """
    tensors = {
        PATCHWORK.part(role).prefix + name: tensor
        for role, (network, names) in networks(in_channels).items()
        for name, tensor in published(network, names).items()
    }
    save_file(tensors, file)
    save_vocabularies(file.parent)
    return file


def save_as_folder(folder: Path) -> Path:
    """Save every network in a folder of its own."""
    for role, (network, names) in networks().items():
        place = folder / PATCHWORK.part(role).folder
        place.mkdir(parents=True)
        save_file(published(network, names), place / "model.safetensors")
    save_vocabularies(folder)
    return folder


def save_vocabularies(folder: Path) -> None:
    for row in PATCHWORK.texts:
        tiny_tokenizer().save_pretrained(folder / str(row.vocabulary))
