"""Fill in what the pages say that the program knows better: `python docs/fill.py`.

A page holds `<!-- from: NAME ... -->` and `<!-- end -->`; what stands between comes
from a function below. With `--check` nothing is written, and the exit code is 1 where
a page is not as it would be.
"""

import ast
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import beside
import capacity
from click.testing import CliRunner
from docstrings import errors, public_names
from safetensors import safe_open

import imaginairy
from imaginairy.cli.aimg import aimg
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.families.adapter_kinds import ADAPTERS
from imaginairy.families.strangers import MODELS as STRANGERS
from imaginairy.families.strangers import PARTS as ALONE
from imaginairy.families.table import FAMILIES
from imaginairy.samplers import SAMPLERS
from imaginairy.sources.catalog import known, models_for
from imaginairy.sources.roles import (
    BESIDE,
    DEFAULT_MODEL,
    DRAWS,
    IMAGE_ENCODER,
    IMAGE_PROMPT,
    TEXT_ENCODER,
    VAE,
)
from imaginairy.sources.rows import (
    BundledFolder,
    DrawingDefaults,
    HubFile,
    HubRepo,
    Packings,
)

ROOT = Path(__file__).parent.parent
PACKAGE = Path(imaginairy.__file__).parent
BLOCK = re.compile(
    r"(?P<start><!-- from: (?P<words>[^>]+?) -->\n).*?(?P<end><!-- end -->)", re.S
)
COMMANDS = {"imagine": imagine_cmd, "aimg": aimg}
SD = capacity.KINDS[2]
HELP_WIDTH = 78
"""What click takes in a terminal 80 wide."""
PARTS = {
    "text_encoder": "text encoder: a prompt to 48 vectors of 224 numbers",
    "unet": "UNet: the noise in latents, given a text",
    "vae": "autoencoder: pictures to latents and back",
}
ASKED = {
    "shapes": {
        "ground": "shapes: the ground's colour",
        "color_and_ground": "shapes: all colours, each in its place",
        "one_shape": "of these, one shape",
        "two_shapes": "of these, two shapes on their sides",
        "outline": "shapes: outlines",
    },
    "scenes": {
        "group": "scenes: the kind of scene",
        "time of day": "time of day",
        "hair": "hair, its colour and cut",
        "glasses": "glasses, or none",
        "smile": "smiling, sad or serious",
        "who": "woman, man, girl or boy, and what they are",
        "fruit": "fruit",
        "kind": "coats, patterns, kinds of animals and things",
        "all": "all that scenes were asked to show",
    },
}
"""What reports measure, in words."""


