"""A checkout as developers have it, small: short weights, and much that is not ours."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = (
    *("LICENSE", "MANIFEST.in", "NOTICE", "README.md"),
    *("pyproject.toml", "setup.py"),
)
STRAYS = (
    *("tests/test_it.py", "tests/data/photograph.jpg", "docs/index.md", ".env"),
    *("storybook/__init__.py", "mutants/__init__.py", "outputs/000001_a_dog.jpg"),
    *("imaginairy/notes.txt", "imaginairy/data/.DS_Store", "imaginairy/old.py.orig"),
    *("imaginairy/__pycache__/api.cpython-311.pyc", "notes.md", "requirements.txt"),
    *("release/__init__.py", "build/lib/imaginairy/gone.py", "weights.safetensors"),
)
"""What may lie in a checkout and is not published."""


def strays_in(folder: Path) -> None:
    """Lay out what a distribution is built from, with strays all over it."""

    def copied(source: str, target: str) -> str:
        if source.endswith(".safetensors"):
            Path(target).write_bytes(Path(source).name.encode())
            return target
        return shutil.copyfile(source, target)

    ignored = shutil.ignore_patterns("__pycache__")
    package = folder / "imaginairy"
    shutil.copytree(ROOT / "imaginairy", package, ignore=ignored, copy_function=copied)
    for name in SOURCES:
        shutil.copyfile(ROOT / name, folder / name)
    for name in STRAYS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("not meant for anybody else")
