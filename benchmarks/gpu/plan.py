"""What is measured on a GPU, the most important first; nothing here needs torch."""

from collections.abc import Sequence
from dataclasses import dataclass

BATCHES = (1, 4, 16)
SIDES = ("ours", "diffusers")
SIZES = ("sd15", "sdxl")
FLOWS = ("zimage", "klein", "schnell")
FLOW_BATCHES = (1, 4)


@dataclass(frozen=True)
class Cell:
    """One thing to measure."""

    size: str
    """`sd15` at 512 x 512 pixels or `sdxl` at 1024 x 1024, as flow transformers are:
    `zimage`, `klein` and `schnell`."""
    side: str
    way: str
    """`eager`; `graph`, replayed as a CUDA graph; `compiled` by torch.compile with
    max-autotune; `walk`, steps of a sampler as the product takes them, with guidance
    where there is any, recording included; `streamed`, with weights on the host;
    `decode`, one picture of each latents; `matmul` and `attention`, what torch
    reaches alone."""
    batch: int = 1
    """Pictures; guidance doubles them, of flow transformers there is none."""
    dtype: str = "float16"
    layout: str = "nhwc"
    """Of the memory of images and convolutions: `nchw`, or `nhwc` (channels last)."""
    packed: str = ""
    """How matrices are: `fp8`, or in blocks as GGUF files call them."""


@dataclass(frozen=True)
class Group:
    """What is measured in one process, which is stopped when its time is over."""

    name: str
    seconds: float
    cells: tuple[Cell, ...]


def eager(size: str, side: str) -> Group:
    """Measure networks as they are."""
    cells = [Cell(size, side, "eager", batch) for batch in BATCHES]
    cells += [
        Cell(size, side, "eager", dtype="bfloat16"),
        Cell(size, side, "eager", layout="nchw"),
        Cell(size, side, "decode"),
    ]
    if side == "ours":
        cells += [Cell(size, side, "graph", batch) for batch in BATCHES]
        cells += [
            Cell(size, side, "eager", 16, layout="nchw"),
        ]
    return Group(f"{size} {side} eager", 90, tuple(cells))


def walked(size: str) -> Group:
    """Measure what the product does with our networks."""
    cells = [Cell(size, "ours", "walk", batch) for batch in BATCHES]
    cells += [Cell(size, "ours", "streamed", batch) for batch in BATCHES]
    return Group(f"{size} ours walked", 60, tuple(cells))


def compiled(size: str, side: str, *batches: int) -> Group:
    """Measure what torch.compile makes of networks; that takes minutes."""
    cells = tuple(Cell(size, side, "compiled", batch) for batch in batches)
    name = f"{size} {side} compiled, batch {', '.join(map(str, batches))}"
    return Group(name, 240, cells)


def flow(size: str, side: str, *ways: str) -> Group:
    """Measure a flow transformer as it is, and in these ways for a picture."""
    cells = [
        Cell(size, side, "eager", batch, "bfloat16", "nchw") for batch in FLOW_BATCHES
    ]
    cells += [Cell(size, side, way, 1, "bfloat16", "nchw") for way in ways]
    return Group(f"flow {size} {side}", 90, tuple(cells))


def packed_flow(size: str, kinds: Sequence[str], *ways: str) -> Group:
    """Measure our flow transformers with packed weights, for a picture."""
    cells = [
        Cell(size, "ours", way, 1, "bfloat16", "nchw", kind)
        for way in ways
        for kind in kinds
    ]
    return Group(f"flow {size} ours packed", 90, tuple(cells))


def flows() -> list[Group]:
    """Return all that is measured of flow transformers."""
    return [
        flow("zimage", "ours", "walk", "graph"),
        flow("zimage", "diffusers"),
        packed_flow("zimage", ("fp8", "Q8_0", "Q4_K"), "eager", "walk"),
        flow("klein", "ours", "walk"),
        flow("klein", "diffusers"),
        flow("schnell", "ours", "walk"),
        flow("schnell", "diffusers"),
        packed_flow("schnell", ("fp8", "Q4_K"), "eager"),
        Group("flow zimage ours streamed", 90, (
            Cell("zimage", "ours", "streamed", 1, "bfloat16", "nchw", "Q4_K"),
            Cell("zimage", "ours", "streamed", 1, "bfloat16", "nchw", "fp8"),
            Cell("zimage", "ours", "streamed", 1, "bfloat16", "nchw"),
        )),
    ]  # fmt: skip


def plan() -> list[Group]:
    """Return all that is measured."""
    alone = [
        Cell("", "torch", "matmul", dtype=dtype) for dtype in ("float16", "bfloat16")
    ]
    alone += [Cell(size, "torch", "attention") for size in SIZES]
    alone.append(Cell(FLOWS[0], "torch", "attention", dtype="bfloat16"))
    groups = [Group("torch alone", 60, tuple(alone))]
    groups += [eager(size, side) for size in SIZES for side in SIDES]
    groups += [walked(size) for size in SIZES]
    groups += flows()
    groups += [compiled(size, side, 1) for size in SIZES for side in SIDES]
    groups += [compiled(size, side, 16, 4) for size in SIZES for side in SIDES]
    return groups
