"""What learning takes: seconds a step and peak memory, on random weights of real size.

    python -m benchmarks.learning [--device cuda] [--sizes sd15 sdxl] [--steps 10]

Each row is measured in a process of its own, after two steps that make kernels ready:
weights of all networks lie on the device, in bfloat16 where it has units for that, and
of what is learnt, its gradients and two moments in float32. It prints rows of the table
in docs/adapters.md. `--tiny` tries it out.
"""

import argparse
import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import nn

from imaginairy.conditioning import Conditioning
from imaginairy.device import choose_device, choose_dtype
from imaginairy.families.sd1 import SD1
from imaginairy.families.sdxl import SDXL
from imaginairy.learning.course import Course
from imaginairy.learning.examples import Example
from imaginairy.learning.subject import fresh_subject
from imaginairy.learning.train import Training
from imaginairy.measuring import IDS, POOLED, TINY_UNET, TOKENS, UNETS
from imaginairy.models.drawing import DrawingModel
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.clip_text import ClipText
from imaginairy.networks.config import AutoencoderConfig, ClipTextConfig
from imaginairy.networks.unet import UNet
from imaginairy.samplers.discrete import NoiseSchedule

READY = 2
"""Steps before those that are measured."""
BIG_TEXT = ClipTextConfig(
    width=1280, heads=20, layers=32, mlp_width=5120, projection_dim=POOLED,
    activation="gelu",
)  # fmt: skip
SMALL_TEXT = ClipTextConfig(width=48, heads=3, layers=2, mlp_width=96)
SIDES = {"sd15": 512, "sdxl": 1024}


@dataclass(frozen=True)
class Row:
    """What is measured."""

    size: str
    kind: str = "lora"
    rank: int = 16
    batch: int = 1
    checkpointing: bool = False


def rows(size: str) -> list[Row]:
    """Return what is measured of a size."""
    return [
        Row(size),
        Row(size, checkpointing=True),
        Row(size, batch=4),
        Row(size, batch=4, checkpointing=True),
        Row(size, kind="locon"),
        Row(size, kind="loha"),
        Row(size, kind="lokr"),
    ]


def model_of(
    size: str, device: torch.device, dtype: torch.dtype, *, tiny: bool
) -> DrawingModel:
    """Return a model with random weights, all of it on a device."""
    family, big = (SDXL, True) if size == "sdxl" and not tiny else (SD1, False)
    unet = TINY_UNET if tiny else UNETS["SDXL" if big else "SD 1.5"]
    with torch.device(device):
        networks: dict[str, nn.Module] = {
            "denoiser": UNet(unet).to(dtype),
            "autoencoder": Autoencoder(AutoencoderConfig()).to(dtype),
            "text": ClipText(SMALL_TEXT if tiny else ClipTextConfig()).to(dtype),
        }
        if big:
            networks["text_2"] = ClipText(BIG_TEXT).to(dtype)
    for network in networks.values():
        network.eval().requires_grad_(False)
    return DrawingModel(
        family=family, networks=networks, encoders={}, schedule=NoiseSchedule(),
        prediction="noise", device=device,
    )  # fmt: skip


class Told(Training):
    """Learns from pictures of which the same is told always."""

    def _said(self, number: int, *, dropped: bool) -> Conditioning:
        config = self.model.network.config
        device = self.model.device
        tokens = torch.zeros(1, TOKENS, config.context_dim, device=device)
        if config.added_dim is None:
            return Conditioning(tokens)
        pooled = torch.zeros(1, POOLED, device=device)
        return Conditioning(tokens, pooled, torch.zeros(1, IDS, device=device))


def measured(
    row: Row, device: torch.device, steps: int, *, tiny: bool
) -> dict[str, Any]:
    """Learn for a few steps, and return what that took."""
    dtype = choose_dtype(device, learning=True)
    model = model_of(row.size, device, dtype, tiny=tiny)
    if device.type == "cuda":  # what making them took is not counted
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    side = 64 if tiny else SIDES[row.size]
    shape = model.latent_shape((side, side))
    examples = [Example("", (side, side), torch.randn(shape)) for _ in range(row.batch)]
    course = Course(
        kind=row.kind,  # type: ignore[arg-type]
        rank=row.rank, batch_size=row.batch, checkpointing=row.checkpointing,
    )  # fmt: skip
    subject = fresh_subject(model, course)
    training = Told(model, examples, subject, course)
    training.run(READY)
    synchronize(device)
    begun = perf_counter()
    training.run(READY + steps)
    synchronize(device)
    return {
        "seconds": (perf_counter() - begun) / steps,
        "peak": peak_bytes(device),
        "learnt": sum(each.numel() for each in subject.learnt.values()),
        "device": name_of(device),
    }


def synchronize(device: torch.device) -> None:
    """Wait for all that a device computes."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(device: torch.device) -> int:
    """Return the most memory that was taken, of the device or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def name_of(device: torch.device) -> str:
    """Say what device it is."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def line(row: Row, found: dict[str, Any]) -> str:
    """Return a row of the table."""
    model = {"sd15": "Stable Diffusion 1.5, 512", "sdxl": "Stable Diffusion XL, 1024"}
    again = "yes" if row.checkpointing else "no"
    return (
        f"| {model[row.size]} | {row.kind}, {found['learnt'] / 1e6:.1f} million "
        f"| {row.batch} | {again} | {found['peak'] / 1e9:.1f} GB "
        f"| {found['seconds']:.2g} s |"
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device")
    parser.add_argument("--sizes", nargs="+", default=list(SIDES), choices=SIDES)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    device = choose_device(asked.device)
    if asked.row:
        row = Row(**json.loads(asked.row))
        print(json.dumps(measured(row, device, asked.steps, tiny=asked.tiny)))
        return 0
    print("| model, pixels | learnt, numbers | batch | checkpointing | peak | a step |")
    print("|---|---|---|---|---|---|")
    for row in (each for size in asked.sizes for each in rows(size)):
        words = [sys.executable, "-m", "benchmarks.learning", "--row",
                 json.dumps(vars(row)), "--device", str(device),
                 "--steps", str(asked.steps)]  # fmt: skip
        words += ["--tiny"] * asked.tiny
        ran = subprocess.run(words, capture_output=True, text=True, check=False)
        if ran.returncode:
            why = (ran.stderr.strip().splitlines() or ["nothing said"])[-1]
            print(f"| {row.size}, {row.kind}, batch {row.batch} | {why[:100]} |")
            continue
        print(line(row, json.loads(ran.stdout.splitlines()[-1])), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
