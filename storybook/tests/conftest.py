"""Surroundings of every test, the same as those of the package's own."""

from tests.conftest import (
    log_as_a_library_has_it,
    nobody_was_told_anything,
    only_this_machine,
    pytest_fixture_setup,
    pytest_runtest_call,
    pytest_unconfigure,
)

__all__ = [
    "log_as_a_library_has_it",
    "nobody_was_told_anything",
    "only_this_machine",
    "pytest_fixture_setup",
    "pytest_runtest_call",
    "pytest_unconfigure",
]
