"""Real-ESRGAN's compact upscaler: a plain row of convolutions at the small size.

After Wang et al. 2021 (arXiv:2107.10833); the pixel shuffle at the end is that of Shi
et al. 2016 (arXiv:1609.05158).
"""

from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.enhancer_config import SRVGGConfig
from imaginairy.networks.layers import Conv2d


class SRVGG(nn.Module):
    """Draw what the picture lacks beyond its own pixels made larger."""

    def __init__(self, config: SRVGGConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        incoming = config.image_channels
        for _ in range(config.layers + 1):
            layers += [
                Conv2d(incoming, config.channels, 3, padding=1),
                nn.PReLU(config.channels),
            ]
            incoming = config.channels
        outgoing = config.drawn_channels * config.scale**2
        self.layers = nn.Sequential(*layers, Conv2d(incoming, outgoing, 3, padding=1))

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures (batch, 3, h, w) in [0, 1] to (batch, 3, scale h, scale w).

        Networks of grey pictures take 1 channel, and make 1 or 3.
        """
        scale = self.config.scale
        x = pictures.to(next(self.parameters()).dtype)
        detail = F.pixel_shuffle(self.layers(x), scale)
        enlarged = F.interpolate(x, scale_factor=float(scale), mode="nearest")
        return (enlarged + detail).to(pictures.dtype)
