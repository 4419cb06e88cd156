"""The page for people of other tools: what each row shows runs, and does something."""

import html
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from click.testing import CliRunner
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

import imaginairy
from imaginairy import ImaginePrompt, WeightedPrompt, imagine
from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from imaginairy.samplers import SAMPLERS
from imaginairy.sources.rows import BUNDLED_FOLDER
from tests.support.adapters import save_bundled_style

PAGE = Path(__file__).parent.parent / "docs" / "coming-from.md"
SECTIONS = dict(
    re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
)
TOOLS = [name for name, text in SECTIONS.items() if "| there | here |" in text]
NAMES = "Names of samplers"
CODE = re.compile(r"`([^`]+)`|<code>(.+?)</code>")
QUICK = "--model storybook --no-upscale --steps 2 --seed 1 --json -q"
BUNDLED = {
    "imagine": QUICK,
    "edit": QUICK,
    "again": "--json -q",
    "upscale": "--model storybook-upscaler -q",
    "fix-faces": "--model storybook-codeformer --detector storybook-faces -q",
    "describe": "--caption-model storybook-blip -q",
}
"""What each command is given besides, so that it needs no network and little time."""
SIZES = {"--size", "--draw-size", "--width", "--height", "-w", "-h"}
VAE = "storybook/vae/diffusion_pytorch_model.safetensors"
TEXT = "storybook/text_encoder/model.safetensors"
WIDTH = 224
"""Of the text that the bundled model reads."""
UNTOLD = {"created", "path", "again"}


def rows(section: str) -> list[list[str]]:
    """Return the cells of a section's table, without its head."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("|")]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines[2:]
    ]


def codes(cell: str) -> list[str]:
    return [html.unescape(found[0] or found[1]) for found in CODE.findall(cell)]


SHOWN = [
    pytest.param(code, id=f"{tool.split()[0]}: {code}")
    for tool in TOOLS
    for _, here, _ in rows(tool)
    for code in codes(here)
]


def is_python(code: str) -> bool:
    return bool(re.match(r"[A-Z]\w+\(|[a-z]+\(|\[", code))


@pytest.fixture(scope="module")
def stores() -> Iterator[Stores]:
    """The bundled model, loaded once for all rows."""
    stores = Stores()
    yield stores
    stores.clear()


@pytest.fixture(scope="module")
def files(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the page names."""
    folder = tmp_path_factory.mktemp("files")
    prompt = ImaginePrompt("photo of a dog", seed=1, steps=4, model="storybook")
    store = stores.get()
    result = next(imagine(replace(prompt, upscale=False), store=store))
    for name in ("photo.jpg", "image.png", "outputs/000001_1_dog.png"):
        result.save(folder / name)
    mask = Image.new("L", (128, 128))
    ImageDraw.Draw(mask).rectangle((0, 0, 128, 64), fill=255)
    mask.save(folder / "mask.png")
    weights = load_file(BUNDLED_FOLDER / VAE)
    weights["decoder.conv_out.bias"] = weights["decoder.conv_out.bias"] + 0.5
    save_file(weights, folder / "vae.safetensors")
    reader = load_file(BUNDLED_FOLDER / TEXT)
    save_file(reader, folder / "clip.safetensors")
    save_bundled_style(folder / "sketch.safetensors")
    save_file({"emb_params": torch.ones(2, WIDTH)}, folder / "easynegative.safetensors")
    pair = [{"linear.0.weight": torch.eye(WIDTH) * n} for n in (1, 2)]
    torch.save({WIDTH: tuple(pair)}, folder / "anime.pt")
    (folder / "prompts.txt").write_text("a red fox\na bowl of fruit\n")
    return folder


