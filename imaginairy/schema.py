"""What is asked for: every field of a prompt, its default and its check, once."""

import hashlib
import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from PIL.Image import Image

from imaginairy.errors import BadOptionError, BadPromptError, near_miss
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.models.catalog import ModelSpec
from imaginairy.prompt_language import WeightedText, parse_prompt, parse_text
from imaginairy.samplers import get_sampler
from imaginairy.samplers.table import Spacing

if TYPE_CHECKING:
    from torch import Tensor

MAX_RANDOM_SEED = 1_000_000_000
DEFAULT_INIT_STRENGTH = 0.6
TILE_MODES = ("", "x", "y", "xy")
OUTPAINT_SIDES = ("up", "right", "down", "left", "all")
MAX_MARGIN = 8192
IN_MEMORY = "sha256:"
MAX_TEXT_BYTES = 12_000
"""What the metadata of a jpg has room for, in every script and with emoji."""


@dataclass(frozen=True)
class WeightedPrompt:
    """A text and how much it counts; a negative weight pushes away from it.

    Within the text `(word:1.3)` or `(word)1.3` gives emphasis.
    """

    text: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise BadPromptError(
                f"A prompt is text, not {_kind(self.text)} ({self.text!r})."
            )
        if not _is_number(self.weight):
            raise BadPromptError(f"A prompt's weight is a number, not {self.weight!r}.")
        parse_text(self.text)

    def __str__(self) -> str:
        return str(WeightedText(parse_text(self.text), self.weight))


ImageLike: TypeAlias = str | Path | Image | LazyLoadingImage
PromptText: TypeAlias = str | WeightedPrompt | Sequence[str | WeightedPrompt]


