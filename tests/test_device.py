"""Where to compute, in what precision, and noise that is the same everywhere."""

import os
import re
from pathlib import Path

import pytest
import torch

from imaginairy import device
from imaginairy.device import (
    SeededNoise,
    choose_device,
    choose_dtype,
    is_forked,
    spherical_mix,
)
from imaginairy.errors import BadOptionError

CPU, CUDA, MPS = (torch.device(name) for name in ("cpu", "cuda", "mps"))


def with_devices(
    monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False
) -> None:
    """Let torch find so many devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


def test_the_fastest_device_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for found, taken in (
        ({}, CPU),
        ({"mps": True}, MPS),
        ({"cuda": 1}, CUDA),
        ({"cuda": 1, "mps": True}, CUDA),
    ):
        with_devices(monkeypatch, **found)  # type: ignore[arg-type]
        assert choose_device() == choose_device(None) == taken


def test_a_device_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with_devices(monkeypatch, cuda=2, mps=True)
    for name in ("cpu", "mps", "cuda", "cuda:0", "cuda:1"):
        assert choose_device(name) == torch.device(name)


@pytest.mark.parametrize(
    "name", ["gpu", "", "cuda:2", "cuda:x", "cuda:-1", "cpu:0", "mps:0", "CPU"]
)
def test_other_devices_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with_devices(monkeypatch, cuda=2)
    with pytest.raises(BadOptionError) as caught:
        choose_device(name)
    assert str(caught.value) == (
        f"Device '{name}' is not available here; choose from: cuda, cpu."
    )


def test_half_precision_is_for_what_has_units_for_it() -> None:
    assert choose_dtype(CUDA) == choose_dtype(CUDA, "autocast") == torch.float16
    assert choose_dtype(MPS) == torch.float32
    for each in (CUDA, MPS, CPU):
        assert choose_dtype(each, "full") == torch.float32
    info = Path("/proc/cpuinfo")
    if info.is_file():  # on Linux
        has_units = re.search("amx_bf16|avx512_bf16", info.read_text())
        assert choose_dtype(CPU) == (torch.bfloat16 if has_units else torch.float32)
    with pytest.raises(BadOptionError, match=r"'half' is unknown; .* autocast or full"):
        choose_dtype(CPU, "half")  # type: ignore[arg-type]


def test_a_fork_is_told_by_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_forked()
    monkeypatch.setattr(device, "LOADED_IN", os.getpid() + 1)
    assert is_forked()


def test_a_seed_s_noise_is_drawn_on_the_cpu_one_after_the_other() -> None:
    noise = SeededNoise(5, [1, 2, 3], CPU)
    generator = torch.Generator().manual_seed(5)
    for _ in range(3):
        assert torch.equal(noise(), torch.randn((1, 2, 3), generator=generator))
    assert SeededNoise(5, (1, 2), torch.device("meta"))().device.type == "meta"


def test_a_mix_of_noises_goes_along_the_arc() -> None:
    first, second = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    for share, at in ((0, 0), (1 / 3, 30), (1 / 2, 45), (1, 90)):
        angle = torch.deg2rad(torch.tensor(float(at)))
        wanted = 3 * torch.stack([angle.cos(), angle.sin()])[None]
        torch.testing.assert_close(spherical_mix(first, second, share), wanted)


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_noises_without_an_arc_between_them_are_mixed_straight(share: float) -> None:
    """The same one, and its opposite."""
    for seed in range(20):  # of some, rounding makes the cosine more than 1
        noise = SeededNoise(seed, (4, 8, 8), CPU)()
        torch.testing.assert_close(spherical_mix(noise, noise, share), noise)
    noise = torch.tensor([[3.0, 4.0]])
    opposite = spherical_mix(noise, -noise, share)
    torch.testing.assert_close(opposite, (1 - 2 * share) * noise, rtol=0, atol=1e-5)
