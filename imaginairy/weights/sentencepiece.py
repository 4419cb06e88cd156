"""Vocabularies of pieces and how likely they are, as SentencePiece writes them.

Such a file is one message in the wire format of protocol buffers: fields, each led by
its number and the kind of what follows. Of all that it says three are read here: the
pieces, what stands for unknown ones, and how letters are normalised.
https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterator
from math import isfinite
from pathlib import Path

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import Unigram

from imaginairy.weights.json_file import short_enough

SPACE = "\u2581"
"""How a space is written in pieces."""
PIECES, NORMALISING = 1, 3
"""Fields of a file: each of its pieces, and how letters are normalised."""
PIECE, LIKELY, KIND = 1, 2, 3
"""Fields of a piece: its text, the logarithm of how likely it is, and its kind."""
LETTERS = 2
"""The field of how letters are normalised that is a table of them."""
UNKNOWN = 2
"""The kind of the piece that stands for what is no other."""
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5
"""Kinds of fields."""

Value = int | bytes


def read_sentencepiece(file: Path) -> Tokenizer:
    """Read a vocabulary that cuts texts into their likeliest pieces (Kudo 2018,
    arXiv:1804.10959).

    Raises:
        ValueError, IndexError, KeyError, struct.error: the file is broken.
        CheckpointError: it is too long.
    """
    pieces: list[tuple[str, float]] = []
    unknown, table = None, b""
    for number, value in fields(short_enough(file).read_bytes()):
        if number == PIECES:
            piece = dict(fields(_bytes(value)))
            if piece.get(KIND) == UNKNOWN:
                unknown = len(pieces)
            [likely] = struct.unpack("<f", _bytes(piece.get(LIKELY, bytes(4))))
            if not isfinite(likely):
                raise ValueError(f"a piece is as likely as {likely}")
            pieces.append((_bytes(piece[PIECE]).decode(), likely))
        elif number == NORMALISING:
            table = _bytes(dict(fields(_bytes(value))).get(LETTERS, b""))
    if unknown is None:
        raise ValueError("no piece stands for what is unknown")
    tokenizer = Tokenizer(Unigram(pieces, unk_id=unknown, byte_fallback=False))
    if table:
        tokenizer.normalizer = normalizers.Precompiled(table)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(SPACE, prepend_scheme="always"),
        ]
    )
    return tokenizer


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Yield the fields of a message, with their numbers.

    Raises:
        ValueError, IndexError: it is none.
    """
    at = 0
    while at < len(message):
        head, at = _whole_number(message, at)
        number, kind = head >> 3, head & 7
        if kind == VARINT:
            value, at = _whole_number(message, at)
            yield number, value
            continue
        sizes = {EIGHT_BYTES: 8, FOUR_BYTES: 4}
        if kind == BYTES:
            size, at = _whole_number(message, at)
        elif kind in sizes:
            size = sizes[kind]
        else:
            raise ValueError(f"a field of the kind {kind}")
        if at + size > len(message):
            raise ValueError("it ends in the middle of a field")
        yield number, message[at : at + size]
        at += size


def _whole_number(message: bytes, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte; return it and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number in place of bytes")
    return value
