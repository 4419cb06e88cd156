"""Simple patterns that fill the picture and tile: coins, leaves, books, bricks."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from storybook.world.canvas import SIZE, Canvas, Color, Gradient
from storybook.world.colors import COLORS, darker, lighter, vary
from storybook.world.scene import Face, Group, Picker
from storybook.world.words import chance

GOLD: Color = (246, 194, 58)
LEAVES: dict[str, Color] = {
    "green": (92, 164, 74),
    "red": (204, 70, 48),
    "yellow": (236, 186, 60),
    "orange": (232, 130, 48),
}
BOOKS = ("red", "blue", "green", "yellow", "purple", "brown", "teal", "orange")
BRICKS: dict[str, Color] = {"red": (186, 82, 62), "gray": (146, 146, 150)}


def _choose(pick: Picker) -> None:
    motif = pick(
        "motif", {"coins": 0.34, "leaves": 0.26, "books": 0.22, "bricks": 0.18}
    )
    tones = {"leaves": tuple(LEAVES), "bricks": tuple(BRICKS)}
    pick("tone", tones.get(motif, ("none",)))


def _draw(
    canvas: Canvas, rng: random.Random, attributes: dict[str, str]
) -> Sequence[Face]:
    MOTIFS[attributes["motif"]](canvas, rng, attributes["tone"])
    return ()


def _wrapped(x: float, y: float, reach: float) -> list[tuple[float, float]]:
    """Return the place and its copies beyond the opposite edges."""
    xs = [x, x + SIZE] if x < reach else [x, x - SIZE] if x > SIZE - reach else [x]
    ys = [y, y + SIZE] if y < reach else [y, y - SIZE] if y > SIZE - reach else [y]
    return [(px, py) for px in xs for py in ys]


def _scattered(rng: random.Random, count: int) -> list[tuple[float, float]]:
    """Return places on a jittered grid, in random order."""
    step = SIZE / count
    places = [
        ((i + (j % 2) / 2) * step % SIZE + rng.uniform(-3, 3), (j + 0.5) * step)
        for i in range(count)
        for j in range(count)
    ]
    rng.shuffle(places)
    return [(x % SIZE, y % SIZE) for x, y in places]


def _coins(canvas: Canvas, rng: random.Random, _tone: str) -> None:
    canvas.fill(darker(GOLD, 0.45))
    with canvas.part("gold coins", "coins", "gold"):
        for x, y in _scattered(rng, 5):
            color, radius = vary(rng, GOLD, 8), rng.uniform(15.5, 17.5)
            for px, py in _wrapped(x, y, 20):
                canvas.circle(px + 1, py + 1.6, radius, darker(color, 0.5))
                canvas.circle(px, py, radius, lighter(color, 0.3))
                canvas.circle(px, py, radius * 0.86, darker(color, 0.14))
                paint = Gradient(lighter(color, 0.25), color)
                canvas.circle(px, py, radius * 0.72, paint)
                with canvas.placed(px, py, scale=radius * 0.42):
                    canvas.polygon(
                        [(0, -1), (0.8, 0), (0, 1), (-0.8, 0)], darker(color, 0.2)
                    )


def _leaf_field(canvas: Canvas, rng: random.Random, tone: str) -> None:
    base = LEAVES[tone]
    canvas.fill(darker(base, 0.5))
    with canvas.part("leaves"):
        for x, y in _scattered(rng, 5):
            color, angle = vary(rng, base, 22), rng.uniform(0, 360)
            for px, py in _wrapped(x, y, 22):
                with canvas.placed(px, py, scale=20, angle=angle):
                    canvas.blob(
                        [
                            (-1, 0),
                            (-0.4, -0.5),
                            (0.3, -0.48),
                            (1, 0),
                            (0.3, 0.48),
                            (-0.4, 0.5),
                        ],
                        color,
                    )
                    canvas.stroke(
                        [(-1.1, 0), (0.8, 0)], 0.08, lighter(color, 0.35), bend=False
                    )


def _book_shelf(canvas: Canvas, rng: random.Random, _tone: str) -> None:
    canvas.fill((70, 46, 32))
    for top in (0, 64):
        with canvas.part("shelf"):
            canvas.rectangle(0, top + 58, SIZE, top + 64, (150, 102, 62))
        x = 0.0
        while x < SIZE:
            width = min(rng.choice((10.0, 12.0, 14.0, 16.0)), SIZE - x)
            if width < 5:
                break
            color, height = vary(rng, COLORS[rng.choice(BOOKS)]), rng.uniform(42, 54)
            with canvas.part("books", "book"):
                canvas.rectangle(
                    x + 0.5,
                    top + 58 - height,
                    x + width - 0.5,
                    top + 58,
                    Gradient(lighter(color, 0.08), darker(color, 0.1)),
                )
                stripe = (246, 226, 170)
                for offset in (8, 11, height - 8):
                    canvas.rectangle(
                        x + 0.5,
                        top + 58 - height + offset,
                        x + width - 0.5,
                        top + 59.5 - height + offset,
                        stripe,
                    )
            x += width


def _brick_wall(canvas: Canvas, rng: random.Random, tone: str) -> None:
    canvas.fill((222, 212, 200))
    with canvas.part("bricks", "wall"):
        for row in range(8):
            for column in range(-1, 4):
                x = column * 32 + (row % 2) * 16
                y = row * 16
                color = vary(rng, BRICKS[tone], 14)
                canvas.rectangle(
                    x + 1,
                    y + 1,
                    x + 31,
                    y + 15,
                    Gradient(lighter(color, 0.06), darker(color, 0.08)),
                )


MOTIFS: dict[str, Callable[[Canvas, random.Random, str], None]] = {
    "coins": _coins,
    "leaves": _leaf_field,
    "books": _book_shelf,
    "bricks": _brick_wall,
}


def _describe(rng: random.Random, attributes: dict[str, str]) -> str:
    motif, tone = attributes["motif"], attributes["tone"]
    if motif == "coins":
        core = rng.choice(
            (
                "gold coins",
                "gold coins",
                "a pile of gold coins",
                "coins",
                "golden coins",
                "treasure",
                "gold",
                "money",
            )
        )
    elif motif == "books":
        core = rng.choice(
            (
                "books",
                "a bookshelf",
                "a shelf of books",
                "library",
                "colorful books",
                "books on a shelf",
            )
        )
    elif motif == "leaves":
        color = f"{tone} " if chance(rng, 0.6) else ""
        core = rng.choice(
            (
                f"{color}leaves",
                f"{color}leaves",
                f"many {color}leaves",
                f"{color}foliage",
            )
        )
        if tone != "green" and chance(rng, 0.25):
            core = "autumn leaves"
    else:
        color = f"{'grey' if tone == 'gray' and chance(rng, 0.5) else tone} "
        color = color if chance(rng, 0.6) else ""
        core = rng.choice(
            (f"a {color}brick wall", f"{color}bricks", f"a wall of {color}bricks")
        )
    if chance(rng, 0.25):
        core += rng.choice(
            (" pattern", ", pattern", " texture", ", seamless", ", wallpaper")
        )
    return core


PATTERNS = Group(
    name="patterns",
    share=0.06,
    choose=_choose,
    draw=_draw,
    describe=_describe,
)
