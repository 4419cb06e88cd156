"""How something is learnt: what kind, how large, how long and how fast."""

from dataclasses import dataclass

from imaginairy.checks import Choice, Number, flag
from imaginairy.learning.kinds import (
    ALL_KINDS,
    DECAYS,
    LARGEST_RANK,
    LAYERS,
    LONGEST,
    RATE,
    STEPS,
    WORD,
    WORD_RATE,
    Decay,
    Layers,
    Learnt,
)
from imaginairy.prompt_fields.wording import SEED


@dataclass(frozen=True)
class Course:
    """How something is learnt.

    Raises:
        BadOptionError: a number is out of range, or there is no such kind.
    """

    kind: Learnt = "lora"
    rank: int = 16
    """How many directions of a layer it changes; of words nothing is said by it."""
    alpha: float | None = None
    """What it changes is scaled by alpha / rank; None for the rank."""
    layers: Layers | None = None
    """Which of the network that draws; None for what is usual for the kind."""
    text: bool = False
    """Whether the text encoders learn, too."""
    vectors: int = 1
    """Of a word: how many tokens it is."""
    steps: int = STEPS
    batch_size: int = 1
    """Pictures of a step."""
    learning_rate: float | None = None
    """None for what is usual for the kind."""
    decay: Decay = "constant"
    flip: bool = False
    """Whether half of the time a picture is seen in a mirror."""
    caption_dropout: float = 0.0
    """How often a picture is seen without its caption, from 0 to 1."""
    snr_gamma: float | None = None
    """Up to which signal to noise a step counts the same; see `loss.weight_of`."""
    seed: int = 0
    checkpointing: bool = False
    """Whether what blocks compute is computed again instead of being held."""

    def __post_init__(self) -> None:
        Choice(ALL_KINDS)("kind", self.kind)
        Choice(DECAYS)("decay", self.decay)
        Number(1, LARGEST_RANK, whole=True)("rank", self.rank)
        Number(1, 100, whole=True)("vectors", self.vectors)
        Number(1, LONGEST, whole=True)("steps", self.steps)
        Number(1, 1000, whole=True)("batch_size", self.batch_size)
        SEED("seed", self.seed)
        Number(0, 1)("caption_dropout", self.caption_dropout)
        flag("text", self.text)
        flag("flip", self.flip)
        flag("checkpointing", self.checkpointing)
        if self.layers is not None:
            Choice(LAYERS)("layers", self.layers)
        if self.alpha is not None:
            Number(1e-6, 1e6)("alpha", self.alpha)
        if self.learning_rate is not None:
            Number(1e-9, 100)("learning_rate", self.learning_rate)
        if self.snr_gamma is not None:
            Number(1e-3, 1e6)("snr_gamma", self.snr_gamma)

    @property
    def is_word(self) -> bool:
        """Whether a word is learnt, and nothing of the networks."""
        return self.kind == WORD

    @property
    def rate(self) -> float:
        """The learning rate."""
        if self.learning_rate is not None:
            return self.learning_rate
        return WORD_RATE if self.is_word else RATE
