"""Every sampler against the reference's output, call by call."""

from dataclasses import dataclass, field
from math import cos

import pytest
import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.denoiser import Denoiser, NetworkDenoiser, guided
from imaginairy.samplers.discrete import NoiseSchedule
from imaginairy.samplers.schedule import Spacing
from imaginairy.samplers.table import steps_to_run

TOLERANCE = 2e-5
"""Of the largest value; float32 rounding alone makes up to 1.1e-5."""
TIMESTEP_TOLERANCE = 2e-4
"""Of a timestep of up to 999 that comes out of a float32 logarithm."""

SIGMA_ROWS: dict[str, tuple[str, Spacing]] = {
    "lms": ("k_lms", "normal"),
    "lms_karras": ("k_lms", "karras"),
    "dpm_2": ("k_dpm_2", "normal"),
    "dpm_2_ancestral": ("k_dpm_2_a", "normal"),
    "euler": ("k_euler", "normal"),
    "euler_karras": ("k_euler", "karras"),
    "euler_ancestral_latest": ("k_euler_a", "normal"),
    "heun": ("k_heun", "normal"),
    "heun_karras": ("k_heun", "karras"),
    "dpm_fast": ("k_dpm_fast", "normal"),
    "dpmpp_2s_ancestral": ("k_dpmpp_2s_a", "normal"),
    "dpmpp_2m": ("k_dpmpp_2m", "normal"),
    "dpmpp_2m_karras": ("k_dpmpp_2m", "karras"),
    "dpmpp_2m_sde": ("k_dpmpp_2m_sde", "normal"),
    "dpmpp_3m_sde": ("k_dpmpp_3m_sde", "normal"),
    "dpmpp_sde": ("k_dpmpp_sde", "normal"),
}
"""Name in the goldens: (name of the row, spacing)."""

runs = pytest.mark.parametrize(
    ("steps", "strength"),
    [(steps, strength) for steps in (5, 10, 40) for strength in (1.0, 7.5)],
)


