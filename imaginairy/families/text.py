"""How families turn words into what their networks read; parts that they share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.errors import BadOptionError
from imaginairy.families.learned_word import LearnedWord
from imaginairy.prompt_language import Fragment
from imaginairy.prompt_syntax import read_text
from imaginairy.sizes import Framing
from imaginairy.tokenizer import ClipTokenizer
from imaginairy.weighted_prompt import WeightedPrompt
from imaginairy.word_signs import parted


@dataclass(frozen=True)
class Wanted:
    """What a picture is to show and to avoid, as far as it is said."""

    prompts: Sequence[WeightedPrompt]
    negative: str | None
    """None where guidance is off and it would have no say."""
    size: tuple[int, int]
    """Width and height in pixels at which it is drawn."""
    framing: Framing | None = None
    """What is told of that beside the text; None where it is whole."""
    zeros: bool = False
    """Whether a `negative` that says nothing is zeros, not the empty text."""
    clip_skip: int = 1
    """The layer of the text encoders to use, counted from the last, which is 1."""
    given: Conditioning | None = None
    """Embeddings that stand in place of the prompts."""
    words: Sequence[LearnedWord] = ()
    """What the text encoders know beside their vocabularies."""
    tells_guidance: bool = False
    """Whether the network that draws reads the guidance scale, as a number."""


@dataclass(frozen=True)
class TextEncoder:
    """A text network, and the vocabulary by which its tokens are numbered."""

    network: Any
    """Maps ids (windows, tokens), a clip skip and the vectors of learned words, whose
    ids stand behind the vocabulary's, to a `Conditioning` of tokens (windows, tokens,
    width); its `config` says the `width`, the `vocab_size` and how many `layers` there
    are."""
    tokenizer: ClipTokenizer
    device: torch.device
    behind: int = 0
    """Layers that are never read; `clip_skip` counts from the one before them."""
    words: Sequence[LearnedWord] = ()
    """What it knows beside its vocabulary; all have vectors of its width."""

    @property
    def width(self) -> int:
        """Width of the embeddings."""
        return int(self.network.config.width)

    def both(self, wanted: Wanted) -> tuple[Tensor, Tensor | None]:
        """Return what to follow and to avoid, (1, tokens, width), of as many tokens.

        The shorter is filled up with windows of nothing. What was given in place of
        the prompts is followed as it is.

        Raises:
            BadOptionError: what was given is not as wide as these embeddings.
        """
        skip = wanted.clip_skip
        if wanted.given is None:
            follow = self.embed(wanted.prompts, skip)
        else:
            follow = wanted.given.tokens
        require_width(follow, self.width)
        if wanted.negative is None:
            return follow, None
        avoid = self.embed([WeightedPrompt(wanted.negative)], skip)
        longest = max(follow.shape[1], avoid.shape[1])
        return (
            self.lengthened(follow, longest, skip),
            self.lengthened(avoid, longest, skip),
        )

    def pooled(self, prompts: Sequence[WeightedPrompt]) -> Tensor:
        """Return the weighted mean of texts embedded as one each, (1, dim).

        Of a long text only the first window counts.
        """
        each = []
        for prompt in prompts:
            text = "".join(fragment.text for fragment in self.fragments(prompt.text))
            [first, *_] = self.windows([Fragment(text)])
            each.append(self._read([[number for number, _ in first]]).pooled.float())
        return weighted_mean(prompts, each)

    def embed(self, prompts: Sequence[WeightedPrompt], clip_skip: int = 1) -> Tensor:
        """Return the weighted mean of the embeddings of texts, (1, tokens, width).

        A negative weight pushes away from its prompt. A text longer than the window is
        read in several windows, laid one after the other; shorter ones beside it are
        filled up with windows of nothing.

        Raises:
            BadOptionError: the weights do not add up to more than 0, or the network
                has not so many layers.
        """
        embedded = [self.embed_text(prompt.text, clip_skip) for prompt in prompts]
        length = max(each.shape[1] for each in embedded)
        return weighted_mean(
            prompts, [self.lengthened(each, length, clip_skip) for each in embedded]
        )

    def embed_text(self, text: str, clip_skip: int = 1) -> Tensor:
        """Return the embedding of one text, (1, windows * max_tokens, width).

        What a stretch of text adds to the embedding, there and at every later token,
        counts as much as its emphasis: that is the difference to the same text with
        nothing said in its place. Only the windows that a stretch lies in differ.
        """
        fragments = self.fragments(text)
        windows = self.windows(fragments)
        embedded = self.encoded(
            [[number for number, _ in each] for each in windows], clip_skip
        )
        emphasised = embedded.clone()
        tokens, silence = self.tokenizer.max_tokens, self.tokenizer.end
        lies_in: dict[int, tuple[int, int]] = {}
        for number, window in enumerate(windows):
            for _, of in window:
                lies_in[of] = lies_in.get(of, (number, 0))[0], number + 1
        for stretch, (first, last) in lies_in.items():
            emphasis = fragments[stretch].emphasis
            if emphasis == 1:
                continue
            others = [
                [silence if of == stretch else own for own, of in window]
                for window in windows[first:last]
            ]
            place = slice(first * tokens, last * tokens)
            difference = embedded[:, place] - self.encoded(others, clip_skip)
            emphasised[:, place] += (emphasis - 1) * difference
        return emphasised

    def lengthened(self, embedding: Tensor, tokens: int, clip_skip: int = 1) -> Tensor:
        """Fill an embedding up to so many tokens with windows of the empty text."""
        while embedding.shape[1] < tokens:
            embedding = torch.cat([embedding, self.encoded([[]], clip_skip)], dim=1)
        return embedding

    def encoded(self, windows: Sequence[Sequence[int]], clip_skip: int = 1) -> Tensor:
        """Return the embeddings of windows, in a row; start and end are put around."""
        layers = self.network.config.layers - self.behind
        if clip_skip > layers:
            raise BadOptionError(
                f"A clip_skip of {clip_skip} is more than the {layers} layers of this "
                f"model's text encoder; give one from 1 to {layers}."
            )
        read = self._read(windows, clip_skip + self.behind)
        return read.tokens.float().flatten(0, 1)[None]

    def _read(self, windows: Sequence[Sequence[int]], clip_skip: int = 1) -> Any:
        whole = [self.tokenizer.window(ids) for ids in windows]
        learned = [word.vectors[self.width] for word in self.words]
        return self.network(
            torch.tensor(whole, device=self.device),
            clip_skip,
            torch.cat(learned).to(self.device) if learned else None,
        )

    def fragments(self, text: str) -> tuple[Fragment, ...]:
        """Read a text; its learned words are signs, see `word_signs`."""
        return read_text(text, [name for word in self.words for name in word.names])

    def windows(self, fragments: Sequence[Fragment]) -> list[list[tuple[int, int]]]:
        """Cut a text into windows of ids, each with the number of its fragment.

        A learned word is torn only where it is longer than a window.
        """
        windows: list[list[tuple[int, int]]] = [[]]
        room = self.tokenizer.room
        for stretch, fragment in enumerate(fragments):
            for ids in self.ids(fragment.text):
                if len(windows[-1]) + len(ids) > room >= len(ids):
                    windows.append([])
                for number in ids:
                    if len(windows[-1]) == room:
                        windows.append([])
                    windows[-1].append((number, stretch))
        return windows

    def ids(self, text: str) -> Iterator[Sequence[int]]:
        """Yield the ids of a marked text: each token's, those of a word together."""
        end, of_signs = self.network.config.vocab_size, []
        for word in self.words:
            begin, end = end, end + len(word.vectors[self.width])
            of_signs += [range(begin, end)] * len(word.names)
        for part in parted(text) if self.words else [text]:
            if isinstance(part, int):
                yield of_signs[part]
            else:
                yield from ([number] for number in self.tokenizer.ids(part))


Encoders = Mapping[str, Any]
"""A model's text encoders by their role."""
Condition = Callable[[Wanted, Encoders], tuple[Conditioning, Conditioning | None]]
"""Returns what to follow and what to avoid; the second is None where `negative` is."""


def require_width(embedding: Tensor, width: int) -> None:
    """Check that embeddings that were given are as wide as a model's own.

    Raises:
        BadOptionError: they are not.
    """
    if embedding.shape[-1] != width:
        raise BadOptionError(
            f"The conditioning is {embedding.shape[-1]} wide; this model's text "
            f"embeddings are {width}."
        )


def weighted_mean(prompts: Sequence[WeightedPrompt], each: Sequence[Tensor]) -> Tensor:
    """Return the mean of what prompts became, each counted by its prompt's weight.

    Raises:
        BadOptionError: the weights do not add up to more than 0.
    """
    total = sum(prompt.weight for prompt in prompts)
    if total <= 0:
        raise BadOptionError(
            f"The weights of the prompt add up to {total:g}; make the sum positive."
        )
    weighted = [
        part * (prompt.weight / total)
        for part, prompt in zip(each, prompts, strict=True)
    ]
    return torch.stack(weighted).sum(dim=0)
