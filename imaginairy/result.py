"""What comes back: a picture, and everything that made it."""

import hashlib
import io
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from PIL import ImageFilter
from PIL.Image import Image

from imaginairy.checks import flag
from imaginairy.errors import BadOptionError, CannotSaveError, in_words, near_miss
from imaginairy.metadata.credentials import C2paSigner, Provenance
from imaginairy.metadata.write import write_image
from imaginairy.places import reason
from imaginairy.schema import ImaginePrompt
from imaginairy.version import __version__

GENERATED = "generated"
UPSCALED = "upscaled"
MODIFIED_ORIGINAL = "modified_original"
MASK_BINARY = "mask_binary"
MASK_GRAYSCALE = "mask_grayscale"
HINT = "hint_"
"""What the types of hints begin with; the kind of hint follows."""
FILTERED = "filtered"
"""What the safety check notes where it blurred a picture."""
BLUR_RADIUS = 40
"""Pixels, as in the reference."""


@dataclass(frozen=True)
class ImagineResult:
    """One generated image, with its variants and its origin."""

    prompt: ImaginePrompt
    """With every default filled in: generated again, it gives the same image."""
    images: dict[str, Image]
    """The images by type; `generated` is always there."""
    model_hash: Callable[[], str] = field(repr=False)
    """Gives the SHA-256 of the model's weights."""
    vae_hash: Callable[[], str] | None = field(default=None, repr=False)
    """Gives that of the VAE's; None where the model had its own."""
    text_hashes: Mapping[str, Callable[[], str]] = field(
        default_factory=dict, repr=False
    )
    """Give the SHA-256 of the text encoders that the model was given, by name."""
    decoder: str | None = None
    """The tiny VAE that decoded it; None where none did."""
    decoder_hash: Callable[[], str] | None = field(default=None, repr=False)
    """Gives the SHA-256 of that one's weights."""
    refiner_hash: Callable[[], str] | None = field(default=None, repr=False)
    """Gives that of the refiner's, where there was one."""
    embedding_hashes: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of the files of learned words, by `embeddings` of the prompt."""
    lora_hashes: Mapping[str, Callable[[], tuple[str, str]]] = field(
        default_factory=dict, repr=False
    )
    """Give the SHA-256 of each LoRA that acted, and that of its tensors, by name."""
    control_hashes: Mapping[str, Callable[[], str]] = field(
        default_factory=dict, repr=False
    )
    """Give the SHA-256 of the file of each control that acted, by name."""
    image_prompt_hashes: Mapping[str, Callable[[], str]] = field(
        default_factory=dict, repr=False
    )
    """Give the SHA-256 of the file of each IP-Adapter that acted, by name."""
    hypernetwork_hashes: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of the files of hypernetworks, by their names."""
    applied: Mapping[str, Any] = field(default_factory=dict)
    """What each enhancer did, by its name."""
    init_image: Image | None = field(default=None, repr=False)
    """The image it was generated from, at the size it was worked on: an init image, or
    the first reference image as it was seen."""
    mask: Image | None = field(default=None, repr=False)
    """White where the init image was kept."""
    recomputed: tuple[str, ...] = ()
    """Stages that half precision could not hold, computed again in float32."""
    device: str = "cpu"
    precision: str = "autocast"
    computed_in: str = "float32"
    """The type of number that the networks computed in, by that precision."""
    created: datetime = field(default_factory=lambda: datetime.now().astimezone())

    @property
    def main_type(self) -> str:
        """The type of the image that was asked for: `upscaled`, or `generated`."""
        return UPSCALED if UPSCALED in self.images else GENERATED

    @property
    def img(self) -> Image:
        """The image."""
        return self.images[self.main_type]

    @property
    def is_filtered(self) -> bool:
        """Whether the image was blurred as unsafe."""
        return bool(self.applied.get("safety", {}).get(FILTERED))

    def image(self, image_type: str) -> Image:
        """Return the image of a type.

        Raises:
            BadOptionError: there is none.
        """
        if not isinstance(image_type, str) or image_type not in self.images:
            raise BadOptionError(
                f"This result has no '{in_words(image_type)}' picture; it has "
                f"{', '.join(self.images)}." + near_miss(image_type, self.images)
            )
        return self.images[image_type]

    def md5(self) -> str:
        """Return the MD5 of the image's pixels, whatever file they are saved in."""
        return hashlib.md5(self.img.tobytes(), usedforsecurity=False).hexdigest()

    def metadata_dict(self, image_type: str | None = None) -> dict[str, Any]:
        """Return everything that made an image, as plain values.

        Args:
            image_type: which of the images; None means `img`.

        Raises:
            BadOptionError: there is no such image.
        """
        image_type = self.main_type if image_type is None else image_type
        self.image(image_type)
        return {
            **self.prompt.to_dict(),
            "prompt_text": self.prompt.prompt_text,
            "model_sha256": self.model_hash(),
            "vae_sha256": self.vae_hash and self.vae_hash(),
            "text_encoder_sha256": {n: get() for n, get in self.text_hashes.items()},
            "decoder": self.decoder,
            "decoder_sha256": self.decoder_hash and self.decoder_hash(),
            "refiner_sha256": self.refiner_hash and self.refiner_hash(),
            "embedding_sha256": dict(self.embedding_hashes),
            "lora_sha256": {name: get()[0] for name, get in self.lora_hashes.items()},
            "lora_hashes": {
                name: get()[1][:12] for name, get in self.lora_hashes.items()
            },
            "control_sha256": {n: get() for n, get in self.control_hashes.items()},
            "image_prompt_sha256": {
                name: get() for name, get in self.image_prompt_hashes.items()
            },
            "hypernetwork_sha256": dict(self.hypernetwork_hashes),
            "image_type": image_type,
            "applied": dict(self.applied),
            "conditioning": _fingerprint(self.prompt.conditioning),
            "precision": self.precision,
            "computed_in": self.computed_in,
            "recomputed_in_float32": list(self.recomputed),
            "device": self.device,
            "software": f"imaginairy {__version__}",
            "platform": f"{platform.system()} {platform.machine()}",
            "created": self.created.isoformat(timespec="seconds"),
        }

    def save(
        self,
        path: str | Path,
        *,
        image_type: str | None = None,
        metadata: bool = True,
        signer: C2paSigner | None = None,
    ) -> Path:
        """Save an image as the jpg or png that the name says.

        The file appears under its name only when it is whole.

        Args:
            image_type: which of the images; None means `img`.
            metadata: whether the file says how the image was made; without, it holds
                nothing but the image.
            signer: adds content credentials, which say what made the image, from which
                other if from any.

        Raises:
            BadOptionError: the name ends otherwise, or there is no such image.
            CannotSaveError: the file system refuses it.
        """
        if not isinstance(path, str | PathLike):
            raise BadOptionError(
                f"A picture is saved under a path, not {type(path).__name__}."
            )
        path = Path(path)
        if "\0" in str(path):
            raise BadOptionError(
                f"{str(path)!r} is no path: it holds a null character."
            )
        try:
            os.fsencode(path)
        except UnicodeEncodeError as error:
            raise BadOptionError(
                f"{str(path)!r} is no path: it holds a character that no file's name "
                "can have."
            ) from error
        image = self.image(self.main_type if image_type is None else image_type)
        provenance = Provenance(flag("metadata", metadata), signer)
        said = self.metadata_dict(image_type) if provenance.metadata else None
        seal = provenance.seal(self.prompt.made_from)
        try:
            write_image(image, path, said, seal)
        except OSError as error:
            raise CannotSaveError(
                f"'{path}' could not be saved ({reason(error)})."
            ) from error
        return path

    def _repr_png_(self) -> bytes:
        """Show the image in a notebook."""
        data = io.BytesIO()
        self.img.save(data, "PNG")
        return data.getvalue()


def blurred(image: Image) -> Image:
    """Return a picture in which nothing can be made out, as unsafe ones are shown."""
    return image.filter(ImageFilter.GaussianBlur(BLUR_RADIUS))


def _fingerprint(conditioning: Any) -> str | None:
    """Name embeddings given ready-made, which are too large to keep in a picture."""
    if conditioning is None:
        return None
    data = conditioning.detach().float().cpu().numpy().tobytes()
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
