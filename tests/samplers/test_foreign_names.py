"""What other tools call samplers and schedules, and which of ours are meant."""

import pytest

from imaginairy import ImaginePrompt
from imaginairy.metadata.foreign import ForeignRecord, parse_parameters
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.foreign_names import SAMPLER_NAMES, Pair, read_pair


def parsed(settings: str) -> ForeignRecord:
    record = parse_parameters(f"a fox\nSteps: 20, Seed: 1, {settings}")
    assert record is not None
    return record


@pytest.mark.parametrize(
    ("ours", "names"),
    [
        ("ddim", ("DDIM", "ddim")),
        ("plms", ("PLMS", "pndm", "PNDM")),
        ("k_euler", ("Euler", "euler", "sample_euler", "k_euler")),
        ("k_euler_a", ("Euler a", "euler_ancestral", "Euler Ancestral", "k_euler_a")),
        ("k_lms", ("LMS", "k_lms")),
        ("k_heun", ("Heun", "heun")),
        ("k_dpm_2", ("DPM2", "dpm_2", "KDPM 2", "k_dpm_2")),
        ("k_dpm_2_a", ("DPM2 a", "dpm_2_ancestral", "k_dpm_2_a")),
        ("k_dpm_fast", ("DPM fast", "dpm_fast")),
        ("k_dpm_adaptive", ("DPM adaptive", "dpm-adaptive")),
        ("k_dpmpp_2s_a", ("DPM++ 2S a", "dpmpp_2s_ancestral", "k_dpmpp_2s_a")),
        ("k_dpmpp_2m", ("DPM++ 2M", "dpmpp_2m", "sample_dpmpp_2m", " DPM++  2m ")),
        ("k_dpmpp_sde", ("DPM++ SDE", "dpmpp_sde", "dpmpp_sde_gpu")),
        ("k_dpmpp_2m_sde", ("DPM++ 2M SDE", "dpmpp_2m_sde_gpu", "k_dpmpp_2m_sde")),
        ("k_dpmpp_3m_sde", ("DPM++ 3M SDE", "dpmpp_3m_sde_gpu")),
        ("k_unipc", ("UniPC", "uni_pc", "unipc", "k_unipc")),
        ("k_unipc_3", ("uni_pc_bh2", "UniPC 3", "k_unipc_3")),
        ("k_res_multistep", ("Res Multistep", "res_multistep")),
        ("k_deis", ("DEIS", "deis", "sample_deis", "k_deis")),
        ("k_ipndm", ("IPNDM", "ipndm", "k_ipndm")),
        ("k_lms", ("IPNDM_V", "ipndm_v")),
        ("k_heunpp2", ("HeunPP2", "heunpp2", "Heun++2", "Heun++ 2", "k_heunpp2")),
        ("k_lcm", ("LCM", "lcm")),
        ("k_tcd", ("TCD", "tcd")),
    ],
)
def test_samplers_by_their_other_names(ours: str, names: tuple[str, ...]) -> None:
    for name in names:
        assert read_pair(name).sampler == ours, name
        assert read_pair(name).unknown == {}


@pytest.mark.parametrize(
    ("said", "sampler", "schedule"),
    [
        ("Sampler: DPM++ 2M SDE, Schedule type: Karras", "k_dpmpp_2m_sde", "karras"),
        ("Sampler: dpmpp_2m, Schedule type: karras", "k_dpmpp_2m", "karras"),
        (
            "Sampler: dpmpp_2m_sde_gpu, Schedule type: normal",
            "k_dpmpp_2m_sde",
            "normal",
        ),
        ("Sampler: dpm_2_ancestral_karras", "k_dpm_2_a", "karras"),
        ("Sampler: DPM++ 3M SDE, Schedule type: Uniform", "k_dpmpp_3m_sde", "normal"),
        ("Sampler: DPM++ 3M SDE", "k_dpmpp_3m_sde", "normal"),
        ("Sampler: dpmpp_3m_sde_gpu_karras", "k_dpmpp_3m_sde", "karras"),
        ("Sampler: DPM++ 2M, Schedule type: Automatic", "k_dpmpp_2m", "karras"),
        ("Sampler: euler_ancestral", "k_euler_a", None),
        ("Sampler: k_dpmpp_2s_a_ka", "k_dpmpp_2s_a", "karras"),
        ("Sampler: lcm, Schedule type: Automatic", "k_lcm", None),
    ],
)
def test_pairs_of_sampler_and_schedule(
    said: str, sampler: str, schedule: str | None
) -> None:
    record = parsed(said)
    assert record.fields["sampler_type"] == sampler
    assert record.fields.get("schedule") == schedule
    assert (record.unknown, record.note) == ({}, "")


