"""What other tools call samplers and schedules, which they name as a pair."""

import re
from dataclasses import dataclass, field
from typing import get_args

from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.schedule import Spacing

SAMPLER_NAMES = {
    "ddim": "ddim",
    "plms": "plms",
    "pndm": "plms",
    "euler": "k_euler",
    "euler a": "k_euler_a",
    "lms": "k_lms",
    "heun": "k_heun",
    "dpm2": "k_dpm_2",
    "dpm2 a": "k_dpm_2_a",
    "dpm fast": "k_dpm_fast",
    "dpm adaptive": "k_dpm_adaptive",
    "dpm++ 2s a": "k_dpmpp_2s_a",
    "dpm++ 2m": "k_dpmpp_2m",
    "dpm++ sde": "k_dpmpp_sde",
    "dpm++ 2m sde": "k_dpmpp_2m_sde",
    "dpm++ 3m sde": "k_dpmpp_3m_sde",
    "unipc": "k_unipc",
    "unipc 3": "k_unipc_3",
    "unipc bh2": "k_unipc_3",
    "res multistep": "k_res_multistep",
    "deis": "k_deis",
    "ipndm": "k_ipndm",
    "ipndm v": "k_lms",
    "heunpp2": "k_heunpp2",
    "lcm": "k_lcm",
    "tcd": "k_tcd",
}
"""Samplers by the names that `plain_name` makes of all the ways to write them."""
NORMAL = "normal"
SAMPLER, SCHEDULE = "Sampler", "Schedule type"
KNOWN_SCHEDULES = {
    **{name.replace("_", " "): name for name in get_args(Spacing)},
    "uniform": NORMAL,
}
"""Those that are here too; normal is evenly spaced timesteps, under either name."""
ENDINGS = {
    "k": "karras",
    "ka": "karras",
    "exp": "exponential",
    "ays": "align your steps",
    "sgmuniform": "sgm uniform",
    **{
        name: name
        for name in (
            *KNOWN_SCHEDULES,
            "ddim", "ddim uniform", "gits", "kl optimal", "linear quadratic",
            "polyexponential", "turbo",
        )
    },
}  # fmt: skip
"""Schedules that stand at the end of a sampler's name."""
AUTOMATIC = "automatic"
AUTOMATIC_SCHEDULES = {
    **dict.fromkeys(
        ("k_dpmpp_2m", "k_dpmpp_sde", "k_dpmpp_2s_a", "k_dpm_2", "k_dpm_2_a"), "karras"
    ),
    **dict.fromkeys(("k_dpmpp_2m_sde", "k_dpmpp_3m_sde"), "exponential"),
}
"""What `automatic` means where it is not the spacing by timesteps."""
SPELLINGS = (
    (r"[_\s-]+", " "),
    (r"^(sample|k) ", ""),
    (r" gpu\b", ""),
    (r"dpmpp|dpm\+\+", "dpm++ "),
    (r"\bancestral\b", "a"),
    (r"\buni pc\b", "unipc"),
    (r"\bheun(pp|\+\+) ?2", "heunpp2"),
    (r"\bk?dpm 2\b", "dpm2"),
    (r" +", " "),
)
"""Ways to write the same name, each with what it becomes, in this order."""


@dataclass(frozen=True)
class Pair:
    """A sampler and its schedule, as far as they are here."""

    sampler: str | None = None
    schedule: str | None = None
    unknown: dict[str, str] = field(default_factory=dict)
    """What nothing here does, by the names of the settings."""
    note: str = ""
    """What is here and left out all the same, and why."""


def read_pair(sampler: str, schedule: str = "") -> Pair:
    """Read what another tool says of the sampler and of the schedule; either may lack.

    A schedule belongs to its sampler: where that is unknown both are left out.
    """
    ours, ending = _sampler(sampler)
    said = _schedule(schedule) or ending
    if said == AUTOMATIC:
        said = ending or AUTOMATIC_SCHEDULES.get(ours or "", "")
    if ours is None:
        both = {SAMPLER: sampler, SCHEDULE: schedule if said else ""}
        given = {name: value for name, value in both.items() if value}
        if sampler or said not in KNOWN_SCHEDULES:
            return Pair(unknown=given)
        return Pair(note=f"the schedule {schedule!r}, as its sampler is not named")
    known = KNOWN_SCHEDULES.get(said)
    if said and known is None:
        return Pair(ours, unknown={SCHEDULE: schedule or said})
    if known and known not in SAMPLERS[ours].spacings:
        note = f"the schedule {known!r}, which the sampler {ours!r} cannot use"
        return Pair(ours, note=note)
    if not said and SAMPLERS[ours].spacing not in (NORMAL, "lcm"):
        known = NORMAL  # what is not said is by timesteps, or by a model's own
    return Pair(ours, known)


def schedule_named(name: str) -> str | None:
    """Return our name of a schedule, or None where it is none of ours."""
    return KNOWN_SCHEDULES.get(_schedule(name))


def plain_name(name: str) -> str:
    """Return a name in the one way of writing that the tables here have.

    `DPM++ 2M SDE`, `dpmpp_2m_sde_gpu` and `k_dpmpp_2m_sde` are all `dpm++ 2m sde`.
    """
    name = name.strip().lower()
    for pattern, plain in SPELLINGS:
        name = re.sub(pattern, plain, name)
    return name.strip()


def _sampler(name: str) -> tuple[str | None, str]:
    """Return our name of a sampler, and the schedule that its own ends in."""
    plain = plain_name(name)
    if plain in SAMPLER_NAMES:
        return SAMPLER_NAMES[plain], ""
    words = plain.split(" ")
    for first in range(1, len(words)):
        start, end = " ".join(words[:first]), " ".join(words[first:])
        if start in SAMPLER_NAMES and end in ENDINGS:
            return SAMPLER_NAMES[start], ENDINGS[end]
    return None, ""


def _schedule(name: str) -> str:
    plain = plain_name(name)
    return ENDINGS.get(plain, plain)