def predictor(latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
    """Predict noise by the formula with which the goldens were made."""
    prompt = conditioning.tokens.mean(dim=(1, 2)).view(-1, 1, 1, 1)
    wave = cos(float(timesteps[0]) / 1000)
    return 0.3 * latents + 0.1 * latents.tanh() * wave + 0.05 * prompt


@dataclass
class Recorder:
    """A model and a noise source that remember how they were used."""

    goldens: dict[str, Tensor]
    strength: float
    timesteps: list[float] = field(default_factory=list)
    latents: list[Tensor] = field(default_factory=list)
    noises: int = 0

    def denoiser(self, schedule: NoiseSchedule) -> Denoiser:
        def unet(
            latents: Tensor, timesteps: Tensor, conditioning: Conditioning
        ) -> Tensor:
            self.timesteps.append(float(timesteps[0]))
            self.latents.append(latents[0])
            return predictor(latents, timesteps, conditioning)

        follow, avoid = (
            Conditioning(self.goldens[name]) for name in ("cond", "uncond")
        )
        told = NetworkDenoiser(unet, schedule, "noise", follow)
        return guided(told, avoid, self.strength)

    def draw_noise(self) -> Tensor:
        self.noises += 1
        return self.goldens["noise_sequence"][self.noises - 1][None]

    def assert_called_as(self, name: str) -> None:
        """Check each call of the model; some goldens hold the timesteps only."""
        timesteps = self.goldens[f"{name}.model_t"].tolist()
        assert self.timesteps == pytest.approx(timesteps, abs=TIMESTEP_TOLERANCE)
        if f"{name}.model_x" in self.goldens:
            assert_close(torch.stack(self.latents), self.goldens[f"{name}.model_x"])


def assert_close(ours: Tensor, theirs: Tensor) -> None:
    """Compare the largest difference with the largest value."""
    assert ours.shape == theirs.shape
    worst = float((ours - theirs).abs().max() / theirs.abs().max())
    assert worst <= TOLERANCE, f"off by {worst:.1e} of the largest value"


def ignore_step(index: int, latents: Tensor, denoised: Tensor) -> None:
    """Watch nothing."""


@runs
@pytest.mark.parametrize("name", ["ddim", "plms"])
def test_timestep_samplers_draw_as_the_reference(
    goldens: dict[str, Tensor],
    schedule: NoiseSchedule,
    name: str,
    steps: int,
    strength: float,
) -> None:
    recorder, row = Recorder(goldens, strength), SAMPLERS[name]
    levels = row.levels(schedule, steps)
    out = row.sample(
        recorder.denoiser(schedule),
        row.start(schedule, goldens["x_T"], levels[0]),
        levels,
        draw_noise=recorder.draw_noise,
        on_step=ignore_step,
    )
    assert_close(out, goldens[f"{name}.s{steps}.cfg{strength}.out"])
    recorder.assert_called_as(f"{name}.s{steps}.cfg{strength}")
    assert recorder.noises == 0


@runs
def test_ddim_with_eta_adds_the_reference_s_noise(
    goldens: dict[str, Tensor], schedule: NoiseSchedule, steps: int, strength: float
) -> None:
    recorder, row = Recorder(goldens, strength), SAMPLERS["ddim"]
    levels = row.levels(schedule, steps)
    out = row.sample(
        recorder.denoiser(schedule),
        row.start(schedule, goldens["x_T"], levels[0]),
        levels,
        draw_noise=recorder.draw_noise,
        on_step=ignore_step,
        eta=0.6,
    )
    assert_close(out, goldens[f"ddim.eta0.6.s{steps}.cfg{strength}.out"])
    assert recorder.noises == steps


@runs
@pytest.mark.parametrize("name", ["ddim", "plms"])
@pytest.mark.parametrize("image_strength", [0.3, 0.75])
def test_timestep_samplers_continue_an_image_as_the_reference(
    goldens: dict[str, Tensor],
    schedule: NoiseSchedule,
    name: str,
    image_strength: float,
    steps: int,
    strength: float,
) -> None:
    golden = f"{name}.img2img.s{steps}.cfg{strength}.strength{image_strength}"
    recorder, row = Recorder(goldens, strength), SAMPLERS[name]
    run = steps_to_run(steps, image_strength)
    assert run == goldens[f"{golden}.t_enc"]
    levels = row.levels(schedule, steps, last=run)
    start = row.start(
        schedule, goldens["encode_noise"], levels[0], goldens["init_latent"]
    )
    assert_close(start * schedule.scale(levels[0]), goldens[f"{golden}.z_enc"])
    out = row.sample(
        recorder.denoiser(schedule),
        start,
        levels,
        draw_noise=recorder.draw_noise,
        on_step=ignore_step,
    )
    assert_close(out, goldens[f"{golden}.out"])
    recorder.assert_called_as(golden)


@runs
@pytest.mark.parametrize("name", SIGMA_ROWS)
def test_sigma_samplers_draw_as_the_reference(
    goldens: dict[str, Tensor],
    schedule: NoiseSchedule,
    name: str,
    steps: int,
    strength: float,
) -> None:
    recorder = Recorder(goldens, strength)
    row_name, spacing = SIGMA_ROWS[name]
    row, golden = SAMPLERS[row_name], f"{name}.s{steps}.cfg{strength}"
    levels = row.levels(schedule, steps, spacing)
    out = row.sample(
        recorder.denoiser(schedule),
        row.start(schedule, goldens["x_T"], levels[0]),
        levels,
        draw_noise=recorder.draw_noise,
        on_step=ignore_step,
    )
    assert_close(out, goldens[f"{golden}.out"])
    recorder.assert_called_as(golden)
    if f"{golden}.noise_pairs" in goldens:
        assert recorder.noises == len(goldens[f"{golden}.noise_pairs"])
    else:
        assert recorder.noises == goldens.get(f"{golden}.noise_used", 0)


@pytest.mark.parametrize("strength", [1.0, 7.5])
def test_dpm_adaptive_takes_the_reference_s_steps(
    goldens: dict[str, Tensor], schedule: NoiseSchedule, strength: float
) -> None:
    recorder, row = Recorder(goldens, strength), SAMPLERS["k_dpm_adaptive"]
    levels = row.levels(schedule, 5)
    out = row.sample(
        recorder.denoiser(schedule),
        row.start(schedule, goldens["x_T"], levels[0]),
        levels,
        draw_noise=recorder.draw_noise,
        on_step=ignore_step,
    )
    golden = f"dpm_adaptive.s5.cfg{strength}"
    assert_close(out, goldens[f"{golden}.out"])
    # A step's length follows from an error that is itself a small difference.
    timesteps = goldens[f"{golden}.model_t"].tolist()
    assert recorder.timesteps == pytest.approx(timesteps, abs=0.05)


def test_every_row_has_goldens() -> None:
    covered = {"ddim", "plms", "k_dpm_adaptive"}
    covered |= {row for row, _ in SIGMA_ROWS.values()}
    # The others have none; test_gaussian.py and test_twins.py check them.
    others = {"k_unipc", "k_unipc_3", "k_res_multistep", "k_deis", "k_ipndm"}
    assert covered == set(SAMPLERS) - others - {"k_heunpp2", "k_lcm", "k_tcd"}
