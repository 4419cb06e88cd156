"""What is drawn: a prompt with nothing left open.

A prompt may leave most of its fields to the model. `filled` takes them from the model's
row; `order_of` adds the sizes, for which the init image is looked at, and gives an
`Order`, below which no field is None that always has a value. Nothing here needs torch.
"""

from collections.abc import Collection, Hashable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args

from imaginairy.checks import parse_margins, parse_refiner
from imaginairy.control import Control
from imaginairy.embedding import WordFile
from imaginairy.fields import has_what_it_needs
from imaginairy.hypernetwork import HyperFile
from imaginairy.image_prompt import ImageReference
from imaginairy.lazy_image import upright_size
from imaginairy.log import log
from imaginairy.lora import Lora
from imaginairy.prompt_fields.editing import (
    DEFAULT_INIT_STRENGTH,
    INPAINTING_STRENGTH,
    OUTPAINTING_STRENGTH,
)
from imaginairy.prompt_fields.finishing import DEFAULT_FACE_FIDELITY
from imaginairy.samplers import get_sampler
from imaginairy.samplers.schedule import ScheduleKind, Spacing
from imaginairy.samplers.speeds import SPEEDS, Speed, why_exact
from imaginairy.samplers.table import Sampler, steps_to_run
from imaginairy.schema import ImaginePrompt
from imaginairy.sizes import (
    GRID,
    LITTLE,
    REACH_FROM_PICTURE,
    Framing,
    Size,
    drawn_size,
    enlarged_like,
    exceeds,
    fitted_size,
    parse_crop,
    parse_size,
    with_margins,
    written,
)
from imaginairy.sources.catalog import usual_model
from imaginairy.sources.roles import BESIDE
from imaginairy.sources.rows import ModelRow

T = TypeVar("T")
LIMITS = (
    "guidance_rescale", "guidance_interval", "perpendicular_negative", "apg",
    "dynamic_threshold",
)  # fmt: skip
"""Fields of a prompt that limit its guidance."""


def models_of(prompt: ImaginePrompt) -> tuple[str | None, ...]:
    """Return what the models that draw a prompt are called."""
    return prompt.model, prompt.vae, prompt.refiner, *prompt.text_encoders


@dataclass(frozen=True, kw_only=True)
class Order:
    """One picture to draw, settled to the last field."""

    prompt: ImaginePrompt
    """The same as a prompt, every default filled in: it goes to the metadata."""
    model: str
    vae: str | None
    """The autoencoder in place of the model's own; None where it has that."""
    decoder: str | None = None
    """The tiny VAE that decodes in its place; None where none does."""
    sampler: Sampler
    steps: int
    steps_to_run: int
    """Those of the last steps that an init image leaves to run; else all."""
    spacing: Spacing
    speed: Speed
    """What of its steps is left out; nothing where that would not do, whatever its
    prompt says."""
    eta: float
    """How much noise each step adds; 0 where the sampler adds none."""
    guidance: float
    """1 is no guidance at all."""
    image_guidance: float = 1.0
    """How closely a model keeps to an init image that it edits; 1 is as it does."""
    clip_skip: int
    """Which layer of the text encoders is read, counted from the last, which is 1."""
    seed: int
    variation: tuple[int, float] | None
    """The seed whose noise is mixed in, and its share; None where there is none."""
    refiner: tuple[str, float] | None
    """The model that draws the last of the noise, and the share of the noise schedule
    after which it does; None where one model draws all of it."""
    loras: tuple[Lora, ...] = ()
    """Those that act, what the prompt names among them."""
    drawn: Size
    """Width and height at which the model draws."""
    saved: Size
    """Width and height of the saved picture."""
    framing: Framing
    """What the networks may be told of its size beside the text."""
    image_prompts: tuple[ImageReference, ...] = ()
    """The images that have a say, each with its adapter's own name."""
    references: tuple[Size, ...] = ()
    """The sizes at which its reference images are seen, in their order."""
    controls: tuple[Control, ...] = ()
    """What steers it, each with its image, the kind of its hint and its own name."""
    hypernetworks: tuple[HyperFile, ...] = ()
    """The hypernetworks that act on it, in their order."""
    words: tuple[WordFile, ...] = ()
    """The learned words that its texts are read with."""

    def with_seed(self, seed: int) -> "Order":
        """Return the same with the noise of another seed."""
        return replace(self, seed=seed, prompt=replace(self.prompt, seed=seed))

    @property
    def is_guided(self) -> bool:
        """Whether what to avoid has a say."""
        return self.guidance != 1 or self.image_guidance != 1

    @property
    def has_mask(self) -> bool:
        """Whether a part of the init image is kept."""
        return is_masked(self.prompt)

    @property
    def kind(self) -> Hashable:
        """What orders have in common that can be drawn together."""
        return (
            self.model,
            self.vae,
            self.prompt.text_encoders,
            self.decoder,
            self.refiner,
            self.loras,
            self.prompt.merge_loras,
            self.drawn,
            self.sampler.name,
            self.steps,
            self.steps_to_run,
            self.spacing,
            self.speed.name,
            self.eta,
            self.is_guided,
            self.image_guidance == 1,
            *(getattr(self.prompt, name) for name in LIMITS),
            *(self.prompt.tile_mode, self.prompt.prediction),
            self.references,
            self.prompt.init_image is not None,
            self.has_mask,
            self.hypernetworks,
            *(each.kind for each in self.controls),
            *(each.kind for each in self.image_prompts),
        )


