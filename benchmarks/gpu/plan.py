"""What is measured on a GPU, the most important first; nothing here needs torch."""

from dataclasses import dataclass

BATCHES = (1, 4, 16)
SIDES = ("ours", "diffusers")
SIZES = ("sd15", "sdxl")


@dataclass(frozen=True)
class Cell:
    """One thing to measure."""

    size: str
    """`sd15` at 512 x 512 pixels or `sdxl` at 1024 x 1024."""
    side: str
    way: str
    """`eager`; `graph`, replayed as a CUDA graph; `compiled` by torch.compile with
    max-autotune; `walk`, steps of a sampler with guidance as the product takes them,
    recording included; `streamed`, with weights on the host; `decode`, one picture of
    each latents; `matmul` and `attention`, what torch reaches alone."""
    batch: int = 1
    """Pictures; guidance doubles them."""
    dtype: str = "float16"
    layout: str = "nhwc"
    """Of the memory of images and convolutions: `nchw`, or `nhwc` (channels last)."""


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


def plan() -> list[Group]:
    """Return all that is measured."""
    alone = [
        Cell("", "torch", "matmul", dtype=dtype) for dtype in ("float16", "bfloat16")
    ]
    alone += [Cell(size, "torch", "attention") for size in SIZES]
    groups = [Group("torch alone", 60, tuple(alone))]
    groups += [eager(size, side) for size in SIZES for side in SIDES]
    groups += [walked(size) for size in SIZES]
    groups += [compiled(size, side, 1) for size in SIZES for side in SIDES]
    groups += [compiled(size, side, 16, 4) for size in SIZES for side in SIDES]
    return groups
