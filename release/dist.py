"""Build what is published: `python -m release.dist`.

The source distribution comes from what is committed, the wheel from the source
distribution; both are built twice, in two folders, and have to come out the same to the
byte. Beside the wheel lies a bill of materials (CycloneDX).
"""

import argparse
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from release import sbom
from release.locks import ROOT

BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""


def main() -> int:
    """Build twice and compare; return 1 where the two differ."""
    parser = argparse.ArgumentParser(prog="python -m release.dist")
    parser.add_argument("into", type=Path, nargs="?", default=ROOT / "dist")
    into: Path = parser.parse_args().into.resolve()
    said = os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct")
    epoch = int(said)
    with tempfile.TemporaryDirectory() as folder:
        twice = [Path(folder) / "once", Path(folder) / "twice"]
        built = []
        for place in twice:
            committed(place / "source")
            built.append(build(place / "source", place / "built", epoch))
        for one, other in zip(*built, strict=True):
            if one.read_bytes() != other.read_bytes():
                print(f"{one.name} did not come out the same twice.")
                return 1
        into.mkdir(exist_ok=True)
        files = [into / path.name for path in built[0]]
        for source, target in zip(built[0], files, strict=True):
            target.write_bytes(source.read_bytes())
    (wheel,) = (path for path in files if path.suffix == ".whl")
    files.append(wheel.with_suffix(".cdx.json"))
    files[-1].write_text(sbom.bill(wheel, epoch), encoding="utf-8")
    for path in files:
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}")
    return 0


def committed(into: Path) -> None:
    """Lay out what the last commit holds; what is changed since is left out."""
    packed = subprocess.run(
        ["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(into, filter="data")


def build(source: Path, into: Path, epoch: int) -> tuple[Path, Path]:
    """Return a source distribution of the folder and the wheel that is built from it.

    Whatever was made by the clock, the user or the umask is made by `epoch` (seconds)
    instead. The folder itself is written to.
    """
    into.mkdir(parents=True)
    sdist = _built("build_sdist", source, into, epoch)
    _settle(sdist, epoch)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
        (unpacked,) = Path(folder).iterdir()
        return sdist, _built("build_wheel", unpacked, into, epoch)


def _built(what: str, source: Path, into: Path, epoch: int) -> Path:
    ran = subprocess.run(
        [sys.executable, "-c", BUILD, what, str(into)],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        umask=0o022,
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        raise RuntimeError(f"{what} failed:\n{ran.stdout}{ran.stderr}")
    return into / ran.stdout.splitlines()[-1]


def _settle(sdist: Path, epoch: int) -> None:
    """Write a source distribution anew: in order, by nobody, at that time."""
    settled = io.BytesIO()
    with (
        tarfile.open(sdist) as old,
        gzip.GzipFile("", "wb", 6, settled, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for entry in sorted(old.getmembers(), key=lambda each: each.name):
            plain = tarfile.TarInfo(entry.name)
            plain.size, plain.type, plain.mtime = entry.size, entry.type, epoch
            plain.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            new.addfile(plain, old.extractfile(entry) if entry.isfile() else None)
    sdist.write_bytes(settled.getvalue())


def _git(*words: str) -> str:
    ran = subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
