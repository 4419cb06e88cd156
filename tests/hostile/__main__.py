"""Run all that is hostile through every door, and print what came of it.

python -m tests.hostile [--only WORDS] [--folder FOLDER] [KIND]...
"""

import argparse
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support import surroundings

surroundings.settle()
os.environ["TMPDIR"] = str(surroundings.HOME / "tmp")

from PIL import Image  # noqa: E402

from imaginairy.cli.aimg import aimg  # noqa: E402
from imaginairy.cli.stores import Stores  # noqa: E402
from tests.hostile import addresses  # noqa: E402
from tests.hostile.cases import KINDS, Case  # noqa: E402
from tests.hostile.warmed import warmed  # noqa: E402
from tests.hostile.watched import Ran, watched  # noqa: E402

KINDS |= {"addresses": addresses.urls, "servers": addresses.servers}
HONEST: dict[tuple[str, str], float] = {}
"""What an honest run of a door takes of memory, in MB."""


def honest(door: str, given: str, folder: Path, stores: Stores) -> float:
    """Return what a door takes of memory where nothing is hostile."""
    if (door, given) not in HONEST:
        case = Case(given, (door,), honest="")
        ((_, ran),) = through(case, folder, stores)
        HONEST[door, given] = ran.megabytes
    return HONEST[door, given]


def through(case: Case, folder: Path, stores: Stores) -> Iterator[tuple[str, Ran]]:
    """Put a case through each of its doors."""
    stand = folder / "stand"
    for door in case.doors:
        usual = honest(door, case.honest, folder, stores) if case.honest else 0.0
        shutil.rmtree(stand, ignore_errors=True)
        stand.mkdir()
        Image.new("RGB", (64, 64), "red").save(stand / "good.png")
        with case.laid(stand) as given:
            words = [word.replace("{}", given) for word in shlex.split(door)]
            laid = {*stand.rglob("*")}
            ran = watched(
                lambda words=words: case.around(  # type: ignore[misc]
                    lambda: aimg.main(words, obj=stores)
                ),
                words,
                stand,
                stdin=case.stdin,
                environment=case.environment,
                may_connect=case.may_connect,
            )
            for path in {*stand.rglob("*")} - laid:
                where = path.relative_to(stand)
                if where.parts[0] not in ("outputs", "index.html"):
                    ran.events.append(f"leaves {where}")
                if path.name.startswith("."):
                    ran.events.append(f"leaves {where} behind")
        ran.megabytes = max(0.0, ran.megabytes - usual)
        yield door, ran


def main() -> int:
    """Run what is asked for; return an exit code."""
    asked = argparse.ArgumentParser()
    asked.add_argument("kinds", nargs="*", default=[*KINDS])
    asked.add_argument("--only", default="")
    asked.add_argument("--verbose", action="store_true")
    given = asked.parse_args()
    (surroundings.HOME / "tmp").mkdir(exist_ok=True)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(dir=os.environ["TMPDIR"]))
    stores = warmed()
    failed = 0
    for kind in given.kinds:
        codes: Counter[int] = Counter()
        cases = [each for each in KINDS[kind]() if given.only in each.name]
        slowest, largest, wrong = 0.0, 0.0, 0
        for case in cases:
            for door, ran in through(case, folder, stores):
                codes[ran.code] += 1
                slowest = max(slowest, ran.seconds)
                largest = max(largest, ran.megabytes)
                faults = ran.faults(case.seconds, case.megabytes)
                wrong += bool(faults)
                if faults or given.verbose:
                    last = ran.stderr.strip().splitlines()[-1:] or [""]
                    name = f"{case.name[:60]!a} {door}"
                    print(
                        f"  {name}: {'; '.join(faults)} | {ran.code} {last[0]!a:.300}"
                    )
        told = ", ".join(
            f"{number} ended with {code}" for code, number in sorted(codes.items())
        )
        print(
            f"{kind}: {len(cases)} through {sum(codes.values())} doors; {told}; at most "
            f"{slowest:.1f} s of work and {largest:.0f} MB; {wrong} went wrong",
            flush=True,
        )
        failed += wrong
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{failed} went wrong; {time.monotonic() - began:.0f} s")
    surroundings.leave()
    return failed != 0


sys.exit(main())
