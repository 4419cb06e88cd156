"""What some fields of a prompt need others for, in the words that say so."""

from imaginairy.fields import Need
from imaginairy.samplers import SAMPLERS, get_sampler


def _takes_eta(sampler: str | None) -> bool:
    return sampler is None or get_sampler(sampler).takes_eta


AN_INIT_IMAGE = Need("init_image", "{name} needs an init_image; give one.")
A_CONTROL = Need("controls", "{name} needs controls; give one.", met=bool)
A_MASK_PROMPT = Need("mask_prompt", "{name} needs a mask_prompt; give one.")
FACES = Need("fix_faces", "{name} needs fix_faces; ask for that too.")
A_CAPTION = Need("caption", "{name} needs caption; switch it on.")
SEVERAL = Need("best_of", "{name} needs best_of; give 2 or more.")
UPSCALING = Need(
    "upscale",
    "upscale is off, so the upscaler '{value}' has nothing to do; leave one of them "
    "out.",
    met=bool,
)
A_NOISY_SAMPLER = Need(
    "sampler_type",
    "The sampler '{other}' adds no noise and takes no eta; "
    f"{', '.join(row.name for row in SAMPLERS.values() if row.takes_eta)} do.",
    met=_takes_eta,
)
GUIDANCE = Need(
    "prompt_strength",
    "{name} changes guidance, which a prompt_strength of 1 switches off.",
    met=lambda strength: strength != 1,
)
A_NEGATIVE_PROMPT = Need("negative_prompt", "{name} needs a negative_prompt; give one.")
