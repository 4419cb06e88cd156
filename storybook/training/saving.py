"""Write the sisters of the model that draws as transformers saves such models."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from imaginairy.models.picture_input import PictureInput
from storybook import settings
from storybook.drawing import tokenizer
from storybook.drawing.export import write_json


def save_half(network: Any, folder: Path) -> None:
    """Write a network's tensors in half precision, and its sizes."""
    network.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # the library leaves it to its owner


def write_vocabulary(folder: Path) -> None:
    """Write the vocabulary that the texts of all models here are cut with."""
    for name in ("vocab.json", "merges.txt"):
        shutil.copyfile(tokenizer.folder() / name, folder / name)
    length = settings.TEXT.max_tokens
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "CLIPTokenizer", "model_max_length": length},
    )


def write_picture_input(
    folder: Path, pictures: PictureInput, kind: str, processor: str
) -> None:
    """Write how pictures are prepared; kind and processor are transformers' classes."""
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": kind,
            "processor_class": processor,
            "do_resize": True,
            "size": {"height": pictures.side, "width": pictures.side},
            "resample": pictures.resample,
            "do_center_crop": False,
            "do_rescale": True,
            "rescale_factor": pictures.scale,
            "do_normalize": True,
            "image_mean": list(pictures.mean),
            "image_std": list(pictures.deviation),
        },
    )
