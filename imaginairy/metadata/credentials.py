"""Content credentials (C2PA): signed manifests that say what a picture was made by.

They are written and signed by `c2pa-python`, which is imported where it is asked for.

Source: C2PA Technical Specification 2.2 (actions, ingredients), and the digital source
types of IPTC.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imaginairy.errors import (
    BadImageError,
    BadOptionError,
    CannotSaveError,
    MissingFileError,
    in_words,
)
from imaginairy.images import upright_rgb
from imaginairy.kinds import what_stands_at
from imaginairy.lazy_image import LazyLoadingImage, as_pillow
from imaginairy.pictures import read_picture
from imaginairy.version import __version__
from imaginairy.whole_files import Seal

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED = f"{SOURCE_TYPE}trainedAlgorithmicMedia"
EDITED = f"{SOURCE_TYPE}compositeWithTrainedAlgorithmicMedia"
AGENT = {"name": "imaginairy", "version": __version__}
BEFORE = "before"
"""How the manifest calls the picture that another was made from."""
MAX_PEM_BYTES = 1_000_000
CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
"""The algorithms that keys on elliptic curves sign with."""
SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
"""Nothing is fetched, and no smaller copy of a picture is kept beside it."""
HOW = "see 'Content credentials' in docs/security.md"


class C2paSigner:
    """Signs the content credentials (C2PA) of pictures with a certificate of yours.

    Args:
        certificate: the path of the certificate in PEM, with those that vouch for it
            behind it.
        key: the path of its private key in PEM, without a password.

    Raises:
        BadOptionError: c2pa-python is not installed, one of the files cannot be read,
            or they cannot sign.
    """

    def __init__(self, certificate: str | Path, key: str | Path) -> None:
        self._certificate = _read_pem(certificate, "certificate")
        self._algorithm, self._key = _usable_key(key)
        self._c2pa = _library()
        try:
            self._signed(_as_png(Image.new("RGB", (1, 1))), "image/png", None)
        except self._c2pa.C2paError as error:
            raise BadOptionError(
                f"'{certificate}' and '{key}' cannot sign content credentials "
                f"({error}); {HOW}."
            ) from error

    def _sealed(self, data: bytes, kind: str, before: object) -> bytes:
        """Return a picture's file with its credentials.

        Args:
            data: the file without them.
            kind: its format, by Pillow's name.
            before: the picture that this one was made from, as `as_pillow` takes it,
                or None.

        Raises:
            CannotSaveError: it could not be signed.
        """
        failure: Exception | None = None
        for ingredient in _ingredients(before):
            try:
                return self._signed(data, Image.MIME[kind], ingredient)
            except self._c2pa.C2paError as error:
                failure = error
        raise CannotSaveError(
            f"The picture could not be signed ({failure})."
        ) from failure

    def _signed(self, data: bytes, mime: str, before: "_Ingredient | None") -> bytes:
        c2pa, signed = self._c2pa, io.BytesIO()
        info = c2pa.C2paSignerInfo(
            self._algorithm, self._certificate, self._key, ta_url=None
        )
        manifest = json.dumps(_manifest(is_edited=before is not None))
        with (
            c2pa.Context.from_dict(SETTINGS) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder.from_json(manifest, context=context) as builder,
        ):
            if before is not None:
                told = {"relationship": "parentOf", "label": BEFORE}
                builder.add_ingredient(told, before.mime, io.BytesIO(before.data))
            builder.sign(signer, mime, io.BytesIO(data), signed)
        return signed.getvalue()

    def __repr__(self) -> str:
        return f"C2paSigner({self._algorithm})"


@dataclass(frozen=True)
class Provenance:
    """What files say of how their pictures were made, and who signs that."""

    metadata: bool = True
    signer: C2paSigner | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.signer, C2paSigner | None):
            raise BadOptionError(
                "A picture is signed by a C2paSigner, not "
                f"{type(self.signer).__name__}."
            )

    def seal(self, before: object) -> Seal | None:
        """Return what signs a file, given the picture that it was made from."""
        if self.signer is None:
            return None
        return partial(self.signer._sealed, before=before)


USUAL = Provenance()
"""All that made a picture, signed by nobody."""


@dataclass(frozen=True)
class _Ingredient:
    """The file of a picture that another was made from."""

    mime: str
    data: bytes = field(repr=False)


def _manifest(*, is_edited: bool) -> dict[str, Any]:
    """Return what is said: that it was generated, or of what it was made."""
    if is_edited:
        opened = {
            "action": "c2pa.opened",
            "parameters": {"ingredientIds": [BEFORE]},
        }
        made = {"action": "c2pa.edited", "digitalSourceType": EDITED}
        actions = [opened, {**made, "softwareAgent": AGENT}]
    else:
        made = {"action": "c2pa.created", "digitalSourceType": GENERATED}
        actions = [{**made, "softwareAgent": AGENT}]
    return {
        "claim_generator_info": [AGENT],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }


def _ingredients(before: object) -> Iterator[_Ingredient | None]:
    """Yield what a picture was made from: its file, and its pixels where that fails.

    The file brings credentials of its own along, where it has some.
    """
    if before is None:
        yield None
        return
    if isinstance(before, LazyLoadingImage):
        yield from _file_of(before)
    yield _Ingredient("image/png", _as_png(as_pillow(before)))


def _file_of(image: LazyLoadingImage) -> Iterator[_Ingredient]:
    """Yield the file of a picture, if it still shows what was read of it."""
    shown = image.as_pillow()
    try:
        data = image.read_bytes()
        if read_picture(data, str(image)).tobytes() == shown.tobytes():
            yield _Ingredient(Image.MIME[str(shown.format)], data)
    except (BadImageError, MissingFileError):
        return


def _as_png(image: Image.Image) -> bytes:
    """Return the pixels of a picture as a file that says nothing else."""
    data = io.BytesIO()
    Image.fromarray(np.asarray(upright_rgb(image))).save(data, "PNG")
    return data.getvalue()


def _read_pem(path: str | Path, what: str) -> bytes:
    """Read a file of certificates or of a key.

    Raises:
        BadOptionError: there is none, or it is too large for one.
    """
    if not isinstance(path, str | PathLike):
        raise BadOptionError(f"A {what} is given by its path, not {in_words(path)}.")
    other = what_stands_at(Path(path))
    if other:
        raise BadOptionError(f"'{path}' is {other}, not the file of a {what}.")
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_PEM_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadOptionError(f"The {what} '{path}' cannot be read ({why}).") from error
    if b"-----BEGIN" not in data:
        raise BadOptionError(f"'{path}' holds no {what} in PEM; {HOW}.")
    return data


def _usable_key(path: str | Path) -> tuple[str, bytes]:
    """Return what a private key signs with, and the key as the library reads it."""
    data = _read_pem(path, "private key")
    _library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        key = serialization.load_pem_private_key(data, password=None)
    except TypeError as error:
        raise BadOptionError(
            f"The private key '{path}' has a password; give one without."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadOptionError(f"'{path}' holds no private key in PEM; {HOW}.") from error
    match key:
        case ec.EllipticCurvePrivateKey():
            algorithm = CURVES.get(key.curve.name)
        case rsa.RSAPrivateKey():
            algorithm = "ps256"
        case ed25519.Ed25519PrivateKey():
            algorithm = "ed25519"
        case _:
            algorithm = None
    if algorithm is None:
        raise BadOptionError(
            f"The private key '{path}' is of a kind that signs no content credentials; "
            "give one of RSA, Ed25519, or of the curve P-256, P-384 or P-521."
        )
    whole = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return algorithm, whole


def _library() -> Any:
    """Import what writes credentials.

    Raises:
        BadOptionError: it is not installed.
    """
    try:
        import c2pa
    except ImportError as error:
        raise BadOptionError(
            "Content credentials need the package c2pa-python, which is not installed; "
            "install it with: pip install c2pa-python"
        ) from error
    return c2pa
