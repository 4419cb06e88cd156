"""What reads pictures of other tools can be imported by the names that it had."""

from importlib import import_module

import pytest

from imaginairy.metadata import foreign
from imaginairy.metadata.read import read_written


def test_it_can_be_imported_from_where_it_was() -> None:
    package = import_module("imaginairy.metadata")
    before = import_module("imaginairy.foreign_metadata")
    for name in ("parse_parameters", "read_foreign"):
        assert getattr(before, name) is getattr(foreign, name)
    assert package.read_written is read_written
    with pytest.raises(AttributeError, match="has no attribute 'read_all'"):
        package.read_all  # noqa: B018
