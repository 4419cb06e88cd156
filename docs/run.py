"""Run everything that a page tells people to type: `python docs/run.py PAGE...`.

In an empty folder and from top to bottom, as a reader would: `bash` blocks in a shell,
`python` blocks one after the other in one session. Blocks that change the machine
(INSTALLING) are left out.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S)
INSTALLING = ("make ", "pip ", "docker ")
"""How the lines of blocks begin that are not run."""


class Block(NamedTuple):
    """A part of a page that can be run."""

    title: str
    language: str
    code: str

    def run(self, session: dict[str, Any]) -> None:
        """Run this in the current folder.

        Args:
            session: the names that `python` blocks know, and leave for the next.
        """
        print(f"--- {self.title}\n{self.code}", flush=True)
        if self.language == "python":
            exec(compile(self.code, self.title, "exec"), session)
        else:
            subprocess.run(["bash", "-euc", self.code], check=True)


def main() -> None:
    """Run the pages named."""
    sys.path.insert(0, str(ROOT))  # storybook is no part of what is installed
    scripts = Path(sys.executable).parent
    os.environ["PATH"] = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    for page in [Path(name).resolve() for name in sys.argv[1:]]:
        session: dict[str, Any] = {"__name__": "__main__"}
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            for block in runnable(page):
                block.run(session)


def runnable(page: Path) -> Iterator[Block]:
    """Return the blocks of a page that are run, in their order."""
    text = page.read_text(encoding="utf-8")
    for number, found in enumerate(BLOCK.finditer(text), 1):
        language, code = found["language"], found["code"]
        installs = language == "bash" and code.startswith(INSTALLING)
        if language in ("bash", "python") and not installs:
            yield Block(f"{page.name}, block {number}", language, code)


if __name__ == "__main__":
    main()
