"""One prompt drawn twice: by `imagine`, and by diffusers with the same weights.

Both take their noise from one seed, in one order: what the encoder draws, what the
walk starts from, what its steps add.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import Conv2d
from torch.nn import functional as F

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, Observer, imagine
from imaginairy.observe import Step
from tests.support.golden import relative_error
from tests.support.walks import WALKS, World

SEED = 7
FOX = "a red fox"
SCALE = 7.5
LATENT_TOLERANCE = 2e-5
"""Of the largest number; measured are 3e-6."""


@dataclass(frozen=True)
class Drawn:
    """What is compared."""

    latents: Tensor | None
    """Where the walk ended; None where there was none."""
    pixels: np.ndarray
    """(height, width, 3), from 0 to 255."""


@dataclass
class Ours(Observer):
    """Draws with `imagine`, and keeps what it is told on the way."""

    folder: Path
    store: ModelStore = field(default_factory=lambda: ModelStore("cpu"))
    steps: list[Step] = field(default_factory=list)
    announced: list[int | None] = field(default_factory=list)
    """How many steps there would be."""

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        self.steps.clear()
        self.announced.append(steps)

    def on_step(self, step: Step) -> None:
        self.steps.append(step)

    def result(self, prompt: Any = FOX, **fields: Any) -> ImagineResult:
        """Draw by a prompt's fields; the usual ones are few steps of 64x64 pixels."""
        usual = {
            "seed": SEED, "steps": 4, "width": 64, "height": 64, "model": self.folder,
            "sampler_type": "k_euler",
        }  # fmt: skip
        self.announced.clear()
        asked = ImaginePrompt(prompt, **{**usual, **fields})
        return next(imagine(asked, store=self.store, observer=self))

    def draw(self, prompt: Any = FOX, **fields: Any) -> Drawn:
        """Draw, and return what is compared."""
        image = self.result(prompt, **fields).img
        latents = self.steps[-1].latents if self.steps else None
        return Drawn(latents, np.asarray(image, dtype=float))


TIMESTEPS: dict[str, list[float]] = {
    "sgm_uniform": [999, 749.25, 499.5, 249.75],
    "simple": [999, 749, 499, 249],
    "trailing": [999, 749, 499, 249],
    "beta": [999, 823, 500, 176],
    "lcm": [999, 759, 499, 259],
}
"""Where four steps of a schedule are."""


