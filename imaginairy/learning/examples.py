"""What is learnt from, as networks see it: latents, and what is told of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.device import SeededNoise
from imaginairy.errors import NotFiniteError
from imaginairy.families.learned_word import LearnedWord
from imaginairy.families.text import Wanted
from imaginairy.finite import is_finite
from imaginairy.models.drawing import DrawingModel
from imaginairy.pixels import image_to_tensor
from imaginairy.sizes import Framing
from imaginairy.weighted_prompt import WeightedPrompt

PLAIN = str.maketrans({sign: f"\\{sign}" for sign in "\\()|"})
"""What stands for signs of the prompt language where they are plain text."""


@dataclass(frozen=True)
class Picture:
    """A picture to learn from, at the size at which it is learnt."""

    image: Image.Image
    """RGB."""
    caption: str
    framing: Framing | None = None
    """What it was resized and cropped from; None where it is whole."""


@dataclass(frozen=True, eq=False)
class Example:
    """A picture to learn from, encoded."""

    caption: str
    size: tuple[int, int]
    """Width and height in pixels."""
    latents: Tensor
    """Clean ones, (1, channels, h, w)."""
    mirrored: Tensor | None = None
    """Those of the picture in a mirror, where they are learnt as well."""
    framing: Framing | None = None


def chance(*numbers: int) -> torch.Generator:
    """Return a source of random numbers that some numbers, such as a seed, name.

    So what is drawn at a step is the same whatever came before.
    """
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))


def encoded(
    pictures: Sequence[Picture], model: DrawingModel, *, mirrored: bool, seed: int = 0
) -> list[Example]:
    """Encode pictures, one by one.

    Raises:
        NotFiniteError: the autoencoder gives NaN or infinity.
    """
    model.placed.bring(model.autoencoder)
    examples = []
    with torch.no_grad():
        for number, picture in enumerate(pictures):
            size = picture.image.size
            noise = SeededNoise(seed + number, model.latent_shape(size), model.device)
            pixels = image_to_tensor(picture.image)
            latents = model.encode(pixels, noise())
            other = model.encode(pixels.flip(-1), noise()) if mirrored else None
            if not is_finite(latents):
                raise NotFiniteError("The autoencoder gave NaN or infinity.")
            examples.append(
                Example(picture.caption, size, latents, other, picture.framing)
            )
    model.rest()
    return examples


def told(
    example: Example,
    model: DrawingModel,
    words: Sequence[LearnedWord] = (),
    *,
    caption: str | None = None,
) -> Conditioning:
    """Return what the network is told of a picture.

    Args:
        words: what the text encoders know beside their vocabularies.
        caption: in place of its own.
    """
    said = example.caption if caption is None else caption
    wanted = Wanted(
        prompts=[WeightedPrompt(said.translate(PLAIN))],
        negative=None,
        size=example.size,
        framing=example.framing,
        clip_skip=model.clip_skip,
        words=words,
        tells_guidance=model.reads_guidance,
    )
    follow, _ = model.condition(wanted)
    if model.reads_guidance:
        follow = replace(follow, guidance=torch.ones(1, device=model.device))
    return follow


def batches_of(
    examples: Sequence[Example], batch_size: int, seed: int, round: int
) -> list[list[int]]:
    """Return the batches of a round in which every picture is seen once or so.

    All of a batch are of one size. A batch that would be smaller is filled up with
    pictures that are seen again.

    Args:
        round: which, from 0; each has an order of its own, and as many batches.
    """
    drawn = chance(seed, 1, round)
    by_size: dict[tuple[int, int], list[int]] = {}
    for number, example in enumerate(examples):
        by_size.setdefault(example.size, []).append(number)
    batches = []
    for numbers in by_size.values():
        order = [numbers[n] for n in torch.randperm(len(numbers), generator=drawn)]
        count = -(-len(order) // batch_size) * batch_size
        filled = (order * (count // len(order) + 1))[:count]
        batches += [filled[n : n + batch_size] for n in range(0, count, batch_size)]
    return [batches[n] for n in torch.randperm(len(batches), generator=drawn)]
