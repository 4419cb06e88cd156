"""The pretend accelerator itself: as strict as a GPU, and right as the CPU is."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy import ModelStore
from imaginairy.device import choose_device, choose_dtype, free_bytes
from imaginairy.errors import BadOptionError
from tests.support.pretend_device import NAME, Pretend, plugged_in

DEVICE = torch.device(NAME)


@pytest.fixture
def pretend() -> Iterator[Pretend]:
    with plugged_in() as device:
        yield device


def test_it_is_there_while_it_is_plugged_in() -> None:
    with plugged_in():
        assert choose_device() == choose_device(NAME) == DEVICE
        assert torch.accelerator.is_available()
    assert choose_device() != DEVICE
    assert not torch.accelerator.is_available()
    with pytest.raises(BadOptionError, match="'pretend' is not available here"):
        choose_device(NAME)
    with pytest.raises(RuntimeError, match="not plugged in"):
        torch.ones(2, device=DEVICE)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda here, there: here + there,
        lambda here, there: there + here,
        lambda here, there: there @ here,
        lambda here, there: torch.cat([there, here]),
        lambda here, there: torch.where(here > 0, here, there),
        lambda here, there: here.add_(there),
        lambda here, there: F.linear(there, here),
        lambda here, there: F.conv2d(there[None, None], here[None, None]),
        lambda here, there: F.scaled_dot_product_attention(
            *(each[None, None] for each in (there, here, here))
        ),
    ],
)
def test_it_does_not_compute_with_what_lies_elsewhere(
    pretend: Pretend, mixed: Callable[[Tensor, Tensor], Tensor]
) -> None:
    there = torch.ones(3, 3)
    with pytest.raises(RuntimeError, match="on the same device"):
        mixed(there.to(DEVICE), there)


def test_a_single_number_may_come_from_the_host(pretend: Pretend) -> None:
    numbers = torch.ones(3, device=DEVICE)
    assert (numbers * torch.tensor(2.0)).tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(TypeError, match="can't convert pretend"):
        numbers.numpy()


def test_it_computes_what_the_cpu_does(pretend: Pretend) -> None:
    picture = torch.randn(2, 4, 8, 8)
    for network in (
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ConvTranspose2d(4, 6, 3),
        nn.GroupNorm(2, 4),
        nn.LayerNorm(8),
        nn.Linear(8, 5),
        nn.PReLU(4),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.CircularPad2d(2),
        nn.Softmax(-1),
        nn.GELU(),
    ):
        with torch.inference_mode():
            expected = network(picture)
            assert torch.equal(network.to(DEVICE)(picture.to(DEVICE)).cpu(), expected)


def test_views_share_their_memory(pretend: Pretend) -> None:
    whole = torch.zeros(4, 6, device=DEVICE)
    part = whole[1:3].t()
    assert part.shape == (6, 2)
    assert part.stride() == (1, 6)
    part += 1
    whole[0] = 5
    assert whole.sum(1).tolist() == [30.0, 6.0, 6.0, 0.0]
    assert not part.is_contiguous()
    laid = torch.ones(1, 3, 4, 4, device=DEVICE).to(memory_format=torch.channels_last)
    assert laid.stride() == (48, 1, 12, 3)


def test_what_passes_between_it_and_the_host_is_counted(pretend: Pretend) -> None:
    numbers = torch.arange(4.0).to(DEVICE)
    again = numbers.clone().float().to(DEVICE)  # already there
    assert pretend.traffic == {("to device", "."): 1}
    pretend.forget()
    assert again.cpu().tolist() == [0, 1, 2, 3]
    assert bool((again == numbers).all())
    assert again[2].item() == 2
    assert again.nonzero().shape == (3, 1)
    assert again[again > 1].shape == (2,)
    assert torch.equal(again, numbers)
    waits = Counter(what for what, _ in pretend.traffic.elements())
    assert waits == {"to host": 1, "item": 2, "nonzero": 2, "equal": 1}


def test_its_memory_ends() -> None:
    with plugged_in(limit=1000) as device:
        held = torch.zeros(200, device=DEVICE)
        assert device.held == 800
        view = held.view(10, 20)[2:]
        assert free_bytes(DEVICE) == 200
        with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
            held + 1
        del held
        gc.collect()
        assert device.held == 800, "the view holds it"
        del view
        gc.collect()
        assert device.held == 0
        assert device.most_held == 800


def test_it_follows_the_rules_of_its_like() -> None:
    for like, dtype in (
        ("cuda", torch.float16),
        ("mps", torch.float32),
        ("cpu", choose_dtype(torch.device("cpu"))),
    ):
        with plugged_in(like):
            assert choose_dtype(DEVICE) == dtype
            assert ModelStore(precision="autocast").dtype == dtype
            assert choose_dtype(DEVICE, "full") == torch.float32
    with plugged_in("mps"), pytest.raises(TypeError, match=r"not support .*float64"):
        torch.ones(2, dtype=torch.float64).to(DEVICE)
