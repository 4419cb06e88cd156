"""The same networks in OpenVINO, and the same model in stable-diffusion.cpp.

Neither is needed by anything else: `pip install openvino stable-diffusion-cpp-python`.
"""

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

GRAPHS = "openvino"
"""Folder, within a model's, of the networks as OpenVINO reads them."""


class Predicting(nn.Module):
    """diffusers' UNet with nothing but tensors around it."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, latents: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        predicted: Tensor = self.unet(latents, timestep, text, return_dict=False)[0]
        return predicted


class Decoding(nn.Module):
    """The half of diffusers' autoencoder that makes pictures."""

    def __init__(self, autoencoder: nn.Module) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, latents: Tensor) -> Tensor:
        pictures: Tensor = self.autoencoder.decode(latents, return_dict=False)[0]
        return pictures


def save_graphs(folder: Path) -> None:
    """Save a model's UNet and decoder as OpenVINO reads them, in fp32."""
    import openvino
    from diffusers import AutoencoderKL, UNet2DConditionModel

    unet = UNet2DConditionModel.from_pretrained(folder / "unet").eval()
    autoencoder = AutoencoderKL.from_pretrained(folder / "vae").eval()
    inputs = inputs_of(512)
    for name, network, given in (
        ("unet", Predicting(unet), inputs),
        ("vae", Decoding(autoencoder), inputs[0][:1]),
    ):
        with torch.no_grad():
            graph = openvino.convert_model(network, example_input=given)
        openvino.save_model(
            graph, folder / GRAPHS / f"{name}.xml", compress_to_fp16=False
        )


def single(folder: Path) -> Path:
    """Return where a model lies as one file, as stable-diffusion.cpp reads it."""
    return folder.with_name(f"{folder.name}-single.safetensors")


def save_for_others(folder: Path) -> None:
    """Save a model's networks for OpenVINO, and all of it for stable-diffusion.cpp."""
    save_graphs(folder)
    aimg = Path(sys.executable).with_name("aimg")
    subprocess.run([aimg, "convert", folder, single(folder)], check=True)


def inputs_of(pixels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the UNet is given in a guided step: latents, timestep, text."""
    side = pixels // 8
    return torch.randn(2, 4, side, side), torch.tensor(500.0), torch.randn(2, 77, 768)


def openvino(folder: Path, pixels: int, *, half: bool) -> dict[str, Any]:
    """Compute three guided steps and a picture with OpenVINO."""
    begun = time.perf_counter()
    import openvino

    from benchmarks.draw import STEPS, costs

    core = openvino.Core()
    kind = "bf16" if half else "f32"
    settings = {"INFERENCE_PRECISION_HINT": kind, "PERFORMANCE_HINT": "LATENCY"}
    imported = time.perf_counter()
    unet, vae = (
        core.compile_model(folder / GRAPHS / f"{name}.xml", "CPU", settings)
        for name in ("unet", "vae")
    )
    loaded = time.perf_counter()
    latents, timestep, text = (each.numpy() for each in inputs_of(pixels))
    ticks = []
    for _ in range(STEPS):
        unet([latents, timestep, text])
        ticks.append(time.perf_counter())
    vae([latents[:1]])
    return costs(begun, imported, loaded, ticks)


def stable_diffusion_cpp(folder: Path, pixels: int, *, kind: str) -> dict[str, Any]:
    """Draw with stable-diffusion.cpp.

    Args:
        kind: in what the weights are held, as it calls that.
    """
    from benchmarks.draw import PROMPT, STEPS, costs

    begun = time.perf_counter()
    from stable_diffusion_cpp import StableDiffusion

    imported = time.perf_counter()
    model = StableDiffusion(
        model_path=str(single(folder)),
        wtype=kind,
        diffusion_flash_attn=True,
        n_threads=torch.get_num_threads(),
        verbose=False,
    )
    loaded = time.perf_counter()
    ticks: list[float] = []

    def tick(step: int, *_: Any) -> None:
        if step:
            ticks.append(time.perf_counter())

    model.generate_image(
        prompt=PROMPT, cfg_scale=7.5, width=pixels, height=pixels, seed=1,
        sample_method="euler", sample_steps=STEPS, progress_callback=tick,
    )  # fmt: skip
    ticks = ticks[:STEPS]
    if len(ticks) != STEPS or not all(a < b for a, b in pairwise(ticks)):
        raise SystemExit("stable-diffusion.cpp said nothing of its steps")
    return costs(begun, imported, loaded, ticks)