@dataclass(frozen=True)
class Number:
    """The range a number may lie in, both ends included."""

    low: float
    high: float
    whole: bool = False
    multiple_of: int = 1

    def check(self, name: str, value: Any) -> None:
        """Raise BadOptionError unless `value` is such a number."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole if self.whole else _is_number(value)):
            kind = "a whole number" if self.whole else "a number"
            raise BadOptionError(f"{name} must be {kind}, not {value!r}.")
        if not self.low <= value <= self.high:
            raise BadOptionError(
                f"{name} {value} is out of range; give one from {self.low:g} to "
                f"{self.high:g}."
            )
        if self.whole and value % self.multiple_of:
            near = max(round(value / self.multiple_of), 1) * self.multiple_of
            raise BadOptionError(
                f"{name} {value} is not a multiple of {self.multiple_of}; the nearest "
                f"is {near}."
            )


@dataclass(frozen=True)
class Choice:
    """The words a field may hold, in any case."""

    words: tuple[str, ...]

    def check(self, name: str, value: Any) -> None:
        """Raise BadOptionError unless `value` is one of the words."""
        if value not in self.words:
            raise BadOptionError(
                f"{name} {value!r} is unknown; choose one of "
                f"{', '.join(word or repr(word) for word in self.words)}."
                + near_miss(str(value), self.words)
            )


def _option(
    help: str, check: "Number | Choice | None" = None, default: Any = None
) -> Any:
    """A field with its help; where its default is None the model decides."""
    return field(default=default, metadata={"help": help, "check": check})


SIZE = Number(64, 8192, whole=True, multiple_of=8)
SEED = Number(0, 2**63 - 1, whole=True)
SHARE = Number(0, 1)


@dataclass(frozen=True, kw_only=True)
class ImaginePrompt:
    """One picture to draw.

    A field left None takes what suits the model: its native size, its usual steps,
    strength and sampler. A seed left None is chosen at random, here, so that the same
    prompt object always draws the same picture.

    Raises:
        BadOptionError: a field has a value it cannot have; the message says which
            values it can.
    """

    prompt: PromptText = field(kw_only=False)
    negative_prompt: str = field(
        default="", metadata={"help": "What to steer away from."}
    )
    prompt_strength: float | None = _option(
        "How closely to follow the prompt; 1 switches guidance off.", Number(0, 100)
    )
    seed: int | None = _option(
        "The number that all noise comes from; same seed, same picture.", SEED
    )
    steps: int | None = _option(
        "Steps from noise to picture.", Number(1, 1000, whole=True)
    )
    width: int | None = _option("Width in pixels, a multiple of 8.", SIZE)
    height: int | None = _option("Height in pixels, a multiple of 8.", SIZE)
    sampler_type: str | None = _option("How to walk from noise to picture.")
    schedule: Spacing | None = _option(
        "How the noise levels are spaced: normal, or karras for the k samplers.",
        Choice(get_args(Spacing)),
    )
    init_image: ImageLike | None = _option(
        "A picture to start from; a path or a web address."
    )
    init_image_strength: float | None = _option(
        "How much of the init image stays, from 0 (nothing) to 1 (all of it); "
        f"{DEFAULT_INIT_STRENGTH} by default, 0 when outpainting.",
        SHARE,
    )
    mask_image: ImageLike | None = _option(
        "Where to paint on the init image: white is painted, black is left."
    )
    mask_mode: str = _option(
        "replace paints what the mask shows; keep paints everything else.",
        Choice(("replace", "keep")),
        "replace",
    )
    mask_modify_original: bool = _option(
        "Also put the painted patch back into the init image at its own size.",
        default=True,
    )
    outpaint: str | None = _option(
        "Draw beyond the init image's edges: up10,down300,left50,right50 in pixels, "
        "u10,d300,l50,r50 for short, or all200."
    )
    tile_mode: str = _option(
        "Make a picture that repeats without a seam, along x, y or xy.",
        Choice(TILE_MODES),
        "",
    )
    caption_text: str = _option(
        "Text drawn at the foot of the picture; {seed} and other fields are filled in.",
        default="",
    )
    variation_strength: float = _option(
        "How far to go from the seed's picture towards the variation seed's.",
        SHARE,
        0.0,
    )
    variation_seed: int | None = _option(
        "The seed to vary towards; random where not given.", SEED
    )
    model: str | None = _option("A model's name, path, or owner/repo on the hub.")
    conditioning: "Tensor | None" = field(default=None, compare=False, repr=False)
    """Ready-made text embeddings (1, tokens, dim) to use in place of the prompt's."""

    def __post_init__(self) -> None:
        self._set(
            prompt=_weighted(self.prompt, allow_blank=self.conditioning is not None)
        )
        if not isinstance(self.negative_prompt, str):
            raise BadPromptError(
                f"negative_prompt is text, not {_kind(self.negative_prompt)}."
            )
        _check_length("negative_prompt", self.negative_prompt)
        parse_text(self.negative_prompt)
        for name in ("seed", "variation_seed"):
            if getattr(self, name) is None and (
                name == "seed" or self.variation_strength
            ):
                self._set(**{name: random.randint(1, MAX_RANDOM_SEED)})
        for name in ("sampler_type", "schedule", "mask_mode", "tile_mode"):
            if isinstance(value := getattr(self, name), str):
                self._set(**{name: value.lower()})
        for each in fields(self):
            check, value = each.metadata.get("check"), getattr(self, each.name)
            if check is not None and value is not None:
                check.check(each.name, value)
        if self.sampler_type is not None:
            if not isinstance(self.sampler_type, str):
                raise BadOptionError(
                    f"sampler_type must be a name, not {self.sampler_type!r}."
                )
            self._set(sampler_type=get_sampler(self.sampler_type).name)
        if self.model is not None:
            if not str(self.model).strip():
                raise BadOptionError("model is empty; leave it out or give a name.")
            self._set(model=str(self.model))
        _check_conditioning(self.conditioning)
        self._check_images()
        filled_caption(self)

    def _check_images(self) -> None:
        for name in ("init_image", "mask_image"):
            self._set(**{name: _image(name, getattr(self, name))})
        if self.outpaint is not None:
            parse_outpaint(self.outpaint)
        for name in ("mask_image", "outpaint", "init_image_strength"):
            if getattr(self, name) is not None and self.init_image is None:
                raise BadOptionError(f"{name} needs an init_image; give one.")
        if self.mask_image is not None and self.outpaint is not None:
            raise BadOptionError(
                "mask_image and outpaint both say where to paint; give one of them."
            )
        if not isinstance(self.mask_modify_original, bool):
            raise BadOptionError(
                f"mask_modify_original is true or false, not "
                f"{self.mask_modify_original!r}."
            )

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

    def filled(self, spec: ModelSpec) -> "ImaginePrompt":
        """Return a copy with the model's defaults where the user gave none."""
        defaults: dict[str, Any] = {
            "model": spec.name,
            "width": spec.width,
            "height": spec.height,
            "steps": spec.steps,
            "prompt_strength": spec.prompt_strength,
            "sampler_type": spec.sampler,
        }
        missing = {
            name: value
            for name, value in defaults.items()
            if name == "model" or getattr(self, name) is None
        }
        return replace(self, **missing)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` makes the same prompt of."""
        values = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name != "conditioning"
        }
        for name in ("init_image", "mask_image"):
            values[name] = None if values[name] is None else _source(values[name])
        values["prompt"] = [
            {"text": prompt.text, "weight": prompt.weight} for prompt in self.prompts
        ]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ImaginePrompt":
        """Make a prompt of what `to_dict` or a picture's metadata says.

        Entries that are no fields of a prompt (what a file says about the model or the
        software) are left out.
        """
        names = {each.name for each in fields(cls)}
        known = {name: value for name, value in values.items() if name in names}
        if isinstance(known.get("prompt"), list):
            known["prompt"] = [
                WeightedPrompt(**part) if isinstance(part, Mapping) else part
                for part in known["prompt"]
            ]
        for name in ("init_image", "mask_image"):
            if str(known.get(name)).startswith(IN_MEMORY):
                raise BadOptionError(
                    f"The {name} was a picture in memory and is not recorded; make the "
                    "prompt anew with it."
                )
        return cls(**known)

    @classmethod
    def from_file(cls, path: str | Path) -> "ImaginePrompt":
        """Read the prompt that a saved picture was drawn from.

        Raises:
            BadImageError: the file is no picture, or holds no metadata of ours.
        """
        from imaginairy.metadata import read_metadata

        return cls.from_dict(read_metadata(Path(path)))


def parse_outpaint(text: str) -> tuple[int, int, int, int]:
    """Read `up10,down300,left50,right50`, `u10,d300`, or `all200`.

    Returns:
        Pixels above, right, below and left; a side that is not named gets 0, or what
        `all` says.

    Raises:
        BadOptionError: it cannot be read so.
    """
    sides: dict[str, int] = {}
    for part in str(text).lower().replace(" ", "").split(","):
        match = re.fullmatch(r"([a-z]+)(\d+)", part)
        side = next(
            (side for side in OUTPAINT_SIDES if match and match[1] in (side, side[0])),
            None,
        )
        if match is None or side is None or side in sides:
            raise BadOptionError(
                f"outpaint '{text}' cannot be read at '{part}'; write each side once, "
                "as up10,down300,left50,right50 or u10,d300,l50,r50 or all200."
            )
        sides[side] = int(match[2])
    rest = sides.get("all", 0)
    margins = tuple(sides.get(side, rest) for side in OUTPAINT_SIDES[:4])
    if not 0 < max(margins) <= MAX_MARGIN:
        raise BadOptionError(
            f"outpaint '{text}' adds {max(margins)} pixels at most; give 1 to "
            f"{MAX_MARGIN} for at least one side."
        )
    return margins  # type: ignore[return-value]  # four of them


def filled_caption(prompt: ImaginePrompt) -> str:
    """Return the caption with the values of the fields that it names in braces.

    Raises:
        BadOptionError: it is no text, or names something that is no field.
    """
    if not isinstance(prompt.caption_text, str):
        raise BadOptionError(f"caption_text is text, not {_kind(prompt.caption_text)}.")
    names = [each.name for each in fields(prompt) if each.name != "conditioning"]

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            raise BadOptionError(
                f"caption_text names '{{{name}}}', which is no field of a prompt; "
                f"fields are: {', '.join(names)}." + near_miss(name, names)
            )
        return prompt.prompt_text if name == "prompt" else str(getattr(prompt, name))

    return re.sub(r"\{(\w+)\}", value_of, prompt.caption_text)


def _image(name: str, value: Any) -> Any:
    """Take a path, a web address, a Pillow picture or a LazyLoadingImage."""
    if isinstance(value, str | Path):
        return LazyLoadingImage.of(value)
    if value is None or isinstance(value, LazyLoadingImage | Image):
        return value
    raise BadOptionError(
        f"{name} is a path, a web address or a picture, not {_kind(value)}."
    )


def _source(image: Any) -> str:
    """Say where a picture is from; one in memory is named by its pixels."""
    if isinstance(image, LazyLoadingImage):
        return image.address
    return IN_MEMORY + hashlib.sha256(image.tobytes()).hexdigest()


def _weighted(prompt: Any, *, allow_blank: bool) -> tuple[WeightedPrompt, ...]:
    if isinstance(prompt, str):
        prompt = _parts_of(prompt)
    parts = [prompt] if isinstance(prompt, WeightedPrompt) else prompt
    if not isinstance(parts, Sequence) or isinstance(parts, bytes):
        raise BadPromptError(
            "A prompt is text, a WeightedPrompt or a list of them, not "
            f"{_kind(prompt)}."
        )
    weighted = tuple(
        part if isinstance(part, WeightedPrompt) else WeightedPrompt(part)
        for part in parts
    )
    if not allow_blank and not any(part.text.strip() for part in weighted):
        raise BadPromptError("The prompt is empty; say what to draw.")
    total = sum(part.weight for part in weighted)
    if weighted and total <= 0:
        raise BadPromptError(
            f"The weights of the prompt add up to {total:g}; make the sum positive."
        )
    _check_length("prompt", "|".join(part.text for part in weighted))
    return weighted


def _parts_of(text: str) -> WeightedPrompt | list[WeightedPrompt]:
    """Read a prompt given as one text; a plain one stays as it was typed."""
    parts = parse_prompt(text)
    plain = [WeightedText(parse_text(text))]
    if list(parts) == plain:
        return WeightedPrompt(text)
    return [WeightedPrompt(part.markup, part.weight) for part in parts]


def _check_length(name: str, text: str) -> None:
    try:
        length = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise BadPromptError(
            f"The {name} holds a character that is not valid text ({error.reason})."
        ) from error
    if length > MAX_TEXT_BYTES:
        raise BadPromptError(
            f"The {name} is {length} bytes long; at most {MAX_TEXT_BYTES} are possible."
        )


def _check_conditioning(conditioning: Any) -> None:
    if conditioning is None:
        return
    shape = getattr(conditioning, "shape", None)
    if shape is None or len(shape) != 3 or shape[0] != 1:
        raise BadOptionError(
            "conditioning must be a tensor of shape (1, tokens, dim), not "
            + (_kind(conditioning) if shape is None else f"one of {tuple(shape)}")
            + "."
        )


def _is_number(value: Any) -> bool:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return numeric and math.isfinite(value)


def _kind(value: Any) -> str:
    return type(value).__name__