def filled(
    prompt: ImaginePrompt,
    spec: ModelRow,
    *,
    clip_skip: int | None = None,
    empty_negative: str | None = None,
) -> ImaginePrompt:
    """Return a copy with the model's defaults where the user gave none.

    Sizes that depend on an upscaler or an init image stay open, see `order_of`.

    Args:
        clip_skip: the layer of its text encoder that the model reads, once that is
            known.
        empty_negative: what an empty negative prompt is to the model, where that may
            be chosen.
    """
    drawn = prompt.drawn or spec.defaults.native_size
    larger = spec.defaults.upscales and exceeds((prompt.width, prompt.height), drawn)
    if prompt.upscale is None:
        prompt = replace(prompt, upscale=larger)
    prompt = _with_defaults(
        prompt,
        steps=spec.defaults.steps,
        prompt_strength=spec.defaults.prompt_strength,
        sampler_type=spec.defaults.sampler,
    )
    defaults: dict[str, Any] = {
        "clip_skip": clip_skip,
        "empty_negative": empty_negative,
        "fix_faces_fidelity": DEFAULT_FACE_FIDELITY,
    }
    if not prompt.upscale and prompt.outpaint is None:  # these make it larger
        defaults["width"], defaults["height"] = drawn
    for role, row in BESIDE.items():
        if row.option:
            defaults[row.option] = usual_model(role, spec)
    return replace(_with_defaults(prompt, **defaults), model=spec.name)


def _with_defaults(prompt: ImaginePrompt, **defaults: Any) -> ImaginePrompt:
    """Return a copy with these where the user gave none and they have a part."""
    missing = {
        name: value
        for name, value in defaults.items()
        if getattr(prompt, name) is None and has_what_it_needs(prompt, name)
    }
    return replace(prompt, **missing)


def order_of(
    prompt: ImaginePrompt,
    spec: ModelRow,
    *,
    scale: int = 1,
    step: int = GRID,
    spacings: Collection[Spacing] = get_args(Spacing),
    kind: ScheduleKind = "discrete",
    edits: bool = False,
) -> Order:
    """Settle a prompt whose defaults are filled in.

    Args:
        spec: the model that draws.
        scale: how many times as large its upscaler makes it; 1 without one.
        step: pixels that the sides it draws are a multiple of.
        spacings: those that its noise, of that `kind`, can have.
        edits: whether the model sees the init image, and begins from noise alone.

    Raises:
        BadImageError: the init image cannot be read.
    """
    drawn, saved = sizes_of(prompt, spec, scale)
    strength = 0.0
    if prompt.init_image is not None:
        box, drawn = drawn, fitted_size(outer_size(prompt), drawn)
        saved = enlarged_like(drawn, box, saved)
        strength = _or(prompt.init_image_strength, init_strength(prompt, edits=edits))
        prompt = replace(prompt, init_image_strength=strength)
    drawn = in_steps(spec, drawn, step)
    steps = _or(prompt.steps, spec.defaults.steps)
    to_run = run_of(steps, strength, kind)
    sampler = get_sampler(_or(prompt.sampler_type, spec.defaults.sampler))
    own = {*sampler.spacings} & {*spacings} & {spec.defaults.schedule}
    usual = sampler.spacing_of(spacings, kind)
    said = next(iter(own), None if usual == sampler.spacing else usual)
    prompt = replace(prompt, schedule=prompt.schedule or said)
    prompt, speed = with_speed(prompt, sampler, to_run)
    return Order(
        prompt=replace(
            prompt, width=saved[0], height=saved[1], draw_size=written(drawn)
        ),
        model=spec.name,
        vae=prompt.vae,
        sampler=sampler,
        steps=steps,
        steps_to_run=to_run,
        speed=speed,
        spacing=prompt.schedule or usual,
        eta=_or(prompt.eta, sampler.options.get("eta", 0.0)),
        guidance=_or(prompt.prompt_strength, spec.defaults.prompt_strength),
        image_guidance=_or(prompt.image_guidance, 1.0) if edits else 1.0,
        clip_skip=_or(prompt.clip_skip, 1),
        seed=_or(prompt.seed, 0),
        variation=variation_of(prompt),
        refiner=parse_refiner(prompt.refiner) if prompt.refiner else None,
        drawn=drawn,
        saved=saved,
        framing=framing_of(prompt, drawn),
    )


