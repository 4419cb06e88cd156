"""Draw every picture of the docs by running the commands that stand above it.

`make assets` or `python docs/pictures.py [PAGE...]`: on each page, the `bash` block
before a picture is run in an empty folder, and what it saved becomes the picture: one
file as it is, several side by side.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from imaginairy.animate import contact_sheet

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "features.md")
ILLUSTRATED = re.compile(
    r"```bash\n(?P<code>(?:(?!```).)*)```\n+!\[.*?\]\((?P<picture>[^)]+)\)", re.S
)
ACROSS = 6


def main() -> None:
    """Renew the pictures of the pages named, or of all."""
    for page in map(Path, sys.argv[1:]) if sys.argv[1:] else PAGES:
        for match in ILLUSTRATED.finditer(page.read_text()):
            target = page.parent / match["picture"]
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as folder:
                run(match["code"], Path(folder))
                save_joined(Path(folder), target)
            print(target)


def run(code: str, folder: Path) -> None:
    """Run the lines of a block as a shell would, with this environment's commands."""
    scripts = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", code], cwd=folder, env=environment, check=True)


def save_joined(folder: Path, target: Path) -> None:
    """Join all pictures that the commands saved, in their order."""
    pictures = [
        Image.open(path).convert("RGB")
        for path in sorted(
            folder.glob("*/*.jpg"), key=lambda path: path.stat().st_mtime
        )
    ]
    if len(pictures) == 1:
        pictures[0].save(target, quality=92)
        return
    contact_sheet(pictures, columns=min(ACROSS, len(pictures))).save(target, quality=92)


if __name__ == "__main__":
    main()
