"""Draw one picture with one of the two libraries and print what it cost, as JSON.

Run in a process of its own: `python -m benchmarks.draw ours FOLDER 512`.
"""

import json
import resource
import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.others import openvino, stable_diffusion_cpp

STEPS = 3
PROMPT = "a bowl of fruit"


def ours(folder: Path, pixels: int, *, precision: Any) -> dict[str, Any]:
    """Draw with imaginairy."""
    import torch  # noqa: F401  # both sides need it; it is not what is compared

    begun = time.perf_counter()
    from imaginairy import ImaginePrompt, ModelStore, Observer, imagine

    store = ModelStore("cpu", precision)
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


def diffusers(folder: Path, pixels: int, *, half: bool) -> dict[str, Any]:
    """Draw with diffusers: as its documentation begins, or in bf16 and laid out so."""
    import torch

    begun = time.perf_counter()
    from diffusers import DiffusionPipeline

    imported = time.perf_counter()
    dtype = torch.bfloat16 if half else torch.float32
    pipeline = DiffusionPipeline.from_pretrained(folder, dtype=dtype)
    if half:
        pipeline.unet.to(memory_format=torch.channels_last)
        pipeline.vae.to(memory_format=torch.channels_last)
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


SIDES = {
    "ours": partial(ours, precision="autocast"),
    "ours, full": partial(ours, precision="full"),
    "diffusers": partial(diffusers, half=False),
    "diffusers, bf16": partial(diffusers, half=True),
}
OTHERS = {
    "OpenVINO": partial(openvino, half=False),
    "OpenVINO, bf16": partial(openvino, half=True),
    "stable-diffusion.cpp, f32": partial(stable_diffusion_cpp, kind="f32"),
    "stable-diffusion.cpp, bf16": partial(stable_diffusion_cpp, kind="bf16"),
    "stable-diffusion.cpp, q8_0": partial(stable_diffusion_cpp, kind="q8_0"),
}
"""What is measured where it is installed; see `benchmarks.others`."""

if __name__ == "__main__":
    side, folder, pixels = sys.argv[1:]
    drawn = (SIDES | OTHERS)[side](Path(folder), int(pixels))
    print(json.dumps(drawn))
