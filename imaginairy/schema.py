"""What is asked for: all fields of a prompt as one, each checked, and together."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from imaginairy import checks, sizes
from imaginairy.control import Control, filled_control
from imaginairy.errors import BadOptionError
from imaginairy.fields import check_together, filled_caption, implied, options
from imaginairy.hypernetwork import hypernetworks, hypernetworks_in
from imaginairy.image_prompt import require_seen
from imaginairy.lora import Lora, loras_in, require_few
from imaginairy.prompt_fields.controls import ControlFields
from imaginairy.prompt_fields.editing import EditingFields
from imaginairy.prompt_fields.finishing import FinishingFields
from imaginairy.prompt_fields.models import ModelFields
from imaginairy.prompt_fields.sampling import SamplingFields
from imaginairy.prompt_fields.seeing import SeeingFields
from imaginairy.prompt_fields.size import SizeFields
from imaginairy.prompt_fields.wording import WordingFields
from imaginairy.recorded import fields_recorded, recorded
from imaginairy.weighted_prompt import WeightedPrompt, weighted_prompts

MAX_RANDOM_SEED = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class ImaginePrompt(
    ModelFields,
    FinishingFields,
    SeeingFields,
    ControlFields,
    EditingFields,
    SizeFields,
    SamplingFields,
    WordingFields,
):
    """One image to generate.

    A field left None takes the model's default: its native size, its usual steps,
    guidance scale and sampler. A seed left None is chosen at random, here, so that the
    same prompt object always gives the same image.

    Raises:
        BadOptionError: a field has a value it cannot have; the message says which
            values it can.
    """

    def __post_init__(self) -> None:
        for name, row in options(self).items():
            value = getattr(self, name)
            if not (value is None and row.default is None):
                self._set(**{name: row.check(name, value)})
        blank = self.conditioning is not None or bool(self.image_prompts)
        self._set(prompt=weighted_prompts(self.prompt, allow_blank=blank))
        if not require_few(self.all_loras) and self.merge_loras:
            raise BadOptionError("merge_loras needs loras; give one.")
        hypernetworks("hypernetworks", self.all_hypernetworks)
        _ = self.settled_controls  # each has an image
        require_seen(self.image_prompts, self.init_image)
        if self.seed is None:
            self._set(seed=_random_seed())
        if self.variation_strength and self.variation_seed is None:
            self._set(variation_seed=_random_seed())
        self._set(**implied(self))
        check_together(self)
        filled_caption(self)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def prompts(self) -> tuple[WeightedPrompt, ...]:
        """The texts with their weights; one of weight 1 for plain text."""
        return self.prompt  # type: ignore[return-value]  # made so by __post_init__

    @property
    def prompt_text(self) -> str:
        """The prompt as one line: plain text, or `1*(cat)|0.5*(dog)`."""
        if len(self.prompts) == 1 and self.prompts[0].weight == 1:
            return self.prompts[0].text
        return "|".join(str(prompt) for prompt in self.prompts)

    @property
    def all_loras(self) -> tuple[Lora, ...]:
        """Those of `loras`, and behind them those that the prompt names."""
        named = (each for part in self.prompts for each in loras_in(part.text))
        return (*self.loras, *named)

    @property
    def all_hypernetworks(self) -> tuple[str, ...]:
        """Those of `hypernetworks`, and behind them those that the prompt names."""
        named = (each for part in self.prompts for each in hypernetworks_in(part.text))
        return (*self.hypernetworks, *named)

    @property
    def settled_controls(self) -> tuple[Control, ...]:
        """The controls, each with its image and the prompt's own wishes filled in.

        Raises:
            BadOptionError: one has no image.
        """
        image = self.init_image if self.control_image is None else self.control_image
        return tuple(
            filled_control(each, image, raw=self.control_raw, guess=self.control_guess)
            for each in self.controls
        )

    @property
    def made_from(self) -> Any:
        """The picture it is made from: an init image, or the first reference image."""
        if self.init_image is not None:
            return self.init_image
        return next(iter(self.reference_images), None)

    @property
    def drawn(self) -> sizes.Size | None:
        """The size at which it is generated, width and height, where that is said."""
        return sizes.parse_size(self.draw_size) if self.draw_size else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` makes the same prompt of."""
        return recorded(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ImaginePrompt":
        """Make a prompt of what `to_dict` or an image's metadata says.

        Entries that are no fields of a prompt (what a file says about the model or the
        software) are left out.

        Raises:
            BadOptionError: a value cannot be used any more, such as an image that was
                in memory or is no longer in its place.
        """
        return cls(**fields_recorded(cls, values))

    @classmethod
    def from_file(cls, path: str | Path) -> "ImaginePrompt":
        """Read the prompt that a saved image was generated from.

        Nothing that it names is opened here. `imagine` reads and fetches it unasked, so
        look at the pictures and models that a stranger's image names before.

        Raises:
            BadImageError: the file is no image, or holds no metadata of ours.
            BadOptionError: see `from_dict`.
        """
        from imaginairy.metadata.read import read_metadata

        if not isinstance(path, str | PathLike):
            raise BadOptionError(
                f"A picture's path is text, not {checks.kind_of(path)}."
            )
        return cls.from_dict(read_metadata(Path(path)))


def _random_seed() -> int:
    from random import randint

    return randint(1, MAX_RANDOM_SEED)