def run_of(steps: int, strength: float, kind: ScheduleKind) -> int:
    """Return how many steps an init image leaves to run; say it where that is none."""
    to_run = steps_to_run(steps, strength, kind)
    if strength < 1 and not to_run:
        log.warning(
            "An init_image_strength of %g leaves none of %d steps to make: the picture "
            "stays as it is; take more steps, or a lower strength.",
            strength, steps,
        )  # fmt: skip
    return to_run


def with_speed(
    prompt: ImaginePrompt, sampler: Sampler, to_run: int
) -> tuple[ImaginePrompt, Speed]:
    """Return a prompt guided as its speed has it, and what that leaves out.

    Args:
        to_run: how many steps are.
    """
    speed = SPEEDS["exact" if why_exact(sampler, to_run) else prompt.speed]
    if speed.guidance_interval:
        prompt = _with_defaults(prompt, guidance_interval=speed.guidance_interval)
    return prompt, speed


def framing_of(prompt: ImaginePrompt, drawn: Size) -> Framing:
    """Return what is told of a size: by default that it is drawn so, and whole."""
    original, target = (
        (parse_size(size) if size else None) or drawn
        for size in (prompt.original_size, prompt.target_size)
    )
    return Framing(original, parse_crop(prompt.crop or "0,0"), target)


def is_masked(prompt: ImaginePrompt) -> bool:
    """Tell whether only a part of the init image is painted."""
    ways = (prompt.mask_image, prompt.mask_prompt, prompt.outpaint)
    return any(way is not None for way in ways)


def init_strength(prompt: ImaginePrompt, *, edits: bool = False) -> float:
    """Return how much of its init image stays where a prompt does not say."""
    if edits or prompt.outpaint is not None:
        return OUTPAINTING_STRENGTH
    return INPAINTING_STRENGTH if is_masked(prompt) else DEFAULT_INIT_STRENGTH


def variation_of(prompt: ImaginePrompt) -> tuple[int, float] | None:
    """Return the seed whose noise is mixed in, and its share, where there is one."""
    seed, share = prompt.variation_seed, prompt.variation_strength
    return None if seed is None or not share else (seed, share)


def sizes_of(prompt: ImaginePrompt, spec: ModelRow, scale: int) -> tuple[Size, Size]:
    """Return the sizes at which a prompt is drawn and saved.

    An init image has its own shape, and is fitted into the first afterwards.
    """
    native = spec.defaults.native_size
    usual = prompt.drawn or beyond_edges(prompt, native)
    wanted = (prompt.width or usual[0] * scale, prompt.height or usual[1] * scale)
    reach = spec.defaults.reach
    if prompt.init_image is not None:
        reach = max(reach, REACH_FROM_PICTURE)
    drawn = prompt.drawn
    if drawn is None:
        drawn = drawn_size(wanted, native, reach=reach, scale=scale)
        _say(spec, wanted, drawn, scale)
    return drawn, wanted


def in_steps(spec: ModelRow, size: Size, step: int) -> Size:
    """Return the nearest size that a model draws; say it where that is another."""
    width, height = (max(step, step * round(side / step)) for side in size)
    if (width, height) != size:
        log.info(
            "%s draws sides that are multiples of %d: drawn at %dx%d, not %dx%d.",
            spec.name, step, width, height, *size,
        )  # fmt: skip
    return width, height


def beyond_edges(prompt: ImaginePrompt, native: Size) -> Size:
    """Return the usual size, with room for what is outpainted around the init image."""
    if prompt.outpaint is None or prompt.init_image is None:
        return native
    size = upright_size(prompt.init_image)
    return with_margins(fitted_size(size, native), parse_margins(prompt.outpaint), size)


def outer_size(prompt: ImaginePrompt) -> Size:
    """Return the size of the init image with the margins that are outpainted."""
    size = upright_size(prompt.init_image)
    if prompt.outpaint is None:
        return size
    up, right, down, left = parse_margins(prompt.outpaint)
    return size[0] + left + right, size[1] + up + down


def _or(given: T | None, usual: T) -> T:
    """Return what was given, or else what is usual."""
    return usual if given is None else given


def _say(spec: ModelRow, wanted: Size, drawn: Size, scale: int) -> None:
    """Tell what comes of a size that is not what somebody may expect."""
    native = spec.defaults.native_size
    own = written(native)
    if drawn == wanted and scale > 1:
        log.info(
            "drawn at %s, the size that was asked for: what the upscaler makes is "
            "reduced to it; leave the size out for %dx%d.",
            written(drawn), *(scale * side for side in drawn),
        )  # fmt: skip
    elif drawn != wanted and scale == 1:
        log.info(
            "%s was made for %s: drawn at %s and enlarged to %s by a plain filter; "
            "--upscale does that sharper.",
            spec.name, own, written(drawn), written(wanted),
        )  # fmt: skip
    elif drawn[0] * drawn[1] < LITTLE * native[0] * native[1]:
        log.warning(
            "%s was made for %s; expect little of %s.",
            spec.name, own, written(drawn),
        )  # fmt: skip
