"""The vocabularies of text encoders, as they go with a model that is converted."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from imaginairy.conversion.source import Source
from imaginairy.errors import BadOptionError
from imaginairy.families.family import PartRow, function
from imaginairy.families.table import FAMILIES
from imaginairy.models.reading import vocabularies_read, vocabulary_beside
from imaginairy.networks.config import ClipTextConfig
from imaginairy.sources import hub
from imaginairy.sources.checksum import checksum
from imaginairy.sources.drawing_rows import VOCABULARIES
from imaginairy.sources.layouts import (
    MERGES,
    PIECES,
    TOKENIZER,
    VOCABULARY,
    has_clip_vocabulary,
)
from imaginairy.tokenizer import END, START
from imaginairy.weights.json_file import read_json
from imaginairy.weights.vocabulary import LONGEST

CONFIG, SPECIAL = "tokenizer_config.json", "special_tokens_map.json"
FILES = (
    *(TOKENIZER, VOCABULARY, MERGES, PIECES),
    *(CONFIG, SPECIAL, "added_tokens.json"),
)
"""What a vocabulary consists of, as far as it is there."""
CLIP = "clip"
CONFIGS: Mapping[str, Mapping[str, str]] = {
    "qwen3": {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
    },
    "t5": {
        "tokenizer_class": "T5Tokenizer",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
    },
}
"""What is said beside other public vocabularies."""
TOLD, IDS = "a photo of a cat", [320, 1125, 539, 320, 2368]
"""A text, and its tokens in CLIP's vocabulary."""


def tokenizer_class(row: PartRow) -> str:
    """Return what transformers calls what reads by the vocabulary of a part."""
    said = CONFIGS.get(str(row.usual_vocabulary), {})
    return said.get("tokenizer_class", "CLIPTokenizer")


def own_vocabularies(source: Source) -> dict[str, Path]:
    """Return the folders of vocabularies that are not the public one, by role.

    A single file is read by that one where it brings none.
    """
    own = {}
    for row in source.family.texts:
        folder = source.checkpoint.vocabularies.get(row.role)
        if folder is not None and not is_public(source, row, folder):
            own[row.role] = folder
    return own


def is_public(source: Source, row: PartRow, folder: Path) -> bool:
    """Tell whether a vocabulary is that which a text encoder reads by without one."""
    if row.usual_vocabulary == CLIP:
        return _is_clip_s(source, row, folder)
    public = VOCABULARIES.get(str(row.usual_vocabulary))
    file = folder / TOKENIZER
    if public is None or not file.is_file():
        return False
    return checksum((file,)) == public.sha256


def _is_clip_s(source: Source, row: PartRow, folder: Path) -> bool:
    config: Any = source.checkpoint.parts[row.role].config
    tokenizer = function(row.reader)(folder, config.max_tokens, pad=row.pad)
    if tokenizer.highest_id + 1 != ClipTextConfig.vocab_size:
        return False
    usual = {START: tokenizer.start, END: tokenizer.end, row.pad or END: tokenizer.pad}
    ids = {word: tokenizer.tokenizer.token_to_id(word) for word in usual}
    whole = tokenizer.max_tokens == config.max_tokens and ids == usual
    return whole and tokenizer.ids(TOLD) == IDS


def left_by(path: Path, written: Collection[Path]) -> list[Path]:
    """Return the vocabularies that went with another file at a path.

    Args:
        written: folders that are written in place of some.
    """
    texts = [row for family in FAMILIES for row in family.texts if row.vocabulary]
    beside = dict.fromkeys(vocabulary_beside(path, row) for row in texts)
    return [f for f in beside if f not in written and has_clip_vocabulary(f)]


def require_own_vocabulary(source: Source, path: Path, own: Collection[str]) -> None:
    """Check that nothing that lies by a file is taken for its vocabulary.

    Args:
        own: the roles of text encoders whose vocabularies are written with it.

    Raises:
        BadOptionError: something would be.
    """
    for row in source.family.texts:
        near = [
            place
            for place in vocabularies_read(path, row)
            if place != vocabulary_beside(path, row)
        ]
        if near and row.role not in own and not is_public(source, row, near[-1]):
            raise BadOptionError(
                f"'{near[-1]}' holds a vocabulary with which '{path}' would be read, "
                "and which is not that of the model; give a place in another folder."
            )


def vocabulary_files(source: Source, row: PartRow) -> Mapping[str, bytes]:
    """Return the files of a text encoder's vocabulary, by name.

    Raises:
        DownloadError: it is the public one, which could not be fetched.
    """
    folder = source.checkpoint.vocabularies.get(row.role)
    if folder is not None:
        return files_of(folder)
    whole = hub.fetch(VOCABULARIES[str(row.usual_vocabulary)])
    if row.usual_vocabulary != CLIP:
        said = CONFIGS[str(row.usual_vocabulary)]
        return {TOKENIZER: whole.read_bytes(), CONFIG: json.dumps(said).encode()}
    config: Any = source.checkpoint.parts[row.role].config
    return as_files(whole, row.pad or END, config.max_tokens)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a vocabulary that lies in a folder."""
    there = {name: folder / name for name in FILES}
    return {name: file.read_bytes() for name, file in there.items() if file.is_file()}


def as_files(whole: Path, pad: str, max_tokens: int) -> dict[str, bytes]:
    """Return a vocabulary in one file as the files that all tools read.

    Args:
        pad: the token that fills up a window.
        max_tokens: how long that is.
    """
    words, merges = halves(read_json(whole, LONGEST))
    tokens = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}
    said = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": max_tokens,
        "do_lower_case": True,
        "add_prefix_space": False,
        "errors": "replace",
        **tokens,
    }
    return {
        TOKENIZER: whole.read_bytes(),
        VOCABULARY: json.dumps(words, ensure_ascii=False).encode(),
        MERGES: "\n".join(["#version: 0.2", *merges, ""]).encode(),
        CONFIG: json.dumps(said, indent=2).encode(),
        SPECIAL: json.dumps(tokens, indent=2).encode(),
    }


def halves(said: Mapping[str, Any]) -> tuple[Mapping[str, int], list[str]]:
    """Return the words and the merges of a `tokenizer.json`."""
    model = said["model"]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    return model["vocab"], merges
