"""The learned words, and hypernetworks, of a picture that is drawn again, as this user
has them."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from imaginairy.embedding import embeddings, parse_embedding
from imaginairy.errors import BadOptionError, UnknownModelError
from imaginairy.hypernetwork import (
    hypernetworks,
    hypernetworks_in,
    parse_hypernetwork,
)
from imaginairy.log import log, shortened
from imaginairy.metadata.word_hashes import called
from imaginairy.sources.adapter_folders import files
from imaginairy.sources.adapters import (
    HASH,
    AdapterRow,
    adapter_source,
    locate_adapter,
    named_in_folders,
    with_hash,
)
from imaginairy.sources.checksum import checksum
from imaginairy.sources.rows import LocalPath
from imaginairy.weighted_prompt import PromptText, weighted_prompts

LARGEST = 400_000_000
"""Bytes of a file that is looked at for its hash; learned words have thousands."""


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
    same = _of_hash(digest, model)
    return f"{called(given)}={same}" if same else ""


def _is(file: Path, digest: str) -> bool:
    try:
        return file.is_file() and checksum([file]).startswith(digest)
    except OSError:
        return False


def _of_hash(digest: str, model: Path | None = None) -> Path | None:
    return with_hash(digest, model, largest=LARGEST)


def hypernetworks_again(said: Any, hashes: Any) -> Any:
    """Return the hypernetworks that a picture names, with those of this user where one
    that is named is not in his folders and he has the same."""
    known = hashes if isinstance(hashes, Mapping) else {}
    try:
        asked = [*map(parse_hypernetwork, hypernetworks("hypernetworks", said))]
    except BadOptionError:
        return said  # what is wrong with it is said with all else
    found = []
    for name, weight in asked:
        is_here = named_in_folders(name) is not None
        same = None if is_here else _of_hash(str(known.get(name, "")))
        found.append(f"{same or name}={weight!r}")
    return tuple(found)


def adapters_outside(
    fields: Mapping[str, Any], given: Collection[str], prompt: PromptText
) -> Iterator[tuple[str, str, str]]:
    """Yield the learned words and hypernetworks that lie in none of the user's folders.

    Each with its field, its name and where it is from. What names nothing is passed
    over: it is refused when it is looked up.

    Args:
        given: fields that are passed over.
        prompt: what may name hypernetworks too.
    """
    words = embeddings("embeddings", fields.get("embeddings") or ())
    named = hypernetworks("hypernetworks", fields.get("hypernetworks") or ())
    in_prompt = weighted_prompts(prompt, allow_blank=True)
    typed = [] if "prompt" in given else [hypernetworks_in(x.text) for x in in_prompt]
    asked = {
        "embeddings": [parse_embedding(each)[1] for each in words],
        "hypernetworks": [parse_hypernetwork(each)[0] for each in named],
    }
    for field, names in asked.items():
        for name in () if field in given else names:
            yield from _outside(field, name)
    for each in (x for several in typed for x in several):
        yield from _outside("hypernetworks", parse_hypernetwork(each)[0])


def _outside(field: str, name: str) -> Iterator[tuple[str, str, str]]:
    try:
        row = locate_adapter(name)
    except UnknownModelError:
        return
    if not row.is_known and not _lies_in_folders(row):
        yield field, name, adapter_source(row)


def _lies_in_folders(row: AdapterRow) -> bool:
    return isinstance(row.place, LocalPath) and any(
        file == row.place.path for _, file in files()
    )
