"""The models known by name, as data; nothing here needs torch.

Sizes and SHA-256 sums are the published ones; `None` where no public source states
one. A model not listed here is used by its path or its `owner/repo` on the hub.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from imaginairy.errors import UnknownModelError, near_miss

BUNDLED_FOLDER = Path(__file__).parent.parent / "data"


@dataclass(frozen=True)
class HubFile:
    """One file of a repository on the Hugging Face hub."""

    repo: str
    path: str
    revision: str = "main"
    size: int | None = None
    """Bytes, where known."""
    sha256: str | None = None


@dataclass(frozen=True)
class HubRepo:
    """A whole repository on the hub."""

    repo: str
    revision: str = "main"
    sha256: tuple[tuple[str, str], ...] = ()
    """Files whose sums are known, and these."""


@dataclass(frozen=True)
class WebFile:
    """One file of the web, such as an asset of a release."""

    url: str
    size: int
    """Bytes."""
    sha256: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.url.rpartition("/")[2]

    @property
    def server(self) -> str:
        """The address of the server that has it."""
        scheme, server, *_ = urlsplit(self.url)
        return f"{scheme}://{server}"


@dataclass(frozen=True)
class LocalPath:
    """A checkpoint file or folder of the user's own."""

    path: Path


@dataclass(frozen=True)
class BundledFolder:
    """A folder that comes with the package."""

    name: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return BUNDLED_FOLDER / self.name


@dataclass(frozen=True)
class NoWeights:
    """Nothing: a formula, which learnt nothing and lies nowhere."""


@dataclass(frozen=True)
class ModelSpec:
    """A model that draws pictures, and what it does when the user does not say."""

    name: str
    summary: str
    weights: HubFile | HubRepo | BundledFolder | LocalPath
    licence: str
    aliases: tuple[str, ...] = ()
    width: int = 512
    """Pixels; the size it was trained at."""
    height: int = 512
    steps: int = 40
    prompt_strength: float = 7.5
    sampler: str = "plms"
    companions: Literal["published", "bundled"] = "published"
    """Which models go with its pictures: what masks them, upscales them and so on."""
    upscales: bool = False
    """Whether its pictures are made larger."""
    reach: float = 4.0
    """How many times the area it was trained at it can draw, before things double; of
    models of one's own nobody knows, so they are let go far."""


CLIP_TOKENIZER = HubFile(
    repo="openai/clip-vit-large-patch14",
    path="tokenizer.json",
    revision="32bd64288804d66eefd0ccbe215aa642df71cc41",
    size=2224003,
    sha256="a83e0809aa4c3af7208b2df632a7a69668c6d48775b3c3fe4e1b1199d1f8b8f4",
)
"""The vocabulary of the Stable Diffusion 1.x checkpoints that bring none."""

SD_REACH = 2.25
"""768 x 768, or 1024 x 576, of 512 x 512."""
OPEN_RAIL_M = "CreativeML Open RAIL-M (use-based restrictions)"

MODELS: tuple[ModelSpec, ...] = (
    ModelSpec(
        name="sd15",
        aliases=("sd-1.5", "sd-v1.5", "stable-diffusion-1.5"),
        summary="Stable Diffusion 1.5",
        weights=HubFile(
            repo="stable-diffusion-v1-5/stable-diffusion-v1-5",
            path="v1-5-pruned-emaonly.safetensors",
            revision="451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
            size=4265146304,
            sha256="6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa",
        ),
        licence=OPEN_RAIL_M,
        reach=SD_REACH,
    ),
    ModelSpec(
        name="sd15-inpainting",
        aliases=("sd-1.5-inpainting", "inpainting"),
        summary="Stable Diffusion 1.5 for inpainting",
        weights=HubFile(
            repo="stable-diffusion-v1-5/stable-diffusion-inpainting",
            path="sd-v1-5-inpainting.ckpt",
            revision="8a4288a76071f7280aedbdb3253bdb9e9d5d84bb",
            size=4265437280,
            sha256="c6bbc15e3224e6973459ba78de4998b80b50112b0ae5b5c67113d56b4e366b19",
        ),
        licence=OPEN_RAIL_M,
        reach=SD_REACH,
    ),
    ModelSpec(
        name="sd14",
        aliases=("sd-1.4", "sd-v1.4", "stable-diffusion-1.4"),
        summary="Stable Diffusion 1.4",
        weights=HubFile(
            repo="CompVis/stable-diffusion-v-1-4-original",
            path="sd-v1-4.ckpt",
            size=4265380512,
            sha256="fe4efff1e174c627256e44ec2991ba279b3816e364b49f9be2abc0b3ff3f8556",
        ),
        licence=OPEN_RAIL_M,
        reach=SD_REACH,
    ),
    ModelSpec(
        name="storybook",
        aliases=("bundled",),
        summary="a small model of a drawn world, bundled with the package",
        weights=BundledFolder("storybook"),
        licence="MIT",
        width=128,
        height=128,
        steps=25,
        prompt_strength=3.5,
        sampler="ddim",
        companions="bundled",
        upscales=True,
        reach=1.0,
    ),
)

DEFAULT_MODEL = "sd15"
BUNDLED_MODEL = "storybook"


def find_model(name: str) -> ModelSpec | None:
    """Return the row that goes by that name or alias, in any case."""
    wanted = name.lower()
    for spec in MODELS:
        if wanted in (spec.name, *spec.aliases):
            return spec
    return None


def known_model(name: str) -> ModelSpec:
    """Return the row of that name or alias; raise UnknownModelError without one."""
    spec = find_model(name)
    if spec is None:
        names = [spec.name for spec in MODELS]
        raise UnknownModelError(
            f"There is no model '{name}'; give one of {', '.join(names)}, the path of "
            "a checkpoint file or folder, or a repository as owner/repo."
            + near_miss(name, names)
        )
    return spec
