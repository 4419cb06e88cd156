"""Write the sisters of the model that draws as transformers saves such models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from imaginairy.models.picture_input import PictureInput


def save_half(network: Any, folder: Path) -> None:
    """Write a network's tensors in half precision, and its sizes."""
    network.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # the library leaves it to its owner


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


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a small file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
