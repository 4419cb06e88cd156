"""Image prompts: images that say what to draw beside the text, as they are asked for.

    FILE, FILE=0.6                 an image, and how much it counts
    FILE=0.6,layers=style          its style alone, or `composition` alone
    FILE,mask=left.png             only where a mask is white, or words find something
    FILE,adapter=NAME              by another IP-Adapter than is usual for the model
    FILE,noise=0.3@0-0.7           noise in what is avoided; over a part of the steps

`FILE` is a path or a web address.
"""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from imaginairy import checks
from imaginairy.asked_files import LONGEST, NUMBER, asked_file, several
from imaginairy.checks import Choice, Number
from imaginairy.errors import BadOptionError, near_miss, shown
from imaginairy.lazy_image import LazyLoadingImage, is_file, is_of_web

if TYPE_CHECKING:
    from PIL.Image import Image

WEIGHT = Number(-5, 5)
SHARE = Number(0, 1)
LAYERS = Choice(("all", "style", "composition"))
MOST = 20
"""Image prompts of one picture."""
PARTS = {
    "adapter": "adapter=NAME",
    "layers": "layers=style",
    "mask": "mask=FILE or mask=WORDS",
    "noise": "noise=0.2",
}
"""What may be said of one beside its weight and its steps, and how."""
PART = rf", ?(?:{'|'.join(PARTS)})="
PART_SAID = re.compile(rf", ?({'|'.join(PARTS)})=((?:(?!{PART}).)*)", re.S)
SAID = (
    rf"(?:=(?P<weight>{NUMBER}))?(?P<more>(?:{PART}(?:(?!{PART}).)*?)*)"
    rf"(?:@(?P<start>{NUMBER})-(?P<end>{NUMBER}))?"
)
BEHIND = re.compile(SAID, re.S)
VALUE = rf"(?:(?!{PART})[^=&])+(?:=[^=&]*?|(?!=))"
QUERY = rf"[a-z]+://(?:(?!{PART})[^?])+\?{VALUE}(?:&{VALUE})*"
"""Of an address; the number of `?v=2` is no weight."""
GIVEN = re.compile(rf"(?P<image>{QUERY}|.+?){SAID}", re.S)
WAYS = "as FILE, FILE=0.6 or FILE=0.6,layers=style@0-0.7"


@dataclass(frozen=True, eq=False)
class ImageReference:
    """An image that says what to draw, how much it counts, where and when.

    Raises:
        BadOptionError: a number is out of range, or something is of another kind.
        BadImageError: the image cannot be read.
        MissingFileError: there is no such image.
    """

    image: "str | Path | Image | LazyLoadingImage"
    weight: float = 1.0
    """How much it counts; 0 is nothing, from -5 to 5. Beside a text 0.5 to 0.8 is
    usual."""
    adapter: str | None = None
    """The IP-Adapter that reads it: a name, a path, `owner/repo[:file]` on the hub or a
    web address; None for the usual one of the model's family."""
    layers: str = "all"
    """Which attentions it speaks to: `all`, or those of `style` or of `composition`
    alone."""
    noise: float = 0.0
    """How much noise there is in the image that is avoided, from 0, where that is
    blank, to 1: more of it asks for more likeness and less of what is vague."""
    mask: "str | Path | Image | LazyLoadingImage | None" = None
    """Where it has a say: a mask that is white there, or words that find it in the init
    image. None for everywhere."""
    start: float = 0.0
    """The share of the steps that is walked before it has a say."""
    end: float = 1.0
    """The share of the steps after which it has none any more."""

    def __post_init__(self) -> None:
        image = checks.picture("The image of an image prompt", self.image)
        self._set("image", image)
        said = "of an image prompt"
        if isinstance(image, LazyLoadingImage):
            said = f"of the image prompt {shown(str(image), 60)}"
        self._set("weight", WEIGHT(f"The weight {said}", self.weight))
        self._set("noise", SHARE(f"The noise {said}", self.noise))
        self._set("layers", LAYERS(f"The layers {said}", self.layers))
        for share in ("start", "end"):
            self._set(share, SHARE(f"The {share} {said}", getattr(self, share)))
        if self.start >= self.end:
            raise BadOptionError(
                f"The steps {said} go from {self.start:g} to {self.end:g}, which is "
                "none of them; give a start below the end, as @0-0.7."
            )
        if self.adapter is not None:
            ways = f"An image prompt is given {WAYS}"
            self._set("adapter", asked_file(f"adapter {said}", self.adapter, ways))
        if self.mask is not None:
            self._set("mask", _mask(f"The mask {said}", self.mask))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def masked_by_words(self) -> str | None:
        """The words that find where it has a say, if words do."""
        return self.mask if isinstance(self.mask, str) else None

    @property
    def kind(self) -> Hashable:
        """What it has in common with those of other images that act alike."""
        numbers = self.weight, self.noise, self.start, self.end
        return self.adapter, self.layers, *numbers, self.mask is None

    def __str__(self) -> str:
        """Return it as it is given in a line; an image in memory has no words."""
        image = self.image if isinstance(self.image, LazyLoadingImage) else "image"
        usual = self.weight == 1 and not re.search(f"={NUMBER}$", str(image))
        weight = "" if usual else f"={self.weight!r}"
        more = f",adapter={self.adapter}" if self.adapter else ""
        more += "" if self.layers == "all" else f",layers={self.layers}"
        more += f",noise={self.noise!r}" if self.noise else ""
        if isinstance(self.mask, str | LazyLoadingImage):
            more += f",mask={self.mask}"
        whole = (self.start, self.end) == (0, 1)
        shares = "" if whole else f"@{self.start!r}-{self.end!r}"
        return f"{image}{weight}{more}{shares}"