def main() -> int:
    """Fill every page, or only look; return the exit code."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    check = "--check" in sys.argv[1:]
    stale = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        filled = BLOCK.sub(fill, text)
        if filled != text:
            stale.append(page.relative_to(ROOT))
            if not check:
                page.write_text(filled, encoding="utf-8")
    for page in stale:
        print(f"{page} is not what the program says; run make docs" if check else page)
    return 1 if check and stale else 0


def fill(match: re.Match[str]) -> str:
    """Return one block anew."""
    name, *arguments = match["words"].split()
    return f"{match['start']}\n{SOURCES[name](*arguments).strip()}\n\n{match['end']}"


def help_text(name: str, *command: str) -> str:
    """Return what a command says with --help."""
    asked = CliRunner().invoke(
        COMMANDS[name],
        [*command, "--help"],
        prog_name=name,
        terminal_width=HELP_WIDTH,
        catch_exceptions=False,
    )
    assert asked.exit_code == 0, asked.output
    return f"```text\n{asked.stdout}```"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def models() -> str:
    """List the models known by name."""
    default = DEFAULT_MODEL
    return table(
        ("name", "what it is", "licence"),
        (
            (
                f"`{spec.name}`{' (default)' if spec.name == default else ''}",
                spec.summary,
                spec.licence,
            )
            for spec in models_for(DRAWS)
        ),
    )


def model_details() -> str:
    """Say everything that the catalog knows of each model."""
    parts, titles = [], {family.name: family.title for family in FAMILIES}
    for spec in models_for(DRAWS):
        does = spec.defaults
        rows = [
            ("family", titles[spec.family]),
            ("licence", spec.licence),
            ("also called", ", ".join(f"`{alias}`" for alias in spec.aliases)),
            ("size of its images", f"{does.width} x {does.height}"),
            ("by default", by_default(does)),
            ("other parts", f"those of `{spec.over}`" if spec.over else ""),
        ]
        match spec.weights:
            case HubFile() as file:
                rows += [
                    ("repository", f"`{file.repo}`"),
                    ("file", f"`{file.path}`"),
                    ("revision", f"`{file.revision}`"),
                    ("size", f"{file.size:,} bytes" if file.size else "not stated"),
                    ("SHA-256", f"`{file.sha256}`" if file.sha256 else "not stated"),
                ]
            case Packings(choices):
                rows += [(f"`:{each.name}`", beside.packed(each)) for each in choices]
            case HubRepo() as repo:
                rows.append(("repository", f"`{repo.repo}`, as a folder"))
            case BundledFolder() as folder:
                rows.append(("file", f"comes with the package, `{folder.name}/`"))
        summary = f"{spec.summary[0].upper()}{spec.summary[1:]}. {spec.notice}".strip()
        rows = [row for row in rows if row[1]]
        parts.append(f"### {spec.name}\n\n{summary}\n\n{table(('', ''), rows)}")
    return "\n\n".join(parts)


def by_default(does: DrawingDefaults) -> str:
    """Say how a model draws where nothing is asked."""
    names = filter(None, (does.sampler, does.schedule))
    return re.sub(rf"\b({'|'.join(names)})\b(?!:)", r"`\1`", does.described)


def families() -> str:
    """List the families of models that generate, and how each is told."""
    rows = []
    for family in FAMILIES:
        does = DrawingDefaults(**family.defaults)
        told = " ".join((family.detect.__doc__ or "").partition("\n\n")[0].split())
        rows.append(
            (
                family.title,
                f"{family.native} x {family.native}",
                by_default(does),
                ", ".join(f"`{part.prefix}`" for part in family.parts),
                ", ".join(f"`{folder}/`" for folder in family.folders),
                told.removeprefix("Tell ").removeprefix("it ").rstrip("."),
            )
        )
    head = "family", "native size", "by default", "names in a single file"
    return table((*head, "folders", "told"), rows)


def strangers() -> str:
    """List what is refused by name."""
    kinds = {
        "models of other families": STRANGERS,
        "what works beside a model": ADAPTERS,
        "parts of models": ALONE,
    }
    rows = [
        (what, "; ".join(dict.fromkeys(kind.title.rstrip(",") for kind in rows)))
        for what, rows in kinds.items()
    ]
    return table(("what", "which"), rows)


def companions() -> str:
    """List the models beside the one that generates, by what they are for."""
    return others(*BESIDE, IMAGE_PROMPT, IMAGE_ENCODER)


def others(*roles: str) -> str:
    """List models of roles, and where they are from."""
    return table(beside.HEAD, beside.others(*roles))


def samplers() -> str:
    """List the samplers."""
    return table(
        ("name", "what it does", "model calls a step", "adds noise", "from"),
        (
            (
                f"`{row.name}`",
                row.summary,
                "as many as it needs"
                if row.adaptive
                else str(row.evaluations_per_step),
                "yes" if row.draws_noise or row.takes_eta else "no",
                row.paper,
            )
            for row in SAMPLERS.values()
        ),
    )


def places(*names: str) -> str:
    """Say what lives in folders and files of the package, by their own words."""
    rows = []
    for name in names:
        folder, file = PACKAGE / name, PACKAGE / f"{name}.py"
        source = folder / "__init__.py" if folder.is_dir() else file
        said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
        first = " ".join(said.partition("\n\n")[0].split())
        rows.append((f"`{name}{'/' if folder.is_dir() else '.py'}`", first))
    return table(("place", "what lives there"), rows)


def storybook_parts() -> str:
    """List the networks of the bundled model and how many numbers each has learnt."""
    weights = known(DRAWS, "storybook").weights
    assert isinstance(weights, BundledFolder)
    rows, total = [], 0
    for part, what in PARTS.items():
        (path,) = (weights.path / part).glob("*.safetensors")
        with safe_open(path, framework="np") as file:
            count = sum(file.get_tensor(name).size for name in file.keys())  # noqa: SIM118
        total += count
        rows.append((what, f"{count / 1e6:.1f} million"))
    return table(
        ("network", "parameters"), [*rows, ("together", f"{total / 1e6:.1f} million")]
    )


MEASURED = {
    "colourfulness": "how far channels are from grey, of 255",
    "brightness": "brightness, of 255",
    "blue": "share of blue in all light",
    "edges": "how much neighbours differ, of 255",
}
STYLES = {
    "pencil-sketch": ("colourfulness", "brightness"),
    "blue-hour": ("blue", "brightness"),
    "soft-pastel": ("edges", "brightness"),
    "ink-outline": ("edges", "colourfulness"),
}
"""What is told of each style."""


def drawing_figures() -> str:
    """Say how much of what is asked for the bundled model draws, as last measured."""
    drawn = figures("report")
    truth = drawn["drawings"]
    rows = [
        (words, f"{drawn[part][name]:.1%}", f"{truth[part][name]:.1%}")
        for part, names in ASKED.items()
        for name, words in names.items()
        if name in drawn[part]
    ]
    return table(("what was asked for", "drawn", "seen in the world's drawings"), rows)


def adapter_styles() -> str:
    """Say what is measured of pictures in each style, by how strong it is."""
    styles = figures("adapters")["styles"]
    strengths = ("-1", "0", "0.5", "1")
    rows = [
        (
            f"`{name}`",
            MEASURED[measure],
            *(f"{by[each][measure]:.3g}" for each in strengths),
        )
        for name, by in styles.items()
        for measure in STYLES[name]
    ]
    return table(("style", "mean of 19 pictures", *strengths), rows)


def adapter_steps() -> str:
    """Say how much comes as asked in few steps and in many."""
    names = {
        "ground": "ground",
        "color_and_ground": "all colours",
        "outline": "outlines",
    }
    rows = [
        (way, *(f"{found[name]:.1%}" for name in names))
        for way, found in figures("adapters")["steps"].items()
    ]
    return table(("100 prompts of colours and shapes", *names.values()), rows)


def figures(name: str) -> dict[str, Any]:
    """Return what a report has measured."""
    path = ROOT / "storybook" / "reports" / "figures" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def text_of(path: str) -> str:
    """Return a page from elsewhere in the repository, without its title."""
    return (ROOT / path).read_text(encoding="utf-8").split("\n", 1)[1]


def table_of(path: str) -> str:
    """Return the first table of a page from elsewhere in the repository."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rest = lines[first:]
    end = next((i for i, line in enumerate(rest) if not line.startswith("|")), None)
    return "\n".join(rest[:end])


