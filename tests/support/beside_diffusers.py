"""The same picture by the product and by diffusers: both to the latents."""

from pathlib import Path
from typing import Any

import torch

from imaginairy import ImaginePrompt, Observer
from imaginairy.observe import Step

FOX, BOWL = "a red fox", "a bowl of fruit"
SIZE = 64


class Last(Observer):
    """Keeps the latents that each picture of a batch ended with."""

    def __init__(self) -> None:
        self.latents: dict[int, torch.Tensor] = {}

    def on_step(self, step: Step) -> None:
        self.latents[step.picture] = step.latents


def prompts(model: Path, *texts: str, **options: Any) -> list[ImaginePrompt]:
    """Return a prompt for each text, whose seeds count up from 0."""
    usual: dict[str, Any] = {
        "width": SIZE, "height": SIZE, "steps": 5, "sampler_type": "ddim",
        "prompt_strength": 5.0, "model": str(model),
    }  # fmt: skip
    return [
        ImaginePrompt(text, seed=seed, **{**usual, **options})
        for seed, text in enumerate(texts)
    ]


@torch.inference_mode()
def theirs(pipeline: Any, text: str | None, seed: int, **options: Any) -> torch.Tensor:
    """Return the latents that diffusers ends with; `text` None where it is embedded."""
    is_xl = hasattr(pipeline, "text_encoder_2")
    sizes = {"height": SIZE, "width": SIZE, "output_type": "latent"}
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(seed))
    usual = {"num_inference_steps": 5, "guidance_scale": 5.0, "latents": noise}
    if is_xl:
        sizes |= {"original_size": (SIZE, SIZE), "target_size": (SIZE, SIZE)}
    latents: torch.Tensor = pipeline(text, **{**usual, **sizes, **options}).images
    return latents
