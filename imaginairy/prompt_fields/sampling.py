"""How noise becomes an image."""

from dataclasses import dataclass
from typing import Literal, get_args

from imaginairy import checks
from imaginairy.checks import Number
from imaginairy.fields import option
from imaginairy.needs import A_NEGATIVE_PROMPT, A_NOISY_SAMPLER, GUIDANCE
from imaginairy.prompt_fields.shared import SHARE
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.schedule import Spacing
from imaginairy.samplers.speeds import SPEED_NAMES, SpeedName


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class SamplingFields:
    """How it is sampled."""

    prompt_strength: float | None = option(
        "Guidance scale (CFG): how closely to follow the prompt; 1 switches guidance "
        "off.",
        Number(0, 100), section="Sampling", after="steps",
        also=("cfg", "cfg_scale", "guidance_scale"),
    )  # fmt: skip
    steps: int | None = option(
        "Sampling steps, from noise to image.",
        Number(1, 1000, whole=True), section="Sampling",
    )  # fmt: skip
    sampler_type: str | None = option(
        "Sampler, the method that turns noise into an image (in diffusers, a "
        f"scheduler). One of: {', '.join(SAMPLERS)}; or as other tools call them.",
        checks.sampler, section="Sampling", also=("sampler", "solver"),
    )  # fmt: skip
    schedule: Spacing | None = option(
        "Noise schedule (scheduler, schedule type): how the noise levels are spaced. "
        f"One of: {', '.join(get_args(Spacing))}; most k samplers take all of them, "
        "ddim normal and trailing, k_tcd lcm and trailing.",
        checks.ScheduleName(get_args(Spacing)), section="Sampling",
    )  # fmt: skip
    eta: float | None = option(
        "How much noise each step adds, for ddim, k_tcd (whose gamma it is), the "
        "ancestral and the SDE samplers.",
        SHARE, section="Sampling", also=("ddim_eta",), needs=(A_NOISY_SAMPLER,),
    )  # fmt: skip
    speed: SpeedName = option(
        "What may be left out: exact computes all; balanced uses some of what one step "
        "computes in the next, and the image is hardly another; fast does that more "
        "often, guides nine tenths of the steps only, and stays near.",
        checks.Choice(SPEED_NAMES), "exact", section="Sampling", after="steps",
    )  # fmt: skip
    guidance_rescale: float = option(
        "Take back contrast that guidance adds, from 0 (nothing) to 1 (all of it); 0.7 "
        "suits models of v-prediction.",
        SHARE, 0.0, section="Sampling", also=("cfg_rescale",), needs=(GUIDANCE,),
    )  # fmt: skip
    guidance_interval: str | None = option(
        "Guide only a part of the steps, as 0.2:0.8; the others follow the prompt "
        "unguided, in half the time.",
        checks.interval, section="Sampling", needs=(GUIDANCE,), follows=("speed",),
    )  # fmt: skip
    perpendicular_negative: float = option(
        "Avoid only what the negative prompt does not have in common with the prompt "
        "(Perp-Neg): its weight, 1 in other tools; a third prediction a step.",
        Number(0, 100), 0.0, section="Sampling", also=("perp_neg",),
        needs=(GUIDANCE, A_NEGATIVE_PROMPT),
    )  # fmt: skip
    apg: str | None = option(
        "Adaptive projected guidance, against burnt colours at a high guidance scale: "
        "eta, norm threshold and momentum, as 0:15:-0.5, or the first alone.",
        checks.projection, section="Sampling", needs=(GUIDANCE,),
    )  # fmt: skip
    dynamic_threshold: float | str | None = option(
        "Dynamic thresholding: hold a share of the guided values to the range that a "
        "lower guidance scale gives them, as 0.995:7, or the unguided ones, as 0.995.",
        checks.threshold, section="Sampling", also=("dynamic_thresholding",),
        needs=(GUIDANCE,),
    )  # fmt: skip
    prediction: Literal["noise", "v", "clean"] | None = option(
        "What the model predicts: noise (epsilon), v (velocity), as Stable Diffusion 2 "
        "does at 768x768, or the clean image (x0), as SDXL-Lightning of one step does; "
        "for a model that says it wrongly or not at all.",
        checks.Choice(("noise", "v", "clean")), section="Sampling",
        follows=("model",),
    )  # fmt: skip
