"""Schedulers and pipelines of diffusers that do what we do, by our names."""

from collections.abc import Callable
from typing import Any

from diffusers import (
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    KDPM2AncestralDiscreteScheduler,
    KDPM2DiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionInpaintPipeline,
    TCDScheduler,
)
from diffusers.image_processor import VaeImageProcessor

from tests.support.tiny import BETAS, reference_ddim

EVEN = {**BETAS, "timestep_spacing": "linspace", "steps_offset": 1}


def plms() -> PNDMScheduler:
    return PNDMScheduler(
        **BETAS, skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False
    )


TOLD = {"k_tcd": {"eta": 0.3}}
"""What pipelines have to be told, whose own default is another."""
TWINS: dict[tuple[str, str], Callable[[], Any]] = {
    ("plms", "normal"): plms,
    ("ddim", "normal"): reference_ddim,
    ("ddim", "trailing"): lambda: DDIMScheduler.from_config(
        reference_ddim().config, timestep_spacing="trailing"
    ),
    ("k_lcm", "lcm"): lambda: LCMScheduler(**BETAS, steps_offset=1),
    ("k_tcd", "lcm"): lambda: TCDScheduler(**BETAS, steps_offset=1),
    ("k_euler_a", "normal"): lambda: EulerAncestralDiscreteScheduler(**EVEN),
    **{
        (name, schedule): lambda kind=kind, karras=schedule == "karras": kind(
            **EVEN, use_karras_sigmas=karras
        )
        for schedule in ("normal", "karras")
        for name, kind in {
            "k_euler": EulerDiscreteScheduler,
            "k_heun": HeunDiscreteScheduler,
            "k_dpm_2": KDPM2DiscreteScheduler,
            "k_dpm_2_a": KDPM2AncestralDiscreteScheduler,
        }.items()
    },
}
"""What diffusers has; the rest is written out of the papers in tests/support/walks.py.

With four steps the timesteps of both are whole numbers, and the same.
"""


def soft_painter(**parts: Any) -> StableDiffusionInpaintPipeline:
    """Leave the greys of a mask, and do not take them for black or white."""
    pipeline = StableDiffusionInpaintPipeline(**parts)
    pipeline.mask_processor = VaeImageProcessor(
        do_normalize=False, do_convert_grayscale=True, vae_scale_factor=8
    )
    return pipeline
