"""The conditioning of flow transformers: text encoders that read a text in one row.

They are language models, which a text is given to as they were trained to be asked, or
the encoder of one. Nothing of that is in windows, as CLIP's is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.errors import BadOptionError
from imaginairy.families.text import (
    Encoders,
    Wanted,
    require_width,
    weighted_mean,
)
from imaginairy.log import log, shortened
from imaginairy.prompt_syntax import read_text
from imaginairy.tokenizer import RowTokenizer
from imaginairy.weighted_prompt import WeightedPrompt

SHOWN = 60
"""Characters of a text in a message."""


@dataclass(frozen=True)
class LanguageEncoder:
    """A text network that reads a row of tokens, and the vocabulary they are of."""

    network: Any
    """Maps ids (batch, n), and which of them are seen, (batch, n) of bool or None, to a
    `Conditioning` of tokens (batch, n, width); its `config` says the `width`, the
    `vocab_size` and how many `layers` there are."""
    tokenizer: RowTokenizer
    device: torch.device

    @property
    def width(self) -> int:
        """Width of the embeddings."""
        return int(self.network.config.width)

    def row(self, text: str, around: str = "{}") -> list[int]:
        """Return the ids of a text, cut to what is read, which is said.

        Args:
            around: what it is put in.
        """
        ids = self.tokenizer.ids(around.format(text))
        cut = self.tokenizer.cut(ids)
        if len(ids) > len(cut):
            log.warning(
                "The text '%s' comes to %d tokens, of which this model reads the first "
                "%d; the rest is not drawn.",
                shortened(text, SHOWN), len(ids), len(cut),
            )  # fmt: skip
        return cut

    def embed(self, ids: Sequence[int], length: int, *, seen: bool) -> Tensor:
        """Return the embeddings of a row that is filled up, (1, length, width).

        Args:
            seen: whether what fills it up is seen like the text itself.
        """
        filled = [*ids, *[self.tokenizer.pad] * (length - len(ids))]
        mask = None
        if not seen and length > len(ids):
            mask = (torch.arange(length, device=self.device) < len(ids))[None]
        row = torch.tensor([filled], device=self.device)
        embedded: Tensor = self.network(row, mask).tokens
        return embedded.float()


@dataclass(frozen=True)
class Reading:
    """How a family has texts read."""

    role: str = "text"
    """Of the encoder whose tokens are read."""
    around: str = "{}"
    """What a text is put in."""
    filled: bool = True
    """Whether texts are filled up to as many tokens as can be read."""
    fewer: int = 0
    """To how many they are filled up where they fit and the network that draws reads no
    guidance scale; 0 where that makes no difference."""
    seen: bool = False
    """Whether the encoder sees what fills them up."""
    read: Literal["all", "text"] = "all"
    """What of them the network that draws is told to read: all tokens, or those of the
    text and one more."""
    pooled: str | None = None
    """The role of an encoder that embeds the whole text as one, too."""


def condition(
    reading: Reading, wanted: Wanted, encoders: Encoders
) -> tuple[Conditioning, Conditioning | None]:
    """Return what to follow and to avoid of a text that is read in one row.

    Several prompts are mixed token by token; where they are not as long as each other
    the shorter are filled up. Emphasis on words of a text is left out, which is said.

    Raises:
        BadOptionError: weights, layers or embeddings are none that the model can take.
    """
    _refuse_what_windows_have(wanted)
    fewer = 0 if wanted.tells_guidance else reading.fewer
    reader = _Reader(replace(reading, fewer=fewer), encoders)
    given, width = wanted.given, reader.encoder.width
    if given is None:
        follow = reader.told(wanted.prompts)
    else:
        require_width(given.tokens, width)
        pooled = given.pooled
        if pooled is None:
            pooled = reader.pooled(wanted.prompts)
        follow = Conditioning(given.tokens, pooled, mask=given.mask)
    if wanted.negative is None:
        return follow, None
    return follow, reader.told([WeightedPrompt(wanted.negative)])


def _refuse_what_windows_have(wanted: Wanted) -> None:
    if wanted.clip_skip != 1:
        raise BadOptionError(
            f"A clip_skip of {wanted.clip_skip} is for models that read what CLIP says "
            "of each word; this model reads its text encoder at fixed layers; leave "
            "it at 1."
        )
    if wanted.words:
        names = ", ".join(word.name for word in wanted.words)
        raise BadOptionError(
            f"Learned words ({names}) are for models that read what CLIP says of each "
            "word; this model does not; leave them out."
        )


@dataclass(frozen=True)
class _Reader:
    reading: Reading
    encoders: Encoders

    @property
    def encoder(self) -> LanguageEncoder:
        encoder: LanguageEncoder = self.encoders[self.reading.role]
        return encoder

    def told(self, prompts: Sequence[WeightedPrompt]) -> Conditioning:
        """Return what prompts say together."""
        encoder, reading = self.encoder, self.reading
        rows = [encoder.row(plain(p.text), reading.around) for p in prompts]
        longest = max(map(len, rows))
        length = encoder.tokenizer.max_tokens if reading.filled else longest
        if longest <= reading.fewer:
            length = min(length, reading.fewer)
        each = [encoder.embed(row, length, seen=reading.seen) for row in rows]
        mask = None
        if reading.read == "text" and longest + 1 < length:
            mask = (torch.arange(length, device=encoder.device) <= longest)[None]
        tokens = weighted_mean(prompts, each)
        return Conditioning(tokens, self.pooled(prompts), mask=mask)

    def pooled(self, prompts: Sequence[WeightedPrompt]) -> Tensor | None:
        """Return what prompts say together as one embedding, where that is read."""
        role = self.reading.pooled
        pooled: Tensor | None = None
        if role is not None:
            pooled = self.encoders[role].pooled(prompts)
        return pooled


def plain(text: str) -> str:
    """Return a text without emphasis, and say so where it has some."""
    fragments = read_text(text)
    whole = "".join(fragment.text for fragment in fragments)
    if any(fragment.emphasis != 1 for fragment in fragments):
        log.warning(
            "The emphasis in '%s' is left out: this model's text encoder reads "
            "sentences and weighs no words; say it in words, or weigh whole prompts "
            "as in 0.7*(a cat)|0.3*(a dog).",
            shortened(text, SHOWN),
        )
    return whole


ASKED = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
"""How a text is given to Qwen, which is to answer."""
THOUGHT = "<think>\n\n</think>\n\n"
"""What it thinks of it where it is not to think."""

of_zimage = partial(condition, Reading(around=ASKED, filled=False))
"""Z-Image (arXiv:2511.22699): the text as a question, its own tokens alone."""
of_flux2 = partial(condition, Reading(around=ASKED + THOUGHT))
"""Flux.2 klein: the text as a question that was thought about, and what fills it up."""
of_flux1 = partial(
    condition, Reading(role="text_2", fewer=256, seen=True, pooled="text")
)
"""Flux.1: all that T5 says, what fills up a text too, and what CLIP says of it all.

[schnell] learnt with texts of 256 tokens, [dev] of 512."""
of_chroma = partial(condition, Reading(read="text"))
"""Chroma: what T5 says of a text and of the first token behind it."""
