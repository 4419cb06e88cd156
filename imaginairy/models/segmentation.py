"""CLIPSeg (Lüddecke and Ecker, arXiv:2112.10003): found, read, and put together.

The network is transformers'. A model is a folder as transformers saves it: config.json,
the weights and, where it has its own, preprocessor_config.json and a vocabulary.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from imaginairy.errors import BadPromptError, CheckpointError
from imaginairy.models import hub
from imaginairy.models.catalog import (
    BUNDLED_MASK_MODEL,
    CLIP_TOKENIZER,
    DEFAULT_MASK_MODEL,
    BundledFolder,
    HubRepo,
    LocalPath,
    MaskModelSpec,
    find_mask_model,
    known_mask_model,
)
from imaginairy.models.checkpoint import (
    WEIGHT_NAME,
    Part,
    assemble,
    has_tokenizer,
    pick_weights,
)
from imaginairy.models.loading import REPO_NAME, with_shards
from imaginairy.models.tokenizer import ClipTokenizer, load_tokenizer
from imaginairy.models.weightfile import Tensors, open_weights
from imaginairy.observe import log

if TYPE_CHECKING:
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    Network: TypeAlias = CLIPSegForImageSegmentation

CONFIG = "config.json"
PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""How pictures are prepared, in a file of its own or, newer, beside other settings."""
VOCABULARY = ("tokenizer.json", "vocab.json", "merges.txt")
SIZES = {
    "text_config": (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "max_position_embeddings",
        "hidden_act",
        "layer_norm_eps",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
    ),
    "vision_config": (
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "image_size",
        "patch_size",
        "hidden_act",
        "layer_norm_eps",
    ),
    "": (
        "projection_dim",
        "extract_layers",
        "reduce_dim",
        "decoder_num_attention_heads",
        "decoder_intermediate_size",
        "decoder_hidden_act",
        "conditional_layer",
        "use_complex_transposed_convolution",
    ),
}
"""What is read of a config.json; nothing in it may choose code to run."""
OLD_END = 2
"""The end token as old configurations have it, which means the highest id there is."""


