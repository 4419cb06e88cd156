"""What a network is told about the pictures of a batch, from the text encoder on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from imaginairy.image_context import ImageContext, Seen
from imaginairy.kept import Kept


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What to draw, for each picture of a batch; a network reads what it was made for.

    Where several are laid together, all of them have the same of these or none.
    """

    tokens: Tensor
    """Embeddings of the text, (batch, n, dim), attended to."""
    pooled: Tensor | None = None
    """One embedding of the whole text, (batch, dim)."""
    ids: Tensor | None = None
    """Plain numbers beside the text, such as sizes, (batch, k)."""
    mask: Tensor | None = None
    """Which tokens are read, (batch, n) of bool; None where all are."""
    guidance: Tensor | None = None
    """The guidance scale, (batch,), for networks that read it; 1 is none."""
    control: Tensor | None = None
    """How much of each of the controls acts on it, (batch, controls), where they do not
    act on all alike; 0 is nothing."""
    pictures: Tensor | None = None
    """Which of the pictures that are drawn together it is of, (batch,) of whole numbers
    from 0, where something is there for each of these."""
    shown: Tensor | None = None
    """Latents of another picture that lie behind those that are noised, for networks
    that edit it, (batch, channels, h, w); zeros show none."""
    images: Sequence[ImageContext] = ()
    """What images say beside the text, in the same order for all that is laid together
    with it."""
    references: Sequence[Tensor] = ()
    """Latents of reference images, for networks that look at these beside what they
    draw, (batch, channels, h, w) each; of one size and order for all that is laid
    together."""
    residuals: Sequence[Tensor] | None = None
    """What controls add to each feature map that the way down of a UNet leaves for the
    way up, and last to what comes of the middle, (batch, channels, h, w) each. They are
    of one prediction, and not laid along the batch with others."""
    features: Sequence[Tensor] | None = None
    """What controls add to the feature maps themselves where a level of the way down of
    a UNet ends, finest first, (batch, channels, h, w) each; laid along no batch."""
    kept: Kept | None = None
    """What predictions leave for those that follow, where these are of the same
    pictures, told the same; it is not laid along the batch with that of others."""

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int | slice) -> Conditioning:
        """Pick pictures of the batch; a number gives a batch of one."""
        if isinstance(index, int):
            count = range(len(self))[index]
            index = slice(count, count + 1)
        picked = self._mapped(lambda part: part[index])
        return replace(picked, kept=None if self.kept is None else self.kept[index])

    @classmethod
    def stacked(cls, several: Sequence[Conditioning]) -> Conditioning:
        """Lay several along the batch, the shorter ones padded.

        Raises:
            ValueError: there are none, or one has a part that another lacks.
        """
        if not several:
            raise ValueError("There is no conditioning to stack.")
        longest = max(each.tokens.shape[1] for each in several)
        padded = [each.padded(longest) for each in several]
        masked = any(each.mask is not None for each in padded)
        return cls(
            torch.cat([each.tokens for each in padded]),
            _laid([each.pooled for each in padded], "pooled"),
            _laid([each.ids for each in padded], "ids"),
            torch.cat([each.read() for each in padded]) if masked else None,
            _laid([each.guidance for each in padded], "guidance"),
            _laid([each.control for each in padded], "control"),
            _laid([each.pictures for each in padded], "pictures"),
            _laid([each.shown for each in padded], "shown"),
            [*map(ImageContext.stacked, _every("images", padded))],
            [torch.cat([*each]) for each in _every("references", padded)],
        )

    def beside(self, other: Conditioning) -> Conditioning:
        """Lay another behind this one, along the batch; the shorter is padded."""
        return self.stacked([self, other])

    def padded(self, tokens: int) -> Conditioning:
        """Fill up to so many tokens with zeros that the mask keeps from being read."""
        missing = tokens - self.tokens.shape[1]
        if missing <= 0:
            return self
        return replace(
            self,
            tokens=F.pad(self.tokens, (0, 0, 0, missing)),
            mask=F.pad(self.read(), (0, missing)),
        )

    def repeated(self, count: int) -> Conditioning:
        """Lay the whole batch so many times behind itself; one alone is not copied."""

        def repeat(part: Tensor) -> Tensor:
            if len(part) == 1:
                return part.expand(count, *part.shape[1:])
            return torch.cat([part] * count)

        return self if count == 1 else self._mapped(repeat)

    def to(
        self, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> Conditioning:
        """Move it to a device; `dtype` is for the embeddings only."""

        moved = self._mapped(lambda part: part.to(device))
        pooled = None if moved.pooled is None else moved.pooled.to(dtype)
        tokens = moved.tokens.to(dtype)
        images = [each.mapped(lambda part: part.to(dtype)) for each in moved.images]
        moved = replace(moved, tokens=tokens, pooled=pooled, images=images)
        return replace(
            moved, residuals=self.residuals, features=self.features, kept=self.kept
        )

    def seen_by(self, attention: Hashable, size: tuple[int, int]) -> list[Seen]:
        """Return what an attention finds in images; see `ImageContext.seen_by`."""
        found = (each.seen_by(attention, size) for each in self.images)
        return [each for each in found if each is not None]

    def read(self) -> Tensor:
        """Return the mask, written out where all tokens are read."""
        if self.mask is not None:
            return self.mask
        shape, device = self.tokens.shape[:2], self.tokens.device
        return torch.ones(shape, dtype=torch.bool, device=device)

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Conditioning:
        """Do the same to every part that there is."""
        pooled, ids, mask, guidance, control, pictures, shown = (
            None if part is None else change(part)
            for part in (
                self.pooled,
                self.ids,
                self.mask,
                self.guidance,
                self.control,
                self.pictures,
                self.shown,
            )
        )
        images = [each.mapped(change) for each in self.images]
        references = [change(each) for each in self.references]
        tokens = change(self.tokens)
        return Conditioning(
            tokens, pooled, ids, mask, guidance, control, pictures, shown, images,
            references,
        )  # fmt: skip


def _every(part: str, several: Sequence[Conditioning]) -> Iterator[tuple[Any, ...]]:
    """Yield the first of a part of several, then the second; all have as many."""
    parts = [getattr(each, part) for each in several]
    counts = {*map(len, parts)}
    if len(counts) > 1:
        raise ValueError(f"Conditionings have {sorted(counts)} {part}; all the same.")
    return zip(*parts, strict=True)


def _laid(parts: Sequence[Tensor | None], name: str) -> Tensor | None:
    """Lay one part of several along the batch, or none where none has it."""
    there = [part for part in parts if part is not None]
    if there and len(there) < len(parts):
        raise ValueError(f"Of {len(parts)} conditionings, {len(there)} have '{name}'.")
    return torch.cat(there) if there else None
