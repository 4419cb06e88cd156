"""Surroundings of every test, the same as those of the package's own."""

import pytest

import tests.conftest
from tests.conftest import (
    log_as_a_library_has_it,
    nobody_was_told_anything,
    only_this_machine,
    pytest_collection_finish,
    pytest_fixture_setup,
    pytest_runtest_call,
    pytest_unconfigure,
)

__all__ = [
    "log_as_a_library_has_it",
    "nobody_was_told_anything",
    "only_this_machine",
    "pytest_collection_finish",
    "pytest_fixture_setup",
    "pytest_runtest_call",
    "pytest_unconfigure",
]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how the tests are run in this order again, where no other says it."""
    if not config.pluginmanager.is_registered(tests.conftest):
        tests.conftest.pytest_terminal_summary(terminalreporter, config)
