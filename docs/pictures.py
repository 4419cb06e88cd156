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
PAGES = (
    ROOT / "README.md",
    ROOT / "docs" / "features.md",
    ROOT / "docs" / "adapters.md",
    ROOT / "docs" / "controls.md",
    ROOT / "docs" / "storybook.md",
)
ILLUSTRATED = re.compile(
    r"```bash\n(?P<code>(?:(?!```).)*)```\n+!\[.*?\]\((?P<picture>[^)]+)\)", re.S
)
ACROSS = 6
SIDE = 256
"""Pixels of the pictures that stand side by side, at most."""
WIDEST = 1024
"""Pixels of any other."""
FILES = {
    "outpainting.jpg": "*/modified_original/*.jpg",
    "sheet.jpg": "*/grids/*.jpg",
    "drawing.gif": "*/gif/*.gif",
}
"""Which of the files saved become a picture, where it is not those of the prompts."""


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
    """Join the pictures that the commands saved, in their order."""
    files = sorted(
        folder.glob(FILES.get(target.name, "*/*.jpg")),
        key=lambda path: path.stat().st_mtime,
    )
    if target.suffix == ".gif":
        target.write_bytes(files[0].read_bytes())
        return
    pictures = [Image.open(path).convert("RGB") for path in files]
    for picture in pictures:
        picture.thumbnail((SIDE, SIDE) if len(pictures) > 1 else (WIDEST, WIDEST))
    if len(pictures) == 1:
        pictures[0].save(target, quality=90)
        return
    contact_sheet(pictures, columns=min(ACROSS, len(pictures))).save(target, quality=90)


if __name__ == "__main__":
    main()