@dataclass(frozen=True)
class PictureInput:
    """How a picture is handed to the network; the published CLIPSeg's by default."""

    side: int = 352
    """Pixels; a picture is squeezed into a square."""
    resample: int = 2
    """Pillow's number of the filter."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    deviation: tuple[float, ...] = (0.229, 0.224, 0.225)
    scale: float = 1 / 255


class Segmenter:
    """A mask model in memory: pictures and phrases in, logits out.

    Args:
        network: computes where its weights lie, in float32.
        tokenizer: cuts phrases.
        picture_input: how pictures are handed over.
    """

    def __init__(
        self, network: "Network", tokenizer: ClipTokenizer, picture_input: PictureInput
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.picture_input = picture_input

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.network.device

    def look(self, pixels: Tensor) -> list[Tensor]:
        """Encode pictures (batch, 3, side, side); this needs no phrase yet.

        Returns:
            What the decoder reads, layer by layer, (batch, tokens, width) each.
        """
        seen = self.network.clip.vision_model(
            pixel_values=pixels.to(self.device), output_hidden_states=True
        )
        return [seen.hidden_states[i + 1] for i in self.network.extract_layers]

    def read(self, phrases: Sequence[str]) -> Tensor:
        """Embed phrases, (phrases, dim).

        Raises:
            BadPromptError: one is longer than the network can read.
        """
        clip, room = self.network.clip, self.tokenizer.max_tokens - 2
        rows = [self.tokenizer.ids(phrase) for phrase in phrases]
        longest = max(len(ids) for ids in rows)
        for phrase, ids in zip(phrases, rows, strict=True):
            if len(ids) > room:
                raise BadPromptError(
                    f"The description {phrase!r} is {len(ids)} tokens long; the mask "
                    f"model reads {room} at most."
                )
        windows = [self.tokenizer.window(ids)[: longest + 2] for ids in rows]
        text = clip.text_model(input_ids=torch.tensor(windows, device=self.device))
        return clip.text_projection(text.pooler_output)

    def find(self, seen: Sequence[Tensor], meanings: Tensor) -> Tensor:
        """Say where phrases are in pictures, as logits (batch, height, width).

        Args:
            seen: from `look`, one row for each phrase, or one for all of them.
            meanings: from `read`.
        """
        rows = [layer.expand(len(meanings), -1, -1) for layer in seen]
        return self.network.decoder(tuple(rows), meanings).logits


def locate_mask_model(name: str | None) -> MaskModelSpec:
    """Return the mask model meant by a name, a path, or `owner/repo[@revision]`.

    None means CLIPSeg, or the bundled one while that is neither on disk nor to be had;
    that is said in one line.

    Raises:
        UnknownModelError: nothing goes by that name.
    """
    if name is None:
        return default_mask_model()
    if spec := find_mask_model(name):
        return spec
    path = Path(name).expanduser()
    if path.exists():
        return MaskModelSpec(
            name=str(path.resolve()),
            summary="a mask model on this machine",
            weights=LocalPath(path),
            licence="as stated by whoever made it",
        )
    if REPO_NAME.fullmatch(name):
        repo, _, revision = name.partition("@")
        return MaskModelSpec(
            name=name,
            summary="a mask model from the hub",
            weights=HubRepo(repo, revision or "main"),
            licence="see its page on the hub",
        )
    return known_mask_model(name)


def default_mask_model() -> MaskModelSpec:
    """Return CLIPSeg, or the bundled model where that cannot be had."""
    spec = known_mask_model(DEFAULT_MASK_MODEL)
    assert isinstance(spec.weights, HubRepo)
    if on_disk(spec.weights):
        return spec
    reason = hub.unreachable_reason()
    if reason is None:
        return spec
    log.warning(
        "%s is not on this machine and cannot be fetched (%s); masking with the "
        "bundled model, %s.",
        spec.name,
        reason,
        BUNDLED_MASK_MODEL,
    )
    return known_mask_model(BUNDLED_MASK_MODEL)


def on_disk(repo: HubRepo) -> Path | None:
    """Return the folder of a repository in the cache if it holds what is needed."""
    snapshot = hub.cached_snapshot(repo.repo, repo.revision)
    if snapshot is None:
        return None
    try:
        wanted_files([file.name for file in snapshot.iterdir()], repo.repo)
    except CheckpointError:
        return None  # only a part of it was fetched before
    return snapshot


def model_folder(spec: MaskModelSpec) -> Path:
    """Return where a model lies on this machine, fetching it if need be.

    Raises:
        CheckpointError: it does not lie there.
        DownloadError: it could not be fetched.
    """
    match spec.weights:
        case HubRepo() as repo:
            if folder := on_disk(repo):
                return folder
            files = hub.repo_files(repo.repo, repo.revision)
            wanted = wanted_files(files, repo.repo)
            return hub.fetch_many(repo.repo, wanted, repo.revision)
        case BundledFolder() as place if not place.path.is_dir():
            raise CheckpointError(
                f"The bundled mask model '{spec.name}' is not part of this "
                f"installation ('{place.path}' is missing); name another with "
                f"mask_model, such as {DEFAULT_MASK_MODEL}."
            )
        case BundledFolder() | LocalPath() as place:
            return place.path


def wanted_files(files: Sequence[str], origin: str) -> list[str]:
    """Choose what is needed of a folder: its weights, then all that is small.

    Raises:
        CheckpointError: the folder is no model that transformers saved.
    """
    top = [file for file in files if "/" not in file]
    if CONFIG not in top:
        raise CheckpointError(f"'{origin}' is no mask model: it holds no {CONFIG}.")
    if not any(WEIGHT_NAME.fullmatch(file) for file in top):
        raise CheckpointError(f"'{origin}' is no mask model: it holds no weights.")
    weights = with_shards(pick_weights(top, "", half=False), top)
    small = [file for file in (*VOCABULARY, *PREPROCESSORS) if file in top]
    return [*weights, *small, CONFIG]


def load_segmenter(spec: MaskModelSpec, device: torch.device) -> Segmenter:
    """Load a mask model, in float32, so that its masks are the same on every device.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    folder = model_folder(spec)
    files = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    weights = wanted_files(files, str(folder))[0]
    settings = read_json(folder / CONFIG)
    if settings.get("model_type") != "clipseg":
        raise CheckpointError(
            f"'{folder}' holds a model of the type '{settings.get('model_type')}'; a "
            "mask model is a 'clipseg'."
        )
    network = load_network(settings, open_weights(folder / weights), device)
    text: Any = network.config.text_config
    source = folder if has_tokenizer(folder) else hub.fetch(CLIP_TOKENIZER)
    tokenizer = load_tokenizer(source, text.max_position_embeddings)
    known, highest = tokenizer.tokenizer.get_vocab_size(), text.vocab_size - 1
    if known - 1 > highest or text.eos_token_id not in (OLD_END, tokenizer.end):
        raise CheckpointError(
            f"The vocabulary of '{folder}' has {known} tokens and ends texts with "
            f"{tokenizer.end}; its text encoder knows {highest + 1} and looks for "
            f"{text.eos_token_id}; they do not belong together."
        )
    return Segmenter(network, tokenizer, read_picture_input(folder))