def capacity_needed() -> str:
    """Say what a million images a day needs."""
    head = ("images", "one takes", "devices", "files a day", "to the store")
    return table((*head, "weights, to a node"), capacity.needs(1e6))


def capacity_limits() -> str:
    """Say where something else than devices becomes the limit."""
    rows = ((what, f"{most / 1e6:.0f} million") for what, most in capacity.limits(SD))
    return table(("what", "images a day"), rows)


SOURCES: dict[str, Callable[..., str]] = {
    "adapter-steps": adapter_steps,
    "adapter-styles": adapter_styles,
    "api": public_names,
    "capacity-limits": capacity_limits,
    "capacity-needed": capacity_needed,
    "companions": companions,
    "controls": lambda: table(beside.CONTROLS_HEAD, beside.controls()),
    "vaes": lambda: others(VAE),
    "text-encoders": lambda: others(TEXT_ENCODER),
    "drawing-figures": drawing_figures,
    "errors": errors,
    "families": families,
    "help": help_text,
    "model-details": model_details,
    "models": models,
    "places": places,
    "samplers": samplers,
    "storybook-parts": storybook_parts,
    "strangers": strangers,
    "table": table_of,
    "text": text_of,
}
"""What can stand after `from:`."""

if __name__ == "__main__":
    sys.exit(main())
