"""Ids of pictures: which there are, in little memory, and the names of their files."""

import re
from array import array
from hashlib import sha256

MOST_CHARACTERS = 500
PLAIN = re.compile(r"[a-z0-9_][a-z0-9_-]{0,89}")
"""Ids that are names of files as they are, wherever those lie: no two that differ in
capitals only, and no dots, at which WebDataset parts names."""
MADE = re.compile(r".*-[0-9a-f]{16}")
RESERVED = re.compile("con|prn|aux|nul|(com|lpt)[0-9]")
"""Names that Windows has for something else."""
FIRST_SLOTS = 64
MOST_FILLED = 0.9
GROWTH = 1.19
MASK = (1 << 31) - 1


def file_stem(id: str) -> str:
    """Return the name of a picture's file without its ending: the same id, the same.

    What cannot be a name everywhere is shortened and told apart by a number.
    """
    if PLAIN.fullmatch(id) and not MADE.fullmatch(id) and not RESERVED.fullmatch(id):
        return id
    start = re.sub(r"[^a-z0-9_]+", "-", id.lower()).strip("-")[:60].strip("-")
    return f"{start or 'id'}-{sha256(id.encode(errors='replace')).hexdigest()[:16]}"


def subfolder(stem: str) -> str:
    """Return the one of 256 subfolders that a picture lies in where there are many."""
    return sha256(stem.encode()).hexdigest()[:2]


def id_at(place: int, content: str) -> str:
    """Return the id of a row that gives none: of its place in the file and content."""
    return f"{place:08d}-{sha256(content.encode(errors='replace')).hexdigest()[:10]}"


def shard_name(ids: "list[str]") -> str:
    """Return what a shard of some pictures is called, in whichever order they are."""
    whole = sha256()
    for each in sorted(ids):
        whole.update(sha256(each.encode(errors="replace")).digest())
    return f"pictures-{whole.hexdigest()[:24]}"


class IdMap:
    """Ids and a number of 31 bits for each, in 16 bytes an id or less.

    Of an id 64 bits of a hash are kept. Of a million two are taken for the same once in
    thirty million times.
    """

    def __init__(self) -> None:
        self._keys = array("Q", bytes(8 * FIRST_SLOTS))
        self._values = array("I", bytes(4 * FIRST_SLOTS))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, id: str) -> bool:
        return self._keys[self._slot(_key(id))] != 0

    def get(self, id: str) -> int | None:
        """Return the number of an id; None where it is not there."""
        slot = self._slot(_key(id))
        return self._values[slot] & MASK if self._keys[slot] else None

    def put(self, id: str, value: int = 0) -> bool:
        """Set the number of an id; tell whether it is new."""
        if self._count >= MOST_FILLED * len(self._keys):
            self._grow()
        key = _key(id)
        slot = self._slot(key)
        is_new = self._keys[slot] == 0
        self._count += is_new
        self._keys[slot], self._values[slot] = key, value & MASK
        return is_new

    def mark(self, id: str) -> bool:
        """Mark an id that is there; tell whether it is and was not marked before."""
        slot = self._slot(_key(id))
        if not self._keys[slot] or self._values[slot] > MASK:
            return False
        self._values[slot] |= MASK + 1
        return True

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return 12 * len(self._keys)

    def _slot(self, key: int) -> int:
        """Return where a key is, or else where it goes."""
        keys, size = self._keys, len(self._keys)
        slot = key % size
        while keys[slot] and keys[slot] != key:
            slot = slot + 1 if slot + 1 < size else 0
        return slot

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        size = int(len(keys) * GROWTH) | 1
        self._keys, self._values = (
            array("Q", bytes(8 * size)),
            array("I", bytes(4 * size)),
        )
        for key, value in zip(keys, values, strict=True):
            if key:
                slot = self._slot(key)
                self._keys[slot], self._values[slot] = key, value


def _key(id: str) -> int:
    digest = sha256(id.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") or 1
