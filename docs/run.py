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
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S)
INSTALLING = ("make ", "pip ", "docker ")
"""How the lines of blocks begin that are not run."""


def main() -> None:
    """Run the pages named."""
    sys.path.insert(0, str(ROOT))  # storybook is no part of what is installed
    for page in sys.argv[1:]:
        text = Path(page).read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            run_page(Path(page).name, text, Path(folder))


def run_page(name: str, text: str, folder: Path) -> None:
    """Run the blocks of a page in a folder, which becomes the current one."""
    scripts = Path(sys.executable).parent
    os.environ["PATH"] = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    os.chdir(folder)
    session: dict[str, Any] = {"__name__": "__main__"}
    for number, block in enumerate(BLOCK.finditer(text), 1):
        code = block["code"]
        title = f"{name}, block {number}"
        if block["language"] == "python":
            print(f"--- {title}\n{code}", flush=True)
            exec(compile(code, title, "exec"), session)
        elif block["language"] == "bash" and not code.startswith(INSTALLING):
            print(f"--- {title}\n{code}", flush=True)
            subprocess.run(["bash", "-euc", code], check=True)


if __name__ == "__main__":
    main()
