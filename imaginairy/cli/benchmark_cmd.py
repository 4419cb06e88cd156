"""`aimg benchmark`: how fast this machine generates, in one table."""

import json
import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from imaginairy.cli.columns import columns, table
from imaginairy.cli.common_options import device_option, precision_option
from imaginairy.cli.run import reporting_errors, say
from imaginairy.cli.stores import Stores
from imaginairy.precision import Precision
from imaginairy.version import __version__

if TYPE_CHECKING:
    from imaginairy.measuring import Measured
    from imaginairy.models.store import ModelStore

UNITS = ("amx_tile", "avx512_bf16")
"""Units of processors for products in bf16."""


@click.command("benchmark")
@click.option(
    "--quick", is_flag=True, help="Measure less of each part, in less than a minute."
)
@click.option(
    "--xl", is_flag=True, help="Stable Diffusion XL, too; it takes 6 GB in bf16."
)
@click.option(
    "--tiny", is_flag=True,
    help="Networks of a few layers in place of the real ones, to try this out.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@device_option
@precision_option
@click.pass_context
@reporting_errors
def benchmark_cmd(
    context: click.Context,
    /,
    quick: bool,
    xl: bool,
    tiny: bool,
    as_json: bool,
    device: str | None,
    precision: Precision,
) -> None:
    """Measure how fast this machine generates; nothing is fetched or saved.

    Networks of real size with random weights are timed, and the bundled model. The last
    line is a row of the table of machines on the page on performance. Let nothing else
    run meanwhile.
    """
    store = context.ensure_object(Stores).get(device, precision)

    from imaginairy.measuring import QUICK, USUAL, measurements

    effort = QUICK if quick else USUAL
    if tiny:
        effort = replace(effort, tiny=True, seconds=0)  # each part once
    machine = machine_facts(store)
    if not as_json:
        say(", ".join(f"{name} {what}" for name, what in machine.items()))
        say(f"up to {effort.rounds} rounds of each part\n")
    parts = [*measurements(store, effort, xl=xl)]
    ceiling = parts[0].rate or 1.0
    if as_json:
        told = [part_facts(part, ceiling) for part in parts]
        rounds = effort.rounds
        click.echo(json.dumps({"machine": machine, "rounds": rounds, "parts": told}))
        return
    say("\n".join(table([*rows_of(parts, ceiling)], columns())))
    say(f"\n{row_of(machine, parts)}")


def machine_facts(store: "ModelStore") -> dict[str, str]:
    """Return what it is that is measured."""
    import torch

    name = processor()
    if store.device.type == "cuda":
        name = torch.cuda.get_device_name(store.device)
    has = [u for u in UNITS if getattr(torch.cpu, f"_is_{u}_supported", bool)()]
    return {
        "imaginairy": __version__,
        "torch": torch.__version__,
        "on": name,
        "threads": str(torch.get_num_threads()),
        "units": " ".join([torch.backends.cpu.get_cpu_capability(), *has]),
        "device": str(store.device),
        "computing in": str(store.dtype).removeprefix("torch."),
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return what the processor is called, as far as the system says."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    return next(names, "") or platform.processor() or platform.machine()


def part_facts(part: "Measured", ceiling: float) -> dict[str, Any]:
    """Return what came of a part, for programs."""
    return {
        "part": part.key,
        "what": part.what,
        "unit": part.unit,
        "median": median(part.values),
        "least": min(part.values),
        "most": max(part.values),
        "rounds": len(part.values),
        "tflop_a_second": part.rate,
        "share_of_ceiling": None if part.rate is None else part.rate / ceiling,
    }


def rows_of(parts: list["Measured"], ceiling: float) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table, its head first."""
    yield "WHAT", "MEDIAN", "SPREAD", "TFLOP/S", "OF THE CEILING"
    for part in parts:
        least, most = number(min(part.values)), number(max(part.values))
        rate = "" if part.rate is None else number(part.rate)
        share = "" if part.rate is None else f"{part.rate / ceiling:.0%}"
        middle = f"{number(median(part.values))} {part.unit}"
        yield part.what, middle, f"{least} to {most}", rate, share


def row_of(machine: dict[str, str], parts: list["Measured"]) -> str:
    """Return a row of the table of machines, as Markdown has it."""
    first, *others = parts
    by_key = {part.key: part for part in others}
    wanted = [
        by_key.get(f"{model} {what}")
        for model in ("SD 1.5", "SDXL")
        for what in ("step", "decoding")
    ]
    cells = [
        f"{machine['on']}, {machine['threads']} threads, {machine['units']}",
        f"{machine['torch']}, {machine['device']}, {machine['computing in']}",
        f"{first.rate:.3g}",
        *(number(median(part.values)) if part else "" for part in wanted),
        " / ".join(number(median(part.values)) for part in parts if part.pictures),
    ]
    return f"| {' | '.join(cells)} |"


def number(value: float) -> str:
    """Return a number with three digits, and with all those before the point."""
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"
