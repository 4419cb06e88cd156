"""What networks predict of noised latents, and the clean latents that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from imaginairy.samplers.schedule import Schedule

Prediction = Literal["noise", "v", "clean", "flow", "edm"]
"""What a network was trained to say:

- `noise`: the noise (Ho et al. 2020, arXiv:2006.11239);
- `v`: sqrt(alpha) * noise - sqrt(1 - alpha) * clean latents, of what it sees, which is
  sqrt(alpha) * clean latents + sqrt(1 - alpha) * noise (Salimans & Ho 2022,
  arXiv:2202.00512, appendix D);
- `clean`: the clean latents;
- `flow`: the velocity, noise - clean latents (Lipman et al. 2023, arXiv:2210.02747);
- `edm`: the clean latents less what of them is seen, brought to deviation 1 (Karras et
  al. 2022, arXiv:2206.00364, eq. 7), which is v the other way round.

Where clean latents deviate otherwise than by 1, v is that of what they are divided by
their deviation.
"""
PREDICTED: dict[Prediction, str] = {
    "noise": "the noise",
    "v": "v",
    "clean": "the clean latents",
    "flow": "the flow of its noise",
    "edm": "what is missing of the clean latents (EDM)",
}
"""The same in the middle of a sentence."""


class NoiseConfig(Protocol):
    """What a model's files say of the noise that it was trained with."""

    @property
    def predicts(self) -> Prediction:
        """What its network says of noised latents."""

    def made(self) -> Schedule:
        """Return what the levels of that noise are."""


def clean_latents(
    prediction: Prediction,
    predicted: Tensor,
    latents: Tensor,
    level: float,
    schedule: Schedule,
) -> Tensor:
    """Return the clean latents behind `latents`, by what was predicted of them.

    Args:
        latents: at `level` of the schedule, not yet scaled for the network.
    """
    if prediction == "clean":
        return predicted
    if prediction == "flow":
        return latents - level * predicted
    signal = schedule.signal(level)
    if prediction == "noise":
        return (latents - level * predicted) / signal
    kept = schedule.deviation * schedule.scale(level)
    towards = predicted if prediction == "edm" else -predicted
    return kept * (kept * signal * latents + level * towards)


def predicted_of(
    prediction: Prediction,
    clean: Tensor,
    latents: Tensor,
    level: float,
    schedule: Schedule,
) -> Tensor:
    """Return what a network says where clean latents follow from it; see above."""
    if prediction == "clean":
        return clean
    if prediction == "flow":
        return (latents - clean) / level
    signal = schedule.signal(level)
    if prediction == "noise":
        return (latents - signal * clean) / level
    kept = schedule.deviation * schedule.scale(level)
    away = (kept * signal * latents - clean / kept) / level
    return -away if prediction == "edm" else away
