"""Under which names that reads what pictures say can be imported."""

from importlib import import_module

import pytest

from imaginairy.metadata.read import read_written


def test_it_can_be_imported_from_where_it_was_and_from_its_package() -> None:
    names = "parse_parameters", "read_foreign"
    by_package = import_module("imaginairy.metadata")
    by_old_name = import_module("imaginairy.foreign_metadata")
    for name in names:
        assert getattr(by_package, name) is getattr(by_old_name, name)
    assert by_package.read_written is read_written
    with pytest.raises(AttributeError, match="has no attribute 'read_all'"):
        by_package.read_all  # noqa: B018
