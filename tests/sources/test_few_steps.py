"""Which models are taken for distilled ones, by what they are called and say."""

import pytest

from imaginairy.samplers import get_sampler
from imaginairy.sources.few_steps import (
    FEW_STEPS,
    FewSteps,
    plain,
    told,
    told_of_adapter,
)

TURBO, SMALL = "a Turbo model", "a Turbo model of 512 x 512"
LIGHTNING, HYPER, DMD = "a Lightning model", "a Hyper model", "a DMD2 model"
KLEIN = "a Flux.2 [klein] before it was distilled"
ZIMAGE = "a Z-Image before it was distilled"
LCM, TCD = "a latent consistency model (LCM)", "a trajectory consistency model (TCD)"


@pytest.mark.parametrize(
    ("family", "name", "title", "steps"),
    [
        ("sdxl", "sdxl_lightning_4step", LIGHTNING, 4),
        ("sdxl", "sdxl_lightning_8step_unet", LIGHTNING, 8),
        ("sdxl", "RealVisXL_V4.0_Lightning", LIGHTNING, 4),
        ("sdxl", "juggernautXL_v9Rdphoto2Lightning", LIGHTNING, 4),
        ("sdxl", "sd_xl_turbo_1.0_fp16", SMALL, 4),
        ("sdxl", "sdxl-turbo", SMALL, 4),
        ("sd2", "sd_turbo", SMALL, 4),
        ("sdxl", "DreamShaperXL_Turbo_v2_1", TURBO, 4),
        ("sdxl", "dreamshaperXL_turboDpmppSDE", TURBO, 4),
        ("sdxl", "Hyper-SDXL-1step-Unet", HYPER, 1),
        ("sdxl", "helloworldXL_hyperSDXL8steps", HYPER, 8),
        ("sd1", "Hyper-SD15", HYPER, 4),
        ("sd1", "dreamshaper_8LCM", LCM, 4),
        ("sd1", "photon_lcm", LCM, 4),
        ("sdxl", "my TCD 6 steps", TCD, 6),
        ("sdxl", "dmd2_sdxl_4step_unet_fp16", DMD, 4),
        ("flux2", "FLUX.2-klein-base-4B", KLEIN, 28),
        ("flux2", "flux-2-klein-base-9b-fp8", KLEIN, 28),
        ("z-image", "z_image_bf16", ZIMAGE, 40),
        ("z-image", "z_image-Q4_K_M", ZIMAGE, 40),
    ],
)
def test_by_their_names(family: str, name: str, title: str, steps: int) -> None:
    found = told(family, [name])
    assert found is not None and found.because == "its name says"
    assert (found.kind.title, found.defaults["steps"]) == (title, steps)
    assert not found.says


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("sd1", "hyperRealism_v30"),
        ("sd1", "hyperspire"),
        ("sd1", "lightningStrike"),
        ("sd1", "turbo_v1"),
        ("sdxl", "juggernautXL_ragnarok"),
        ("sdxl", "calcmap"),
        ("z-image", "z_image_turbo_bf16"),
        ("z-image", "myZImageMerge"),
        ("flux2", "flux-2-klein-4b-fp8"),
        ("sdxl", ""),
    ],
)
def test_others_are_left_as_they_are(family: str, name: str) -> None:
    assert told(family, [name]) is None


@pytest.mark.parametrize(
    ("family", "name", "title", "steps", "strength"),
    [
        ("sd1", "latent-consistency/lcm-lora-sdv1-5", LCM, 4, 1.5),
        ("sdxl", "lcm-lora-sdxl", LCM, 4, 1.5),
        ("sdxl", "sdxl_lightning_4step_lora", LIGHTNING, 4, 1),
        ("sdxl", "Hyper-SDXL-8steps-lora", HYPER, 8, 1),
        ("sd1", "Hyper-SD15-12steps-CFG-lora", "a Hyper model that is guided", 12, 5),
        ("sdxl", "Hyper-SDXL-1step-lora", "a Hyper model of one step", 1, 1),
        ("sd1", "TCD-SD15-LoRA", TCD, 4, 1),
        ("sdxl", "sd_xl_turbo_lora_v1", SMALL, 4, 1),
        ("sdxl", "dmd2_sdxl_4step_lora_fp16", DMD, 4, 1),
    ],
)
def test_adapters_by_their_names(
    family: str, name: str, title: str, steps: int, strength: float
) -> None:
    found = told_of_adapter(family, ["", name])
    assert found is not None and found.kind.title == title
    assert (found.defaults["steps"], found.defaults["prompt_strength"]) == (
        steps,
        strength,
    )


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("sdxl", "lightning_bolts_style"),
        ("sdxl", "Turbo Racers XL"),
        ("sd1", "sdxl_lightning_4step_lora"),
        ("sdxl", "hyper detailed"),
    ],
)
def test_styles_that_are_called_alike_set_nothing(family: str, name: str) -> None:
    assert told_of_adapter(family, [name]) is None


def test_what_one_says_of_itself_comes_before_its_name() -> None:
    for says, title in (("LCMScheduler", LCM), ("TCDScheduler", TCD)):
        found = told("sd1", ["a"], ["DDIMScheduler", says])
        assert found is not None
        assert (found.kind.title, found.because) == (title, f"'{says}' says")
    for says in (
        "time_cond_proj_dim",
        "model.diffusion_model.time_embed.cond_proj.weight",
    ):
        found = told("sdxl", ["turbo"], [says])
        assert found is not None and "reads the guidance scale" in found.kind.title
        assert found.defaults["prompt_strength"] == 8
    assert told("sd1", ["a"], ["EulerDiscreteScheduler", "sample_size"]) is None


def test_a_name_may_say_that_the_clean_picture_is_predicted() -> None:
    found = told("sdxl", ["sdxl_lightning_1step_x0"])
    assert found is not None and found.defaults["steps"] == 1
    assert found.says == {"prediction_type": "sample"}


def test_a_name_is_read_word_by_word() -> None:
    assert plain("dreamshaperXL_8LCM v2.1") == "dreamshaper xl 8 lcm v2 1"
    assert plain("TurboVisionXL") == "turbo vision xl"


def test_numbers_of_steps_that_make_no_sense_are_not_taken() -> None:
    for name in ("lightning_0step", "lightning_64step", "lightning_400steps"):
        found = told("sdxl", [name])
        assert found is not None and found.defaults["steps"] == 4, name


@pytest.mark.parametrize("kind", FEW_STEPS, ids=lambda kind: kind.title)
def test_rows_can_be_drawn_by(kind: FewSteps) -> None:
    does = kind.defaults
    sampler = get_sampler(does["sampler"])
    assert does.get("schedule", sampler.spacing) in sampler.spacings
    flows = {"flux1", "flux2", "z-image"} & {*kind.families}  # spaced as is usual
    assert flows or sampler.spacing == "lcm" or does["schedule"] == "trailing"
    assert does["prompt_strength"] >= 1
