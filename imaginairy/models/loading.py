"""From a model's name to the model: found, downloaded where needed, read, assembled."""

import hashlib
import json
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import cast

import torch
from platformdirs import user_cache_path

from imaginairy.errors import CheckpointError, UnknownModelError
from imaginairy.models.checkpoint import (
    PARTS,
    Checkpoint,
    pick_weights,
    read_checkpoint,
)
from imaginairy.models.declared import native_size
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.tokenizer import ClipTokenizer, load_tokenizer
from imaginairy.models.words import FILE as WORDS
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.clip_text import ClipText
from imaginairy.networks.unet import UNet
from imaginairy.said import all_is_well, warn_daily
from imaginairy.samplers.schedule import NoiseSchedule
from imaginairy.sources import hub
from imaginairy.sources.catalog import (
    BUNDLED_MODEL,
    CLIP_TOKENIZER,
    DEFAULT_MODEL,
    BundledFolder,
    HubFile,
    HubRepo,
    LocalPath,
    ModelSpec,
    find_model,
    known_model,
)
from imaginairy.sources.own_default import OwnDefault, own_default

REPO_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
MODEL_INDEX = "model_index.json"
HASH_BLOCK = 2**24
SHA256 = re.compile(r"[0-9a-f]{64}")
SINGLE_FILE_ENDINGS = (".safetensors", ".ckpt")


def locate(name: str | None) -> ModelSpec:
    """Return the model meant by a catalog name, a path, or `owner/repo[@revision]`.

    None means the user's default model (see `imaginairy.sources.own_default`). Without
    one it is the catalog's, or the bundled one while that is neither on disk nor to be
    had; this is said in one line, once a day.

    Raises:
        UnknownModelError: nothing goes by that name.
    """
    if name is None:
        own = own_default()
        return default_model() if own is None else located_default(own)
    name = named(name)
    if spec := find_model(name):
        return spec
    if path := existing(name):
        return local_model(path)
    if REPO_NAME.fullmatch(name) and not name.endswith(SINGLE_FILE_ENDINGS):
        repo, _, revision = name.partition("@")
        return ModelSpec(
            name=name,
            summary="a model from the hub",
            weights=HubRepo(repo, revision or "main"),
            licence="see its page on the hub",
        )
    return known_model(name)


def named(name: object) -> str:
    """Return what names a model as text; raise UnknownModelError where it does not."""
    if not isinstance(name, str | PathLike) or not str(name).strip():
        raise UnknownModelError(f"A model goes by a name or a path, not {name!r}.")
    return str(name)


def existing(name: str) -> Path | None:
    """Return the file or folder of that name, `~` included, or None."""
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, or of a user not there
        return None


def located_default(own: OwnDefault) -> ModelSpec:
    """Return the user's default model; the error says where that stands."""
    try:
        return locate(own.name)
    except UnknownModelError as error:
        raise UnknownModelError(
            f"The default model, as {own.place} says: {error} Or take it back: "
            f"{own.undo}."
        ) from error


def default_model() -> ModelSpec:
    """Return the catalog's default, or the bundled model where that cannot be had."""
    spec = known_model(DEFAULT_MODEL)
    assert isinstance(spec.weights, HubFile)
    there = hub.cached(spec.weights) and hub.cached(CLIP_TOKENIZER)
    reason = None if there else hub.unreachable_reason()
    if reason is None:
        all_is_well("model")
        return spec
    warn_daily(
        "model",
        f"{spec.summary} is not on this machine and cannot be fetched ({reason}); "
        f"drawing with the bundled model, {BUNDLED_MODEL}.",
    )
    return known_model(BUNDLED_MODEL)


def local_model(path: Path) -> ModelSpec:
    """Describe a model given by its path; it may say its native size itself.

    Raises:
        CheckpointError: what lies beside it cannot be read.
    """
    side = 512
    config = path / "unet" / "config.json"
    if config.is_file():
        try:
            side = 8 * int(
                json.loads(config.read_text(encoding="utf-8"))["sample_size"]
            )
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            pass
    size = native_size(path) if path.is_file() else None
    width, height = size or (side, side)
    return ModelSpec(
        name=str(path.resolve()),
        summary="a model on this machine",
        weights=LocalPath(path),
        licence="as stated by whoever made it",
        width=width,
        height=height,
    )


def weights_path(spec: ModelSpec, *, half: bool = False) -> Path:
    """Return where a model's weights lie on this machine, fetching them if need be."""
    match spec.weights:
        case HubFile() as file:
            return hub.fetch(file)
        case HubRepo() as repo:
            return fetch_repo(repo, half=half)
        case BundledFolder(_) | LocalPath(_) as place:
            return place.path


def own_folder(spec: ModelSpec) -> Path | None:
    """Return the folder that is a model's own, on this machine; None without one."""
    match spec.weights:
        case HubRepo() as repo:
            return hub.cached_snapshot(repo.repo, repo.revision)
        case BundledFolder(_) | LocalPath(_) as place:
            return place.path if place.path.is_dir() else None
    return None  # one file of a repository, beside others


