"""Tiny autoencoders of diffusers, in every layout they are published in."""

import re
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file
from torch import Tensor

WIDTH = 8
HALF = re.compile(r"(encoder|decoder)\.layers\.(\d+)\.(.*)")


def tiny_taesd(seed: int = 0, width: int = WIDTH, **sizes: Any) -> AutoencoderTiny:
    """Return one that is narrow, with random weights."""
    torch.manual_seed(seed)
    widths = (width,) * 4
    usual = {"encoder_block_out_channels": widths, "decoder_block_out_channels": widths}
    return AutoencoderTiny(**{**usual, **sizes}).eval()


def halves(named: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Rename the tensors as its author does: a file a half."""
    found: dict[str, dict[str, Tensor]] = {"encoder": {}, "decoder": {}}
    for name, tensor in named.items():
        match = HALF.fullmatch(name)
        assert match is not None
        half, number, rest = match.groups()
        bends = 1 if half == "decoder" else 0  # what bends latents is counted too
        found[half][f"{int(number) + bends}.{rest}"] = tensor
    return found


def save_halves(taesd: AutoencoderTiny, folder: Path, ending: str, *only: str) -> Path:
    """Save it as its author does; return the decoder's file."""
    folder.mkdir(exist_ok=True, parents=True)
    for half, named in halves(taesd.state_dict()).items():
        if half not in (only or (half,)):
            continue
        file = folder / f"taesd_{half}{ending}"
        if ending == ".pth":
            torch.save(named, file)
        else:
            save_file({name: t.contiguous() for name, t in named.items()}, file)
    return folder / f"taesd_decoder{ending}"
