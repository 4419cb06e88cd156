"""Photographs, small and free; NOTICE says whose they are."""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "photographs"
ASTRONAUT = FOLDER / "astronaut.jpg"
PHOTOGRAPHS = sorted(FOLDER.glob("*.jpg"))
