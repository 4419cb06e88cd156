"""What a request may ask for: fields of a prompt that were each decided on.

Whoever asks over the network may not name a file, a folder, an address or a model that
is not the server's, nor ask for more than the server does. A field that is not in the
table here is refused, so that one that comes later is, until somebody decides.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image

from imaginairy.aliases import as_fields
from imaginairy.control import said_of
from imaginairy.embedding import parse_embedding
from imaginairy.errors import near_miss, shown
from imaginairy.fields import written
from imaginairy.hypernetwork import parse_hypernetwork
from imaginairy.order import Order, outer_size
from imaginairy.pictures import BYTES_A_PIXEL, opened_picture
from imaginairy.schema import ImaginePrompt
from imaginairy.serving.limits import Limits
from imaginairy.serving.offer import Offer, beside, require_adapter
from imaginairy.serving.refusals import OverLimitError, RefusedError
from imaginairy.sizes import Size

Rule = Callable[["Bounds", str, Any], Any]
"""Takes a field's name and what a request gives for it, and returns what is asked."""
DATA = r"data:[\w/+.;=-]*;base64,"
"""How an upload may begin, as pages have it."""
NAMES = r"\{(\w+)\}"


@dataclass(frozen=True)
class Bounds:
    """Turns what a request gives into prompts, or refuses it."""

    offer: Offer
    limits: Limits

    def prompt(self, values: Any) -> ImaginePrompt:
        """Return the prompt that a request's fields say, or a text alone.

        Raises:
            RefusedError: it may not be asked for.
            BadOptionError: a field has a value that it cannot have.
        """
        values = {"prompt": values} if isinstance(values, str) else values
        if not isinstance(values, Mapping) or "prompt" not in values:
            raise RefusedError(
                "A prompt is a text, or an object of fields with a 'prompt' in it, not "
                f"{shown(values, 60)}."
            )
        fields = as_fields(values)
        for name, value in fields.items():
            fields[name] = self.value(name, value)
        fields["model"] = fields.get("model") or self.offer.model("model", None)
        prompt = ImaginePrompt(**fields)
        self._require_adapters(prompt)
        self._require_little(prompt)
        return prompt

    def value(self, name: str, value: Any) -> Any:
        """Return what is asked for with the value of a field.

        Raises:
            RefusedError: there is no such field, or none that a request may set.
        """
        rule = RULES.get(name)
        if rule is None:
            raise RefusedError(
                f"A prompt has no field {shown(name)} that a request may set; fields "
                f"are: {', '.join(ALLOWED)}." + near_miss(name, ALLOWED)
            )
        if name not in (*UPLOADS, "image_prompts"):
            self._require_short(name, value)
        return rule(self, name, value)

    def require_pictures(self, number: int) -> None:
        """Refuse more pictures than a request may ask for, or none.

        Raises:
            OverLimitError: it is so.
        """
        if not 1 <= number <= self.limits.pictures:
            raise OverLimitError(
                f"A request asks for 1 to {self.limits.pictures} pictures, not "
                f"{number}; send several requests."
            )

    def _require_adapters(self, prompt: ImaginePrompt) -> None:
        names = [lora.name for lora in prompt.all_loras]
        names += [parse_embedding(each)[1] for each in prompt.embeddings]
        names += [parse_hypernetwork(each)[0] for each in prompt.all_hypernetworks]
        if names:
            known = self.offer.adapters(str(prompt.model))
            for name in names:
                require_adapter(name, known)
        if prompt.controls:
            offered = self.offer.controls(str(prompt.model))
            for control in prompt.controls:
                require_adapter(control.name, offered, "control")
        for each in prompt.image_prompts:
            self.offer.image_adapter(str(prompt.model), each.adapter)

    def _require_short(self, name: str, value: Any) -> None:
        """Refuse texts that take long to read, before anything is read of them."""
        length = letters(value)
        if length > self.limits.characters:
            raise OverLimitError(
                f"The {name} of {length} characters is longer than the "
                f"{self.limits.characters} that this server reads; make it shorter."
            )

    def _require_little(self, prompt: ImaginePrompt) -> None:
        """Refuse what is more than is drawn here, as far as the prompt says it."""
        limits = self.limits
        if prompt.steps is not None and prompt.steps > limits.steps:
            raise OverLimitError(
                f"{prompt.steps} steps are more than the {limits.steps} that this "
                "server makes; take fewer."
            )
        if prompt.drawn is not None:
            self.require_pixels("An image of", prompt.drawn, limits.pixels)
        if prompt.width and prompt.height:
            asked = prompt.width, prompt.height
            self.require_pixels("An image of", asked, limits.larger_pixels)
        if prompt.init_image is not None:
            outer = outer_size(prompt)
            self.require_pixels("A canvas of", outer, limits.larger_pixels)

    def require_order(self, order: Order) -> None:
        """Refuse a picture that turns out to be larger than is drawn.

        Raises:
            OverLimitError: it is.
        """
        limits = self.limits
        self.require_pixels("Generating", order.drawn, limits.pixels)
        self.require_pixels("An image of", order.saved, limits.larger_pixels)

    def require_pixels(self, what: str, size: Size, most: int) -> None:
        """Refuse a size of more pixels than are possible.

        Raises:
            OverLimitError: it has.
        """
        if size[0] * size[1] > most:
            raise OverLimitError(
                f"{what} {size[0]}x{size[1]} is {size[0] * size[1]:,} pixels, and this "
                f"server takes {most:,}; make it smaller."
            )

    def picture(self, name: str, data: bytes) -> Image:
        """Read an upload.

        Raises:
            BadImageError: it is no picture that is read here.
            OverLimitError: it has too many pixels.
        """
        most = self.limits.larger_pixels
        with opened_picture(data, name) as image:
            if image.width * image.height <= most:
                image.load()
        self.require_pixels(f"The {name} of", image.size, most)
        return image


