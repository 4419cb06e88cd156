"""How far a network is from the pictures that it is to learn."""

from collections.abc import Sequence

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.models.drawing import DrawingModel
from imaginairy.samplers.prediction import Prediction, clean_latents, predicted_of
from imaginairy.samplers.schedule import Schedule


def loss_of(
    model: DrawingModel,
    clean: Tensor,
    conditioning: Conditioning,
    noise: Tensor,
    levels: Sequence[float],
    gamma: float | None = None,
) -> Tensor:
    """Return the mean square of what a network predicts beside what it should.

    That is the noise, v, or whatever it predicts (Ho et al. 2020, arXiv:2006.11239,
    eq. 14).

    Args:
        clean: latents of pictures, (batch, channels, h, w).
        conditioning: what is told of each of them.
        noise: standard normal, in their shape.
        levels: of the model's schedule, one for each picture.
        gamma: see `weight_of`; None counts all levels the same.
    """
    schedule, prediction = model.schedule, model.prediction
    seen, wanted, timesteps, weights = [], [], [], []
    for picture, own, level in zip(clean, noise, levels, strict=True):
        noised = schedule.noised(picture, own, level)
        seen.append(schedule.scale(level) * noised)
        wanted.append(predicted_of(prediction, picture, noised, level, schedule))
        timesteps.append(schedule.timestep(level))
        weights.append(weight_of(prediction, schedule, level, gamma))
    predicted = model.network(
        torch.stack(seen),
        torch.tensor(timesteps, device=clean.device),
        conditioning,
    )
    each = (predicted.float() - torch.stack(wanted)).square().mean(dim=(1, 2, 3))
    return (torch.tensor(weights, device=clean.device) * each).mean()


def weight_of(
    prediction: Prediction, schedule: Schedule, level: float, gamma: float | None
) -> float:
    """Return how much a level counts.

    Min-SNR-gamma (Hang et al. 2023, arXiv:2303.09556, section 3.4): errors of clean
    latents count by the signal to noise, up to gamma. How far these are off by an error
    of what is predicted follows from the prediction; of noise that makes
    min(SNR, gamma) / SNR, of v min(SNR, gamma) / (SNR + 1).
    """
    if gamma is None:
        return 1.0
    one, none = torch.ones(()), torch.zeros(())
    after, before = (
        clean_latents(prediction, said, none, level, schedule) for said in (one, none)
    )
    ratio = (schedule.signal(level) / level) ** 2
    return min(ratio, gamma) * float(after - before) ** 2
