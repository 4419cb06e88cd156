"""Which files a model's folder holds, and which of them are needed; by names alone."""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeAlias

from imaginairy.errors import CheckpointError

CONFIG = "config.json"
"""The settings of a network."""
MODEL_INDEX = "model_index.json"
"""What a folder in the diffusers layout is made of."""
SCHEDULER = "scheduler/scheduler_config.json"
"""The noise schedule of such a folder."""
TOKENIZER = "tokenizer.json"
"""A whole vocabulary."""
VOCABULARY, MERGES = "vocab.json", "merges.txt"
"""The two halves of CLIP's."""
PIECES = "spiece.model"
"""A whole vocabulary of SentencePiece's, as T5's is."""
WORD_PIECES = "vocab.txt"
"""BERT's, of one piece a line."""
PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""How pictures are prepared, in a file of its own or, newer, beside other settings."""
GENERATION = "generation_config.json"
"""How long texts that a model writes may be."""
WORDS = "words.json"
"""The words that a model knows, where it knows few."""
CHECKPOINT_ENDINGS = (".safetensors", ".ckpt")
"""What the names of single files of a whole model end with."""
BUNDLED_WEIGHTS = "model.safetensors"
"""The one file of a bundled model whose role wants a file."""
WEIGHT_NAME = re.compile(
    r"(diffusion_pytorch_model|model|pytorch_model)"
    r"(\.\w+?)?\.(safetensors|bin)(\.index\S*\.json)?"
)
SHARD = r"-\d+-of-\d+"
"""What the name of one file of several has in it."""
HALVES = ("fp16", "bf16")
VARIANTS = ("", "fp32", *HALVES)
"""Variants that are the same weights in some precision."""
NO_VARIANTS = ("safetensors", "bin", "index", "json")

Choose: TypeAlias = Callable[[Sequence[str], str, str, bool], list[str]]
"""Chooses what is needed of a folder or repository: of its files, its own name, what
such a model is called, and whether files in half precision are preferred."""


def folder_files(
    files: Sequence[str], origin: str, noun: str, half: bool = False
) -> list[str]:
    """Choose what is needed of a folder that transformers saved, weights first.

    Raises:
        CheckpointError: it is no such folder.
    """
    top = [file for file in files if "/" not in file]
    if CONFIG not in top:
        raise CheckpointError(f"'{origin}' is no {noun}: it holds no {CONFIG}.")
    if not any(is_weights(file) for file in top):
        raise CheckpointError(f"'{origin}' is no {noun}: it holds no weights.")
    weights = with_shards(pick_weights(top, "", half=half), top)
    wanted = (TOKENIZER, VOCABULARY, MERGES, WORD_PIECES, *PREPROCESSORS, GENERATION)
    small = [file for file in wanted if file in top]
    return [*weights, *small, CONFIG]


def holds_weights(files: Collection[str], part: str) -> bool:
    """Tell whether one part of a folder has weights; the folder itself goes by ""."""
    start = f"{part}/" if part else ""
    return any(
        is_weights(file.removeprefix(start)) for file in files if file.startswith(start)
    )


def pick_weights(
    files: Collection[str], part: str, *, half: bool, beside: Sequence[str] = ()
) -> str:
    """Choose the weight file, or the index of its shards, of one part of a folder.

    Safetensors before pickles, whole precision before fp16 and bf16 unless `half`.

    Args:
        beside: the folders that such a model has, for messages.

    Raises:
        CheckpointError: there is none.
    """
    candidates = []
    for file in files:
        folder, _, name = file.rpartition("/")
        if folder != part or not is_weights(name):
            continue
        variant, is_index = variant_of(name), name.endswith(".json")
        other = (variant in HALVES) != half
        rank = VARIANTS.index(variant)
        candidates.append((".bin" in name, other, rank, is_index, file))
    if not candidates:
        folders = [f"{folder}/" for folder in beside]
        raise CheckpointError(
            f"The model folder has no weights in '{part}/'"
            + (f"; it should hold {_all(folders)}." if folders else ".")
        )
    return min(candidates)[-1]


def _all(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def with_shards(weights: str, files: Sequence[str]) -> list[str]:
    """Return a weight file, and the shards of its precision if it is an index."""
    if not weights.endswith(".json"):
        return [weights]
    stem = re.sub(r"(\.safetensors|\.bin)\.index.*", "", weights)
    shard = re.compile(re.escape(stem) + rf"\S*{SHARD}\S*")
    shards = [file for file in files if shard.fullmatch(file)]
    variant = variant_of(weights)
    return [weights, *(file for file in shards if variant_of(file) == variant)]


def is_weights(name: str) -> bool:
    """Tell whether a file's name is that of a network's weights, or of their index."""
    return bool(WEIGHT_NAME.fullmatch(name)) and variant_of(name) in VARIANTS


def variant_of(weights: str) -> str:
    """Return what a weight file says of its variant, such as `fp16`; "" for none."""
    name = re.sub(SHARD, "", weights.rpartition("/")[2])
    words = name.split(".")[1:]
    return ".".join(word for word in words if word not in NO_VARIANTS)


def has_clip_vocabulary(folder: Path) -> bool:
    """Tell whether a folder holds a vocabulary of CLIP's kind."""
    return (folder / TOKENIZER).is_file() or (
        (folder / VOCABULARY).is_file() and (folder / MERGES).is_file()
    )
