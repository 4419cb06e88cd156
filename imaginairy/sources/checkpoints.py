"""Which files of a repository a model or its VAE needs, by the families there are."""

import json
from collections.abc import Sequence
from pathlib import Path

from imaginairy.errors import CheckpointError, UnknownModelError, in_words
from imaginairy.families.family import AUTOENCODER, Header
from imaginairy.families.strangers import stranger
from imaginairy.families.table import FAMILIES, family_of, nearest, only_supported
from imaginairy.sources.layouts import (
    CHECKPOINT_ENDINGS,
    CONFIG,
    MODEL_INDEX,
    SCHEDULER,
    WORDS,
    folder_files,
    holds_weights,
    pick_weights,
    with_shards,
)


def checkpoint_files(
    files: Sequence[str], origin: str, noun: str, half: bool
) -> list[str]:
    """Choose what is needed of a diffusers folder, or the one checkpoint there is.

    The index of a folder comes last, so that where it is, all the rest is too; and so
    does a checkpoint, after the `.yaml` that belongs to it. A folder may lack the VAE,
    which can be taken from elsewhere.

    Raises:
        UnknownModelError: there is no index, and not one checkpoint.
        CheckpointError: a part has no weights.
    """
    if MODEL_INDEX in files:
        folders = {file.partition("/")[0] for file in files if "/" in file}
        family = family_of(Header(dict, folders=folders, index={})) or nearest(folders)
        parts = [
            part.folder
            for part in family.parts
            if part.role != AUTOENCODER or holds_weights(files, part.folder)
        ]
        weights = [
            pick_weights(files, part, half=half, beside=family.folders)
            for part in parts
        ]
        texts = tuple(f"{part.vocabulary}/" for part in family.texts)
        settings = [
            file
            for file in files
            if file.startswith(texts)
            or file in (f"{part}/{CONFIG}" for part in parts)
            or file in (SCHEDULER, WORDS)
        ]
        shards = [file for chosen in weights for file in with_shards(chosen, files)]
        return [*shards, *settings, MODEL_INDEX]
    checkpoint = _one_checkpoint(files, origin, f"no {MODEL_INDEX}")
    beside = str(Path(checkpoint).with_suffix(".yaml"))
    return [*({beside} & {*files}), checkpoint]


def refuse_foreign(index: bytes, origin: str) -> None:
    """Refuse a model before it is fetched, where its index says it is of no family.

    Args:
        index: what its `model_index.json` holds.

    Raises:
        CheckpointError: it is.
    """
    try:
        said = json.loads(index)
        known = stranger(Header(dict, index=said)) if isinstance(said, dict) else None
    except ValueError:
        return  # loading says what is wrong with it
    if known and known.title not in {family.title for family in FAMILIES}:
        kind = in_words(said.get("_class_name"))
        raise CheckpointError(
            f"'{origin}' is of a {kind}, {known.title}; {only_supported()}."
        )


def vae_files(files: Sequence[str], origin: str, noun: str, half: bool) -> list[str]:
    """Choose what is needed of the VAE of a repository, which may be that of a model.

    That is what lies in the folder of one, or at the top, its settings last; or the one
    file there is.

    Raises:
        UnknownModelError: there are none of these folders, and not one file.
    """
    folders = dict.fromkeys(family.part(AUTOENCODER).folder for family in FAMILIES)
    for folder in (*folders, ""):
        if holds_weights(files, folder):
            weights = with_shards(pick_weights(files, folder, half=half), files)
            settings = f"{folder}/{CONFIG}".removeprefix("/")
            return [*reversed(weights), *({settings} & {*files})]
    lacks = " and ".join(f"no {folder}/" for folder in folders)
    return [_one_checkpoint(files, origin, lacks)]


def text_files(files: Sequence[str], origin: str, noun: str, half: bool) -> list[str]:
    """Choose what is needed of the text encoders of a repository.

    Those are in the folders of a model, with their vocabularies; or there is one at the
    top, or the one file there is.

    Raises:
        UnknownModelError: there are none of these folders, and not one file.
    """
    rows = {row.folder: row for family in FAMILIES for row in family.texts}
    held = [folder for folder in rows if holds_weights(files, folder)]
    if MODEL_INDEX in files and held:
        weights = [
            each
            for folder in held
            for each in with_shards(pick_weights(files, folder, half=half), files)
        ]
        words = tuple(f"{rows[folder].vocabulary}/" for folder in held)
        settings = [f"{folder}/{CONFIG}" for folder in held]
        small = [file for file in files if file.startswith(words) or file in settings]
        return [*weights, *small, MODEL_INDEX]
    if holds_weights(files, "") and CONFIG in files:
        return folder_files(files, origin, noun, half)
    return [_one_checkpoint(files, origin, f"no {CONFIG}")]


def _one_checkpoint(files: Sequence[str], origin: str, lacks: str) -> str:
    """Return the one checkpoint of a repository that lies in no folder."""
    single = [
        file for file in files if "/" not in file and file.endswith(CHECKPOINT_ENDINGS)
    ]
    preferred = [file for file in single if file.endswith(".safetensors")] or single
    if len(preferred) != 1:
        raise UnknownModelError(
            f"The repository '{origin}' holds {lacks} and {len(preferred)} "
            f"checkpoints ({', '.join(preferred) or 'none'}); download the one you "
            "want and give its path."
        )
    return preferred[0]
