"""The learned words of a picture that is drawn again, as this user has them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from imaginairy.embedding import embeddings, parse_embedding
from imaginairy.errors import BadOptionError, UnknownModelError
from imaginairy.log import log, shortened
from imaginairy.metadata.word_hashes import called
from imaginairy.sources.adapters import (
    HASH,
    AdapterRow,
    adapter_source,
    files,
    locate_adapter,
    named_in_folders,
)
from imaginairy.sources.checksum import checksum
from imaginairy.sources.rows import LocalPath

LARGEST = 50_000_000
"""Bytes of a file that is looked at for its hash; learned words have thousands."""
KIND = "learned word"


def found_again(path: Path, said: Any, hashes: Any, model: Path | None = None) -> Any:
    """Return the words that a picture of ours names, those of this user where he has
    the same.

    A file of the same hash in one of his folders takes the place of what is named.

    Args:
        path: the picture, for messages.
        said: its `embeddings`.
        hashes: its `embedding_sha256`.
    """
    known = hashes if isinstance(hashes, Mapping) else {}
    try:
        words = embeddings("embeddings", said)
    except BadOptionError:
        return said  # what is wrong with it is said with all else
    return tuple(
        _here(path, given, str(known.get(given, "")), model) or given for given in words
    )


def found_for_others(path: Path, hashes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words of another tool's picture; what is not here is left out."""
    here = {word: _here(path, word, digest) for word, digest in hashes.items()}
    if lacking := [word for word, given in here.items() if not given]:
        listed = ", ".join(f"{word} ({hashes[word]})" for word in lacking)
        log.warning(
            "%s: left out, as no file of that name or hash was found: the learned "
            "words %s; give their files with --embedding.",
            path, shortened(listed),
        )  # fmt: skip
    return tuple(given for given in here.values() if given)


def _here(path: Path, given: str, digest: str, model: Path | None = None) -> str:
    """Return how a word is asked for in this user's folders; nothing if it is not."""
    _, name = parse_embedding(given)
    digest = digest if HASH.fullmatch(digest) else ""
    named = named_in_folders(name, model)
    if named and digest and not _is(named, digest):
        if same := _of_hash(digest, model):
            return f"{called(given)}={same}"
        log.warning(
            "%s: the learned word %s is another file than then: SHA-256 %s in place "
            "of %s.",
            path, name, checksum([named])[:10], digest[:10],
        )  # fmt: skip
    if named:
        return given
    same = _of_hash(digest, model) if digest else None
    return f"{called(given)}={same}" if same else ""


def _is(file: Path, digest: str) -> bool:
    try:
        return file.is_file() and checksum([file]).startswith(digest)
    except OSError:
        return False


def _of_hash(digest: str, model: Path | None) -> Path | None:
    for _, file in files(model):
        try:
            if file.stat().st_size <= LARGEST and _is(file, digest):
                return file
        except OSError:
            continue
    return None


def words_outside(said: Any) -> Iterator[tuple[str, str]]:
    """Yield the words that lie in none of the user's folders, and where they are from.

    What names nothing is passed over: it is refused when it is looked up.
    """
    for given in embeddings("embeddings", said):
        _, name = parse_embedding(given)
        try:
            row = locate_adapter(name, kind=KIND)
        except UnknownModelError:
            continue
        if not row.is_known and not _lies_in_folders(row):
            yield name, adapter_source(row)


def _lies_in_folders(row: AdapterRow) -> bool:
    return isinstance(row.place, LocalPath) and any(
        file == row.place.path for _, file in files()
    )
