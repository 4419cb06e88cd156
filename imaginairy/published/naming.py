"""What all published namings share.

A naming is one way in which files name the tensors of a network: it is told by a name
among them, and reads the network's sizes off the shapes and maps the names together.
The tensors of a module are called `weight` and `bias` in ours and theirs.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor, nn

from imaginairy.errors import CheckpointError
from imaginairy.settings import Settings
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

Shapes = Mapping[str, tuple[int, ...]]
"""Tensor names, without the prefix of their network, and shapes."""
Config = TypeVar("Config")


class OtherDesignError(ValueError):
    """Weights of a network of the same kind that is built otherwise than ours."""


@dataclass(frozen=True)
class Naming(Generic[Config]):
    """One way in which the tensors of a network are named."""

    title: str
    """Whose it is."""
    sign: str
    """What a name begins with that only this naming has, as a pattern."""
    config: Callable[[Shapes, Settings], Config]
    """Sizes the network; what shapes do not tell is usual unless settings say it."""
    names: Callable[[Config], Names]
    """Maps our modules to theirs; it may name modules that a given size has not."""
    spare: Callable[[Config], Names] = lambda config: {}
    """Maps modules that files have and no network reads to ours, whose tensors stand
    there where files are written that have none of their own."""
    constants: Callable[[Config], Mapping[str, Tensor]] = lambda config: {}
    """What else files hold, by their names, that is the same in all of them."""

    def part(
        self, network: type[nn.Module], tensors: Tensors, settings: Settings
    ) -> Part:
        """Return a network as it stands among tensors named so."""
        config = self.config(tensors.shapes, settings)
        names = self.names(config)
        return Part(network, config, tensors, names, settings=settings)


def told(shapes: Shapes, namings: Sequence[Naming[Config]]) -> Naming[Config]:
    """Return the naming that a name shows, or the last, which says what is missing."""
    for naming in namings:
        if any(re.match(naming.sign, name) for name in shapes):
            return naming
    return namings[-1]


def at(ours: str, theirs: str, names: Names) -> Names:
    """Put a small table at a place of both namings."""
    return {f"{ours}.{key}": f"{theirs}.{value}" for key, value in names.items()}


def count(shapes: Shapes, pattern: str) -> int:
    """Count how far a numbered name goes, from 0."""
    number = 0
    while pattern.format(number) in shapes:
        number += 1
    return number


@contextmanager
def lacking(tensors: Tensors, network: str) -> Iterator[None]:
    """Turn a tensor that is not there, or of another rank, into a sentence."""
    try:
        yield
    except (KeyError, IndexError) as error:
        raise CheckpointError(
            f"'{tensors.origin}' holds no {network}: the tensor {error} is missing."
        ) from error
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"'{tensors.origin}' holds no {network}: a tensor has another shape "
            f"({error})."
        ) from error
    except CheckpointError as error:
        raise CheckpointError(f"'{tensors.origin}' cannot be used: {error}") from error
