"""The bundled model in the shape of Stable Diffusion XL, with noise of any level (EDM).

Its UNet says the noise of a list of timesteps. What a network preconditioned for any
level would say of the same latents follows from that: a wrapper around it says so. The
autoencoder's own latents are off and stretched, channel by channel, as those of
Playground v2.5 are, so that normalised they are the bundled model's.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.families.family import DENOISER, Family
from imaginairy.families.unet_kin import PLAYGROUND
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.networks.unet import UNet
from imaginairy.published.unet import unet
from imaginairy.samplers.discrete import NoiseSchedule
from imaginairy.samplers.edm import EdmSchedule
from imaginairy.samplers.schedule import Way
from imaginairy.settings import Settings
from imaginairy.weights.assemble import Part
from imaginairy.weights.weightfile import Tensors
from tests.support.lifted import Named, Network, Parts, as_sdxl, family_of_file

OWN = NoiseSchedule()
"""The bundled model's."""
HERE = "tests.support.lifted_edm"
MEAN, DEVIATION = (
    torch.tensor(PLAYGROUND.says[name]) for name in ("latents_mean", "latents_std")
)
SCALE = 0.5


class Preconditioned(UNet):
    """Says what is missing of the clean latents (arXiv:2206.00364, table 1)."""

    data: ClassVar[float] = 0.5
    sign: ClassVar[int] = 1

    def forward(
        self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        """Turn what the UNet says of a timestep into what is said of a level."""
        sigma = float(timesteps.double()[0].mul(4).exp())
        both = (sigma**2 + self.data**2) ** 0.5
        noised = latents * both
        told = torch.full_like(timesteps, OWN.timestep(sigma))
        noise = super().forward(noised * OWN.scale(sigma), told, conditioning)
        clean = noised - sigma * noise
        lacking = clean - (self.data / both) ** 2 * noised
        return self.sign * lacking * both / (sigma * self.data)


class PreconditionedForV(Preconditioned):
    """The same the other way round, of latents that deviate by 1: v."""

    data: ClassVar[float] = 1.0
    sign: ClassVar[int] = -1


def playground(tensors: Tensors, settings: Settings) -> Part:
    """Read the UNet off its tensors, and wrap it."""
    return replace(unet(tensors, settings), network=Preconditioned)


def cosxl(tensors: Tensors, settings: Settings) -> Part:
    """The same, for v."""
    return replace(unet(tensors, settings), network=PreconditionedForV)


def edm_family(kind: str) -> Family:
    """Return a family whose single files are as those of this are not: wrapped."""
    lifted = family_of_file("XL")
    wrapped = replace(lifted.part(DENOISER), published=f"{HERE}:{kind}")
    others = (row for row in lifted.parts if row.role != DENOISER)
    return replace(lifted, name=f"lifted {kind}", parts=(wrapped, *others))


def as_playground() -> Parts:
    """Lift it, with an autoencoder whose own latents are off and stretched."""
    parts = as_sdxl()
    return {**parts, "autoencoder": stretched(parts["autoencoder"])}


def stretched(network: Network) -> Network:
    """Let an autoencoder's own latents be such that they have to be normalised.

    What was z, of which scale * z is drawn, becomes scale * z / SCALE * DEVIATION +
    MEAN.
    """
    config: AutoencoderConfig = network.config
    by, named = config.scale_factor / SCALE * DEVIATION, dict(network.named)
    for kind in ("weight", "bias"):
        means, variances = named[f"quantise.{kind}"].chunk(2)
        factor = by.reshape(-1, *[1] * (means.ndim - 1))
        if kind == "bias":
            means, variances = means * by + MEAN, variances + 2 * by.log()
        else:
            means = means * factor
        named[f"quantise.{kind}"] = torch.cat([means, variances])
    weight = named["unquantise.weight"] / by[:, None, None]
    named["unquantise.weight"] = weight
    named["unquantise.bias"] = named["unquantise.bias"] - weight[..., 0, 0] @ MEAN
    return Network(replace(config, scale_factor=SCALE), named)


class Stretching(NoiseSchedule):
    """The bundled model's noise, walked down the levels of another schedule."""

    def __init__(self, others: EdmSchedule) -> None:
        super().__init__()
        self.others = others

    def levels(self, steps: int, way: Way) -> list[float]:
        """List the levels of the other one."""
        return self.others.levels(steps, way)


MARKERS: Mapping[str, Named] = {
    "playground": {
        "edm_mean": MEAN[None, :, None, None].clone(),
        "edm_std": DEVIATION[None, :, None, None].clone(),
    },
    "cosxl": {
        "edm_vpred.sigma_max": OWN.sigmas[-1].clone(),
        "edm_vpred.sigma_min": OWN.sigmas[0].clone(),
    },
}
LIFTED: Mapping[str, Callable[[], Parts]] = {
    "playground": as_playground, "cosxl": as_sdxl,
}  # fmt: skip
