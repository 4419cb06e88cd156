"""Files of what was learnt, as other tools read them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from imaginairy.learning.course import Course
from imaginairy.learning.subject import Subject
from imaginairy.models.declared import ARCHITECTURE
from imaginairy.models.loaded import LoadedModel
from imaginairy.weights.writing import Piece, write_safetensors
from imaginairy.whole_files import clear_abandoned, whole_file

HALF = torch.float16
LEARNT_FROM = "imaginairy.learnt_from"
DIGITS = 16
"""Of the SHA-256 of each picture that is written down."""
PREDICTION = "modelspec.prediction_type"
WORDS = {"noise": "epsilon", "v": "v"}
"""What the ModelSpec calls what networks predict; of others nothing is said."""
MODULES = {"lora": "networks.lora", "locon": "networks.lora"}
"""What kohya's trainers call what learns a kind; others are LyCORIS'."""
LYCORIS = "lycoris.kohya"


@dataclass(frozen=True)
class About:
    """What a file says of what was learnt, beside how."""

    loaded: LoadedModel
    """The model that it was learnt with."""
    word: str | None
    size: tuple[int, int]
    pictures: Sequence[str]
    """SHA-256 of the files that it was learnt from."""


def save(path: Path, subject: Subject, course: Course, step: int, about: About) -> None:
    """Write what was learnt, whole, in place of what was there before.

    Tensors are written in float16, and those of a word, which are few, in float32.

    Raises:
        OSError: it cannot be written.
    """
    dtype = torch.float32 if course.is_word else HALF
    pieces = [
        Piece.of(name, each.detach().to("cpu", dtype))
        for name, each in subject.tensors.items()
    ]
    clear_abandoned(path.parent)
    with whole_file(path) as place:
        write_safetensors(place, pieces, said_of(path, course, step, about))


def said_of(path: Path, course: Course, step: int, about: About) -> dict[str, str]:
    """Return what a file says of itself, in the names of the ModelSpec and of kohya."""
    model, spec = about.loaded.diffusion, about.loaded.spec
    written = model.family.written
    assert written is not None  # see `require_written`
    known = written.architecture
    kind = "textual-inversion" if course.is_word else "lora"
    base = known.get(model.prediction, known[""])
    said: dict[str, object] = {
        "modelspec.sai_model_spec": "1.0.0",
        ARCHITECTURE: f"{base}/{kind}",
        "modelspec.title": path.stem,
        "modelspec.resolution": "x".join(map(str, about.size)),
        "ss_base_model_version": written.trained_as,
        "ss_output_name": path.stem,
        "ss_sd_model_name": Path(spec.name).stem if "/" in spec.name else spec.name,
        "ss_new_sd_model_hash": about.loaded.weights_sha256(),
        "ss_steps": step,
        "ss_max_train_steps": course.steps,
        "ss_learning_rate": f"{course.rate:g}",
        "ss_lr_scheduler": course.decay,
        "ss_batch_size_per_device": course.batch_size,
        "ss_num_train_images": len(about.pictures),
        "ss_resolution": str(about.size),
        "ss_seed": course.seed,
        "ss_caption_dropout_rate": f"{course.caption_dropout:g}",
        LEARNT_FROM: " ".join(each[:DIGITS] for each in about.pictures),
    }
    if about.word:
        said["modelspec.trigger_phrase"] = about.word
    if model.prediction in WORDS:
        said[PREDICTION] = WORDS[model.prediction]
    if course.snr_gamma is not None:
        said["ss_min_snr_gamma"] = f"{course.snr_gamma:g}"
    if not course.is_word:
        said |= _of_network(course)
    return {name: str(value) for name, value in said.items()}


def _of_network(course: Course) -> Mapping[str, object]:
    alpha = f"{course.rank if course.alpha is None else course.alpha:g}"
    ranks = {"conv_dim": str(course.rank), "conv_alpha": alpha}
    arguments = {"algo": course.kind, **ranks} if course.kind != "lora" else {}
    return {
        "ss_network_module": MODULES.get(course.kind, LYCORIS),
        "ss_network_dim": course.rank,
        "ss_network_alpha": alpha,
        "ss_network_args": json.dumps(arguments),
    }
