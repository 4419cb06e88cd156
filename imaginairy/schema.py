"""What is asked for: every field of a prompt, its default and its check, once."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from PIL.Image import Image

from imaginairy import checks, sizes
from imaginairy.checks import Check, Choice, Number
from imaginairy.errors import BadOptionError
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.samplers import SAMPLERS, get_sampler
from imaginairy.samplers.table import Spacing
from imaginairy.sources.catalog import ModelSpec
from imaginairy.sources.companions import usual_companion
from imaginairy.weighted_prompt import PromptText, WeightedPrompt, weighted_prompts

if TYPE_CHECKING:
    from torch import Tensor

MAX_RANDOM_SEED = 1_000_000_000
DEFAULT_INIT_STRENGTH = 0.6
INPAINTING_STRENGTH = 0.2
OUTPAINTING_STRENGTH = 0.0
DEFAULT_FACE_FIDELITY = 0.2
IN_MEMORY = "sha256:"
"""How a picture that has no file or address begins in the metadata."""

ImageLike: TypeAlias = str | Path | Image | LazyLoadingImage

SIZE = Number(
    sizes.SMALLEST_SIDE, sizes.LARGEST_SIDE, whole=True, multiple_of=sizes.GRID
)
MAX_SEED = 2**63 - 1
SEED = Number(0, MAX_SEED, whole=True)
SHARE = Number(0, 1)


def _option(help: str, check: Check, default: Any = None) -> Any:
    """A field with its help and check; where its default is None the model decides."""
    return field(default=default, metadata={"help": help, "check": check})


@dataclass(frozen=True, kw_only=True)
class ImaginePrompt:
    """One image to generate.

    A field left None takes the model's default: its native size, its usual steps,
    guidance scale and sampler. A seed left None is chosen at random, here, so that the
    same prompt object always gives the same image.

    Raises:
        BadOptionError: a field has a value it cannot have; the message says which
            values it can.
    """

    prompt: PromptText = field(kw_only=False)
    negative_prompt: str = _option(
        "What to keep out of the image.", checks.emphasised_text, ""
    )
    prompt_strength: float | None = _option(
        "Guidance scale (CFG): how closely to follow the prompt; 1 switches guidance "
        "off.",
        Number(0, 100),
    )
    seed: int | None = _option(
        "Number that all noise is made from; the same seed gives the same image.", SEED
    )
    steps: int | None = _option(
        "Sampling steps, from noise to image.", Number(1, 1000, whole=True)
    )
    width: int | None = _option(
        "Width of the saved image in pixels, a multiple of 8.", SIZE
    )
    height: int | None = _option(
        "Height of the saved image in pixels, a multiple of 8.", SIZE
    )
    draw_size: str | None = _option(
        "Size at which the model generates, as 768x512; the result is made as large "
        "as width and height say. By default what suits the model.",
        sizes.drawable,
    )
    sampler_type: str | None = _option(
        "Sampler, the method that turns noise into an image (in diffusers, a "
        f"scheduler). One of: {', '.join(SAMPLERS)}; or as other tools call them.",
        checks.sampler,
    )
    schedule: Spacing | None = _option(
        "Noise schedule (scheduler, schedule type): how the noise levels are spaced; "
        "normal, or karras for the k samplers.",
        Choice(get_args(Spacing)),
    )
    eta: float | None = _option(
        "How much noise each step adds, for ddim, the ancestral and the SDE samplers.",
        SHARE,
    )
    clip_skip: int | None = _option(
        "Clip skip: which layer of the text encoder reads the prompt, counted from the "
        "last; 1 is the last, 2 the one before it. The model's own by default.",
        Number(1, 100, whole=True),
    )
    init_image: ImageLike | None = _option(
        "Image to start from (img2img); a path or a web address.", checks.picture
    )
    init_image_strength: float | None = _option(
        "How much of the init image stays, from 0 (nothing) to 1 (all of it): 1 minus "
        "the denoising strength of other tools; "
        f"{DEFAULT_INIT_STRENGTH:g} by default, {INPAINTING_STRENGTH:g} with a mask, "
        f"{OUTPAINTING_STRENGTH:g} when outpainting.",
        SHARE,
    )
    mask_image: ImageLike | None = _option(
        "Inpainting mask for the init image: white is painted, black and clear are "
        "left.",
        checks.picture,
    )
    mask_prompt: str | None = _option(
        "Inpainting mask in words, such as: fruit OR bowl{*1.5} AND NOT apple.",
        checks.mask_prompt,
    )
    mask_model: str | None = _option(
        "What finds the mask prompt in the image: a mask model's name, path, or "
        "owner/repo on the hub; the one that suits the model by default.",
        checks.model,
    )
    mask_mode: str = _option(
        "replace paints what the mask shows; keep inverts it and paints the rest.",
        Choice(("replace", "keep")),
        "replace",
    )
    mask_modify_original: bool = _option(
        "Also put the painted patch back into the init image at its own size.",
        checks.flag,
        True,
    )
    outpaint: str | None = _option(
        "Outpainting, beyond the init image's edges: up10,down300,left50,right50 in "
        "pixels, u10,d300,l50,r50 for short, or all200.",
        checks.margins,
    )
    tile_mode: str = _option(
        "Tiling: make a seamless image, which repeats along x, y or xy.",
        checks.TileMode(("", "x", "y", "xy")),
        "",
    )
    fix_faces: bool = _option(
        "Restore the faces in the image (face restoration).", checks.flag, default=False
    )
    fix_faces_fidelity: float | None = _option(
        "How close restored faces stay to those generated, from 0 (the best faces) to "
        f"1 (the most alike); {DEFAULT_FACE_FIDELITY} by default.",
        SHARE,
    )
    fix_faces_model: str | None = _option(
        "What restores faces: a face restorer's name or the path of one; the one that "
        "suits the model by default.",
        checks.model,
    )
    fix_faces_detector: str | None = _option(
        "What finds the faces: a face detector's name or the path of one; the one that "
        "suits the model by default.",
        checks.model,
    )
    upscale: bool | None = _option(
        "Upscale: make the image larger and sharper; on by default for the bundled "
        "model, whose images are small, and off for others.",
        checks.flag,
    )
    upscaler: str | None = _option(
        "What makes it larger: an upscaler's name or the path of its weights; the one "
        "that suits the model by default.",
        checks.model,
    )
    caption_text: str = _option(
        "Text written at the foot of the image; {seed} and other fields are filled in.",
        checks.text,
        "",
    )
    enhance: tuple[str, ...] = _option(
        "An enhancer that another package brings, by name, or as name=value; may be "
        "given several times.",
        checks.enhancers,
        (),
    )
    caption: bool = _option(
        "Also describe the image in words, in the log and in its metadata.",
        checks.flag,
        False,
    )
    caption_model: str | None = _option(
        "What writes the caption: a caption model's name, path, or owner/repo on the "
        "hub; the one that suits the model by default.",
        checks.model,
    )
    best_of: int = _option(
        "Generate so many images, their seeds counting up, and keep the one that is "
        "closest to its prompt.",
        Number(1, 100, whole=True),
        1,
    )
    similarity_model: str | None = _option(
        "What compares images with their prompt: a similarity model's name, path, or "
        "owner/repo on the hub; the one that suits the model by default.",
        checks.model,
    )
    variation_strength: float = _option(
        "How far to go from the seed's image to the variation seed's, from 0 to 1.",
        SHARE,
        0.0,
    )
    variation_seed: int | None = _option(
        "The seed to vary towards; random where not given.", SEED
    )
    model: str | None = _option(
        "Model (checkpoint): a name, a path, or owner/repo on the hub.", checks.model
    )
    conditioning: "Tensor | None" = field(
        default=None, compare=False, repr=False, metadata={"check": checks.embeddings}
    )
    """Ready-made text embeddings (1, tokens, dim) to use in place of the prompt's."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value, optional = getattr(self, each.name), each.default is None
            if "check" in each.metadata and not (value is None and optional):
                self._set(**{each.name: each.metadata["check"](each.name, value)})
        blank = self.conditioning is not None
        self._set(prompt=weighted_prompts(self.prompt, allow_blank=blank))
        if self.upscaler is not None and self.upscale is None:
            self._set(upscale=True)
        if self.seed is None:
            self._set(seed=random.randint(1, MAX_RANDOM_SEED))
        if self.variation_strength and self.variation_seed is None:
            self._set(variation_seed=random.randint(1, MAX_RANDOM_SEED))
        self._check_together()
        checks.filled_caption(self)

    def _check_together(self) -> None:
        places = [
            name
            for name in ("mask_image", "mask_prompt", "outpaint")
            if getattr(self, name) is not None
        ]
        for name in (*places, "init_image_strength"):
            if getattr(self, name) is not None and self.init_image is None:
                raise BadOptionError(f"{name} needs an init_image; give one.")
        if len(places) > 1:
            raise BadOptionError(
                f"{places[0]} and {places[1]} both say where to paint; give one of "
                "them."
            )
        if self.mask_model is not None and self.mask_prompt is None:
            raise BadOptionError("mask_model needs a mask_prompt; give one.")
        if self.upscaler is not None and not self.upscale:
            raise BadOptionError(
                f"upscale is off, so the upscaler '{self.upscaler}' has nothing to do; "
                "leave one of them out."
            )
        for name in ("fix_faces_fidelity", "fix_faces_model", "fix_faces_detector"):
            if getattr(self, name) is not None and not self.fix_faces:
                raise BadOptionError(f"{name} needs fix_faces; ask for that too.")
        if self.caption_model is not None and not self.caption:
            raise BadOptionError("caption_model needs caption; switch it on.")
        if self.similarity_model is not None and self.best_of == 1:
            raise BadOptionError("similarity_model needs best_of; give 2 or more.")
        if self.sampler_type is None:
            return
        if self.eta is not None and not get_sampler(self.sampler_type).takes_eta:
            taking = [row.name for row in SAMPLERS.values() if row.takes_eta]
            raise BadOptionError(
                f"The sampler '{self.sampler_type}' adds no noise and takes no eta; "
                f"{', '.join(taking)} do."
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

    @property
    def drawn(self) -> sizes.Size | None:
        """The size at which it is generated, width and height, where that is said."""
        return sizes.parse_size(self.draw_size) if self.draw_size else None

    def filled(self, spec: ModelSpec, **more: Any) -> "ImaginePrompt":
        """Return a copy with the model's defaults where the user gave none.

        `more` are those that are known once the model is loaded.
        """
        defaults: dict[str, Any] = {
            "steps": spec.steps,
            "prompt_strength": spec.prompt_strength,
            "sampler_type": spec.sampler,
            **more,
        }
        if self.mask_prompt is not None:
            defaults["mask_model"] = usual_companion("mask", spec)
        drawn = self.drawn or (spec.width, spec.height)
        larger = spec.upscales and sizes.exceeds((self.width, self.height), drawn)
        defaults["upscale"] = larger
        if larger if self.upscale is None else self.upscale:
            defaults["upscaler"] = usual_companion("upscaler", spec)
        elif self.outpaint is None:  # margins and upscalers make it larger
            defaults["width"], defaults["height"] = drawn
        if self.fix_faces:
            defaults["fix_faces_fidelity"] = DEFAULT_FACE_FIDELITY
            defaults["fix_faces_model"] = usual_companion("face-restorer", spec)
            defaults["fix_faces_detector"] = usual_companion("face-detector", spec)
        if self.caption:
            defaults["caption_model"] = usual_companion("captioner", spec)
        if self.best_of > 1:
            defaults["similarity_model"] = usual_companion("similarity", spec)
        missing = {
            name: value
            for name, value in defaults.items()
            if getattr(self, name) is None
        }
        return replace(self, model=spec.name, **missing)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` makes the same prompt of."""
        values = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name != "conditioning"
        }
        for name in ("init_image", "mask_image"):
            values[name] = None if values[name] is None else _source(values[name])
        values["enhance"] = list(self.enhance)
        values["prompt"] = [
            {"text": prompt.text, "weight": prompt.weight} for prompt in self.prompts
        ]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ImaginePrompt":
        """Make a prompt of what `to_dict` or an image's metadata says.

        Entries that are no fields of a prompt (what a file says about the model or the
        software) are left out.

        Raises:
            BadOptionError: a value cannot be used any more, such as an image that was
                in memory or is no longer in its place.
        """
        if not isinstance(values, Mapping) or "prompt" not in values:
            raise BadOptionError("There is no prompt in it; say what to draw.")
        names = {each.name for each in fields(cls)} - {"conditioning"}
        known = {name: value for name, value in values.items() if name in names}
        for name in ("init_image", "mask_image"):
            if str(known.get(name)).startswith(IN_MEMORY):
                raise BadOptionError(
                    f"The {name} was a picture in memory and is not recorded; make the "
                    "prompt anew with it."
                )
        if values.get("conditioning") is not None:
            raise BadOptionError(
                "The picture was drawn from ready-made embeddings, which are not "
                "recorded; make the prompt anew with them."
            )
        return cls(**known)

    @classmethod
    def from_file(cls, path: str | Path) -> "ImaginePrompt":
        """Read the prompt that a saved image was generated from.

        Raises:
            BadImageError: the file is no image, or holds no metadata of ours.
            BadOptionError: see `from_dict`.
        """
        from imaginairy.metadata import read_metadata

        if not isinstance(path, str | PathLike):
            raise BadOptionError(
                f"A picture's path is text, not {checks.kind_of(path)}."
            )
        return cls.from_dict(read_metadata(Path(path)))


def _source(image: Any) -> str:
    """Say where a picture is from; one in memory is named by its pixels."""
    if isinstance(image, LazyLoadingImage):
        return image.address
    return IN_MEMORY + hashlib.sha256(image.tobytes()).hexdigest()
