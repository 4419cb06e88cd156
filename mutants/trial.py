"""Try one fault: run tests on a copy of the tree that has it.

A process that has imported the large libraries, but nothing of ours, is forked for
each try; so a try costs what its tests do, and no imports of torch.
"""

import importlib
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mutants.faults import Fault

Outcome = Literal["noticed", "hung", "not noticed", "no test"]
LARGE = (
    "torch",
    "numpy",
    "cv2",
    "PIL.Image",
    "safetensors.torch",
    "tokenizers",
    "transformers",
    "transformers.models.auto",
    "diffusers",
    "huggingface_hub",
    "click.testing",
    "prompt_toolkit",
    "pyparsing",
    "tqdm.auto",
)
LEFT_OUT = (".git", ".venv", ".mutants", "site", "outputs", ".hypothesis")
PATIENCE_S = 60
"""How much longer than usual tests may take, besides five times as long."""
NOTHING_COLLECTED = 5


@dataclass
class Copy:
    """A copy of the tree, in which one file at a time has a fault.

    Files are links to the originals until they are changed.
    """

    root: Path
    folder: Path

    def make(self) -> None:
        """Copy the tree."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(
            self.root,
            self.folder,
            copy_function=_link,
            ignore=shutil.ignore_patterns(*LEFT_OUT),
        )

    def put(self, fault: Fault, moment: int) -> None:
        """Put a fault into its file; `moment` dates it, so that it is compiled anew."""
        text = (self.root / fault.path).read_text(encoding="utf-8")
        file = self.folder / fault.path
        file.unlink()
        file.write_text(fault.put_into(text), encoding="utf-8")
        os.utime(file, (moment, moment))

    def mend(self, fault: Fault) -> None:
        """Take the fault out again."""
        (self.folder / fault.path).unlink()
        _link(str(self.root / fault.path), str(self.folder / fault.path))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copy2(source, target)


def import_beforehand(names: Iterable[str]) -> None:
    """Import the libraries that tests will want, once for all tries."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            print(f"{name} cannot be imported beforehand", file=sys.stderr)


def run_tests(
    folder: Path, tests: Collection[str], usual_s: float, all_of_them: bool = False
) -> tuple[Outcome, list[str]]:
    """Run tests of a copy in a fork of this process, until one fails or all of them.

    Returns the outcome and which tests failed.
    """
    failed = _failed_in(folder)
    failed.unlink(missing_ok=True)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.setsid()
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
        code = 99
        try:
            code = _run_here(folder, tests, all_of_them)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    end = time.monotonic() + PATIENCE_S + 5 * usual_s
    status: int | None = None
    while status is None and time.monotonic() < end:
        done, waited = os.waitpid(child, os.WNOHANG)
        status = waited if done else None
        if status is None:
            time.sleep(0.02)
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if status is None:
        os.waitpid(child, 0)
        return "hung", []
    code = os.waitstatus_to_exitcode(status)
    if code == NOTHING_COLLECTED:
        return "no test", []
    told = failed.read_text(encoding="utf-8") if failed.exists() else ""
    return "not noticed" if code == 0 else "noticed", told.splitlines()


def _end_after(parent: int) -> None:
    """End this process, and those it began, where its parent has ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


def _failed_in(folder: Path) -> Path:
    return folder.parent / f"{folder.name}.failed"


def _run_here(folder: Path, tests: Collection[str], all_of_them: bool) -> int:
    os.chdir(folder)
    sys.path[:0] = [str(folder)]
    os.environ["PYTHONPATH"] = str(folder)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder / ".hypothesis")
    quiet = os.open(
        folder.parent / f"{folder.name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    )
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    import pytest

    # Found plugins would be rewritten, which those imported already cannot be.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    arguments = [*files, "-q", *([] if all_of_them else ["-x"])]
    arguments += ["-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider"]
    arguments += [f"--rootdir={folder}", f"--basetemp={folder}-tmp"]
    return int(pytest.main(arguments, plugins=[_Only(tests, _failed_in(folder))]))


class _Only:
    """Keeps the tests wanted of those collected, in the order wanted."""

    def __init__(self, tests: Iterable[str], failed: Path) -> None:
        self.failed = failed
        self.places = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list) -> None:  # type: ignore[type-arg]
        kept = [item for item in items if item.nodeid in self.places]
        items[:] = sorted(kept, key=lambda item: self.places[item.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            with self.failed.open("a", encoding="utf-8") as file:
                file.write(f"{report.nodeid}\n")
