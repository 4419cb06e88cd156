"""What a family of models is: which networks belong together, and what they say.

A family is one row. Whatever opens, checks, conditions or draws with a model reads its
family's row, and asks nothing of which row it is. Nothing here needs torch; functions
that do are named as `module:function` and imported when they are first called.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, Literal

from imaginairy.families.references import References
from imaginairy.samplers.prediction import Prediction
from imaginairy.settings import Schema

Shape = tuple[int, ...]

EmptyNegative = Literal["zeros", "text"]
"""What an empty negative prompt is to a network: zeros in place of embeddings, or the
embeddings of the empty text."""

DENOISER = "denoiser"
"""Role of the network that draws: `(latents, timesteps, Conditioning) -> Tensor`. Its
`config.in_channels` tells whether it sees a mask or depth beside the latents, its
`config.context_dim`, where there is one, how wide the text encoders' tokens are side by
side, and `config.numbers_held` how many numbers it holds for a picture."""
AUTOENCODER = "autoencoder"
"""Role of the network that turns pictures into latents and back, by `latents_of` and
`pictures_of`; its `config` says the `latent_channels` and the `downsampling`. That of a
model may be lacking, and another be taken; see `models.vae`."""
DECODER = "decoder"
"""Role of a network that turns latents into pictures in place of the autoencoder, by
the same `pictures_of`; no model has one of its own."""


@dataclass(frozen=True)
class LatentGrid:
    """The latents that a family draws on."""

    channels: int
    pixels: int
    """Picture pixels a latent, along one side."""
    multiple_of: int = 1
    """Latents that both sides must be a multiple of."""

    @property
    def step(self) -> int:
        """Pixels that both sides of a drawn picture are a multiple of."""
        return self.pixels * self.multiple_of

    def shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return (channels, height, width) of the latents of a picture.

        Args:
            size: width and height in pixels.
        """
        width, height = size
        return self.channels, height // self.pixels, width // self.pixels

    def tokens(self, size: tuple[int, int]) -> int:
        """Return how many of its smallest patches a picture has, `step` wide and high.

        Args:
            size: width and height in pixels.
        """
        width, height = size
        return (width // self.step) * (height // self.step)


class Header:
    """What is known of a model before any tensor is read.

    Args:
        shapes: gives those of all tensors by their names, those of a folder with their
            part's folder before them: `unet/conv_in.weight`; it is asked only where
            they are.
        metadata: what a safetensors file says of itself.
        folders: the folders of a folder in the diffusers layout.
        index: its `model_index.json`, empty where there is none; None for a file.
    """

    def __init__(
        self,
        shapes: Callable[[], Mapping[str, Shape]],
        *,
        metadata: Mapping[str, str] | None = None,
        folders: Collection[str] = (),
        index: Mapping[str, Any] | None = None,
    ) -> None:
        self._shapes = shapes
        self.metadata = metadata or {}
        self.folders = folders
        self.index = index

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shapes of all tensors by their names."""
        return self._shapes()

    def has(self, *starts: str) -> bool:
        """Tell whether the name of a tensor begins with any of these."""
        return any(name.startswith(starts) for name in self.shapes)


@dataclass(frozen=True)
class Written:
    """How a network is written where a model is converted."""

    config: str
    """`module:function` of `(Part) -> settings`: what its `config.json` says."""
    file: str
    """`module:name` of the naming that single files have."""
    folder: str
    """That of folders in the diffusers layout."""
    weights: str
    """What its file is called there."""
    says_size: bool = True
    """Whether its `config.json` says the size that it was trained at."""


@dataclass(frozen=True)
class WrittenModel:
    """What a model says of itself where it is converted."""

    architecture: Mapping[str, str]
    """As `modelspec.architecture`, by what its network predicts; "" stands for all
    else."""
    pipeline: str
    """What `model_index.json` of a folder calls what draws with it."""
    inpaints: str
    """The same of one whose network sees a mask."""
    index: Mapping[str, Any]
    """What else that file says."""
    trained_as: str
    """What kohya's trainers call such a model, as `ss_base_model_version`; empty where
    no adapters of such are written."""
    blocks: str = ""
    """What GGUF files of its network that draws say as `general.architecture`, where
    that is not the family's name."""
    edits: str = "StableDiffusionInstructPix2PixPipeline"
    """The same of one whose network edits a picture."""
    led: str = "StableDiffusionDepth2ImgPipeline"
    """The same of one whose network is led by depth."""
    refers: str = ""
    """The same of one that looks at reference images, where not all of its family do.
    """
    lora_of_file: bool = False
    """Whether they call layers of the network that draws as single files do."""


@dataclass(frozen=True)
class PartRow:
    """One network of a family, and where it lies in both layouts."""

    role: str
    """`denoiser`, `autoencoder`, or any name for a text encoder."""
    title: str
    """What it is called in messages."""
    folder: str
    """Its folder in the diffusers layout."""
    prefix: str
    """What its tensors' names begin with in a single file."""
    published: str
    """`module:function` of `(Tensors, Settings) -> Part`: sizes and names together."""
    classes: str = r".*"
    """Pattern of what `model_index.json` may call its class."""
    settings: Schema = field(default_factory=dict)
    """What its `config.json` may say of what the network cannot change. What it says
    of sizes is read by the `SETTINGS` beside `published`."""
    usual: Mapping[str, Any] = field(default_factory=dict)
    """Settings where nothing beside the weights says them."""
    said: tuple[str, ...] = ()
    """What a single file may say of it, of all that it says of itself."""
    half: bool = True
    """Whether float16 holds what it computes; else float32 takes its place."""
    wide: bool = False
    """Whether, where that does not, bfloat16 takes its place on devices that have units
    for it: it is as wide as float32, and holds a tenth of its digits."""
    vocabulary: str | None = None
    """Folder of the vocabulary that a text encoder reads; None for other networks."""
    reader: str = "imaginairy.weights.vocabulary:load_tokenizer"
    """`module:function` of `(file or folder, max_tokens, pad=...)`: its tokenizer."""
    usual_vocabulary: str | None = "clip"
    """The public vocabulary that it reads by where it brings none, by the names of
    `sources.drawing_rows.VOCABULARIES`; None where it must bring one."""
    encoder: str = "imaginairy.families.text:TextEncoder"
    """`module:function` of `(network, tokenizer, device)`: what the `condition` of its
    family is given."""
    written: Written | None = None
    """How it is written; None where that is not supported."""
    alone: str = ""
    """Pattern of what a file is told to hold that holds this network alone, for parts
    that are given, or lie beside each other in files; see `families.strangers`."""
    design: str = ""
    """What the design of a text encoder is called, in messages."""
    comes_alone: bool = False
    """Whether a file of it alone is taken for a model whose other parts lie beside
    it."""
    pooled_only: bool = False
    """Of a text encoder, whether none of its tokens are read, only the whole text."""
    pad: str | None = None
    """The token that fills up a window where the vocabulary does not say; None for the
    one that ends it."""

    @property
    def is_text(self) -> bool:
        """Whether it reads text."""
        return self.vocabulary is not None


@dataclass(frozen=True)
class Marker:
    """Tensors of a single file that are there for what they say."""

    names: tuple[str, ...]
    """Which; all of them are there."""
    says: Mapping[str, Any]
    """In the words of `scheduler_config.json` and of the parts' `config.json`."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What names of tensors hold numbers of, where they are there and not empty."""

    @property
    def read(self) -> tuple[str, ...]:
        """The names of all tensors that may say something."""
        return (*self.names, *self.values)


@dataclass(frozen=True, eq=False)
class Family:
    """One kind of model."""

    name: str
    title: str
    """What it is called in messages."""
    detect: Callable[[Header], bool]
    """Tells a model of this family, whole or not, in either layout."""
    parts: tuple[PartRow, ...]
    """The networks, in the order in which their memory is taken."""
    condition: str
    """`module:function` of `(Wanted, encoders) -> (to follow, to avoid)`; see
    `families.text`."""
    grid: LatentGrid
    native: int
    """Side in pixels that a model was trained at where it does not say."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What else is usual for it where nothing is asked: `steps`, `prompt_strength`,
    `sampler`, `reach`; see `sources.rows.DrawingDefaults`."""
    usually: tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...] = ()
    """What else is usual for some of its models: (what these say, as in
    `scheduler_config.json`, defaults)."""
    schedule: str = "imaginairy.published.schedule:schedule_of"
    """`module:function` of `(where, settings, title, prediction)`: what the noise is,
    as an object that says what the network `predicts` and has the schedule `made`."""
    sizes_read: tuple[str, ...] = ()
    """The fields of a prompt, `original_size`, `crop` and `target_size`, that its
    networks are told beside the text."""
    empty_negatives: tuple[EmptyNegative, ...] = ("text",)
    """What an empty negative prompt may be, the usual one first."""
    masks_pixels: bool = False
    """Whether its networks for inpainting see which pixels are painted, behind the
    picture without them; else which latents are, before it."""
    references: References | None = None
    """Which reference images its network looks at beside what it draws; None where it
    looks at none."""
    prediction: Prediction = "noise"
    """What the network says where nothing beside it tells."""
    unsaid: str = ""
    """`module:function` of `(network, channels of the latents) -> Prediction`: what a
    single file predicts that does not say so; empty where all predict the above."""
    noise: Mapping[str, Any] = field(default_factory=dict)
    """Its schedule where nothing beside it tells, as in `scheduler_config.json`."""
    use: str = "as --model"
    """How it can be drawn with, for the end of a sentence."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """What else `model_index.json` may list, with patterns of their classes."""
    markers: tuple[Marker, ...] = ()
    """What tensors of a single file may say; what the first say goes before."""
    architecture: str = r".*"
    """Pattern of what its metadata may say as `modelspec.architecture`."""
    implied: tuple[tuple[str, str, Mapping[str, Any]], ...] = ()
    """What follows from what a single file says of itself, as in
    `scheduler_config.json`: (name in its metadata, pattern of what stands there, what
    follows)."""
    written: WrittenModel | None = None
    """What it says of itself where it is written; None where that is not supported."""
    yaml_targets: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    """Patterns of the classes that a `.yaml` beside a file may name, by where below
    `model` it does."""
    yaml_settings: Mapping[tuple[str, ...], Schema] = field(default_factory=dict)
    """What it may say there of what the networks cannot change."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Patterns of names that make a single file another thing, and what is said."""
    owned: tuple[str, ...] = ()
    """What names begin with that must have their place in a network, beside the
    prefixes of the parts."""

    def __post_init__(self) -> None:
        roles = [part.role for part in self.parts]
        if len({*roles}) < len(roles) or not {DENOISER, AUTOENCODER} <= {*roles}:
            raise ValueError(
                f"The family '{self.name}' has the parts {', '.join(roles)}; it needs "
                f"one {DENOISER}, one {AUTOENCODER} and other roles once each."
            )

    def part(self, role: str) -> PartRow:
        """Return the part of a role."""
        return next(part for part in self.parts if part.role == role)

    def looks_at_references(self, *, refers: bool) -> bool:
        """Tell whether one of its models looks at reference images.

        Args:
            refers: whether that says so itself; see `sources.rows.ModelRow`.
        """
        return self.references is not None and (refers or not self.references.of_some)

    @property
    def seen_with_mask(self) -> int:
        """How many channels its networks for inpainting see beside the latents."""
        mask = self.grid.pixels**2 if self.masks_pixels else 1
        return self.grid.channels + mask

    def defaults_of(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is usual for a model that says something of itself."""
        whole = {"width": self.native, "height": self.native, **self.defaults}
        return {**whole, **self.more_of(said)}

    def more_of(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of that is not usual for all of the family's models."""
        more: dict[str, Any] = {}
        for says, usual in self.usually:
            if says.items() <= said.items():
                more |= usual
        return more

    @property
    def texts(self) -> tuple[PartRow, ...]:
        """The parts that read text."""
        return tuple(part for part in self.parts if part.is_text)

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that it takes its networks and vocabularies from."""
        vocabularies = (part.vocabulary for part in self.texts if part.vocabulary)
        folders = (*(part.folder for part in self.parts), *vocabularies)
        return tuple(dict.fromkeys(folders))


def function(name: str) -> Any:
    """Import what a row names as `module:function`."""
    module, _, own = name.partition(":")
    return getattr(import_module(module), own)
