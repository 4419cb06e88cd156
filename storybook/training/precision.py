"""Half precision where the device computes in it, single precision elsewhere."""

from __future__ import annotations

import torch
from torch import nn

from storybook import settings


def mixed(device: torch.device) -> torch.autocast:
    """Compute inside in bfloat16, unless that is a CPU that would have to imitate it.

    Without AVX-512 a product of bfloat16 matrices takes fifty times as long.
    """
    able = device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


def compile_on_gpu(network: nn.Module) -> None:
    """Let a network run compiled from now on, on a GPU; its weights stay its own."""
    if settings.GPU:
        torch.set_float32_matmul_precision("high")
        network.compile(dynamic=False)
