"""A field of a prompt says all that is known of it; a new one needs no other line."""

from dataclasses import dataclass
from typing import Any

import click
import pytest
from click.testing import CliRunner

from imaginairy import ImaginePrompt
from imaginairy.checks import Choice, Number, flag
from imaginairy.cli.options import given, prompt_options
from imaginairy.cli.sections import SectionedCommand
from imaginairy.errors import BadOptionError
from imaginairy.fields import Need, Shortcut, option, options, written

FROST = Need("frost", "{name} {value} needs frost, which is {other}; give some.")
COLD = Need(
    "frost", "{name} needs more frost than {other}.", met=lambda frost: frost > 4
)


@dataclass(frozen=True, kw_only=True)
class Wintry(ImaginePrompt):
    """A prompt with four fields more."""

    snow: bool = option(
        "Let it snow.", flag, False, section="Sampling", after="steps",
        needs=(COLD,), implies={"stars": 3},
    )  # fmt: skip
    frost: float = option(
        "How cold it is.", Number(0, 9), 1.0, section="Finishing", short="f",
        also=("ice",),
    )  # fmt: skip
    stars: int | None = option(
        "How many stars.", Number(1, 5, whole=True), section="Size",
        says="what shines", shortcuts=(Shortcut("starry", "5"),),
    )  # fmt: skip
    moon: str = option(
        "Its shape.", Choice(("none", "full")), "none", section="Size",
        needs=(FROST,), says="what shines",
    )  # fmt: skip


@pytest.fixture
def draw() -> click.Command:
    """A command with an option for each of its fields."""

    @click.command("draw", cls=SectionedCommand)
    @prompt_options(Wintry)
    def draw(**values: Any) -> None:
        click.echo(given(values, Wintry))

    return draw


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("Sampling", "from noise to image. --snow / --no-snow Let it snow. --speed"),
        ("Finishing", "-f, --frost FLOAT How cold it is. [default: 1.0] Also: --ice."),
        ("Size", "Also: --seamless. --tile-x The same as --tile-mode x."),
        ("Size", "--stars INTEGER How many stars. --starry The same as --stars 5."),
        ("Size", "--moon TEXT Its shape. [default: none]"),
        ("Editing", "--denoising-strength FLOAT How much of the init image is changed"),
    ],
)
def test_help_shows_it_in_its_section(
    section: str, words: str, draw: click.Command
) -> None:
    whole = CliRunner().invoke(draw, ["--help"], terminal_width=200).output
    shown = whole.partition(f"{section}:\n")[2].partition("\n\n")[0]
    assert words in " ".join(shown.split())
    assert "Other:" not in whole, "what has no section is no option"


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ([], {}),
        (["--snow", "--ice", "5"], {"snow": True, "frost": 5.0}),
        (["-f", "0", "--no-snow"], {"snow": False, "frost": 0.0}),
        (["--starry", "--seed", "3"], {"seed": 3, "stars": 5}),
        (["--stars", "2", "--moon", "full"], {"stars": 2, "moon": "full"}),
        (["--enhance", "a", "--enhance", "b=2"], {"enhance": ("a", "b=2")}),
        (["--denoising-strength", "0.75"], {"init_image_strength": 0.25}),
    ],
)
def test_a_command_reads_it(
    words: list[str], values: dict[str, Any], draw: click.Command
) -> None:
    assert CliRunner().invoke(draw, words).output == f"{values}\n"


def test_a_shell_offers_what_it_may_hold(draw: click.Command) -> None:
    (moon,) = (param for param in draw.params if param.name == "moon")
    offered = moon.shell_complete(click.Context(draw), "f")
    assert [each.value for each in offered] == ["full"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"frost": 10}, "frost 10 is out of range; give one from 0 to 9."),
        ({"snow": True, "frost": 4}, "snow needs more frost than 4."),
        ({"moon": "FULL"}, "moon full needs frost, which is 1.0; give some."),
        (
            {"moon": "full", "stars": 2, "frost": 5},
            "stars and moon both say what shines; give one of them.",
        ),
        ({"moon": "full", "snow": True, "frost": 5}, "stars and moon both say what"),
        ({"caption_text": "{star}"}, r"no field of a prompt.* mean 'stars'\?"),
    ],
)
def test_it_is_checked_alone_and_with_others(
    values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadOptionError, match=sentence):
        Wintry("a fox", **values)


def test_what_is_left_at_its_default_needs_nothing() -> None:
    prompt = Wintry("a fox", snow=False, moon="none", stars=None, frost=1)
    assert prompt == Wintry("a fox", seed=prompt.seed)


def test_what_it_implies_holds_where_nothing_else_is_said() -> None:
    assert Wintry("a fox", snow=True, frost=5).stars == 3
    assert Wintry("a fox", snow=True, frost=5, stars=1).stars == 1
    assert Wintry("a fox").stars is None


def test_it_is_recorded_and_read_back() -> None:
    prompt = Wintry("a fox", moon="full", frost=5)
    assert prompt.to_dict()["moon"] == "full"
    assert Wintry.from_dict(prompt.to_dict()) == prompt


def test_all_but_embeddings_can_be_written() -> None:
    assert written(Wintry)[0] == "prompt"
    assert set(options(Wintry)) - set(written(Wintry)) == {"conditioning"}


def test_what_is_needed_and_followed_are_fields() -> None:
    known = options(ImaginePrompt)
    for row in known.values():
        named = [need.field for need in row.needs]
        assert {*named, *row.implies, *row.follows} <= {*known}
        assert row.after is None or known[row.after].section == row.section
