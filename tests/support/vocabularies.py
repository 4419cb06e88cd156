"""Vocabularies of tokenizers, and the files that hold them."""

import json
from pathlib import Path
from typing import Any

from tests.support.tiny import tiny_tokenizer


def scanty_vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return a vocabulary that lacks most bytes."""
    model = json.loads(tiny_tokenizer().backend_tokenizer.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def write_vocabulary(folder: Path, vocabulary: Any, merges: Any) -> None:
    text = json.dumps(vocabulary, ensure_ascii=False)
    (folder / "vocab.json").write_text(text, encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