def fetch_repo(repo: HubRepo, *, half: bool) -> Path:
    """Return the folder or file of a repository, from disk where it is there."""
    snapshot = hub.cached_snapshot(repo.repo, repo.revision)
    if snapshot is not None:
        there = [
            str(file.relative_to(snapshot))
            for file in snapshot.rglob("*")
            if file.is_file()
        ]
        try:
            wanted = wanted_files(repo, there, half=half)
        except (CheckpointError, UnknownModelError):
            pass  # only a part of it was fetched before
        else:
            return _whole(snapshot, wanted)
    files = hub.repo_files(repo.repo, repo.revision)
    wanted = wanted_files(repo, files, half=half)
    folder = hub.fetch_many(repo.repo, wanted, repo.revision, dict(repo.sha256))
    return _whole(folder, wanted)


def _whole(folder: Path, wanted: Sequence[str]) -> Path:
    """Return the folder, or the one checkpoint that is wanted of it."""
    return folder if wanted[-1] == MODEL_INDEX else folder / wanted[-1]


def wanted_files(repo: HubRepo, files: Sequence[str], *, half: bool) -> list[str]:
    """Choose what is needed of a repository: a diffusers folder, or its one checkpoint.

    The index of a folder comes last, so that where it is, all the rest is too; and so
    does a checkpoint, after the `.yaml` that belongs to it.
    """
    if MODEL_INDEX in files:
        weights = [pick_weights(files, part, half=half) for part in PARTS]
        settings = [
            file
            for file in files
            if file.startswith("tokenizer/")
            or file in (f"{part}/config.json" for part in PARTS)
            or file in ("scheduler/scheduler_config.json", WORDS)
        ]
        shards = [file for chosen in weights for file in with_shards(chosen, files)]
        return [*shards, *settings, MODEL_INDEX]
    single = [
        file for file in files if "/" not in file and file.endswith(SINGLE_FILE_ENDINGS)
    ]
    preferred = [file for file in single if file.endswith(".safetensors")] or single
    if len(preferred) != 1:
        raise UnknownModelError(
            f"The repository '{repo.repo}' holds no {MODEL_INDEX} and {len(preferred)} "
            f"checkpoints ({', '.join(preferred) or 'none'}); download the one you "
            "want and give its path."
        )
    [checkpoint] = preferred
    beside = str(Path(checkpoint).with_suffix(".yaml"))
    return [*({beside} & {*files}), checkpoint]


def with_shards(weights: str, files: Sequence[str]) -> list[str]:
    """Return a weight file, and the shards of its precision if it is an index."""
    if not weights.endswith(".json"):
        return [weights]
    stem = re.sub(r"(\.safetensors|\.bin)\.index.*", "", weights)
    shard = re.compile(re.escape(stem) + r"\S*-\d+-of-\d+\S*")
    shards = [file for file in files if shard.fullmatch(file)]
    half = "fp16" in weights
    return [weights, *(file for file in shards if ("fp16" in file) == half)]


def load(
    spec: ModelSpec, device: torch.device, dtype: torch.dtype
) -> tuple[DrawingModel, tuple[Path, ...]]:
    """Load a model; return it and the weight files it was made of.

    Raises:
        CheckpointError: the weights are broken, unsafe or of another design.
        DownloadError: they could not be fetched.
    """
    checkpoint = read_checkpoint(
        weights_path(spec, half=dtype != torch.float32), half=dtype != torch.float32
    )
    tokenizer = find_tokenizer(spec, checkpoint)
    if tokenizer.highest_id >= checkpoint.text.config.vocab_size:
        raise CheckpointError(
            f"The tokenizer of '{spec.name}' counts up to token "
            f"{tokenizer.highest_id} and its text encoder knows "
            f"{checkpoint.text.config.vocab_size}; they do not belong together."
        )
    model = DrawingModel(
        unet=cast(UNet, checkpoint.unet.load(device, dtype)),
        autoencoder=cast(Autoencoder, checkpoint.autoencoder.load(device, dtype)),
        text=cast(ClipText, checkpoint.text.load(device, dtype)),
        tokenizer=tokenizer,
        schedule=NoiseSchedule(checkpoint.schedule),
        device=device,
        clip_skip=checkpoint.clip_skip,
        sources=[
            part.tensors
            for part in (checkpoint.unet, checkpoint.autoencoder, checkpoint.text)
        ],
    )
    return model, checkpoint.weight_files


def find_tokenizer(spec: ModelSpec, checkpoint: Checkpoint) -> ClipTokenizer:
    """Load a model's own vocabulary, or the public one of CLIP."""
    folder = checkpoint.tokenizer_folder
    source = folder if folder is not None else hub.fetch(CLIP_TOKENIZER)
    return load_tokenizer(source, checkpoint.text.config.max_tokens)


def weights_sha256(files: Sequence[Path]) -> str:
    """Return the SHA-256 of a weight file, or of the sums of several, one a line.

    A sum once made is remembered with the file's size and time of change.
    """
    sums = [_file_sha256(file.resolve()) for file in files]
    if len(sums) == 1:
        return sums[0]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def _file_sha256(file: Path) -> str:
    if SHA256.fullmatch(file.name):
        return file.name  # the hub's cache names its files so
    status = file.stat()
    key = f"{file}|{status.st_size}|{status.st_mtime_ns}"
    memory = user_cache_path("imaginairy") / "sha256" / hashlib.md5(
        key.encode(), usedforsecurity=False
    ).hexdigest()  # fmt: skip
    try:
        if SHA256.fullmatch(known := memory.read_text()):
            return known
    except (OSError, ValueError):
        pass  # not kept, or not for us to read
    summed = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(HASH_BLOCK):
            summed.update(block)
    digest = summed.hexdigest()
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(digest)
    except OSError:
        pass  # a cache that cannot be written to costs time, no more
    return digest
