"""What a row of the catalog says: a model, what it is for, and where it lies."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

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
    about: int = 0
    """Bytes, where they are not known to the last one; of these nothing is checked."""
    holds: str = ""
    """What it is told to be, of a text encoder whose place another may take."""


@dataclass(frozen=True)
class HubRepo:
    """A whole repository on the hub."""

    repo: str
    revision: str = "main"
    sha256: tuple[tuple[str, str], ...] = ()
    """Files whose sums are known, and these."""
    folder: str = ""
    """The folder in it that is meant; else all of it."""


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
class Address:
    """A file at a web address, of which nothing is known."""

    url: str


@dataclass(frozen=True)
class LocalPath:
    """A checkpoint file or folder of the user's own."""

    path: Path


@dataclass(frozen=True)
class BundledFolder:
    """A folder, or one file, that comes with the package."""

    name: str
    """In the package's data, with `/` where it lies deeper."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        return BUNDLED_FOLDER / self.name


@dataclass(frozen=True)
class NoWeights:
    """Nothing: a formula, which learnt nothing and lies nowhere."""


@dataclass(frozen=True)
class Packing:
    """The weights of a model packed in one way, in the files of its parts."""

    name: str
    """How it is asked for, behind the name of the model: `q8_0`."""
    lies: tuple[HubFile, ...] | HubRepo
    """The network that draws first, then the other parts; or all of them as a folder,
    which is taken where it is here or asked for, as it is larger than need be."""
    about: tuple[int, ...] = ()
    """Bytes of memory that the parts of a folder take; on disk they may take more."""
    chosen: str = ""
    """Why it was chosen, in a sentence; nothing where it was asked for."""

    @property
    def size(self) -> int | None:
        """Bytes of its files, as well as they are known; of a folder they are not."""
        return sum(self.sizes) if isinstance(self.lies, tuple) else None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The bytes of memory that each part takes, as well as they are known."""
        if isinstance(self.lies, HubRepo):
            return self.about
        return tuple(file.size or file.about for file in self.lies)

    @property
    def places(self) -> tuple[HubFile | HubRepo, ...]:
        """Where its parts lie."""
        return self.lies if isinstance(self.lies, tuple) else (self.lies,)

    def without(self, files: Collection[HubFile]) -> "Packing":
        """Return it without some of the files of its parts."""
        if not isinstance(self.lies, tuple):
            return self
        return replace(self, lies=tuple(x for x in self.lies if x not in files))

    @property
    def title(self) -> str:
        """What it is called in sentences."""
        return self.name.upper() if self.name.startswith("q") else self.name


@dataclass(frozen=True)
class Packings:
    """The weights of a model packed in several ways, of which one is taken."""

    choices: tuple[Packing, ...]
    """The best first."""


Place: TypeAlias = (
    HubFile | HubRepo | WebFile | Address | LocalPath | BundledFolder | NoWeights
    | Packing | Packings
)  # fmt: skip


@dataclass(frozen=True)
class DrawingDefaults:
    """What a model that draws does where the user does not say."""

    width: int = 512
    """Pixels; the size it was trained at."""
    height: int = 512
    steps: int = 40
    prompt_strength: float = 7.5
    sampler: str = "plms"
    schedule: str | None = None
    """How noise levels are spaced; None for the sampler's own way."""
    companions: Literal["published", "bundled"] = "published"
    """Which models go with its pictures: what masks them, upscales them and so on."""
    upscales: bool = False
    """Whether its pictures are made larger."""
    reach: float = 4.0
    """How many times the area it was trained at it can draw, before things double; of
    models of one's own nobody knows, so they are let go far."""

    @property
    def native_size(self) -> tuple[int, int]:
        """The width and height that it was trained at."""
        return self.width, self.height

    @property
    def described(self) -> str:
        """How it draws, in a few words."""
        spaced = f", schedule {self.schedule}" if self.schedule else ""
        scale = f"guidance scale {self.prompt_strength:g}"
        steps = f"{self.steps} step{'s' if self.steps != 1 else ''}"
        return f"{steps} of {self.sampler}{spaced}, {scale}"


@dataclass(frozen=True)
class ModelRow:
    """A model."""

    role: str
    """What it is for; see `imaginairy.sources.roles`."""
    name: str
    summary: str
    weights: Place
    licence: str
    aliases: tuple[str, ...] = ()
    notice: str = ""
    """What a user has to know before using it; said before it is fetched or loaded."""
    defaults: DrawingDefaults = DrawingDefaults()
    """Of a model that draws; those for other roles have none."""
    family: str = ""
    """Name of the family of a model that draws, or of a VAE of one, where that is known
    before it is read; see `imaginairy.families.table`."""
    says: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What is known of it and not said by its files, as in `scheduler_config.json`, or
    of a VAE as in its `config.json`."""
    over: str = ""
    """The model whose other parts go with it, where it is the network alone that draws:
    a name, a path or `owner/repo`."""
    taken_for: str = ""
    """What it was taken for that its family is not, and why; said when it is used."""
    refers: bool = False
    """Whether it says that it looks at reference images, where only some of its family
    do; see `families.references`."""
    texts: "tuple[ModelRow, ...]" = ()
    """The text encoders that it is given, in place of its own or as it lacks them."""

    @property
    def called(self) -> tuple[str, ...]:
        """By what it is known among those that are loaded: its name, and theirs."""
        return self.name, *(each.name for each in self.texts)

    @property
    def size(self) -> int | None:
        """Bytes that are fetched, where that is known."""
        match self.weights:
            case HubFile() | WebFile() as file:
                return file.size
            case Packing() as packing:
                return packing.size
        return None


@dataclass(frozen=True)
class ControlRow(ModelRow):
    """A control: a network that steers what a model draws by a hint, or by several."""

    design: str = ""
    """`ControlNet`, `Control-LoRA` or `T2I-Adapter`; nothing where its file says it."""
    hints: tuple[str, ...] = ()
    """Kinds of hints that it was made for, the usual one first; see `imaginairy.hints`.
    Nothing where that is not known."""
    hint_options: tuple[tuple[str, float], ...] = ()
    """Those of its kind of hint that it was made for, where they are not the usual."""
    is_union: bool = False
    """Whether it has to be told which of its kinds a hint is."""
    is_known: bool = True
    """Whether it goes by a name of the catalog, or of a file in the user's folders."""

    @property
    def hint(self) -> str | None:
        """The kind of hint that is meant where none is said; None where none is."""
        return self.hints[0] if self.hints and not self.is_union else None


@dataclass(frozen=True)
class ImagePromptRow(ModelRow):
    """An IP-Adapter: what reads image prompts for a model that draws."""

    encoder: str = ""
    """The image encoder whose sight it was made for, by name; nothing where its file
    says by its sizes which that is."""
    is_known: bool = True
    """Whether it goes by a name of the catalog, or of a file in the user's folders."""