@pytest.fixture
def place(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with the files that the page names."""
    folder = tmp_path / "place"
    shutil.copytree(files, folder)
    monkeypatch.chdir(folder)
    # Where names lie is looked up once, so it is a place that outlives a row.
    monkeypatch.setenv("IMAGINAIRY_ADAPTERS", str(files))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return folder


def command(code: str) -> list[str]:
    """Return the words of a row that shows a command, a prompt, or only options."""
    words = shlex.split(code)
    if code.startswith("-"):
        words = ["imagine", "a dog", *words]
    elif code.startswith('"'):
        words = ["imagine", *words]
    return words[1:] if words[0] == "aimg" else words


def run(words: list[str], stores: Stores) -> list[dict[str, Any]]:
    """Run a command of `aimg`; return what it says of each image, where it does."""
    name, *rest = words
    besides = shlex.split(BUNDLED.get(name, ""))
    if name == "imagine" and not SIZES & {*rest}:
        besides += ["--size", "64"]
    ran = CliRunner().invoke(aimg, [name, *besides, *rest], obj=stores)
    assert ran.exit_code == 0, ran.output
    told = [line for line in ran.stdout.splitlines() if line.startswith("{")]
    said = [json.loads(line) for line in told]
    return [{key: row[key] for key in row if key not in UNTOLD} for row in said]


@pytest.fixture(scope="module")
def plainly(
    stores: Stores, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """What `imagine "a dog"` says of its image."""
    outdir = str(tmp_path_factory.mktemp("plain"))
    return run(["imagine", "a dog", "--outdir", outdir], stores)


@pytest.mark.parametrize(
    "code", [each for each in SHOWN if not is_python(each.values[0])]
)
def test_commands_of_the_page_run_and_do_something(
    code: str, place: Path, stores: Stores, plainly: list[dict[str, Any]]
) -> None:
    words = command(code)
    before = set(place.rglob("*"))
    said = run(words, stores)
    made = {path for path in set(place.rglob("*")) - before if path.is_file()}
    if words[0] not in ("models", "describe"):
        assert made, "nothing was saved"
    if words[0] == "imagine" and "storybook" not in words:
        elsewhere = {path.parent.name for path in made} != {"outputs"}
        assert said != plainly or elsewhere or len(made) > 1, "it changes nothing"


@pytest.mark.parametrize("code", [each for each in SHOWN if is_python(each.values[0])])
def test_calls_of_the_page_run_and_do_something(
    code: str, place: Path, stores: Stores
) -> None:
    store = stores.get()
    names = {name: getattr(imaginairy, name) for name in imaginairy.__all__}
    names["store"] = store
    for name in ("photo.jpg", "mask.png"):
        with Image.open(name) as image:
            names[Path(name).stem] = image.copy()
    encoder = store.get("storybook").diffusion.encoders["text"]
    names["embeddings"] = encoder.embed([WeightedPrompt("a cat")])
    found = eval(code, names)
    assert found
    for prompt in found if isinstance(found, list) else [found]:
        if isinstance(prompt, ImaginePrompt):
            plain = ImaginePrompt("a dog", seed=prompt.seed)
            assert prompt.to_dict() != plain.to_dict() or "seed=" in code
            asked = replace(prompt, model="storybook", upscale=False)
            quick = replace(asked, steps=prompt.steps or 2)
            assert next(imagine(quick, store=store)).img.size >= (128, 128)


def test_every_row_shows_something_and_all_tools_are_there() -> None:
    assert [tool.split()[0] for tool in TOOLS] == [
        "AUTOMATIC1111",
        "ComfyUI",
        "diffusers",
        "InvokeAI",
        "ImaginAIry",
    ]
    for tool in TOOLS:
        for row in rows(tool):
            assert len(row) == 3 and row[0] and codes(row[1]), row


def test_samplers_are_called_as_the_page_says() -> None:
    table = rows(NAMES)
    assert [codes(row[0]) for row in table] == [[name] for name in SAMPLERS]
    for ours, theirs, *names, classes in table:
        called = [theirs] * bool(theirs)
        for name in [*called, *(name for cell in names for name in codes(cell))]:
            assert codes(ours) == [ImaginePrompt("a", sampler_type=name).sampler_type]
        for name in codes(classes):
            assert hasattr(diffusers, name), name
