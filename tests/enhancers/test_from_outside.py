"""Enhancers of other packages: the one of the docs, installed, and every clash."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import imaginairy
from imaginairy import ImaginePrompt
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.stores import Stores
from imaginairy.enhancers import ENHANCERS
from imaginairy.errors import BadOptionError
from imaginairy.metadata.read import read_metadata
from imaginairy.metadata.write import write_image
from imaginairy.plugins import GROUP, RESERVED, brought_by
from tests.support.packages import bring, enhancer_code
from tests.support.patience import HANG_GUARD_S

Imagine = Callable[..., Result]
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "enhancers.md").read_text()
SETUP, CODE = (
    re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]  # type: ignore[index]
    for language in ("toml", "python")
)

VIGNETTE = "imaginairy_vignette"
MARKING = """
from pathlib import Path
Path(__file__).with_name("imported").touch()
"""
"""Leaves a file where a module is imported."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package of the docs."""
    source = tmp_path_factory.mktemp("source")
    (source / "pyproject.toml").write_text(SETUP)
    (source / "imaginairy_vignette.py").write_text(CODE + MARKING)
    folder = tmp_path_factory.mktemp("installed")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--no-index", "--no-build-isolation", "--disable-pip-version-check"),
            *("--target", str(folder), str(source)),
        ],
        capture_output=True,
        text=True,
        timeout=HANG_GUARD_S,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def stores() -> Stores:
    """The bundled model stays loaded from one run to the next."""
    return Stores()


@pytest.fixture
def imagine(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Imagine]:
    """Draw a dog where the packages of a folder can be imported."""
    monkeypatch.chdir(tmp_path)
    known = set(sys.modules)

    def run(folder: Path, *options: str) -> Result:
        monkeypatch.syspath_prepend(folder)
        words = [
            *("a dog", "--seed", "1", "--model", "storybook", "--steps", "1"),
            *("--no-upscale", "--output-file-extension", "png", *options),
        ]
        return CliRunner().invoke(imagine_cmd, words, obj=stores)

    yield run
    for name in set(sys.modules) - known:
        if name.endswith("_package") or name in ("halver", "adder", VIGNETTE):
            del sys.modules[name]


def drawn(cwd: Path) -> tuple[np.ndarray, dict[str, object]]:
    """Return the pixels and the metadata of the last picture."""
    path = sorted((cwd / "outputs").glob("*.png"))[-1]
    with Image.open(path) as image:
        return np.asarray(image, dtype=float), read_metadata(path)


def test_the_example_of_the_docs_is_installed_and_runs(
    imagine: Imagine, installed: Path, tmp_path: Path
) -> None:
    ran = imagine(installed)
    assert ran.exit_code == 0, ran.stderr
    plain, metadata = drawn(tmp_path)
    assert "vignette" not in metadata["applied"]
    ran = imagine(installed, "--enhance", "vignette=0.8")
    assert ran.exit_code == 0, ran.stderr
    darker, metadata = drawn(tmp_path)
    assert metadata["applied"]["vignette"] == {"strength": 0.8}
    assert metadata["enhance"] == ["vignette=0.8"]
    assert np.allclose(darker[0, 0], plain[0, 0] * 0.2, atol=1)
    assert np.allclose(darker[63:65, 63:65], plain[63:65, 63:65], atol=1)


READING = """
import sys
from pathlib import Path
from click.testing import CliRunner
from imaginairy import ImaginePrompt
from imaginairy.cli.aimg import aimg

prompt = ImaginePrompt.from_file(sys.argv[1])
assert prompt.enhance == ("vignette=0.5",)
assert ImaginePrompt.from_dict(prompt.to_dict()) == prompt
complete = {"_AIMG_COMPLETE": "bash_complete", "COMP_CWORD": "3"}
for words, environment, said in (
    ("imagine --help", {}, "--enhance"),
    ("", complete | {"COMP_WORDS": "aimg imagine --enhance vi"}, "plain,vignette"),
    (f"gallery {Path(sys.argv[1]).parent}", {}, "1 picture"),
):
    ran = CliRunner(env=environment).invoke(aimg, words.split(), prog_name="aimg")
    assert said in ran.output, ran.output
"""


