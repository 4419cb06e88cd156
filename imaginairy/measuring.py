"""How fast a machine generates: networks of real size with random weights, timed.

Nothing is fetched. Each part is timed several times after a first that makes kernels
ready; what this machine reaches in plain matrix products is the ceiling of the rest.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from imaginairy.api import imagine
from imaginairy.conditioning import Conditioning
from imaginairy.device import free_bytes, let_go, memory_format
from imaginairy.errors import NotEnoughMemoryError
from imaginairy.models.store import ModelStore
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.config import AutoencoderConfig, UNetConfig, mirrored
from imaginairy.networks.unet import UNet
from imaginairy.samplers.denoiser import NetworkDenoiser, guided
from imaginairy.samplers.discrete import NoiseSchedule
from imaginairy.schema import ImaginePrompt
from imaginairy.sources.roles import BUNDLED_MODEL

XL_DOWN = ((0, 0), (2, 2), (10, 10))
TINY_DOWN = ((0,), (1,))
TOKENS, POOLED, IDS = 77, 1280, 6
"""Tokens of a text, the width of one as a whole, and how many ids stand beside it."""
UNETS = {
    "SD 1.5": UNetConfig(),
    "SDXL": UNetConfig(
        channels=(320, 640, 1280), down=XL_DOWN, middle=(10, 0), up=mirrored(XL_DOWN),
        heads=(5, 10, 20), context_dim=2048, added_dim=POOLED + IDS * 256,
    ),
}  # fmt: skip
TINY_UNET = UNetConfig(
    channels=(32, 64), down=TINY_DOWN, middle=(1, 0), up=mirrored(TINY_DOWN),
    heads=(2, 4), context_dim=48,
)  # fmt: skip
PIXELS = 512
MATRIX = 4096
TOGETHER = 4
"""How many pictures of the bundled model are generated at once."""
ROOM = 1.2
"""How many times as much memory has to be free as is known to be taken."""

Once = Callable[[], Any]


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    rounds: int
    seconds: float
    """After so many of them no further round of a part is begun."""
    tiny: bool = False
    """Whether networks have a few layers only, to try it out."""

    @property
    def pixels(self) -> int:
        """The width and the height of what is generated."""
        return 64 if self.tiny else PIXELS

    @property
    def latents(self) -> int:
        """The same in latents."""
        return self.pixels // 8


QUICK, USUAL = Effort(3, 4), Effort(9, 30)


@dataclass(frozen=True)
class Measured:
    """What came of one part."""

    key: str
    """By which programs know it."""
    what: str
    seconds: tuple[float, ...]
    """Of each round."""
    tflop: float | None = None
    """Floating-point operations of a round, in 10^12."""
    pictures: int = 0
    """How many were made in a round; 0 where that is not what is counted."""

    @property
    def values(self) -> tuple[float, ...]:
        """What is told of each round, in `unit`."""
        if self.pictures:
            return tuple(self.pictures / each for each in self.seconds)
        return self.seconds

    @property
    def unit(self) -> str:
        """What the values count."""
        return "pictures/s" if self.pictures else "s"

    @property
    def rate(self) -> float | None:
        """The operations of a second, in 10^12; None where they are not counted."""
        return None if self.tflop is None else self.tflop / median(self.seconds)


def measurements(
    store: ModelStore, effort: Effort, *, xl: bool = False
) -> Iterator[Measured]:
    """Yield how long each part takes, as soon as it is measured.

    Args:
        store: says on which device, and in which numbers.
        xl: Stable Diffusion XL, too.

    Raises:
        NotEnoughMemoryError: a network does not fit; said before it is built.
    """
    device, dtype = store.device, store.dtype
    models = ["SD 1.5", *(["SDXL"] if xl else [])]
    for model in models:
        require_room(unet_of(model, effort), model, store, free_bytes(device))
    yield matmul(effort, device, dtype)
    with torch.inference_mode():
        for model in models:
            yield step(model, effort, device, dtype)
            let_go(device)
            yield decode(model, effort, device, dtype)
            let_go(device)
    for together in (1, TOGETHER):
        yield bundled(store, effort, together)


def timed(once: Once, effort: Effort, device: torch.device) -> tuple[float, ...]:
    """Return how long each round of something takes.

    The first makes kernels ready and is left out, unless it alone takes too long.
    """
    first = seconds_of(once, device)
    if first > effort.seconds:
        return (first,)
    taken = [seconds_of(once, device)]
    while len(taken) < effort.rounds and sum(taken) < effort.seconds:
        taken.append(seconds_of(once, device))
    return tuple(taken)


def seconds_of(once: Once, device: torch.device) -> float:
    """Return how long something takes, from an idle device to an idle one."""
    wait(device)
    begun = perf_counter()
    once()
    wait(device)
    return perf_counter() - begun


def wait(device: torch.device) -> None:
    """Wait until the device has computed all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def require_room(unet: UNet, model: str, store: ModelStore, free: int | None) -> None:
    """Check that a UNet fits into memory, with what it holds of a picture.

    Args:
        free: bytes of memory; None where nobody says.

    Raises:
        NotEnoughMemoryError: it does not.
    """
    side, dtype = PIXELS // 8, store.dtype
    numbers = sum(weight.numel() for weight in unet.parameters())
    taken = dtype.itemsize * (numbers + 2 * unet.config.numbers_held(side, side))
    if free is not None and free < ROOM * taken:
        raise NotEnoughMemoryError(
            f"{model} takes {ROOM * taken / 1e9:.1f} GB of memory in "
            f"{str(dtype).removeprefix('torch.')} and {free / 1e9:.1f} GB of "
            f"{store.device} "
            "are free; close other programs, or measure less."
        )


