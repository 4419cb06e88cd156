"""The samplers, one row each; torch is imported only when one runs."""

from typing import get_args

from imaginairy.errors import BadOptionError, near_miss
from imaginairy.samplers.schedule import ScheduleKind, Spacing
from imaginairy.samplers.table import Sampler

_KARRAS = "Karras et al. 2022, arXiv:2206.00364"
_DPM = "Lu et al. 2022, arXiv:2206.00927"
_DPMPP = "Lu et al. 2022, arXiv:2211.01095"
_DEIS = "Zhang & Chen 2022, arXiv:2204.13902"
_ALL: tuple[Spacing, ...] = get_args(Spacing)

_ROWS = (
    Sampler(
        name="plms",
        summary="pseudo linear multi-step over four predictions",
        paper="Liu et al. 2022, arXiv:2202.09778",
        function="plms:sample_plms",
        walks="timesteps",
        schedules=("discrete",),
    ),
    Sampler(
        name="ddim",
        summary="denoising diffusion implicit model",
        paper="Song et al. 2020, arXiv:2010.02502",
        function="kdiff:sample_euler",
        walks="timesteps",
        schedules=("discrete", "flow"),
        spacings=("normal", "trailing"),
        options={"eta": 0.0},
    ),
    Sampler(
        name="k_lms",
        summary="linear multi-step over four predictions",
        paper='Hairer et al., "Solving ordinary differential equations I", III.5',
        function="kdiff:sample_lms",
        spacings=_ALL,
    ),
    Sampler(
        name="k_dpm_2",
        summary="DPM-Solver-2, two model calls a step",
        paper=_DPM,
        function="kdiff:sample_dpm_2",
        evaluations_per_step=2,
        spacings=_ALL,
    ),
    Sampler(
        name="k_dpm_2_a",
        summary="DPM-Solver-2 ancestral, with noise added after each step",
        paper=_DPM,
        function="kdiff:sample_dpm_2",
        evaluations_per_step=2,
        draws_noise=True,
        spacings=_ALL,
        options={"eta": 1.0},
    ),
    Sampler(
        name="k_euler",
        summary="Euler: straight steps, the simplest of all",
        paper=_KARRAS,
        function="kdiff:sample_euler",
        spacings=_ALL,
    ),
    Sampler(
        name="k_euler_a",
        summary="Euler ancestral: noise added after each step; lively, never settles",
        paper="Song et al. 2021, arXiv:2011.13456",
        function="kdiff:sample_euler",
        draws_noise=True,
        spacings=_ALL,
        options={"eta": 1.0},
    ),
    Sampler(
        name="k_heun",
        summary="Heun: averages the slope at both ends, two model calls a step",
        paper=_KARRAS,
        function="kdiff:sample_heun",
        evaluations_per_step=2,
        spacings=_ALL,
    ),
    Sampler(
        name="k_dpm_fast",
        summary="DPM-Solver-fast, third order on a noise schedule of its own",
        paper=_DPM,
        function="dpm:sample_dpm_fast",
        schedules=("discrete", "continuous"),
        shares=False,
    ),
    Sampler(
        name="k_dpm_adaptive",
        summary="DPM-Solver-23, chooses its own number of steps",
        paper=_DPM,
        function="dpm:sample_dpm_adaptive",
        schedules=("discrete", "continuous"),
        evaluations_per_step=3,
        adaptive=True,
        shares=False,
    ),
    Sampler(
        name="k_dpmpp_2s_a",
        summary="DPM-Solver++(2S) ancestral, two model calls a step",
        paper=_DPMPP,
        function="dpmpp:sample_dpmpp_2s",
        evaluations_per_step=2,
        draws_noise=True,
        spacings=_ALL,
        options={"eta": 1.0},
    ),
    Sampler(
        name="k_dpmpp_2m",
        summary="DPM-Solver++(2M), made for few steps, 15 to 20",
        paper=_DPMPP,
        function="dpmpp:sample_dpmpp_2m",
        spacings=_ALL,
    ),
    Sampler(
        name="k_dpmpp_2m_sde",
        summary="DPM-Solver++(2M) with noise added after each step",
        paper=_DPMPP,
        function="dpmpp:sample_dpmpp_2m",
        draws_noise=True,
        spacings=_ALL,
        options={"eta": 1.0},
    ),
    Sampler(
        name="k_dpmpp_3m_sde",
        summary="like k_dpmpp_2m_sde, looking back one step further",
        paper=_DPMPP,
        function="dpmpp:sample_dpmpp_3m",
        draws_noise=True,
        spacing="karras",  # keeps nearer to what is asked for than normal
        spacings=_ALL,
        options={"eta": 1.0},
    ),
    Sampler(
        name="k_dpmpp_sde",
        summary="DPM-Solver++ on the diffusion SDE, two model calls a step",
        paper=_DPMPP,
        function="dpmpp:sample_dpmpp_sde",
        evaluations_per_step=2,
        draws_noise=True,
        spacings=_ALL,
        options={"eta": 1.0},
    ),
    Sampler(
        name="k_unipc",
        summary="UniPC-2: corrects each step by the next prediction; for few steps",
        paper="Zhao et al. 2023, arXiv:2302.04867",
        function="multistep:sample_unipc",
        spacings=_ALL,
        options={"order": 2},
    ),
    Sampler(
        name="k_unipc_3",
        summary="UniPC-3: like k_unipc, looking back one step further",
        paper="Zhao et al. 2023, arXiv:2302.04867",
        function="multistep:sample_unipc",
        spacings=_ALL,
        options={"order": 3},
    ),
    Sampler(
        name="k_res_multistep",
        summary="refined exponential solver, looking back one step",
        paper="Zhang et al. 2023, arXiv:2308.02157",
        function="multistep:sample_res_multistep",
        spacings=_ALL,
    ),
    Sampler(
        name="k_deis",
        summary="diffusion exponential integrator of third order; for few steps",
        paper=_DEIS,
        function="multistep:sample_deis",
        spacings=_ALL,
    ),
    Sampler(
        name="k_ipndm",
        summary="improved PNDM: the weights of plms, one model call in every step",
        paper=_DEIS,
        function="plms:sample_ipndm",
        spacings=_ALL,
    ),
    Sampler(
        name="k_heunpp2",
        summary="Heun++: blends slopes of two steps ahead, three model calls a step",
        paper="ComfyUI, after Karras et al. 2022, arXiv:2206.00364",
        function="kdiff:sample_heunpp2",
        evaluations_per_step=3,
        spacings=_ALL,
    ),
    Sampler(
        name="k_lcm",
        summary="for latent consistency models only, in 1 to 8 steps",
        paper="Luo et al. 2023, arXiv:2310.04378",
        function="kdiff:sample_lcm",
        unit_noise=True,
        draws_noise=True,
        spacing="lcm",
        spacings=_ALL,
        shares=False,
    ),
    Sampler(
        name="k_tcd",
        summary="for trajectory consistency models (TCD, Hyper), in 1 to 8 steps",
        paper="Zheng et al. 2024, arXiv:2402.19159",
        function="kdiff:sample_tcd",
        walks="timesteps",
        schedules=("discrete",),
        draws_noise=True,
        spacing="lcm",
        spacings=("lcm", "trailing"),
        options={"eta": 0.3},
        shares=False,
    ),
)

SAMPLERS: dict[str, Sampler] = {row.name: row for row in _ROWS}


def get_sampler(name: str) -> Sampler:
    """Return the sampler of that name, in any case, or raise BadOptionError."""
    sampler = SAMPLERS.get(name.lower())
    if sampler is None:
        raise BadOptionError(
            f"There is no sampler '{name}'; choose one of {', '.join(SAMPLERS)}."
            + near_miss(name, SAMPLERS)
        )
    return sampler


def made_for(kind: ScheduleKind, sampler: Sampler) -> Sampler:
    """Return a sampler that can walk that kind of schedule, or raise BadOptionError."""
    if kind in sampler.schedules:
        return sampler
    others = [row.name for row in SAMPLERS.values() if kind in row.schedules]
    raise BadOptionError(
        f"The sampler '{sampler.name}' is not made for this model, whose schedule is "
        f"of the kind '{kind}'; choose one of {', '.join(others)}."
    )