FIELDS = tuple(each.name for each in fields(ImageReference))
ImagePromptLike: TypeAlias = (
    "str | Path | Image | LazyLoadingImage | ImageReference | Mapping[str, Any]"
)
"""What is an image prompt: text that `parse_image_prompt` reads, an image, or more."""


def recorded_reference(
    reference: ImageReference, image: str, mask: str | None
) -> dict[str, Any]:
    """Return an image prompt as plain values that `parse_image_prompt` takes.

    Args:
        image, mask: what its pictures are recorded as.
    """
    said = {name: getattr(reference, name) for name in FIELDS}
    said |= {"image": image, "mask": mask if mask else reference.masked_by_words}
    usual = {each.name: each.default for each in fields(ImageReference)}
    return {n: v for n, v in said.items() if n == "image" or v != usual[n]}


def parse_image_prompt(given: Any) -> ImageReference:
    """Read `FILE=0.6,layers=style,noise=0.2,mask=FILE@0-0.7`; FILE alone is enough.

    A file of the whole name goes before what its parts would say.

    Raises:
        BadOptionError: it cannot be read so, or a number is out of range.
        BadImageError: the image cannot be read.
        MissingFileError: there is no such image.
    """
    if isinstance(given, ImageReference):
        return given
    if isinstance(given, Mapping):
        return ImageReference(**_named(given))
    if not isinstance(given, str) or is_file(given):
        return ImageReference(given)
    if not given.strip() or len(given) > LONGEST:
        raise BadOptionError(f"An image prompt is given {WAYS}, not {shown(given)}.")
    image, read = _split(given)
    said = _parts_of(image, read["more"])
    return ImageReference(
        image,
        _number(read["weight"], 1.0),
        adapter=said.get("adapter"),
        layers=said.get("layers", "all"),
        noise=_number(said.get("noise"), 0.0),
        mask=said.get("mask"),
        start=_number(read["start"], 0.0),
        end=_number(read["end"], 1.0),
    )