def matmul(effort: Effort, device: torch.device, dtype: torch.dtype) -> Measured:
    """Measure products of large matrices."""
    side = 64 if effort.tiny else MATRIX * (2 if device.type == "cuda" else 1)
    first, second = (
        torch.randn(side, side, device=device, dtype=dtype) for _ in range(2)
    )
    taken = timed(lambda: first @ second, effort, device)
    what = f"product of {side} x {side} matrices"
    return Measured("matmul", what, taken, 2 * side**3 / 1e12)


def step(
    model: str, effort: Effort, device: torch.device, dtype: torch.dtype
) -> Measured:
    """Measure a guided step of a picture, as a sampler has it."""
    unet = unet_of(model, effort)
    asked = partial(Inputs.of, unet.config, 2, effort.latents)
    tflop = counted(unet, asked(torch.device("meta"), torch.float16))
    network = filled(unet, device, dtype, memory_format(device, dtype))
    given = asked(device, dtype)
    follow, avoid = given.text[:1], given.text[1:]
    denoiser = guided(
        NetworkDenoiser(network, NoiseSchedule(), "noise", follow), avoid, 7.5
    )
    latents = given.latents[:1].float()
    once = lambda: denoiser.denoised(latents, 1.0)  # noqa: E731
    taken = timed(once, effort, device)
    what = f"{model}, guided step, {effort.pixels} x {effort.pixels}"
    return Measured(f"{model} step", what, taken, tflop)


def decode(
    model: str, effort: Effort, device: torch.device, dtype: torch.dtype
) -> Measured:
    """Measure how latents become a picture."""
    channels = (32, 64) if effort.tiny else AutoencoderConfig.channels
    with torch.device("meta"):
        network = Autoencoder(AutoencoderConfig(channels=channels)).eval()
    network = filled(network, device, dtype, memory_format(device, dtype))
    latents = torch.randn(1, 4, effort.latents, effort.latents, device=device)
    once = lambda: network.pictures_of(latents)  # noqa: E731
    taken = timed(once, effort, device)
    what = f"{model}, decoding, {effort.pixels} x {effort.pixels}"
    return Measured(f"{model} decoding", what, taken)


def bundled(store: ModelStore, effort: Effort, together: int) -> Measured:
    """Measure whole pictures of the bundled model, so many at once."""
    side, steps = (64, 1) if effort.tiny else (128, 10)
    once = partial(draw_bundled, store, together, side, steps)
    taken = timed(once, effort, store.device)
    at_once = "alone" if together == 1 else f"{together} at once"
    what = f"{BUNDLED_MODEL}, {side} x {side}, steps {steps}, {at_once}"
    return Measured(f"{BUNDLED_MODEL} {together}", what, taken, pictures=TOGETHER)


def draw_bundled(
    store: ModelStore, together: int, side: int = 128, steps: int = 10
) -> None:
    """Generate four pictures of the bundled model, so many at once."""
    prompts = [
        ImaginePrompt(
            "a red fox in a field", model=BUNDLED_MODEL, seed=seed, steps=steps,
            width=side, height=side, upscale=False,
        )
        for seed in range(TOGETHER)
    ]  # fmt: skip
    list(imagine(prompts, store=store, batch_size=together))


@dataclass(frozen=True)
class Inputs:
    """What a UNet is asked."""

    latents: Tensor
    timesteps: Tensor
    text: Conditioning

    @classmethod
    def of(
        cls,
        config: UNetConfig,
        batch: int,
        side: int,
        device: torch.device,
        dtype: torch.dtype,
        laid: torch.memory_format = torch.contiguous_format,
    ) -> "Inputs":
        """Make them up, on the device, for latents of so many places a side.

        Args:
            laid: how they lie in memory.
        """
        latents = torch.randn(batch, 4, side, side, device=device)
        latents = latents.to(dtype, memory_format=laid)
        tokens = torch.randn(
            batch, TOKENS, config.context_dim, device=device, dtype=dtype
        )
        pooled = ids = None
        if config.added_dim is not None:
            width = config.added_dim - IDS * config.id_dim
            pooled = torch.randn(batch, width, device=device, dtype=dtype)
            ids = torch.full((batch, IDS), float(PIXELS), device=device)
        timesteps = torch.full((batch,), 500.0, device=device)
        return cls(latents, timesteps, Conditioning(tokens, pooled, ids))


def unet_of(model: str, effort: Effort) -> UNet:
    """Return a UNet without weights."""
    with torch.device("meta"):
        return UNet(TINY_UNET if effort.tiny else UNETS[model]).eval()


def counted(network: nn.Module, given: Inputs) -> float:
    """Count the operations of one question, in 10^12, without computing it."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.to(given.latents.dtype)(given.latents, given.timesteps, given.text)
    return float(counter.get_total_flops()) / 1e12


@torch.no_grad()
def filled(
    network: nn.Module,
    device: torch.device,
    dtype: torch.dtype,
    laid: torch.memory_format,
) -> Any:
    """Give a network weights that keep numbers moderate, where it is to run.

    Args:
        laid: how they and pictures lie in memory.
    """
    network = network.to(dtype).to_empty(device=device)
    for name, weight in network.named_parameters():
        if weight.ndim > 1:
            reach = weight[0].numel() ** -0.5
            weight.uniform_(-reach, reach)
        else:
            weight.fill_(1.0 if name.endswith("weight") else 0.0)
    network = network.to(memory_format=laid)  # type: ignore[call-overload]
    return network.requires_grad_(requires_grad=False)
