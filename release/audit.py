"""Ask whether a pinned version has known holes: `python -m release.audit`.

pip-audit asks the package index, once for all that the locks pin, for every Python and
system and not only for this one, PyTorch included.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from release.locks import pins, torch

LOCKS = ("requirements.txt", "requirements-dev.txt")


def main() -> int:
    """Say what is known; return 0 only where all were looked up and none has a hole."""
    known: list[dict[str, Any]] = []
    unknown: list[str] = []
    for wanted in rounds():
        answer = asked(wanted)
        if answer is None:
            return 1
        for package in answer:
            if "skip_reason" in package:
                unknown.append(f"{package['name']}: {package['skip_reason']}")
            elif package["vulns"]:
                known.append(package)
    for package in known:
        print(holes(package))
    if unknown:
        print(
            f"{len(unknown)} packages could not be looked up, {unknown[0]}. Where that "
            "is all of them, pip-audit's service cannot be reached from this machine: "
            "run this where it can."
        )
    count = sum(map(len, rounds()))
    print(f"{count} versions, {len(known)} with known holes, {len(unknown)} not judged")
    return 1 if known or unknown else 0


def rounds() -> list[list[str]]:
    """Return all that is pinned, so that no list has two versions of one package."""
    versions: dict[str, list[str]] = {"torch": [torch()]}
    for lock in LOCKS:
        for pin in pins(lock):
            of_it = versions.setdefault(pin.name, [])
            if pin.version not in of_it:
                of_it.append(pin.version)
    most = max(map(len, versions.values()))
    return [
        [
            f"{name}=={each[n]}"
            for name, each in sorted(versions.items())
            if n < len(each)
        ]
        for n in range(most)
    ]


def asked(wanted: list[str]) -> list[dict[str, Any]] | None:
    """Return what pip-audit knows of each, or None where it could not ask."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "wanted.txt"
        listed.write_text("".join(f"{each}\n" for each in wanted))
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps"),
                *("--progress-spinner", "off", "--format", "json"),
                *("--requirement", str(listed)),
            ],
            capture_output=True,
            text=True,
        )
    if not ran.stdout.strip():
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"pip-audit could not ask its service; nothing is known now: {last}")
        return None
    answer: list[dict[str, Any]] = json.loads(ran.stdout)["dependencies"]
    return answer


def holes(package: dict[str, Any]) -> str:
    """Return one line that names a package's holes and where each is mended."""
    said = (
        f"{each['id']} (mended in {', '.join(each['fix_versions']) or 'no version'})"
        for each in package["vulns"]
    )
    return f"{package['name']} {package['version']}: {'; '.join(said)}"


if __name__ == "__main__":
    sys.exit(main())
