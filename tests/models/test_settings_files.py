"""Whatever a file of settings says: each key that is read is taken, or refused.

Every schema is asked about everything absurd. What is built of a file is tried with a
few of the absurd values for each of its keys, and every night with all of them.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from imaginairy.errors import CheckpointError
from imaginairy.families.table import FAMILIES
from imaginairy.models import captioning, faces, picture_input, words
from imaginairy.models.captioning import BLIP, load_captioner, read_writing
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.models.declared import UNET_PARAMS, YAML_HEADS, YAML_SCHEMA
from imaginairy.models.faces import load_finder, load_restorer
from imaginairy.models.own_defaults import SAMPLE, with_own_defaults
from imaginairy.models.picture_input import read_picture_input
from imaginairy.models.safety import SAFETY
from imaginairy.models.segmentation import CLIPSEG, load_segmenter
from imaginairy.models.similarity import CLIP, load_comparer
from imaginairy.published import autoencoder, clip_text, codeformer, schedule, unet
from imaginairy.settings import Listed, Schema, Section, read
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from imaginairy.weights import added_words, folder, weightfile
from imaginairy.weights.vocabulary import load_tokenizer
from imaginairy.weights.weightfile import open_weights
from tests.support.checkpoints import Named
from tests.support.examples import PROFILE
from tests.support.golden import CPU

DATA = Path(schedule.__file__).parents[1] / "data"
DEEP = "[" * 10_000 + "]" * 10_000
DIGITS = "9" * 5000
READ = (
    "null", "-1", "0", "1e400", "1000000", f"1{'0' * 400}", '""', "[]", "{}", "true",
    "NaN", "-Infinity", "0.5", '"9"', "[-1]", '{"": 0}', "[[1], [2]]",
    f'"{"x" * 10_000}"', "-1e-300", '["a", null]',
)  # fmt: skip
"""Absurd values as JSON has them."""
ABSURD = (*READ, DEEP, DIGITS)
"""The same, and those that no JSON is read with."""
FAMILY_SCHEMAS: dict[str, Schema] = {
    f"{family.name}, {part.role}": part.settings
    for family in FAMILIES
    for part in family.parts
}
SCHEMAS: dict[str, Schema] = {
    **FAMILY_SCHEMAS,
    "UNet": unet.SETTINGS,
    "VAE": autoencoder.SETTINGS,
    "text encoder": clip_text.SETTINGS,
    "CodeFormer": codeformer.SETTINGS,
    "scheduler": schedule.TIMESTEPS,
    "scheduler of EDM": schedule.EDM,
    "native size": SAMPLE,
    "yaml": YAML_SCHEMA,
    **{design.name: design.settings for design in (BLIP, CLIPSEG, CLIP, SAFETY)},
    "pictures": picture_input.SETTINGS,
    "processor": {picture_input.NEWER: Section(picture_input.SETTINGS, null=False)},
    "captions": captioning.WRITING,
    "face detector": faces.FINDER,
    "words": words.LISTED,
    "model_index": {**folder.INDEX, "unet": folder.PART},
    "tokenizer": added_words.SETTINGS,
    "shards": weightfile.SHARDS,
    "safetensors": {"__metadata__": weightfile.METADATA, "a": weightfile.TENSOR},
}
Keys = tuple[str, ...]


def keys_of(schema: Schema) -> Iterator[Keys]:
    """Yield every place where a value may stand."""
    for name, field in schema.items():
        yield (name,)
        within: Schema = {}
        if isinstance(field, Section):
            within = field.schema
        if isinstance(field, Listed):
            within = {"any": field.each}
        yield from ((name, *keys) for keys in keys_of(within))


def placed(settings: dict[str, Any], keys: Keys, value: Any) -> dict[str, Any]:
    """Return settings with a value at a place."""
    name, *rest = keys
    inner = settings.get(name)
    below = inner if isinstance(inner, dict) else {}
    return {**settings, name: placed(below, tuple(rest), value) if rest else value}


def said_in_words(load: Callable[[], Any], *named: str) -> None:
    """Check that something is made, or refused in one sentence that names it."""
    try:
        load()
    except CheckpointError as error:
        said = str(error)
        assert said.endswith((".", "?")) and "\n" not in said
        assert len(said) < 1200 and all(name in said for name in named), said


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_key_is_taken_or_refused_by_name(name: str) -> None:
    schema, where = SCHEMAS[name], Path("there.json")
    assert list(keys_of(schema))
    for keys in keys_of(schema):
        for text in READ:
            settings = placed({}, keys, json.loads(text))
            said_in_words(
                lambda s=settings: read(where, s, schema, "it"),
                "'there.json' has ",
                keys[0],
            )


def test_what_a_schema_does_not_name_is_passed_over() -> None:
    assert read(
        Path("a"), {"other": object(), "heads": 3}, codeformer.SETTINGS, ""
    ) == {"heads": 3}


def test_nothing_is_taken_for_a_number_that_is_none() -> None:
    """Python has true for 1, and takes a text of digits."""
    for name, field in {**unet.SETTINGS, **codeformer.SETTINGS}.items():
        for value in (True, "8", 8.0, 0.5, [], [True], -8, 10**400):
            with pytest.raises(CheckpointError, match=f"has {name} .* no whole number"):
                read(Path("a"), {name: value}, {name: field}, "")


# --- what is built of them ------------------------------------------------------------


def draws(path: Path) -> None:
    checkpoint = read_checkpoint(path)
    checkpoint.schedule.made()
    for part in checkpoint.parts.values():
        part.check()
    with_own_defaults(locate(DRAWS, str(path)))


def loads(load: Callable[..., Any], role: str) -> Callable[[Path], Any]:
    return lambda path: load(locate(role, str(path)), CPU)


def tokenizes(path: Path) -> None:
    load_tokenizer(path, 77).chunks(load_tokenizer(path, 77).ids("a red fox"))


KINDS: dict[str, tuple[str, str, Schema, Callable[[Path], Any]]] = {
    "UNet": (
        "tiny", "unet/config.json", FAMILY_SCHEMAS["sd1, denoiser"] | unet.SETTINGS
        | SAMPLE, draws,
    ),
    "VAE": (
        "tiny", "vae/config.json",
        FAMILY_SCHEMAS["sd1, autoencoder"] | autoencoder.SETTINGS, draws,
    ),
    "text encoder": (
        "tiny", "text_encoder/config.json",
        FAMILY_SCHEMAS["sd1, text"] | clip_text.SETTINGS, draws,
    ),
    "scheduler": (
        "tiny", "scheduler/scheduler_config.json", schedule.TIMESTEPS | schedule.EDM
        | {"_class_name": folder.INDEX["_class_name"]}, draws,
    ),
    "model_index": (
        "tiny", "model_index.json", SCHEMAS["model_index"] | {"other": folder.PART},
        draws,
    ),
    "BLIP": (
        "storybook_blip", "config.json", BLIP.settings,
        loads(load_captioner, "captioner"),
    ),
    "captions": (
        "storybook_blip", "generation_config.json", captioning.WRITING,
        lambda path: read_writing(path, 40),
    ),
    "CLIPSeg": (
        "storybook_clipseg", "config.json", CLIPSEG.settings,
        loads(load_segmenter, "mask"),
    ),
    "CLIP": (
        "storybook_clip", "config.json", CLIP.settings,
        loads(load_comparer, "similarity"),
    ),
    "pictures": (
        "storybook_clip", "preprocessor_config.json", picture_input.SETTINGS,
        read_picture_input,
    ),
    "CodeFormer": (
        "storybook_codeformer", "config.json", codeformer.SETTINGS,
        loads(load_restorer, "face-restorer"),
    ),
    "face detector": (
        "storybook_faces", "config.json", faces.FINDER,
        lambda path: load_finder(path, CPU),
    ),
    "words": ("storybook", "words.json", words.LISTED, words.read_words),
    "tokenizer": (
        "storybook_clip", "tokenizer_config.json", added_words.SETTINGS, tokenizes,
    ),
    "special tokens": (
        "storybook_clip", "special_tokens_map.json", added_words.SETTINGS, tokenizes,
    ),
    "added tokens": (
        "storybook_clip", "added_tokens.json", {"a": added_words.ID}, tokenizes,
    ),
    "shards": (
        "storybook_clip", "model.safetensors.index.json", weightfile.SHARDS,
        lambda path: open_weights(path / "model.safetensors.index.json"),
    ),
}  # fmt: skip
"""Where it lies, its name, all that is read of it, and what reads it."""


def values_for(number: int) -> tuple[str, ...]:
    """Return the values that a key is tried with: others for each, at night all."""
    if os.environ.get(PROFILE) == "nightly":
        return ABSURD
    return tuple(ABSURD[(2 * number + more) % len(ABSURD)] for more in range(2))


@pytest.mark.parametrize("name", KINDS)
def test_each_key_of_each_file_harms_nothing(
    name: str, tiny_folder: Path, tmp_path: Path
) -> None:
    place, file, schema, load = KINDS[name]
    whole = tmp_path / "model"
    shutil.copytree(tiny_folder if place == "tiny" else DATA / place, whole)
    there = whole / file
    usual = json.loads(there.read_text()) if there.is_file() else {}
    load(whole) if usual else None
    for number, keys in enumerate(keys_of(schema)):
        for value in values_for(number):
            text = json.dumps(placed(usual, keys, "@@"))
            there.write_text(text.replace('"@@"', value))
            said_in_words(lambda: load(whole))


@pytest.fixture
def file(compvis: Named, tmp_path: Path) -> Path:
    save_file(compvis, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_each_key_of_a_yaml_harms_nothing(file: Path) -> None:
    odd = (
        "<<: {a: 1}",
        "!!int ''",
        "!!bool x",
        "!!timestamp x",
        "!!float 1:_",
        "&a [*a]",
    )
    for number, name in enumerate(YAML_SCHEMA):
        place = UNET_PARAMS if name in YAML_HEADS else ("params",)
        for value in values_for(number) if number else (*values_for(number), *odd):
            text = json.dumps({"model": placed({}, (*place, name), "@@")})
            file.with_suffix(".yaml").write_text(text.replace('"@@"', value))
            said_in_words(lambda: draws(file))
