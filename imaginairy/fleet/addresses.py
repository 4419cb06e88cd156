"""Addresses of files: which are of this machine, and what messages show of others."""

import re
from typing import Any

from imaginairy.errors import BadOptionError
from imaginairy.places import reason
from imaginairy.urls import without_secrets

LOCAL = ("file://", "local://")
WORDS_OF_SECRETS = re.compile(r"//[^/@\s]*@|([?&][^=&\s]+=)[^&\s'\"]+")


def is_address(text: str) -> bool:
    """Tell an address of another file system from a path."""
    return "://" in text and not text.startswith(LOCAL)


def shown(address: str) -> str:
    """Return an address without anything that might be a secret in it."""
    parts = [without_secrets(part) for part in address.split("::")]
    return "::".join(
        part.partition("?")[0] if "://" in part else part for part in parts
    )


def said_by(error: BaseException) -> str:
    """Return why something failed, without what might be secrets in it."""
    said = reason(error).partition("\n")[0]
    return WORDS_OF_SECRETS.sub(lambda found: found[1] or "//", said)


def opened(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it.

    Raises:
        BadOptionError: fsspec knows none such, or lacks a package for it.
    """
    from fsspec.core import url_to_fs

    try:
        fs, root = url_to_fs(address)
    except ImportError as error:
        raise BadOptionError(
            f"'{shown(address)}' needs a package that is not installed "
            f"({said_by(error)})."
        ) from None
    except Exception as error:
        raise BadOptionError(
            f"'{shown(address)}' cannot be opened ({said_by(error)}); give a path, or "
            "an address such as s3://bucket/folder."
        ) from None
    return fs, str(root)
