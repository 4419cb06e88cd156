"""What is done to a picture after, or beside, drawing it: one file a step.

`ENHANCERS` lists what runs after the drawing, in this order; each is run where a
prompt asks for it. Others come from outside: a package names an `Enhancer` of its own
under the entry point group `imaginairy.enhancers`, and `ImaginePrompt.enhance` asks
for it. Nothing here needs torch.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from imaginairy.observe import Observer

if TYPE_CHECKING:
    from PIL.Image import Image

    from imaginairy.models.store import ModelStore
    from imaginairy.schema import ImaginePrompt


@dataclass(frozen=True)
class Work:
    """What an enhancer receives, and, changed by it, hands on to the next."""

    prompt: "ImaginePrompt"
    """With every default filled in."""
    images: Mapping[str, "Image"]
    """The pictures by type; `generated` is always there."""
    store: "ModelStore"
    """Owns the models and knows the device."""
    applied: Mapping[str, Any] = field(default_factory=dict)
    """What each enhancer did, by its name: plain values that go to the metadata."""
    value: str = ""
    """What the prompt said to an enhancer from outside: `0.5` for `vignette=0.5`."""
    observer: Observer = field(default_factory=Observer)
    """Told how far a long step is."""

    def with_images(self, **images: "Image") -> "Work":
        """Return a copy with pictures replaced or added, by type."""
        return replace(self, images={**self.images, **images})

    def with_facts(self, name: str, facts: Any) -> "Work":
        """Return a copy that says what an enhancer did."""
        return replace(self, applied={**self.applied, name: facts})


Enhance = Callable[[Work], Work]
Companion = tuple[str, "str | None"]
"""A model beside the one that draws: its role and its name."""


@dataclass(frozen=True)
class Enhancer:
    """A step after the drawing."""

    name: str
    summary: str
    function: str
    """`module:function` of an `Enhance`, imported when it is first run."""
    moment: Literal["drawn", "finished"] = "finished"
    """`drawn`: before what a mask keeps is put back around the drawn patch."""
    is_asked: "Callable[[ImaginePrompt], bool]" = lambda prompt: False
    """Tells by the prompt whether to run; rows from outside are asked by their name."""
    needs: "Callable[[ImaginePrompt], tuple[Companion, ...]]" = lambda prompt: ()
    """Names the models it will use, which are checked before anything is drawn."""

    def __call__(self, work: Work) -> Work:
        """Run it."""
        module, _, name = self.function.partition(":")
        enhance: Enhance = getattr(import_module(module), name)
        return enhance(work)


ENHANCERS: tuple[Enhancer, ...] = (
    Enhancer(
        name="fix_faces",
        summary="restores the faces of the generated image",
        function="imaginairy.enhancers.faces:fix_drawn",
        moment="drawn",
        is_asked=lambda prompt: prompt.fix_faces,
        needs=lambda prompt: (
            ("face-restorer", prompt.fix_faces_model),
            ("face-detector", prompt.fix_faces_detector),
        ),
    ),
    Enhancer(
        name="safety",
        summary="blurs images that Stable Diffusion's safety checker refuses",
        function="imaginairy.enhancers.safety:check",
        is_asked=lambda prompt: True,
    ),
    Enhancer(
        name="upscale",
        summary="adds the image made as large as was asked for, as `upscaled`",
        function="imaginairy.enhancers.upscale:upscale_drawn",
        is_asked=lambda prompt: (
            bool(prompt.upscale) or prompt.drawn != (prompt.width, prompt.height)
        ),
        needs=lambda prompt: (("upscaler", prompt.upscaler),) if prompt.upscale else (),
    ),
    Enhancer(
        name="fix_upscaled_faces",
        summary="restores faces again in the upscaled image",
        function="imaginairy.enhancers.faces:fix_upscaled",
        is_asked=lambda prompt: prompt.fix_faces and bool(prompt.upscale),
    ),
    Enhancer(
        name="enhance",
        summary="runs the enhancers of other packages, in the order they are asked for",
        function="imaginairy.enhancers.from_outside:enhance",
        is_asked=lambda prompt: bool(prompt.enhance),
    ),
    Enhancer(
        name="caption",
        summary="says what is in the image",
        function="imaginairy.enhancers.caption:caption",
        is_asked=lambda prompt: prompt.caption,
        needs=lambda prompt: (("captioner", prompt.caption_model),),
    ),
    Enhancer(
        name="label",
        summary="writes caption_text at the foot of the images",
        function="imaginairy.enhancers.label:label",
        is_asked=lambda prompt: bool(prompt.caption_text),
    ),
)
"""In the order in which they run."""


def asked(prompt: "ImaginePrompt") -> list[str]:
    """Return the names of what is done to an image of a prompt once it is drawn."""
    return [each.name for each in ENHANCERS if each.is_asked(prompt)]


def companions_needed(prompt: "ImaginePrompt") -> Iterator[Companion]:
    """Yield the models that the enhancers of a prompt will use."""
    for enhancer in ENHANCERS:
        if enhancer.is_asked(prompt):
            yield from enhancer.needs(prompt)


def enhanced(work: Work, moment: str) -> Work:
    """Run every enhancer of a moment that the prompt asks for."""
    for enhancer in ENHANCERS:
        if enhancer.moment == moment and enhancer.is_asked(work.prompt):
            work = enhancer(work)
    return work