def load_network(
    settings: Mapping[str, Any], tensors: Tensors, device: torch.device
) -> "Network":
    """Build the network around the tensors on disk; nothing is initialised."""
    from transformers import CLIPSegForImageSegmentation

    try:
        config = network_config(settings)
        with torch.device("meta"):
            network = CLIPSegForImageSegmentation(config)
    except Exception as error:  # transformers raises nothing more specific
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise CheckpointError(
            f"'{tensors.origin}' is described by a {CONFIG} that no CLIPSeg can have "
            f"({reason[0].strip().rstrip('.')})."
        ) from error
    own = {name.rpartition(".")[0] for name in network.state_dict()}
    part = Part(
        CLIPSegForImageSegmentation, config, tensors, {name: name for name in own}
    )
    assemble(network, part, device, torch.float32)
    clip: Any = network.clip
    for part_model in (clip.text_model, clip.vision_model):
        embeddings = part_model.embeddings  # counts its positions in no saved tensor
        positions = embeddings.position_embedding.num_embeddings
        embeddings.position_ids = torch.arange(positions, device=device)[None]
    return network


def network_config(settings: Mapping[str, Any]) -> "CLIPSegConfig":
    """Read the sizes of a network from its config.json; what it leaves out is usual."""
    import transformers

    sizes: dict[str, Any] = {
        part: {name: values[name] for name in names if name in values}
        for part, names in SIZES.items()
        for values in [settings.get(part) or {} if part else settings]
    }
    config: Any = transformers.CLIPSegConfig(**sizes.pop(""), **sizes)
    layers = config.vision_config.num_hidden_layers
    if not all(0 <= number < layers for number in config.extract_layers):
        raise ValueError(f"extract_layers {config.extract_layers} of {layers} layers")
    return config


def read_json(file: Path) -> Mapping[str, Any]:
    """Read a file of settings; raise CheckpointError where it holds none."""
    try:
        settings = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"'{file}' is not valid JSON ({error}).") from error
    if not isinstance(settings, Mapping):
        raise CheckpointError(f"'{file}' holds no settings, but {str(settings)[:40]}.")
    return settings


def read_picture_input(folder: Path) -> PictureInput:
    """Read how pictures are prepared; where it is not said, as published.

    Raises:
        CheckpointError: it is not said in a way that we can follow.
    """
    usual = PictureInput()
    file = next((p for name in PREPROCESSORS if (p := folder / name).is_file()), None)
    if file is None:
        return usual
    settings = read_json(file)
    settings = settings.get("image_processor", settings)
    try:
        size = settings.get("size", usual.side)
        sides = set(size.values()) if isinstance(size, Mapping) else {size}
        read = PictureInput(
            side=int(sides.pop()),
            resample=int(settings.get("resample", usual.resample)),
            mean=tuple(map(float, settings.get("image_mean", usual.mean))),
            deviation=tuple(map(float, settings.get("image_std", usual.deviation))),
            scale=float(settings.get("rescale_factor", usual.scale)),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"'{file}' cannot be followed ({error}).") from error
    steps = ("do_resize", "do_rescale", "do_normalize")
    three = len(read.mean) == len(read.deviation) == 3 and 0 not in read.deviation
    if sides or not three or not all(settings.get(step, True) for step in steps):
        raise CheckpointError(
            f"'{file}' cannot be followed; pictures are made square, and each of their "
            "three colours is brought to a mean and a deviation."
        )
    return read
