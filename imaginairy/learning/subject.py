"""What is learnt: the tensors of an adapter, or the vectors of a word."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from imaginairy.adapters.acting import acting
from imaginairy.adapters.held import held_adapter
from imaginairy.adapters.word_file import OF_TWO
from imaginairy.errors import BadOptionError, DeviceError
from imaginairy.families.learned_word import LearnedWord
from imaginairy.families.text import TextEncoder
from imaginairy.learning.course import Course
from imaginairy.learning.fresh import fresh_tensors, require_written
from imaginairy.learning.kinds import NOTHING
from imaginairy.lora import Lora
from imaginairy.models.drawing import DrawingModel
from imaginairy.prompt_language import Fragment

ALONE = "emb_params"
"""What the vectors of a word are called that one text encoder reads."""
ALPHA = ".alpha"


@dataclass(frozen=True, eq=False)
class Subject:
    """What is learnt, as files have it.

    Args:
        tensors: float32, on the device of the model; they are learnt where they lie.
        word: what is learnt where that is a word.
    """

    tensors: Mapping[str, Tensor]
    word: str | None = None

    @property
    def learnt(self) -> dict[str, Tensor]:
        """Those that change."""
        return {n: t for n, t in self.tensors.items() if not n.endswith(ALPHA)}

    def acting(self, model: DrawingModel) -> AbstractContextManager[Any]:
        """Return the scope in which it acts on a model."""
        if self.word is not None:
            return nullcontext()
        return acting(model, [(self._adapter, Lora("what is learnt"))])

    @cached_property
    def _adapter(self) -> Any:
        return held_adapter(self.tensors, "what is learnt")

    @property
    def words(self) -> Sequence[LearnedWord]:
        """What the text encoders know meanwhile beside their vocabularies."""
        if self.word is None:
            return ()
        vectors = {each.shape[1]: each for each in self.tensors.values()}
        return (LearnedWord(self.word, vectors),)

    def loaded(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what was learnt before."""
        with torch.no_grad():
            for name, tensor in self.learnt.items():
                tensor.copy_(tensors[name])


def fresh_subject(
    model: DrawingModel,
    course: Course,
    word: str | None = None,
    begins_as: str = NOTHING,
) -> Subject:
    """Return what is to be learnt, which knows nothing yet.

    Args:
        word: what is learnt where that is a word.
        begins_as: a text whose tokens it begins as.

    Raises:
        BadOptionError: there is no word where one is to be learnt, or what is learnt
            has no place in files.
    """
    if course.kind == "word":
        if not word:
            raise BadOptionError("A word is learnt by a name; give it, as --word zorb.")
        tensors = fresh_vectors(model, course.vectors, begins_as)
    else:
        tensors = fresh_tensors(
            course.kind, model,
            rank=course.rank, alpha=course.alpha, layers=course.layers,
            text=course.text, seed=course.seed,
        )  # fmt: skip
    there = {name: each.to(model.device) for name, each in tensors.items()}
    return Subject(there, word if course.is_word else None)


def fresh_vectors(model: DrawingModel, count: int, text: str) -> dict[str, Tensor]:
    """Return vectors of a new word, by the names that files have for them.

    They are those of the tokens of a text, over and over; of each text encoder its own.

    Raises:
        BadOptionError: the text encoders read no learned words.
    """
    require_written(model)
    readers = [model.encoders[row.role] for row in model.family.texts]
    if not all(isinstance(reader, TextEncoder) for reader in readers):
        raise BadOptionError(
            f"The text encoders of {model.family.title} read no learned words; learn "
            "a LoRA, or with a model of Stable Diffusion."
        )
    names = [ALONE] if len(readers) == 1 else [one for one, _ in OF_TWO]
    vectors = {}
    for name, reader in zip(names, readers, strict=True):
        [ids, *_] = reader.windows([Fragment(text)])
        tokens = [number for number, _ in ids] or [reader.tokenizer.end]
        chosen = torch.tensor([tokens[n % len(tokens)] for n in range(count)])
        rows = reader.network.tokens.weight
        vectors[name] = rows[chosen.to(rows.device)].detach().float().cpu().clone()
    return vectors


def require_learnable(model: DrawingModel, course: Course) -> None:
    """Check that a model can be learnt with.

    Raises:
        BadOptionError: it sees a mask, or computes in numbers whose range is too small.
        DeviceError: what learns does not fit on the device together.
    """
    kinds = {
        "An inpainting model": model.sees_mask,
        "A model that edits": model.edits,
        "A model led by depth": model.sees_depth,
    }
    what = next((kind for kind, is_it in kinds.items() if is_it), None)
    if what:
        raise BadOptionError(
            f"{what} cannot be learnt with; learn with the model that it was made of, "
            "whose adapters fit it, too."
        )
    if any(p.dtype == torch.float16 for p in model.network.parameters()):
        raise BadOptionError(
            "float16 has too small a range to learn in; give "
            "ModelStore(learning=True), which computes in bfloat16, or the precision "
            "'full'."
        )
    placed = model.placed
    together = course.text or course.is_word
    if placed.home != model.device and (placed.placement == "streamed" or together):
        raise DeviceError(
            f"There is not enough memory on {model.device} to learn with this model"
            + (" and its text encoders" if together else "")
            + "; take the device 'cpu', or a smaller model."
        )


@contextmanager
def learning(subject: Subject) -> Iterator[dict[str, Tensor]]:
    """Let tensors gather gradients while the block runs; give those that learn."""
    learnt = subject.learnt
    try:
        for tensor in learnt.values():
            tensor.requires_grad_()
        yield learnt
    finally:
        for tensor in learnt.values():
            tensor.requires_grad_(False)  # as torch has it
            tensor.grad = None
