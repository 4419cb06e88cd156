"""Draw one picture with one of the two libraries and print what it cost, as JSON.

Run in a process of its own: `python -m benchmarks.draw ours FOLDER 512`.
"""

import json
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

STEPS = 3
PROMPT = "a bowl of fruit"


def ours(folder: Path, pixels: int) -> dict[str, Any]:
    """Draw with imaginairy."""
    import torch  # noqa: F401  # both sides need it; it is not what is compared

    begun = time.perf_counter()
    from imaginairy import ImaginePrompt, ModelStore, Observer, imagine

    store = ModelStore(device="cpu")
    imported = time.perf_counter()
    store.get(str(folder))
    loaded = time.perf_counter()

    class Clock(Observer):
        def __init__(self) -> None:
            self.ticks: list[float] = []

        def on_step(self, step: object) -> None:
            self.ticks.append(time.perf_counter())

    clock = Clock()
    prompt = ImaginePrompt(
        PROMPT, seed=1, model=str(folder), sampler_type="ddim", steps=STEPS,
        width=pixels, height=pixels, prompt_strength=7.5,
    )  # fmt: skip
    next(iter(imagine(prompt, store=store, observer=clock)))
    return costs(begun, imported, loaded, clock.ticks)


def diffusers(folder: Path, pixels: int) -> dict[str, Any]:
    """Draw with diffusers."""
    import torch

    begun = time.perf_counter()
    from diffusers import DiffusionPipeline

    imported = time.perf_counter()
    pipeline = DiffusionPipeline.from_pretrained(folder, dtype=stored_in(folder))
    loaded = time.perf_counter()
    pipeline.set_progress_bar_config(disable=True)
    ticks: list[float] = []

    def tick(*_: Any) -> dict[str, Any]:
        ticks.append(time.perf_counter())
        return {}

    pipeline(
        PROMPT,
        num_inference_steps=STEPS,
        guidance_scale=7.5,
        width=pixels,
        height=pixels,
        generator=torch.Generator().manual_seed(1),
        callback_on_step_end=tick,
    )
    return costs(begun, imported, loaded, ticks)


def stored_in(folder: Path) -> Any:
    """Return the type of the UNet's weights, which diffusers computes in."""
    from safetensors import safe_open

    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    with safe_open(file, framework="pt") as opened:
        return opened.get_tensor("conv_in.bias").dtype


def costs(
    begun: float, imported: float, loaded: float, ticks: list[float]
) -> dict[str, Any]:
    """Return seconds and megabytes; call it as soon as the picture is there."""
    done = time.perf_counter()
    return {
        "load": loaded - imported,
        "import and load": loaded - begun,
        "step": min(b - a for a, b in pairwise(ticks)),
        "decode": done - ticks[-1],
        "peak memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    side, folder, pixels = sys.argv[1:]
    drawn = {"ours": ours, "diffusers": diffusers}[side](Path(folder), int(pixels))
    print(json.dumps(drawn))
