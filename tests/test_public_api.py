"""What is public is exported, listed, sorted and documented."""

import inspect

import imaginairy
from imaginairy.fields import options
from imaginairy.schema import ImaginePrompt


def test_all_is_sorted_and_complete() -> None:
    assert sorted(imaginairy.__all__) == imaginairy.__all__
    for name in imaginairy.__all__:
        assert getattr(imaginairy, name) is not None


def test_public_names_are_documented() -> None:
    for name in imaginairy.__all__:
        thing = getattr(imaginairy, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__doc__, name


def test_every_option_of_the_command_is_a_field_with_help() -> None:
    for name, row in options(ImaginePrompt).items():
        assert row.help or not row.section, name
