"""What the sampler tests share."""

from pathlib import Path

import numpy as np
import pytest
import torch

from imaginairy.samplers.discrete import NoiseSchedule
from tests.support.gaussian import GaussianDenoiser
from tests.support.schedules import SCHEDULES

Goldens = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def schedule() -> NoiseSchedule:
    """Return the schedule of Stable Diffusion."""
    schedule = SCHEDULES["discrete"]
    assert isinstance(schedule, NoiseSchedule)
    return schedule


@pytest.fixture(scope="session")
def gaussian(schedule: NoiseSchedule) -> GaussianDenoiser:
    """Return the exact denoiser of a Gaussian target."""
    return GaussianDenoiser(schedule)


@pytest.fixture(scope="session")
def goldens() -> Goldens:
    """Load the reference samplers' outputs; data/trim.py says how they were made."""
    with np.load(Path(__file__).parent / "data" / "goldens.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
