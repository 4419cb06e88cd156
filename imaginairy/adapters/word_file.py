"""Learned words in files, as the programs that teach them save them.

    string_to_param.*                   A1111's .pt, a pickle
    emb_params                          A1111's safetensors
    <the word>, or any one name         diffusers' learned_embeds
    clip_l, clip_g                      of Stable Diffusion XL, one for each encoder
    0.NAME, 1.NAME, ...                 a list of mappings, for models of several widths

Each tensor is (n, width) or (width,). A LoRA may hold some below `bundle_emb.NAME`.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.families.adapter_kinds import instead
from imaginairy.families.family import Header
from imaginairy.families.learned_word import LearnedWord
from imaginairy.families.signs import REFINER, SD1, SD2, SDXL
from imaginairy.families.strangers import stranger
from imaginairy.weights.weightfile import open_weights

OF_TWO = (("clip_l", "text_encoders_0"), ("clip_g", "text_encoders_1"))
"""What a tensor for each encoder of two is called."""
ALONE = re.compile(r"emb_params|string_to_param\..*|clip_[lg]|text_encoders_[01]")
LISTED = re.compile(r"\d+\..+")
MOST = 1000
"""Vectors of one word."""
MATRIX = 2
"""Axes of vectors below each other."""
FAMILIES = {(768,): SD1, (1024,): SD2, (768, 1280): SDXL, (1280,): REFINER}
"""The models for which the vectors of published words are, by their widths."""


def read_word(path: Path, word: str = "") -> LearnedWord:
    """Read the learned word in a file.

    Args:
        word: what it goes by; else what the file calls it, and how the file is called.

    Raises:
        CheckpointError: the file holds something else, or is broken.
    """
    tensors = open_weights(path)
    wanted = [*_of_words(tensors.shapes)]
    if not wanted:
        found = stranger(Header(tensors.shapes.copy, metadata=tensors.metadata))
        what = found.title.rstrip(",") if found else "something else"
        raise CheckpointError(
            f"'{path}' holds no learned word (textual inversion), but {what}"
            f"{instead(found)}."
        )
    held = {name: tensors.read(name) for name in wanted}
    called = [name for name in held if len(held) == 1 and not ALONE.fullmatch(name)]
    names = [word] if word else [*called, path.stem]
    return word_of(names[0], held, str(path), also=tuple(names[1:]))


def _of_words(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Return the names of the tensors of a file that may be vectors of a word."""
    named = [name for name in shapes if ALONE.fullmatch(name)]
    listed = [*filter(LISTED.fullmatch, shapes)]
    for few in (named, [*shapes]):
        if few and (few == named or len(few) == 1 or len(few) == len(listed) <= MOST):
            return [name for name in few if 0 < len(shapes[name]) <= MATRIX]
    return []


def word_of(
    word: str, held: Mapping[str, Tensor], where: str, *, also: tuple[str, ...] = ()
) -> LearnedWord:
    """Return the learned word that some tensors are.

    Args:
        held: tensors by the names that the forms above have.
        where: what they lie in, for messages.
        also: what else it goes by.

    Raises:
        CheckpointError: they are none.
    """
    found = [
        next((held[name] for name in names if name in held), None) for names in OF_TWO
    ]
    both = [each for each in found if each is not None]
    is_list = not both and len(held) > 1 and all(map(LISTED.fullmatch, held))
    if not both and len(held) > 1 and not is_list:
        held = {name: part for name, part in held.items() if ALONE.fullmatch(name)}
    vectors: dict[int, Tensor] = {}
    for each in both or held.values():
        rows = _rows(each, where)
        width = rows.shape[1]
        there = [vectors[width]] if width in vectors else []
        vectors[width] = torch.cat([*there, rows])
    counts = {len(rows) for rows in vectors.values()}
    if not vectors or (len(counts) > 1 and not is_list):
        raise CheckpointError(
            f"'{where}' holds no learned word whose vectors belong together; fetch it "
            "again."
        )
    return LearnedWord(word, vectors, also, is_choice=is_list)


def _rows(tensor: Tensor, where: str) -> Tensor:
    rows = tensor.detach().reshape(-1, tensor.shape[-1]) if tensor.ndim else tensor
    if rows.ndim != 2 or not rows.is_floating_point() or not 0 < len(rows) <= MOST:
        raise CheckpointError(
            f"'{where}' holds a learned word of {tensor.dtype} and the shape "
            f"{tuple(tensor.shape)}; it takes 1 to {MOST} vectors of numbers."
        )
    rows = rows.float().clone()
    if not bool(rows.isfinite().all()):
        raise CheckpointError(
            f"'{where}' holds a learned word whose numbers are not finite (NaN or "
            "infinity), so the file is broken; fetch it again."
        )
    return rows


def require_suits(word: LearnedWord, where: str, model: Any, name: str) -> None:
    """Check that the text encoders of a model can read a word.

    Args:
        where: what it lies in, for messages.
        model: a `DrawingModel`.
        name: what that is called.

    Raises:
        CheckpointError: they cannot.
    """
    readers = [each for each in model.encoders.values() if hasattr(each, "words")]
    widths = tuple(each.width for each in readers)
    if widths and word.suits(*widths):
        return
    made_for = FAMILIES.get(tuple(word.vectors)) or (
        f"text encoders {_listed(word.vectors)} wide"
    )
    read = f", whose text is {_listed(widths)} wide" if widths else ""
    raise CheckpointError(
        f"'{where}' is a learned word for {made_for}; the model '{name}' is of "
        f"{model.family.title}{read}; give the word of that name for it, or another "
        "model."
    )


def _listed(widths: Iterable[int]) -> str:
    return " and ".join(map(str, widths))