def test_a_package_is_imported_to_draw_and_not_to_read(
    imagine: Imagine, installed: Path, tmp_path: Path
) -> None:
    """Whoever sends a picture that names it has none of its code run."""
    strangers = tmp_path / "strangers" / "picture.png"
    tags = {"prompt": "a dog", "enhance": ["vignette=0.5"]}
    write_image(Image.new("RGB", (64, 64)), strangers, tags)
    marker = installed / "imported"
    marker.unlink(missing_ok=True)
    paths = os.pathsep.join([str(installed), *sys.path])
    read = subprocess.run(
        [sys.executable, "-c", READING, strangers],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert read.returncode == 0, read.stderr
    assert not marker.exists()
    assert imagine(installed, "--enhance", "vignette").exit_code == 0
    assert marker.exists()


@pytest.mark.parametrize(
    ("enhance", "words"),
    [
        ("vignette=much", "vignette=much is no share; give one from 0 to 1."),
        ("vinette", "known are: vignette. Did you mean 'vignette'?"),
    ],
)
def test_bad_use_of_the_example_is_one_line(
    enhance: str, words: str, imagine: Imagine, installed: Path
) -> None:
    ran = imagine(installed, "-q", "--enhance", enhance)
    assert ran.exit_code == 2
    assert ran.stderr.startswith("Error: ") and words in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_several_run_in_the_order_asked(imagine: Imagine, tmp_path: Path) -> None:
    image = "image = work.images['generated'].point(lambda v: {}); " + (
        "return work.with_images(generated=image)"
    )
    bring(tmp_path, "halver", "half", enhancer_code("half", image.format("v // 2")))
    bring(tmp_path, "adder", "more", enhancer_code("more", image.format("v + 50")))
    seen = {}
    for order in (("half", "more"), ("more", "half")):
        options = [word for name in order for word in ("--enhance", name)]
        ran = imagine(tmp_path, *options)
        assert ran.exit_code == 0, ran.stderr
        seen[order], metadata = drawn(tmp_path)
        assert [*metadata["applied"]] == ["safety", *order]
        assert metadata["enhance"] == list(order)
    dark = seen["more", "half"] < 100
    assert dark.any()
    difference = seen["half", "more"] - seen["more", "half"]
    assert set(np.unique(difference[dark])) == {25}


@pytest.mark.parametrize(
    ("packages", "name", "words"),
    [
        (
            {
                "one-package": enhancer_code("glow"),
                "other-package": enhancer_code("glow"),
            },
            "glow",
            "2 enhancers are called 'glow', from the package 'one-package' and the "
            "package 'other-package'; uninstall all but one.",
        ),
        (
            {"one-package": enhancer_code("upscale")},
            "upscale",
            "imaginairy has an enhancer 'upscale' of its own, so that of the package "
            "'one-package' cannot be used; uninstall that.",
        ),
        (
            {"one-package": "import nothing_there"},
            "glow",
            "The enhancer 'glow' of the package 'one-package' cannot be imported "
            "(ModuleNotFoundError: No module named 'nothing_there').",
        ),
        (
            {"one-package": "ENHANCER = 5"},
            "glow",
            "'one_package:ENHANCER' of the package 'one-package' is no Enhancer called "
            "'glow'.",
        ),
        (
            {"one-package": enhancer_code("shine")},
            "glow",
            "'one_package:ENHANCER' of the package 'one-package' is no Enhancer called "
            "'glow'.",
        ),
        ({}, "glow", "There is no enhancer 'glow'; none is installed."),
        ({}, "pytest", "There is no enhancer 'pytest'; none is installed."),
    ],
)
def test_clashes_and_faults_are_said_before_a_model_is_loaded(
    packages: dict[str, str],
    name: str,
    words: str,
    imagine: Imagine,
    tmp_path: Path,
) -> None:
    for package, code in packages.items():
        bring(tmp_path, package, name, code)
    (tmp_path / "broken.safetensors").touch()  # would be refused when it is loaded
    ran = imagine(tmp_path, "--enhance", name, "--model", "broken.safetensors")
    assert (ran.exit_code, ran.stderr) == (2, f"Error: {words}\n")


def test_python_is_told_before_a_model_is_loaded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(tmp_path, "one-package", "broken", "import nothing_there")
    monkeypatch.syspath_prepend(tmp_path)
    model = tmp_path / "broken.safetensors"
    model.touch()
    prompt = ImaginePrompt("a dog", model=str(model), enhance=("broken",))
    with pytest.raises(BadOptionError, match="cannot be imported"):
        next(imaginairy.imagine(prompt))


def test_one_of_several_prompts_that_asks_for_a_broken_one_ends_all(
    imagine: Imagine, tmp_path: Path
) -> None:
    bring(tmp_path, "one-package", "broken", "import nothing_there")
    (tmp_path / "cats.jsonl").write_text(
        '{"prompt": "a cat"}\n{"prompt": "a white cat", "enhance": ["broken"]}'
    )
    ran = imagine(tmp_path, "--prompts-file", "cats.jsonl")
    assert ran.exit_code == 2
    assert ran.stderr.startswith("Error: The enhancer 'broken' of the package")
    assert not (tmp_path / "outputs").exists()


def test_a_broken_package_harms_nobody_who_does_not_ask_for_it(
    imagine: Imagine, tmp_path: Path
) -> None:
    bring(tmp_path, "one-package", "broken", "import nothing_there")
    bring(tmp_path, "other-package", "glow", enhancer_code("glow"))
    assert imagine(tmp_path, "--enhance", "glow").exit_code == 0


@pytest.mark.parametrize(
    ("code", "said"), [("1 / 0", "division by zero"), ("raise KeyError", "KeyError")]
)
def test_a_failure_of_other_peoples_code_is_one_line(
    code: str, said: str, imagine: Imagine, tmp_path: Path
) -> None:
    bring(tmp_path, "one-package", "glow", enhancer_code("glow", code))
    ran = imagine(tmp_path, "-q", "--enhance", "glow")
    assert ran.exit_code == 1
    assert ran.stderr == f"Error: The enhancer 'glow' failed: {said}.\n"


def test_what_no_package_is_known_of_is_named_by_its_code() -> None:
    assert brought_by(EntryPoint("glow", "glowing:GLOW", GROUP)) == "'glowing:GLOW'"


def test_names_of_ours_are_taken() -> None:
    assert tuple(row.name for row in ENHANCERS) == RESERVED


def test_the_page_names_every_row_in_its_order() -> None:
    finished = [f"`{row.name}`" for row in ENHANCERS if row.moment == "finished"]
    assert f"<!-- finished -->{', '.join(finished)}<!-- -->" in " ".join(PAGE.split())
    for row in ENHANCERS:
        assert f"| `{row.name}` | {row.summary} |" in PAGE
