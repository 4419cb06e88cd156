"""Pictures that are held for a while, for whoever knows their names."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from imaginairy.errors import BadOptionError

NAME_BYTES = 32
"""Chance in a name: nobody comes upon one by trying."""


@dataclass(frozen=True)
class Held:
    """A picture's file in memory."""

    data: bytes
    media_type: str
    until: float
    """When it is let go, by the shelf's clock."""


class Shelf:
    """Files under names that cannot be guessed, each for a time, all within a size.

    Where there is no room for another, the oldest go.

    Args:
        most_bytes: how much may lie here.
        keeps_s: how many seconds each lies here.
        clock: tells seconds that only grow.
    """

    def __init__(
        self,
        most_bytes: int = 256 << 20,
        keeps_s: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most_bytes = most_bytes
        self.keeps_s = keeps_s
        self.clock = clock
        self.held: dict[str, Held] = {}
        """By name, the oldest first."""
        self.taken = 0
        """Bytes that lie here."""

    async def put(self, data: bytes, media_type: str, ending: str) -> str:
        """Lay down a file and return its name, with that ending.

        Raises:
            BadOptionError: it is larger than all that may lie here.
        """
        if len(data) > self.most_bytes:
            raise BadOptionError(
                f"The picture has {len(data):,} bytes, and {self.most_bytes:,} can be "
                "held to be fetched by a url; ask for response_format b64_json."
            )
        self._let_go(room=len(data))
        name = f"{secrets.token_urlsafe(NAME_BYTES)}.{ending}"
        self.held[name] = Held(data, media_type, self.clock() + self.keeps_s)
        self.taken += len(data)
        return name

    async def get(self, name: str) -> Held | None:
        """Return the file of that name; None where there is none, or none any more."""
        self._let_go()
        return self.held.get(name)

    def _let_go(self, room: int = 0) -> None:
        """Let go what is too old, and the oldest until there is room."""
        now = self.clock()
        for name, each in list(self.held.items()):
            if each.until > now and self.taken + room <= self.most_bytes:
                break
            self.taken -= len(each.data)
            del self.held[name]
