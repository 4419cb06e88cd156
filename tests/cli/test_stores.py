"""The store of a command, and how torch comes to it."""

import gc
import sys

import pytest

from imaginairy.cli.stores import uncollected


def test_torch_is_imported_without_looking_for_garbage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    try:
        with uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() and gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_collecting_goes_on_where_torch_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    gc.unfreeze()
    with pytest.raises(ImportError), uncollected():
        raise ImportError
    assert gc.isenabled() and gc.get_freeze_count() == 0


def test_nothing_changes_where_torch_is_there_or_nobody_collects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with uncollected():
        assert gc.isenabled()
    monkeypatch.delitem(sys.modules, "torch")
    frozen = gc.get_freeze_count()
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled() and gc.get_freeze_count() == frozen
    finally:
        gc.enable()
