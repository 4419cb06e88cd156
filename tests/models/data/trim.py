"""Make the files beside this one from the full reference: python trim.py GOLDENS FACTS.

GOLDENS holds what transformers 5.23 gave on a CPU in float32, with weights drawn by the
rule of `tests.support.golden.drawn`; FACTS the layouts of published checkpoints.

- clipseg.npz: two CLIPSegs of reduced size, with the refined decoder and the plain one,
  on the same pictures and texts; from clipseg_reduced.npz.
- clipseg.json.gz: their sizes, and {kind: {tensor: shape}} of both and of the published
  CIDAS/clipseg-rd64-refined; from extra_manifest.json and checkpoints.json.gz.
- blip.npz, safety.npz: a BLIP and a safety checker of reduced size, and the checker's
  logic on vectors; from blip_reduced.npz, safety_checker_reduced.npz and
  safety_checker_logic.npz (its arrays begin with `logic.`).
- words.json.gz: the same for these as clipseg.json.gz is for CLIPSeg.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def main(goldens: Path, facts: Path) -> None:
    """Gather what is wanted and write it beside this file."""
    full = np.load(goldens / "clipseg_reduced.npz")
    np.savez_compressed(HERE / "clipseg.npz", **{name: full[name] for name in full})
    manifest = json.loads((goldens / "extra_manifest.json").read_text())
    layouts = json.loads(gzip.decompress((facts / "checkpoints.json.gz").read_bytes()))
    published = layouts["transformers_clipseg_rd64_refined"]["tensors"]
    content = {
        "sizes": manifest["clipseg"],
        **{kind: below(f"clipseg_{kind}/", manifest) for kind in ("refined", "plain")},
        "published": {name: shape for name, (shape, _) in published.items()},
    }
    write("clipseg.json.gz", content)

    blip = np.load(goldens / "blip_reduced.npz")
    np.savez_compressed(HERE / "blip.npz", **{name: blip[name] for name in blip})
    reduced = np.load(goldens / "safety_checker_reduced.npz")
    logic = np.load(goldens / "safety_checker_logic.npz")
    arrays = {name: reduced[name] for name in reduced}
    arrays |= {f"logic.{name}": logic[name] for name in logic}
    np.savez_compressed(HERE / "safety.npz", **arrays)
    models = json.loads((goldens / "models_manifest.json").read_text())
    content = {
        "blip_sizes": manifest["blip"],
        "blip": below("blip/", manifest),
        "safety_sizes": models["configs"]["safety_vision_config"],
        "safety": below("safety_checker/", {"shapes": models["safety_checker_shapes"]}),
        "published_safety": published_shapes(
            layouts["diffusers_sd15"]["safety_checker"]
        ),
        "published_safety_sizes": layouts["diffusers_sd15"]["safety_checker"][
            "vision_config"
        ],
    }
    for size in ("base", "large"):
        layout = layouts[f"transformers_blip_captioning_{size}"]
        content[f"published_blip_{size}"] = published_shapes(layout)
        content[f"published_blip_{size}_sizes"] = layout["config"]
    write("words.json.gz", content)


def published_shapes(layout: dict[str, Any]) -> dict[str, list[int]]:
    """Return {tensor: shape} of a published checkpoint."""
    return {name: shape for name, (shape, _) in layout["tensors"].items()}


def write(name: str, content: dict[str, Any]) -> None:
    """Write plain values, packed."""
    data = json.dumps(content, separators=(",", ":")).encode()
    (HERE / name).write_bytes(gzip.compress(data, mtime=0))


def below(salt: str, manifest: dict[str, Any]) -> dict[str, list[int]]:
    """Return the shapes of one network, by the names in its file."""
    return {
        name.removeprefix(salt): shape
        for name, shape in manifest["shapes"].items()
        if name.startswith(salt)
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