class Theirs:
    """Draws with diffusers."""

    def __init__(self, folder: Path) -> None:
        self.pipeline = StableDiffusionPipeline.from_pretrained(
            folder, safety_checker=None, low_cpu_mem_usage=False
        )
        alphas = self.pipeline.scheduler.alphas_cumprod.double()
        self.sigmas = ((1 - alphas) / alphas).sqrt().numpy()
        self.embed = lru_cache(self._embed)

    def draw(
        self,
        prompt: str | Tensor = FOX,
        *,
        kind: Any = StableDiffusionPipeline,
        scheduler: Any = None,
        **options: Any,
    ) -> Drawn:
        """Draw with a pipeline of a kind; the options are its own."""
        parts = dict(self.pipeline.components)
        if scheduler is not None:
            parts["scheduler"] = scheduler
        pipeline = kind(**parts, requires_safety_checker=False)
        pipeline.set_progress_bar_config(disable=True)
        usual = {
            "prompt" if isinstance(prompt, str) else "prompt_embeds": prompt,
            "num_inference_steps": 4,
            "guidance_scale": SCALE,
            "generator": torch.Generator().manual_seed(SEED),
        }
        latents = pipeline(**{**usual, **options}, output_type="latent").images
        return Drawn(latents, self.decode(latents))

    def decode(self, latents: Tensor) -> np.ndarray:
        """Return the pixels of scaled latents, whole numbers."""
        vae = self.pipeline.vae
        picture = vae.decode(latents / vae.config.scaling_factor).sample[0]
        shades = (picture / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()
        return np.floor(shades.astype(float) * 255)

    def encode(self, picture: Tensor, noise: Tensor | float) -> Tensor:
        """Return scaled latents, drawn with noise; with 0, their mean."""
        vae = self.pipeline.vae
        spread = vae.encode(picture).latent_dist
        return (spread.mean + spread.std * noise) * vae.config.scaling_factor

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text, without start and end."""
        return list(self.pipeline.tokenizer(text, add_special_tokens=False).input_ids)

    def _embed(self, text: str, clip_skip: int = 1) -> Tensor:
        return self.embed_ids(self.ids(text), clip_skip)

    def embed_ids(self, ids: Sequence[int], clip_skip: int = 1) -> Tensor:
        """Return the embedding of as many windows as ids need, in a row."""
        tokenizer, encoder = self.pipeline.tokenizer, self.pipeline.text_encoder
        windows = []
        for begin in range(0, max(len(ids), 1), 75):
            window = ids[begin : begin + 75]
            filling = [tokenizer.pad_token_id] * (75 - len(window))
            start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
            windows.append([start, *window, end, *filling])
        states = encoder(torch.tensor(windows), output_hidden_states=True).hidden_states
        inner = getattr(encoder, "text_model", encoder)
        return inner.final_layer_norm(states[-clip_skip]).flatten(0, 1)[None]

    def noise(self) -> Callable[[], Tensor]:
        """Return the source of the seed's noise."""
        generator = torch.Generator().manual_seed(SEED)
        return lambda: torch.randn((1, 4, 8, 8), generator=generator)

    def predict(self, latents: Tensor, timestep: float) -> Tensor:
        """Predict the noise of scaled latents for the usual prompt, with guidance.

        Latents may have beside them what an inpainting model sees.
        """
        prompts = torch.cat([self.embed(""), self.embed(FOX)])
        twice = torch.cat([latents, latents])
        noise = self.pipeline.unet(twice, timestep, prompts).sample
        without, with_prompt = noise.chunk(2)
        return without + SCALE * (with_prompt - without)

    def timestep(self, sigma: float) -> float:
        """Return the timestep, with its fraction, of a sigma."""
        return float(np.interp(np.log(sigma), np.log(self.sigmas), np.arange(1000)))

    def clean(self, latents: Tensor, sigma: float) -> Tensor:
        """Return the clean latents expected behind unscaled ones."""
        scaled = latents / (sigma**2 + 1) ** 0.5
        return latents - sigma * self.predict(scaled, self.timestep(sigma))

    def levels(self, steps: int, schedule: str = "normal") -> list[float]:
        """Return the sigmas of a schedule, and the 0 behind them."""
        if schedule == "karras":
            low, high = self.sigmas[0] ** (1 / 7), self.sigmas[-1] ** (1 / 7)
            sigmas = np.linspace(high, low, steps) ** 7
        elif schedule == "exponential":
            sigmas = np.geomspace(self.sigmas[-1], self.sigmas[0], steps)
        elif schedule == "align_your_steps":
            assert steps == 4, "each 2.5th of ten steps"
            half = (2.697 * 3.861) ** 0.5, (0.399 * 0.652) ** 0.5
            sigmas = np.array([14.615, half[0], 1.396, half[1]])
        else:
            timesteps = TIMESTEPS.get(schedule) or np.linspace(999, 0, steps)
            sigmas = np.exp(np.interp(timesteps, range(1000), np.log(self.sigmas)))
        return [*sigmas.tolist(), 0.0]

    def walk(
        self,
        sampler: str,
        schedule: str = "normal",
        *,
        steps: int = 4,
        eta: float = 1.0,
        init: Image.Image | None = None,
        runs: int | None = None,
    ) -> Drawn:
        """Draw with a sampler of `walks.py`, or go on from a picture for some steps."""
        levels, draw = self.levels(steps, schedule), self.noise()
        if runs is not None:
            levels = levels[-runs - 1 :]
        clean = 0 if init is None else self.encode(tensor(init), draw())
        starts_from_unit_noise = sampler == "k_lcm" and init is None
        start = clean + draw() * np.hypot(levels[0], starts_from_unit_noise)
        latents = WALKS[sampler](World(self.clean, draw, eta), start, levels)
        return Drawn(latents, self.decode(latents))

    def paint(self, init: Image.Image, keep: Image.Image, runs: int, of: int) -> Drawn:
        """Paint what a mask does not keep, in the last steps of k_euler.

        The model sees, of what is kept, the init image under the noise of each step;
        the sampler moves that straight towards the init image.
        """
        draw = self.noise()
        clean, noise = self.encode(tensor(init), draw()), draw()
        levels, kept = self.levels(of)[-runs - 1 :], latent_keep(keep)
        x = levels[0] * noise + (clean if runs < of else 0)
        beside = self.seen_beside(init, keep)
        for sigma, sigma_next in pairwise(levels):
            seen = kept * (clean + sigma * noise) + (1 - kept) * x
            scaled = torch.cat([seen / (sigma**2 + 1) ** 0.5, *beside], dim=1)
            predicted = self.predict(scaled, self.timestep(sigma))
            slope = kept * (x - clean) / sigma + (1 - kept) * predicted
            x = x + (sigma_next - sigma) * slope
        return Drawn(x, pasted(self.decode(x), init, keep, feather=3))

    def seen_beside(self, init: Image.Image, keep: Image.Image) -> list[Tensor]:
        """Return mask and masked latents for a model of 9 channels."""
        if self.pipeline.unet.config.in_channels == 4:
            return []
        stays = torch.from_numpy(np.asarray(keep, dtype=np.float32) / 255) >= 0.5
        return [1 - latent_keep(keep).round(), self.encode(tensor(init) * stays, 0)]


def tensor(image: Image.Image) -> Tensor:
    """Return a picture as (1, 3, h, w) in [-1, 1]."""
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 127.5 - 1).permute(
        2, 0, 1
    )[None]


