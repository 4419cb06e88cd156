"""The hashes of learned words in the line of settings that other tools write.

The web UIs write `TI hashes: "easynegative: 0123456789ab"`, the first 12 digits of the
SHA-256 of the file; sites where pictures are shared write 10 of them, in
`Hashes: {"embed:easynegative": "0123456789"}`.
"""

import json
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from imaginairy.embedding import parse_embedding

SETTING = "TI hashes"
OF_SITES = "embed:"
DIGITS = 12
PAIR = re.compile(r"\s*(.+?)\s*:\s*([0-9a-fA-F]{8,64})\s*(?:,|$)")


def written_hashes(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the setting of a picture's metadata; none where it has no such words."""
    said = metadata.get("embedding_sha256") or {}
    listed = ", ".join(
        f"{called(given)}: {sha[:DIGITS]}" for given, sha in said.items()
    )
    return {SETTING: json.dumps(listed, ensure_ascii=False)} if listed else {}


def called(given: str) -> str:
    """Return the word that a file is asked for with, or what the file is called."""
    word, name = parse_embedding(given)
    return word or PurePath(name.rpartition(":")[2]).stem


def read_hashes(said: str, hashes: Mapping[str, Any]) -> dict[str, str]:
    """Return how the hashes of learned words begin, by the words.

    Args:
        said: the value of the setting; what is none is passed over.
        hashes: those that sites write, by what each is of.
    """
    of_sites = {
        name.removeprefix(OF_SITES): str(digest).lower()
        for name, digest in hashes.items()
        if name.startswith(OF_SITES)
    }
    return of_sites | {name: digest.lower() for name, digest in PAIR.findall(said)}
