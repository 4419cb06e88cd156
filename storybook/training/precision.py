"""Half precision where the device computes in it, single precision elsewhere."""

from __future__ import annotations

import torch


def mixed(device: torch.device) -> torch.autocast:
    """Compute inside in bfloat16, unless that is a CPU that would have to imitate it.

    Without AVX-512 a product of bfloat16 matrices takes fifty times as long.
    """
    able = device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=able)
