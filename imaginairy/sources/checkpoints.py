"""Which files of a repository a whole model needs, by the families that are known."""

from collections.abc import Sequence
from pathlib import Path

from imaginairy.errors import UnknownModelError
from imaginairy.families.family import Header
from imaginairy.families.table import family_of, nearest
from imaginairy.sources.layouts import (
    CHECKPOINT_ENDINGS,
    CONFIG,
    MODEL_INDEX,
    SCHEDULER,
    WORDS,
    pick_weights,
    with_shards,
)


def checkpoint_files(
    files: Sequence[str], origin: str, noun: str, half: bool
) -> list[str]:
    """Choose what is needed of a diffusers folder, or the one checkpoint there is.

    The index of a folder comes last, so that where it is, all the rest is too; and so
    does a checkpoint, after the `.yaml` that belongs to it.

    Raises:
        UnknownModelError: there is no index, and not one checkpoint.
        CheckpointError: a part has no weights.
    """
    if MODEL_INDEX in files:
        folders = {file.partition("/")[0] for file in files if "/" in file}
        family = family_of(Header(dict, folders=folders, index={})) or nearest(folders)
        parts = [part.folder for part in family.parts]
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
    single = [
        file for file in files if "/" not in file and file.endswith(CHECKPOINT_ENDINGS)
    ]
    preferred = [file for file in single if file.endswith(".safetensors")] or single
    if len(preferred) != 1:
        raise UnknownModelError(
            f"The repository '{origin}' holds no {MODEL_INDEX} and {len(preferred)} "
            f"checkpoints ({', '.join(preferred) or 'none'}); download the one you "
            "want and give its path."
        )
    [checkpoint] = preferred
    beside = str(Path(checkpoint).with_suffix(".yaml"))
    return [*({beside} & {*files}), checkpoint]