def latent_keep(keep: Image.Image) -> Tensor:
    """Return how much of each latent is kept, (1, 1, h, w) from 0 to 1."""
    small = keep.resize((keep.width // 8, keep.height // 8), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(small, dtype=np.float32) / 255)[None, None]


def pasted(
    drawn: np.ndarray, init: Image.Image, keep: Image.Image, *, feather: int
) -> np.ndarray:
    """Put back what a mask keeps, its edge blurred."""
    share = np.asarray(keep.filter(ImageFilter.GaussianBlur(feather)), dtype=float)
    share = share[..., None] / 255
    return share * np.asarray(init, dtype=float) + (1 - share) * drawn


def between(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Go along the great circle through two noises (Shoemake 1985)."""
    a, b = first.double().flatten(), second.double().flatten()
    angle = torch.acos(a @ b / (a.norm() * b.norm()))
    mixed = torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b
    return (mixed / torch.sin(angle)).float().view_as(first)


@contextmanager
def wrapped(theirs: Theirs, axes: str) -> Iterator[None]:
    """Let the padding of every convolution be the other side of the picture."""

    def padded(layer: Conv2d, x: Tensor, weight: Tensor, bias: Any) -> Tensor:
        for axis, pad in (("x", (1, 1, 0, 0)), ("y", (0, 0, 1, 1))):
            x = F.pad(x, pad, mode="circular" if axis in axes else "constant")
        return F.conv2d(x, weight, bias, layer.stride)

    layers = [
        layer
        for network in (theirs.pipeline.unet, theirs.pipeline.vae)
        for layer in network.modules()
        if isinstance(layer, Conv2d) and layer.padding == (1, 1)
    ]
    for layer in layers:
        layer._conv_forward = padded.__get__(layer)
    yield
    for layer in layers:
        del layer._conv_forward


def assert_same(
    ours: Drawn, theirs: Drawn, *, tolerance: float = LATENT_TOLERANCE
) -> None:
    """Compare latents number by number, and pixels to one of 255 shades."""
    if ours.latents is not None and theirs.latents is not None:
        error = relative_error(ours.latents, theirs.latents)
        assert error <= tolerance, f"the latents are off by {error:.1e}"
    assert ours.pixels.shape == theirs.pixels.shape
    assert theirs.pixels.std() > 10, "the reference is plain, and proves nothing"
    off = np.abs(ours.pixels - theirs.pixels)
    assert off.max() <= 1, f"the pixels are off by {off.mean():.1f} in the mean"
    assert off.mean() < 0.25, f"{(off > 0.5).mean():.0%} of the pixels are off by 1"
