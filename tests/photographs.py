"""Photographs, small and free; NOTICE says whose they are."""

from pathlib import Path

FOLDER = Path(__file__).parent / "data" / "photographs"
ASTRONAUT = FOLDER / "astronaut.jpg"
PHOTOGRAPHS = sorted(FOLDER.glob("*.jpg"))