def _named(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is said of an image prompt by the names of its parts.

    Raises:
        BadOptionError: it has no image, or there is no such part.
    """
    for name in given:
        if name not in FIELDS:
            raise BadOptionError(
                f"An image prompt has no {shown(name)}; what may be said of one is "
                f"{', '.join(FIELDS)}." + near_miss(str(name), FIELDS)
            )
    if "image" not in given:
        raise BadOptionError("An image prompt without an image says nothing; give one.")
    return given


def _split(given: str) -> tuple[str, "re.Match[str]"]:
    """Return the image, the longest name that a file has, and what is said of it.

    Raises:
        BadOptionError: what stands behind a file cannot be read.
    """
    signs = () if is_of_web(given) else re.finditer("[=,@:]", given)
    files = [each.start() for each in signs if is_file(given[: each.start()])]
    if not files:
        whole = GIVEN.fullmatch(given)
        assert whole is not None  # all of it may be the name of a file
        return whole["image"], whole
    file, rest = given[: files[-1]], given[files[-1] :]
    read = BEHIND.fullmatch(rest)
    if read is None:
        word = re.match(r", ?(\w+)=", rest)
        raise BadOptionError(
            f"What stands behind {shown(file)}, {shown(rest)}, says nothing of an "
            f"image prompt, which is given {WAYS}; other parts are {_listed()}."
            + (near_miss(word[1], PARTS) if word else "")
        )
    return file, read


def _listed() -> str:
    *others, last = (way for name, way in PARTS.items() if name != "layers")
    return f"{', '.join(others)} and {last}"


def _parts_of(image: str, more: str) -> dict[str, str]:
    """Return what is said of an image by the names of the parts.

    Raises:
        BadOptionError: a thing is said twice, or not at all, or is no number.
    """
    parts = PART_SAID.findall(more)
    said = dict(parts)
    if len(said) < len(parts):
        raise BadOptionError(
            f"Of the image prompt {shown(image)} a thing is said twice: {more[1:]}."
        )
    for name, value in parts:
        if not value.strip():
            raise BadOptionError(
                f"The {name} of the image prompt {shown(image)} is empty; write "
                f"{PARTS[name]}, or leave it out."
            )
    if "noise" in said and not re.fullmatch(NUMBER, said["noise"]):
        raise BadOptionError(
            f"The noise of the image prompt {shown(image)} is a number from 0 to 1, "
            f"not {shown(said['noise'])}."
        )
    return said


def images_of(given: Any) -> tuple[Any, Any, str]:
    """Return image, mask and adapter of what is an image prompt, with no look at them.

    A mask is what was said of it, words or a place.
    """
    if isinstance(given, ImageReference):
        return given.image, given.mask, given.adapter or ""
    if isinstance(given, Mapping):
        adapter = given.get("adapter") or ""
        return given.get("image"), given.get("mask"), str(adapter)
    read = None
    if isinstance(given, str) and len(given) <= LONGEST:
        read = GIVEN.fullmatch(given)
    if read is None:
        return given, None, ""
    said = dict(PART_SAID.findall(read["more"]))
    return read["image"], said.get("mask"), said.get("adapter", "")


def image_prompts(name: str, value: Any) -> tuple[ImageReference, ...]:
    """Take image prompts: one, or several, each as `parse_image_prompt` takes it.

    Raises:
        BadOptionError: they cannot be read so, or are too many.
    """
    if not isinstance(value, str | list | tuple):
        value = (value,)
    given = several(name, value, f"image prompts, each {WAYS}")
    if len(given) > MOST:
        raise BadOptionError(
            f"There are {len(given)} image prompts; at most {MOST} have a say."
        )
    return tuple(parse_image_prompt(each) for each in given)


def require_seen(given: Sequence[ImageReference], init_image: Any) -> None:
    """Check that there is an image that words can find something in.

    Raises:
        BadOptionError: there is none.
    """
    for each in given:
        if each.masked_by_words and init_image is None:
            raise BadOptionError(
                f"The mask '{each.mask}' of an image prompt is found in the init image "
                "and there is none; give init_image, or a mask that is an image."
            )


def is_words(mask: Any) -> bool:
    """Tell whether a mask is words that find something, and names no image."""
    if not isinstance(mask, str) or is_file(mask) or is_of_web(mask):
        return False
    return not re.search(r"\.\w{3,4}$", mask)


def _mask(name: str, value: Any) -> Any:
    """Take a mask: an image, or words that find what is in another."""
    check = checks.mask_prompt if is_words(value) else checks.picture
    return check(name, value)


def _number(said: str | None, usual: float) -> float:
    return usual if said is None else float(said)
