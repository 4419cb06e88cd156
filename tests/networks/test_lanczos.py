"""Lanczos resampling as a network, beside Pillow's."""

import numpy as np
import torch
from PIL import Image

from imaginairy.networks.enhancer_config import LanczosConfig
from imaginairy.networks.lanczos import Lanczos


def test_it_is_pillows_lanczos() -> None:
    values = np.random.default_rng(3).integers(64, 192, (20, 30), dtype=np.uint8)
    wanted = Image.fromarray(values).resize((120, 80), Image.Resampling.LANCZOS)
    network = Lanczos(LanczosConfig())
    with torch.no_grad():
        large = network(torch.from_numpy(values)[None, None] / 255)[0, 0].clamp(0, 1)
    apart = abs((255 * large).round().numpy() - np.asarray(wanted, np.float32))
    inner = apart[12:-12, 12:-12]  # at the edges Pillow leaves out what is not there
    assert inner.max() <= 1


def test_what_is_flat_stays_flat() -> None:
    picture = torch.full((2, 1, 5, 4), 0.3)
    large = Lanczos(LanczosConfig(scale=2))(picture)
    assert large.shape == (2, 1, 10, 8)
    assert torch.allclose(large, torch.tensor(0.3), atol=1e-6)
