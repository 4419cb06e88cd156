"""Make the files beside this one from the full reference: python trim.py GOLDENS FACTS.

GOLDENS holds what transformers 5.23 gave on a CPU in float32, with weights drawn by the
rule of `tests.golden.drawn`; FACTS the layouts of published checkpoints.

- clipseg.npz: two CLIPSegs of reduced size, with the refined decoder and the plain one,
  on the same pictures and texts; from clipseg_reduced.npz.
- clipseg.json.gz: their sizes, and {kind: {tensor: shape}} of both and of the published
  CIDAS/clipseg-rd64-refined; from extra_manifest.json and checkpoints.json.gz.
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
    data = json.dumps(content, separators=(",", ":")).encode()
    (HERE / "clipseg.json.gz").write_bytes(gzip.compress(data, mtime=0))


def below(salt: str, manifest: dict[str, Any]) -> dict[str, list[int]]:
    """Return the shapes of one network, by the names in its file."""
    return {
        name.removeprefix(salt): shape
        for name, shape in manifest["shapes"].items()
        if name.startswith(salt)
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