@pytest.mark.parametrize(
    ("pair", "sampler", "unknown", "note"),
    [
        (("SA Solver", "Karras"), None, {"Sampler", "Schedule type"}, ""),
        (("Restart", ""), None, {"Sampler"}, ""),
        (("DPM++ 2M SDE Heun", "Exponential"), None, {"Sampler", "Schedule type"}, ""),
        (("gradient_estimation", "automatic"), None, {"Sampler"}, ""),
        (("Euler", "KL Optimal"), "k_euler", {"Schedule type"}, ""),
        (("DPM++ 3M SDE Turbo", ""), "k_dpmpp_3m_sde", {"Schedule type"}, ""),
        (("DDIM", "Karras"), "ddim", set(), "which the sampler 'ddim' cannot use"),
        (("DPM fast Karras", ""), "k_dpm_fast", set(), "'k_dpm_fast' cannot use"),
        (("", "Karras"), None, set(), "as its sampler is not named"),
    ],
)
def test_what_is_not_here_of_a_pair_is_left_out(
    pair: tuple[str, str], sampler: str | None, unknown: set[str], note: str
) -> None:
    found = read_pair(*pair)
    assert (found.sampler, found.schedule) == (sampler, None)
    assert set(found.unknown) == unknown
    assert note in found.note and bool(note) == bool(found.note)


def test_every_sampler_of_ours_can_be_meant() -> None:
    assert set(SAMPLER_NAMES.values()) == set(SAMPLERS)


def test_schedules_stand_with_the_sampler_or_alone() -> None:
    assert parsed("Sampler: LMS Karras").fields["schedule"] == "karras"
    record = parsed("Sampler: LMS, Schedule type: Karras")
    assert (record.fields["sampler_type"], record.fields["schedule"]) == (
        "k_lms",
        "karras",
    )
    assert "schedule" not in parsed("Sampler: LMS, Schedule type: Automatic").fields
    assert parsed("Schedule type: Turbo").unknown == {"Schedule type": "Turbo"}


@pytest.mark.parametrize(
    ("sampler", "schedule"),
    [
        ("DPM++ 2M", "karras"),
        ("DPM++ SDE", "karras"),
        ("DPM++ 2S a", "karras"),
        ("DPM2", "karras"),
        ("DPM2 a", "karras"),
        ("DPM++ 2M SDE", "exponential"),
        ("DPM++ 3M SDE", "exponential"),
        ("Euler", None),
        ("DDIM", None),
        ("Heun", None),
    ],
)
def test_what_automatic_means(sampler: str, schedule: str | None) -> None:
    assert read_pair(sampler, "Automatic").schedule == schedule
    assert read_pair(f"{sampler}", "automatic").unknown == {}


@pytest.mark.parametrize(
    ("ending", "schedule"),
    [
        ("K", "karras"), ("ka", "karras"), ("Karras", "karras"), ("normal", "normal"),
        ("Uniform", "normal"), ("exp", "exponential"), ("Exponential", "exponential"),
        ("AYS", "align_your_steps"), ("Align Your Steps", "align_your_steps"),
        ("beta", "beta"), ("SGM Uniform", "sgm_uniform"),
        ("sgm_uniform", "sgm_uniform"), ("sgmuniform", "sgm_uniform"),
        ("simple", "simple"), ("trailing", "trailing"),
    ],
)  # fmt: skip
def test_schedules_here_at_the_end_of_a_name(ending: str, schedule: str) -> None:
    assert read_pair(f"DPM++ 2M {ending}") == Pair("k_dpmpp_2m", schedule)
    assert read_pair("DPM++ 2M", ending.lower()) == Pair("k_dpmpp_2m", schedule)
    assert ImaginePrompt("a fox", schedule=ending).schedule == schedule


@pytest.mark.parametrize(
    ("ending", "name"),
    [
        ("DDIM uniform", "ddim uniform"), ("GITS", "gits"),
        ("KL optimal", "kl optimal"), ("linear quadratic", "linear quadratic"),
        ("polyexponential", "polyexponential"), ("turbo", "turbo"), ("ddim", "ddim"),
    ],
)  # fmt: skip
def test_schedules_that_are_not_here_are_named(ending: str, name: str) -> None:
    assert read_pair(f"Euler {ending}") == Pair(
        "k_euler", unknown={"Schedule type": name}
    )
    assert read_pair("Euler", ending) == Pair(
        "k_euler", unknown={"Schedule type": ending}
    )


def test_what_is_said_besides_wins_over_the_end_of_a_name() -> None:
    assert read_pair("DPM++ 2M Karras", "normal").schedule == "normal"
    for sampler in ("DPM++ 2M", "Euler"):
        assert read_pair(f"{sampler} Karras", "Automatic").schedule == "karras"
    assert read_pair("DPM++ 3M SDE").schedule == "normal", "not karras, as ours usually"
    assert read_pair("") == Pair() == read_pair("", "")
