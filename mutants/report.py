"""What a run has shown."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mutants.faults import Fault

EQUIVALENT = Path(__file__).parent / "equivalent.tsv"
NOTICED = ("noticed", "hung")


def equivalents() -> dict[str, str]:
    """Return the faults that change nothing a test could notice, and why not."""
    with EQUIVALENT.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {row["name"]: row["reason"] for row in rows}


def report(faults: Sequence[Fault], outcomes: Mapping[str, str], root: Path) -> str:
    """Return how many faults were noticed, by kind and part, and what was not."""
    why = equivalents()
    tried = [fault for fault in faults if fault.name in outcomes]
    judged = [fault for fault in tried if fault.name not in why]
    noticed = [fault for fault in judged if outcomes[fault.name] in NOTICED]
    said = [_share(len(noticed), len(judged), "all")]
    for title, told in (("kind", _kind), ("part", _part)):
        counted = Counter(told(fault) for fault in judged)
        of_these = Counter(told(fault) for fault in noticed)
        said += ["", f"By {title}:"]
        said += [_share(of_these[key], counted[key], key) for key in sorted(counted)]
    said += ["", "Not noticed:"]
    for fault in judged:
        if outcomes[fault.name] not in NOTICED:
            before, after = fault.lines((root / fault.path).read_text("utf-8"))
            place = f"{fault.path}:{fault.line} {fault.scope} ({fault.kind})"
            said += [f"{fault.name} {place}: {outcomes[fault.name]}"]
            said += [f"  - {before}", f"  + {after}"]
    return "\n".join(said)


def figures(faults: Sequence[Fault], outcomes: Mapping[str, str]) -> tuple[int, int]:
    """Return how many faults were noticed, and of how many that could be."""
    why = equivalents()
    judged = [fault.name for fault in faults if fault.name in outcomes.keys() - why]
    return sum(outcomes[name] in NOTICED for name in judged), len(judged)


def _share(part: int, whole: int, what: str) -> str:
    return f"{what}: {part} of {whole} noticed, {part / max(whole, 1):.0%}"


def _kind(fault: Fault) -> str:
    return fault.kind


def _part(fault: Fault) -> str:
    parts = fault.path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]