def _plain(bounds: Bounds, name: str, value: Any) -> Any:
    """Take what `ImaginePrompt` checks, and what names nothing beyond it."""
    return value


def _upload(bounds: Bounds, name: str, value: Any) -> Image:
    """Read a picture that comes along as base64, unless that was done."""
    if isinstance(value, Image):
        return value
    if not isinstance(value, str):
        raise RefusedError(f"{name} is a picture as base64, not {shown(value, 60)}.")
    try:
        data = base64.b64decode(re.sub(rf"\A{DATA}", "", value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(
            f"{name} is a picture as base64, and {shown(value, 60)} is none; paths and "
            "addresses are not read here."
        ) from error
    return bounds.picture(name, data)


def _model(bounds: Bounds, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise RefusedError(f"{name} is the name of a model, not {shown(value, 60)}.")
    return bounds.offer.model(name, value)


def _controls(bounds: Bounds, name: str, value: Any) -> Any:
    """Take controls that have no image of their own; names are looked at later."""
    for each in _several(value):
        if said_of(each)[1] is not None:
            raise RefusedError(
                f"A control of a request has no image of its own, as {shown(each, 60)} "
                "has; send it as control_image."
            )
    return value


def _several(value: Any) -> Iterable[Any]:
    """Return what is given, one or several."""
    return value if isinstance(value, list | tuple) else [value]


def _image_prompts(bounds: Bounds, name: str, value: Any) -> Any:
    """Take images that come along, as base64 or as objects with an `image` of it.

    A mask comes along as a data URL, so that no text is taken for the name of a file.
    """
    taken = []
    for each in _several(value):
        said = dict(each) if isinstance(each, Mapping) else {"image": each}
        said["image"] = _upload(bounds, f"The image of {name}", said.get("image"))
        mask = said.get("mask")
        if mask is not None:
            if not (isinstance(mask, str) and re.match(DATA, mask)):
                raise RefusedError(
                    f"The mask of {name} is a data URL, not {shown(mask, 60)}."
                )
            said["mask"] = _upload(bounds, f"The mask of {name}", mask)
        taken.append(said)
    return taken


def _references(bounds: Bounds, name: str, value: Any) -> list[Image]:
    """Take images that come along, one or several."""
    return [_upload(bounds, f"A picture of {name}", each) for each in _several(value)]


def _refiner(bounds: Bounds, name: str, value: Any) -> str:
    return bounds.offer.refiner(name, value)


def _beside(role: str) -> Rule:
    take = beside(role)
    return lambda _, name, value: take(name, value)


def _each_beside(role: str) -> Rule:
    take = beside(role)
    return lambda _, name, value: [take(name, each) for each in _several(value)]


def _caption(bounds: Bounds, name: str, value: Any) -> str:
    """Take a text that names no field whose value is the server's own affair."""
    if not isinstance(value, str):
        raise RefusedError(f"{name} is text, not {shown(value, 60)}.")
    for field in re.findall(NAMES, value):
        if RULES.get(field) is not _plain:
            raise RefusedError(f"{name} may not show {shown(field)}; leave it out.")
    return value


def _fields(rule: Rule, *names: str) -> dict[str, Rule]:
    return dict.fromkeys(names, rule)


UPLOADS = (
    "init_image", "mask_image", "control_image", "depth_image", "reference_images"
)  # fmt: skip
RULES: Mapping[str, Rule] = {
    **_fields(
        _plain,
        *("prompt", "negative_prompt", "seed", "clip_skip", "empty_negative"),
        *("best_of", "variation_strength", "variation_seed"),
        *("prompt_strength", "steps", "sampler_type", "schedule", "eta", "speed"),
        "image_guidance",
        *("guidance_rescale", "guidance_interval", "perpendicular_negative", "apg"),
        *("dynamic_threshold", "prediction"),
        *("width", "height", "draw_size", "original_size", "crop", "target_size"),
        *("tile_mode", "init_image_strength", "mask_prompt", "mask_mode"),
        *("mask_modify_original", "outpaint"),
        *("fix_faces", "fix_faces_fidelity", "upscale", "caption", "fast_decode"),
        *("control_raw", "control_guess"),
        *("merge_loras", "loras", "embeddings", "hypernetworks"),  # looked at later
    ),
    **_fields(_upload, *UPLOADS),
    "reference_images": _references,
    "controls": _controls,
    "image_prompts": _image_prompts,
    "model": _model,
    "refiner": _refiner,
    "vae": _beside("vae"),
    "text_encoders": _each_beside("text-encoder"),
    "mask_model": _beside("mask"),
    "fix_faces_model": _beside("face-restorer"),
    "fix_faces_detector": _beside("face-detector"),
    "upscaler": _beside("upscaler"),
    "caption_model": _beside("captioner"),
    "similarity_model": _beside("similarity"),
    "caption_text": _caption,
}
"""How each field of a prompt is taken from a request."""
REFUSED = ("enhance", "conditioning")
"""Fields that no request may set: what other packages do with values of their own, and
tensors."""
ALLOWED = tuple(name for name in written(ImaginePrompt) if name in RULES)


def bytes_held(prompts: Iterable[ImaginePrompt]) -> int:
    """Return how much memory the pixels take that came along with prompts."""
    uploads = [getattr(prompt, name) for prompt in prompts for name in UPLOADS]
    for prompt in prompts:
        uploads += prompt.reference_images
        uploads += [part for e in prompt.image_prompts for part in (e.image, e.mask)]
    there = (each for each in uploads if isinstance(each, Image))
    return sum(BYTES_A_PIXEL * each.width * each.height for each in there)


def letters(value: Any) -> int:
    """Return how many characters there are in a value of JSON, however deep."""
    left, count = [value], 0
    while left:
        match left.pop():
            case str() as text:
                count += len(text)
            case list() as several:
                left += several
            case dict() as named:
                left += [*named, *named.values()]
    return count


def pictures_of(prompts: Iterable[ImaginePrompt]) -> int:
    """Return how many pictures are drawn for prompts."""
    return sum(prompt.best_of for prompt in prompts)
