"""How much may be asked of a server, by one request and by all together."""

from dataclasses import dataclass, field

from imaginairy.checks import Number
from imaginairy.fields import Check

COUNT = Number(1, 1_000_000_000, whole=True)
SECONDS = Number(0.1, 1_000_000)


def limit(default: float, help: str, check: Check = COUNT) -> int:
    """Return the field of a limit, with what its option says of it."""
    return field(default=default, metadata={"help": help, "check": check})  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is refused beyond.

    Raises:
        BadOptionError: one of them is out of range.
    """

    waiting: int = limit(128, "Requests that may wait for their turn.")
    pictures: int = limit(10, "Images that one request may ask for.")
    pixels: int = limit(4_194_304, "Pixels at which an image may be generated.")
    larger_pixels: int = limit(
        16_777_216, "Pixels of an image that is enlarged, and of an upload."
    )
    steps: int = limit(150, "Steps of an image.")
    characters: int = limit(10_000, "Characters of a prompt, and of any other text.")
    body_bytes: int = limit(32_000_000, "Bytes of a request, uploads included.")
    held_bytes: int = limit(
        1_000_000_000,
        "Bytes of all requests that are there at once, and of the pixels of their "
        "uploads.",
    )
    body_seconds: float = limit(
        60.0, "Seconds in which a request must have arrived whole.", SECONDS
    )
    seconds: float = limit(
        600.0, "Seconds after which a request is given up, its wait included.", SECONDS
    )
    stop_seconds: float = limit(
        30.0,
        "Seconds that what was accepted has to end when the server stops.",
        SECONDS,
    )

    def __post_init__(self) -> None:
        for name, row in self.__dataclass_fields__.items():
            value = row.metadata["check"](name, getattr(self, name))
            object.__setattr__(self, name, value)
