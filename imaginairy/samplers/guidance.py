"""What a sampler may ask of a model, and what is wrapped around that from outside."""

from collections.abc import Callable

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.samplers.schedule import NoiseSchedule

Unet = Callable[[Tensor, Tensor, Conditioning], Tensor]
"""(latents, timesteps, conditioning), each in one batch -> the noise in the latents."""
PredictNoise = Callable[[Tensor, float], Tensor]
"""(latents, timestep) -> the noise in them; the timestep may have a fraction."""


class Denoiser:
    """A noise predictor seen in the two ways that samplers use.

    DDIM and PLMS ask for the `noise` of variance-preserving latents at a timestep;
    the k-diffusion family asks for the `denoised` of latents that hold noise of
    deviation sigma.
    """

    def __init__(self, predict: PredictNoise, schedule: NoiseSchedule) -> None:
        self.noise = predict
        self.schedule = schedule

    def denoised(self, latents: Tensor, sigma: float) -> Tensor:
        """Predict the clean latents (Karras et al. 2022, eq. 7, VP)."""
        timestep = self.schedule.sigma_to_timestep(sigma)
        scaled = latents / (sigma**2 + 1) ** 0.5
        return latents - sigma * self.noise(scaled, timestep)


def guided(
    unet: Unet,
    conditioning: Conditioning,
    unconditional: Conditioning | None,
    strength: float,
) -> PredictNoise:
    """Predict noise with classifier-free guidance.

    Ho & Salimans 2022, arXiv:2207.12598, eq. 6, with strength = w + 1.
    Both predictions are made in one batched call, the unconditional one first. At
    strength 1 the unconditional half has no say and is not computed.

    Args:
        conditioning: one, as is `unconditional`, for all the latents of a batch; or one
            for each.
        strength: 1 is plain prediction; higher follows the prompt more closely.
    """
    if unconditional is None or strength == 1:

        def predict_plainly(latents: Tensor, timestep: float) -> Tensor:
            prompts = for_each(latents, conditioning)
            return unet(latents, timesteps_like(latents, timestep), prompts)

        return predict_plainly

    def predict(latents: Tensor, timestep: float) -> Tensor:
        twice = torch.cat([latents, latents])
        avoid, follow = (
            for_each(latents, prompt) for prompt in (unconditional, conditioning)
        )
        prompts = avoid.beside(follow)
        noise = unet(twice, timesteps_like(twice, timestep), prompts)
        without, with_prompt = noise.chunk(2)
        return without + strength * (with_prompt - without)

    return predict


def as_noise(predict: PredictNoise, schedule: NoiseSchedule) -> PredictNoise:
    """Turn what a network predicts into the noise.

    v = sqrt(alpha) * noise - sqrt(1 - alpha) * clean latents (Salimans & Ho 2022,
    arXiv:2202.00512, appendix D), so that with the noised latents x the noise is
    sqrt(alpha) * v + sqrt(1 - alpha) * x. Guidance may come before or after.
    """
    if schedule.config.predicts == "noise":
        return predict

    def predict_noise(latents: Tensor, timestep: float) -> Tensor:
        alpha = schedule.alpha(timestep)
        v = predict(latents, timestep)
        return alpha**0.5 * v + (1 - alpha) ** 0.5 * latents

    return predict_noise


def inpainting(
    predict: PredictNoise,
    init_latents: Tensor,
    noise: Tensor,
    keep: Tensor,
    schedule: NoiseSchedule,
) -> PredictNoise:
    """Hold a part of the picture to the init image, for any sampler.

    Where `keep` is 1 the model sees the init image at the noise level of each step,
    and the sampler is told the noise that leads back to it; where it is 0 the model's
    own prediction counts; between, the two are mixed.

    Args:
        init_latents: clean latents of the init image, (1, 4, h, w).
        noise: the noise it is seen under, in the same shape.
        keep: (1, 1, h, w) in [0, 1].
    """

    def predict_masked(latents: Tensor, timestep: float) -> Tensor:
        alpha = schedule.alpha(timestep)
        known = schedule.add_noise(init_latents, noise, timestep)
        predicted = predict(keep * known + (1 - keep) * latents, timestep)
        towards_init = (latents - alpha**0.5 * init_latents) / (1 - alpha) ** 0.5
        return keep * towards_init + (1 - keep) * predicted

    return predict_masked


def seeing_mask(unet: Unet, paint: Tensor, masked_latents: Tensor) -> Unet:
    """Give an inpainting UNet what it wants to see beside the latents.

    Args:
        paint: (1, 1, h, w), 1 where it is to paint.
        masked_latents: latents of the picture with that part blanked out.
    """
    seen = torch.cat([paint, masked_latents], dim=1)

    def predict(
        latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        beside = seen.expand(len(latents), -1, -1, -1)
        return unet(torch.cat([latents, beside], dim=1), timesteps, conditioning)

    return predict


def for_each(latents: Tensor, conditioning: Conditioning) -> Conditioning:
    """Return one for each picture of the batch, if only one was given."""
    alone = len(conditioning) == 1
    return conditioning.repeated(len(latents)) if alone else conditioning


def timesteps_like(latents: Tensor, timestep: float) -> Tensor:
    """Return the timestep once for each picture of the batch."""
    return torch.full((len(latents),), timestep, device=latents.device)
