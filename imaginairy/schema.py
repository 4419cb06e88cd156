"""What is asked for: every field of a prompt, and all that is known of it, once."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from PIL.Image import Image

from imaginairy import checks, sizes
from imaginairy.checks import Choice, Number
from imaginairy.errors import BadOptionError
from imaginairy.fields import (
    Opposite,
    Shortcut,
    check_together,
    filled_caption,
    implied,
    option,
    options,
)
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.needs import (
    A_CAPTION,
    A_MASK_PROMPT,
    A_NEGATIVE_PROMPT,
    A_NOISY_SAMPLER,
    AN_INIT_IMAGE,
    FACES,
    GUIDANCE,
    SEVERAL,
    UPSCALING,
)
from imaginairy.recorded import fields_recorded, recorded
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.schedule import Spacing
from imaginairy.weighted_prompt import PromptText, WeightedPrompt, weighted_prompts

if TYPE_CHECKING:
    from torch import Tensor

MAX_RANDOM_SEED = 1_000_000_000
DEFAULT_INIT_STRENGTH = 0.6
INPAINTING_STRENGTH = 0.2
OUTPAINTING_STRENGTH = 0.0
DEFAULT_FACE_FIDELITY = 0.2

ImageLike: TypeAlias = str | Path | Image | LazyLoadingImage

SIZE = Number(
    sizes.SMALLEST_SIDE, sizes.LARGEST_SIDE, whole=True, multiple_of=sizes.GRID
)
MAX_SEED = 2**63 - 1
SEED = Number(0, MAX_SEED, whole=True)
SHARE = Number(0, 1)

WHERE = "where to paint"
SUITABLE = "the one that suits the model by default."
ON_HUB = f"name, path, or owner/repo on the hub; {SUITABLE}"


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
    negative_prompt: str = option(
        "What to keep out of the image.",
        checks.emphasised_text, "", section="Prompt", short="n", also=("negative",),
    )  # fmt: skip
    prompt_strength: float | None = option(
        "Guidance scale (CFG): how closely to follow the prompt; 1 switches guidance "
        "off.",
        Number(0, 100), section="Sampling", after="steps",
        also=("cfg", "cfg_scale", "guidance_scale"),
    )  # fmt: skip
    seed: int | None = option(
        "Number that all noise is made from; the same seed gives the same image.",
        SEED, section="Prompt",
    )  # fmt: skip
    steps: int | None = option(
        "Sampling steps, from noise to image.",
        Number(1, 1000, whole=True), section="Sampling",
    )  # fmt: skip
    width: int | None = option(
        f"Width of the saved image in pixels, a multiple of {sizes.GRID}.",
        SIZE, section="Size", short="w", follows=("upscale", "upscaler"),
    )  # fmt: skip
    height: int | None = option(
        f"Height of the saved image in pixels, a multiple of {sizes.GRID}.",
        SIZE, section="Size", short="h", follows=("upscale", "upscaler"),
    )  # fmt: skip
    draw_size: str | None = option(
        "Size at which the model generates, as 768x512; the result is made as large "
        "as width and height say. By default what suits the model.",
        sizes.drawable, section="Size", follows=("width", "height", "model"),
    )  # fmt: skip
    sampler_type: str | None = option(
        "Sampler, the method that turns noise into an image (in diffusers, a "
        f"scheduler). One of: {', '.join(SAMPLERS)}; or as other tools call them.",
        checks.sampler, section="Sampling", also=("sampler", "solver"),
    )  # fmt: skip
    schedule: Spacing | None = option(
        "Noise schedule (scheduler, schedule type): how the noise levels are spaced. "
        f"One of: {', '.join(get_args(Spacing))}; most k samplers take all of them, "
        "ddim normal and trailing, k_tcd lcm and trailing.",
        checks.ScheduleName(get_args(Spacing)), section="Sampling",
    )  # fmt: skip
    eta: float | None = option(
        "How much noise each step adds, for ddim, k_tcd (whose gamma it is), the "
        "ancestral and the SDE samplers.",
        SHARE, section="Sampling", also=("ddim_eta",), needs=(A_NOISY_SAMPLER,),
    )  # fmt: skip
    guidance_rescale: float = option(
        "Take back contrast that guidance adds, from 0 (nothing) to 1 (all of it); 0.7 "
        "suits models of v-prediction.",
        SHARE, 0.0, section="Sampling", also=("cfg_rescale",), needs=(GUIDANCE,),
    )  # fmt: skip
    guidance_interval: str | None = option(
        "Guide only a part of the steps, as 0.2:0.8; the others follow the prompt "
        "unguided, in half the time.",
        checks.interval, section="Sampling", needs=(GUIDANCE,),
    )  # fmt: skip
    perpendicular_negative: float = option(
        "Avoid only what the negative prompt does not have in common with the prompt "
        "(Perp-Neg): its weight, 1 in other tools; a third prediction a step.",
        Number(0, 100), 0.0, section="Sampling", also=("perp_neg",),
        needs=(GUIDANCE, A_NEGATIVE_PROMPT),
    )  # fmt: skip
    apg: str | None = option(
        "Adaptive projected guidance, against burnt colours at a high guidance scale: "
        "eta, norm threshold and momentum, as 0:15:-0.5, or the first alone.",
        checks.projection, section="Sampling", needs=(GUIDANCE,),
    )  # fmt: skip
    dynamic_threshold: float | None = option(
        "Dynamic thresholding: hold this share of the guided values, such as 0.995, to "
        "the range of those unguided.",
        Number(0.5, 1), section="Sampling", also=("dynamic_thresholding",),
        needs=(GUIDANCE,),
    )  # fmt: skip
    clip_skip: int | None = option(
        "Clip skip: which layer of the text encoder reads the prompt, counted from the "
        "last; 1 is the last, 2 the one before it. The model's own by default.",
        Number(1, 100, whole=True), section="Prompt", after="negative_prompt",
    )  # fmt: skip
    prediction: Literal["noise", "v", "clean"] | None = option(
        "What the model predicts: noise (epsilon), v (velocity), as Stable Diffusion 2 "
        "does at 768x768, or the clean image (x0), as SDXL-Lightning of one step does; "
        "for a model that says it wrongly or not at all.",
        checks.Choice(("noise", "v", "clean")), section="Sampling",
        follows=("model",),
    )  # fmt: skip
    init_image: ImageLike | None = option(
        "Image to start from (img2img); a path or a web address.",
        checks.picture, section="Editing",
    )  # fmt: skip
    init_image_strength: float | None = option(
        "How much of the init image stays, from 0 (nothing) to 1 (all of it): 1 minus "
        "the denoising strength of other tools; "
        f"{DEFAULT_INIT_STRENGTH:g} by default, {INPAINTING_STRENGTH:g} with a mask, "
        f"{OUTPAINTING_STRENGTH:g} when outpainting.",
        SHARE, section="Editing", needs=(AN_INIT_IMAGE,),
        opposite=Opposite(
            "denoising_strength",
            "How much of the init image is changed, as other tools count: 1 minus "
            "--init-image-strength.",
        ),
    )  # fmt: skip
    mask_image: ImageLike | None = option(
        "Inpainting mask for the init image: white is painted, black and clear are "
        "left.",
        checks.picture, section="Editing", needs=(AN_INIT_IMAGE,), says=WHERE,
    )  # fmt: skip
    mask_prompt: str | None = option(
        "Inpainting mask in words, such as: fruit OR bowl{*1.5} AND NOT apple.",
        checks.mask_prompt, section="Editing", needs=(AN_INIT_IMAGE,), says=WHERE,
    )  # fmt: skip
    mask_model: str | None = option(
        f"What finds the mask prompt in the image: a mask model's {ON_HUB}",
        checks.model, section="Editing", needs=(A_MASK_PROMPT,),
    )  # fmt: skip
    mask_mode: str = option(
        "replace paints what the mask shows; keep inverts it and paints the rest.",
        Choice(("replace", "keep")), "replace", section="Editing",
    )  # fmt: skip
    mask_modify_original: bool = option(
        "Also put the painted patch back into the init image at its own size.",
        checks.flag, True, section="Editing",
    )  # fmt: skip
    outpaint: str | None = option(
        "Outpainting, beyond the init image's edges: up10,down300,left50,right50 in "
        "pixels, u10,d300,l50,r50 for short, or all200.",
        checks.margins, section="Editing", needs=(AN_INIT_IMAGE,), says=WHERE,
    )  # fmt: skip
    tile_mode: str = option(
        "Tiling: make a seamless image, which repeats along x, y or xy.",
        checks.TileMode(("", "x", "y", "xy")), "", section="Size",
        shortcuts=(
            Shortcut("tile", "xy", also=("seamless",)),
            Shortcut("tile_x", "x"),
            Shortcut("tile_y", "y"),
        ),
    )  # fmt: skip
    fix_faces: bool = option(
        "Restore the faces in the image (face restoration).",
        checks.flag, False, section="Finishing", also=("restore_faces",),
    )  # fmt: skip
    fix_faces_fidelity: float | None = option(
        "How close restored faces stay to those generated, from 0 (the best faces) to "
        f"1 (the most alike); {DEFAULT_FACE_FIDELITY} by default.",
        SHARE, section="Finishing", needs=(FACES,),
    )  # fmt: skip
    fix_faces_model: str | None = option(
        f"What restores faces: a face restorer's name or the path of one; {SUITABLE}",
        checks.model, section="Finishing", needs=(FACES,),
    )  # fmt: skip
    fix_faces_detector: str | None = option(
        f"What finds the faces: a face detector's name or the path of one; {SUITABLE}",
        checks.model, section="Finishing", needs=(FACES,),
    )  # fmt: skip
    upscale: bool | None = option(
        "Upscale: make the image larger and sharper; on by default for the bundled "
        "model, whose images are small, and off for others.",
        checks.flag, section="Finishing",
    )  # fmt: skip
    upscaler: str | None = option(
        "What makes it larger: an upscaler's name or the path of its weights; "
        f"{SUITABLE}",
        checks.model, section="Finishing", needs=(UPSCALING,),
        implies={"upscale": True},
    )  # fmt: skip
    caption_text: str = option(
        "Text written at the foot of the image; {seed} and other fields are filled in.",
        checks.text, "", section="Finishing", after="caption_model",
    )  # fmt: skip
    enhance: tuple[str, ...] = option(
        "An enhancer that another package brings, by name, or as name=value; may be "
        "given several times.",
        checks.enhancers, (), section="Finishing",
    )  # fmt: skip
    caption: bool = option(
        "Also describe the image in words, in the log and in its metadata.",
        checks.flag, False, section="Finishing",
    )  # fmt: skip
    caption_model: str | None = option(
        f"What writes the caption: a caption model's {ON_HUB}",
        checks.model, section="Finishing", needs=(A_CAPTION,),
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
    model: str | None = option(
        "Model (checkpoint): a name, a path, or owner/repo on the hub.",
        checks.model, section="Model", also=("model_weights_path",),
    )  # fmt: skip
    refiner: str | None = option(
        "Refiner: a second model, of the same kind of latents, that takes over behind "
        "the first for the rest of the noise, as sdxl-refiner@0.8: after 80 % of the "
        f"noise schedule, or {checks.USUAL_SHARE:g} where not said.",
        checks.refiner, section="Model", follows=("model",),
    )  # fmt: skip
    conditioning: "Tensor | None" = option("", checks.embeddings, in_words=False)
    """Ready-made text embeddings (1, tokens, dim) to use in place of the prompt's. A
    model that also reads the text as a whole takes that of the prompt."""

    def __post_init__(self) -> None:
        for name, row in options(self).items():
            value = getattr(self, name)
            if not (value is None and row.default is None):
                self._set(**{name: row.check(name, value)})
        blank = self.conditioning is not None
        self._set(prompt=weighted_prompts(self.prompt, allow_blank=blank))
        if self.seed is None:
            self._set(seed=random.randint(1, MAX_RANDOM_SEED))
        if self.variation_strength and self.variation_seed is None:
            self._set(variation_seed=random.randint(1, MAX_RANDOM_SEED))
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
