"""What a prompt says: its texts, its seed, and how they are read."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from imaginairy import checks
from imaginairy.checks import Number
from imaginairy.fields import option
from imaginairy.needs import SEVERAL
from imaginairy.prompt_fields.shared import ON_HUB, SHARE
from imaginairy.weighted_prompt import PromptText

if TYPE_CHECKING:
    from torch import Tensor

MAX_SEED = 2**63 - 1
SEED = Number(0, MAX_SEED, whole=True)


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class WordingFields:
    """What is in the image."""

    prompt: PromptText = field(kw_only=False)
    negative_prompt: str = option(
        "What to keep out of the image.",
        checks.emphasised_text, "", section="Prompt", short="n", also=("negative",),
    )  # fmt: skip
    seed: int | None = option(
        "Number that all noise is made from; the same seed gives the same image.",
        SEED, section="Prompt",
    )  # fmt: skip
    clip_skip: int | None = option(
        "Clip skip: which layer of the text encoder reads the prompt, counted from the "
        "last; 1 is the last, 2 the one before it. The model's own by default. For "
        "Stable Diffusion XL 1 is the last but one, as in diffusers.",
        Number(1, 100, whole=True), section="Prompt", after="negative_prompt",
    )  # fmt: skip
    empty_negative: Literal["zeros", "text"] | None = option(
        "What an empty negative prompt is: zeros, as diffusers has it for Stable "
        "Diffusion XL, or text, the embeddings of no words, as most tools have it; the "
        "model's own by default.",
        checks.Choice(("zeros", "text")), section="Prompt", after="negative_prompt",
        follows=("model",),
    )  # fmt: skip
    best_of: int = option(
        "Generate so many images, their seeds counting up, and keep the one that is "
        "closest to its prompt.",
        Number(1, 100, whole=True), 1, section="Prompt",
    )  # fmt: skip
    similarity_model: str | None = option(
        f"What compares images with their prompt: a similarity model's {ON_HUB}",
        checks.model, section="Prompt", needs=(SEVERAL,),
    )  # fmt: skip
    variation_strength: float = option(
        "How far to go from the seed's image to the variation seed's, from 0 to 1.",
        SHARE, 0.0, section="Prompt", after="seed",
    )  # fmt: skip
    variation_seed: int | None = option(
        "The seed to vary towards; random where not given.",
        SEED, section="Prompt", after="variation_strength",
    )  # fmt: skip
    conditioning: "Tensor | None" = option("", checks.embeddings, in_words=False)
    """Ready-made text embeddings (1, tokens, dim) to use in place of the prompt's. A
    model that also reads the text as a whole takes that of the prompt."""
