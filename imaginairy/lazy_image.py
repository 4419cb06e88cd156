"""Pictures that are named first and read when they are used."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from imaginairy.errors import (
    BadOptionError,
    InvalidUrlError,
    MissingFileError,
    in_words,
)
from imaginairy.urls import SCHEMES

if TYPE_CHECKING:
    from PIL.Image import Image


class LazyLoadingImage:
    """An image from a file or the web; it behaves as Pillow's and prints its source.

    What can be known without reading it is checked at once.

    Args:
        filepath: where the image lies.
        url: its web address, starting with http:// or https://.

    Raises:
        BadOptionError: not exactly one of the two is given.
        MissingFileError: there is no such file.
        InvalidUrlError: the address is none of the web.
    """

    def __init__(
        self, *, filepath: str | Path | None = None, url: str | None = None
    ) -> None:
        if (filepath is None) == (url is None):
            raise BadOptionError(
                "A LazyLoadingImage takes exactly one of filepath and url; "
                f"{'neither' if url is None else 'both'} was given."
            )
        if filepath is not None:
            if not is_file(filepath):
                raise MissingFileError(_no_file(filepath))
        elif not _is_address(in_words(url)):
            raise InvalidUrlError(
                f"'{in_words(url)}' is not a web address; it starts with http:// or https://."
            )
        self._source = filepath if filepath is not None else url
        self._is_url = url is not None
        self._image: Image | None = None
        self._answer: bytes | None = None

    @classmethod
    def of(cls, source: str | Path) -> "LazyLoadingImage":
        """Take a path or a web address, told apart by how it starts."""
        if is_of_web(source):
            return cls(url=str(source))
        return cls(filepath=source)

    @property
    def address(self) -> str:
        """The source from wherever it is asked for: a web address or a whole path."""
        return str(self) if self._is_url else str(Path(str(self)).absolute())

    def as_pillow(self) -> "Image":
        """Read the image, once.

        Raises:
            BadImageError: it cannot be read as an image.
            DownloadError: it could not be fetched.
            InvalidUrlError: its address leads to none of a public host.
        """
        if self._image is None:
            self._image = _read(self._data(), str(self._source))
        return self._image

    def read_bytes(self) -> bytes:
        """Return the file of the image as it is, or as it came from the web.

        Raises what `as_pillow` does where the image is no longer there.
        """
        data = self._data()
        if isinstance(data, bytes):
            return data
        try:
            return data.read_bytes()
        except OSError as error:
            raise MissingFileError(f"There is no file '{data}' any more.") from error

    def require_readable(self) -> None:
        """Read the image to see that it can be read, and keep none of its pixels.

        What was fetched from the web is kept as it came. Raises what `as_pillow` does.
        """
        if self._image is None:
            _read(self._data(), str(self._source))

    def _data(self) -> bytes | Path:
        if not self._is_url:
            return Path(str(self._source))
        if self._answer is None:
            from imaginairy.addresses import fetched

            self._answer = fetched(str(self._source))
        return self._answer

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # ours, or looked for by copying and pickling
            raise AttributeError(name)
        return getattr(self.as_pillow(), name)

    def __str__(self) -> str:
        return str(self._source)

    def __repr__(self) -> str:
        return f"LazyLoadingImage({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LazyLoadingImage) and self.address == other.address

    def __hash__(self) -> int:
        return hash(self.address)


def as_pillow(image: object) -> "Image":
    """Return a picture given as Pillow's or by its source."""
    if isinstance(image, LazyLoadingImage):
        return image.as_pillow()
    from PIL.Image import Image

    assert isinstance(image, Image)
    return image


def _read(data: bytes | Path, name: str) -> "Image":
    from imaginairy.pictures import read_picture

    return read_picture(data, name)


def is_file(path: object) -> bool:
    """Tell whether there is a file of that name, whatever is given for one."""
    try:
        return isinstance(path, str | PathLike) and Path(path).is_file()
    except OSError:  # such as a name that is too long
        return False


def _no_file(path: object) -> str:
    from imaginairy.kinds import what_stands_at

    other = what_stands_at(Path(path)) if isinstance(path, str | PathLike) else None
    return f"There is no file '{in_words(path)}'" + (f" but {other}." if other else ".")


def is_of_web(source: object) -> bool:
    """Tell whether a picture's source begins as a web address does."""
    return in_words(source).startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # a host that cannot be read
        return False
    return parts.scheme in SCHEMES and bool(parts.netloc)


def upright_size(image: Any) -> tuple[int, int]:
    """Return width and height of an image as it is seen, turned as EXIF says."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(as_pillow(image)).size
