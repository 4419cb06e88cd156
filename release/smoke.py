"""Try the built wheel where nothing else is: `python -m release.smoke [WHEEL]`.

For every Python that is found, once with the oldest versions of what the package asks
for and once with the newest, an environment is made, used as a user would, and removed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from release.locks import ROOT
from release.wheels import needs

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
VERSIONS = {"lowest": "lowest-direct", "newest": "highest"}
IN_PYTHON = """
from imaginairy import ImaginePrompt, imagine
import imaginairy
(result,) = imagine(ImaginePrompt("a dog", model="storybook", steps=4, seed=1))
result.save("in-python.png")
print(imaginairy.__file__)
"""


def main() -> int:
    """Try the wheel; return 0 where all went well in at least one environment."""
    asked = _arguments()
    if asked.wheel is None:
        print("There is no wheel in dist/: `make dist` builds it.")
        return 2
    wheel: Path = asked.wheel.resolve()
    tried: dict[str, dict[str, str]] = {}
    failed: list[str] = []
    for python in asked.python:
        program = interpreter(python)
        if program is None:
            print(f"Python {python}: not found on this machine", flush=True)
            continue
        for versions in asked.versions:
            name = f"{python} {versions}"
            try:
                tried[name] = tried_out(wheel, program, VERSIONS[versions])
                print(f"{name}: all went well", flush=True)
            except subprocess.CalledProcessError as error:
                failed.append(name)
                print(f"{name}: {error}\n{error.stdout}\n{error.stderr}", flush=True)
    print(table(wheel, tried))
    if failed or not tried:
        print(f"Failed: {', '.join(failed) or 'there was no Python to try it with'}")
        return 1
    return 0


def interpreter(version: str) -> str | None:
    """Return a Python of that version: on the path, or as pyenv keeps them."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in (
        shutil.which(f"python{version}"),
        *sorted(pyenv.glob(f"{version}.*/bin/python")),
        sys.executable,
    ):
        asked = "import sys; print('%d.%d' % sys.version_info[:2])"
        if candidate and _output([str(candidate), "-c", asked]).strip() == version:
            return str(candidate)
    return None


def tried_out(wheel: Path, python: str, resolution: str) -> dict[str, str]:
    """Use the wheel in a new environment; return which versions it was used with."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment, empty = place / "environment", place / "empty"
        empty.mkdir()
        # Away from the checkout, whose settings of uv would be read.
        uv = [_uv(), "--no-config", "--quiet"]
        _run([*uv, "venv", "--python", python, str(environment)], empty)
        wanted = place / "wanted.txt"
        wanted.write_text("".join(f"{each}\n" for each in needs(wheel)))
        into = ["--python", str(environment), "--only-binary", ":all:"]
        how = ["--resolution", resolution, "--requirement", str(wanted), str(wheel)]
        _run([*uv, "pip", "install", *into, *how], empty)
        _use(environment / ("Scripts" if os.name == "nt" else "bin"), empty, place)
        listed = [*uv, "pip", "list", "--python", str(environment), "--format", "json"]
        packages = json.loads(_run(listed, empty))
    return {each["name"]: each["version"] for each in packages}


def _use(commands: Path, empty: Path, place: Path) -> None:
    """Use each bundled model and Python, with no network, home or checkout."""
    alone = {
        "PATH": os.pathsep.join([str(commands), os.defpath]),
        "HOME": str(place / "home"),
        "HF_HUB_OFFLINE": "1",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "PYTHONWARNINGS": "default",
    }
    _run(["imagine", "--help"], empty, alone)
    drawing = ["--model", "storybook", "--steps", "4", "--seed", "1"]
    _run(["imagine", "a dog", *drawing], empty, alone)
    (picture,) = (str(path) for path in (empty / "outputs").glob("*.jpg"))
    said = _run(["aimg", "describe", picture], empty, alone)
    if not said.strip():
        raise subprocess.CalledProcessError(1, "aimg describe", said, "said nothing")
    masked = ["--init-image", picture, "--mask-prompt", "dog"]
    _run(["imagine", "a cat", *masked, *drawing], empty, alone)
    _run(["aimg", "upscale", picture], empty, alone)
    _run(["aimg", "fix-faces", picture], empty, alone)
    where = _run(["python", "-c", IN_PYTHON], empty, alone).split()[-1]
    if not (empty / "in-python.png").exists():
        raise subprocess.CalledProcessError(1, "result.save", where, "no picture")
    if commands.parent.resolve() not in Path(where).resolve().parents:
        raise subprocess.CalledProcessError(1, "import imaginairy", where, "not ours")


def table(wheel: Path, tried: dict[str, dict[str, str]]) -> str:
    """Return which version of what was used in which environment, in Markdown."""
    names = sorted(each.name.lower().replace("_", "-") for each in needs(wheel))
    rows = [["package", *tried], ["---"] * (len(tried) + 1)]
    rows += [[f"`{n}`", *(used[n] for used in tried.values())] for n in names]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _run(command: list[str], folder: Path, alone: dict[str, str] | None = None) -> str:
    """Return what a command says; raise CalledProcessError where it fails."""
    if alone:
        program = shutil.which(command[0], path=alone["PATH"]) or command[0]
        command = [program, *command[1:]]
    ran = subprocess.run(
        command, cwd=folder, env=alone, capture_output=True, text=True, check=True
    )
    return ran.stdout


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else "uv"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m release.smoke")
    newest = sorted((ROOT / "dist").glob("*.whl"), key=lambda it: it.stat().st_mtime)
    parser.add_argument("wheel", type=Path, nargs="?", default=[None, *newest][-1])
    parser.add_argument("--python", nargs="+", default=PYTHONS, metavar="3.N")
    parser.add_argument("--versions", nargs="+", default=[*VERSIONS], choices=VERSIONS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
