"""What was measured, as tables in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]
PICTURES = {
    "sd15": "Stable Diffusion 1.5, 512 x 512",
    "sdxl": "XL, 1024 x 1024",
    "zimage": "Z-Image-Turbo, 1024 x 1024",
    "klein": "Flux.2-klein-4B, 1024 x 1024",
    "schnell": "Flux.1-schnell, 1024 x 1024",
}
SAID = ("way", "batch", "dtype", "layout", "packed")
"""What a line of a table is of."""


def tables(rows: Sequence[Row], about: str) -> str:
    """Write everything down: torch alone, then each size, then what went wrong."""
    good = [row for row in rows if "ms" in row]
    rates = {row["dtype"]: row["tflops"] for row in good if row["way"] == "matmul"}
    parts = [f"{about}; random weights, medians; with guidance, but for flows."]
    lines = [
        f"| {alone(row)} | {row['tflops']:.0f} | {row['ms']:.3f} |"
        for row in good
        if row["side"] == "torch"
    ]
    if lines:
        head = ["| torch alone | TFLOP/s | ms |", "|---|---|---|"]
        parts.append("\n".join(head + lines))
    for size, title in PICTURES.items():
        of_size = [
            row for row in good if row["size"] == size and row["side"] != "torch"
        ]
        if of_size:
            parts.append("\n".join(one_size(title, of_size, rates)))
    bad = [row for row in rows if "error" in row]
    if bad:
        parts.append("Not measured:\n\n" + "\n".join(f"- {wrong(row)}" for row in bad))
    return "\n\n".join(parts)


def alone(row: Row) -> str:
    """Say what torch did."""
    if row["way"] == "matmul":
        return f"matmul, {row['dtype']}"
    return f"attention of {row['size']}, {row['kernel']}"


def one_size(title: str, rows: Sequence[Row], rates: dict[str, float]) -> Iterable[str]:
    """Write each way of running in a line, both sides beside each other.

    A time is that of one prediction for all pictures of the batch. The ratio is theirs
    to ours: above 1, we are faster.
    """
    yield f"| {title} | ours, ms | diffusers, ms | ratio | of the matmul rate | GB |"
    yield "|---|---|---|---|---|---|"
    found: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        key = tuple(row.get(part, "") for part in SAID)
        found.setdefault(key, {})[row["side"]] = row
    for (way, batch, dtype, layout, packed), sides in found.items():
        ours, theirs = sides.get("ours"), sides.get("diffusers")
        ratio = f"{theirs['ms'] / ours['ms']:.2f}" if ours and theirs else ""
        shown = ours or theirs or {}
        rate = rates.get(dtype)
        share = f"{shown['tflops'] / rate:.0%}" if rate and "tflops" in shown else ""
        memory = f"{shown['peak_gb']:.1f}" if "peak_gb" in shown else ""
        named = f"{way}, batch {batch}, {dtype}, {packed or layout}"
        cells = [named, took(ours), took(theirs), ratio, share, memory]
        yield f"| {' | '.join(cells)} |"


def took(row: Row | None) -> str:
    """Return the time of a side, where it was measured."""
    return f"{row['ms']:.2f}" if row else ""


def wrong(row: Row) -> str:
    """Say what was not measured, and why."""
    what = (row.get(part) for part in ("size", "side", "way", "kernel", "packed"))
    named = " ".join(part for part in (*what, row["dtype"]) if part)
    return f"{named}, batch {row['batch']}, {row['layout']}: {row['error']}"
