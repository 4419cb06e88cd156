"""Make goldens.npz from the full reference outputs: python trim.py FOLDER.

FOLDER holds schedules.npz, samplers_ddim_plms.npz, samplers_kdiffusion.npz and
samplers_kdiffusion_current.npz, computed on a CPU in float32 by imaginAIry 2.0.0 (DDIM,
PLMS) and k-diffusion 4601bf08 (the rest) with a noise predictor that is a formula; see
`predictor` in ../test_goldens.py. Left out are the samplers of k-diffusion as of
imaginAIry 2.0.0, the masked runs (ours mixes differently, on purpose), doubles, and
noises that no sampler gets to.
"""

import sys
from pathlib import Path

import numpy as np

NOISES = 80


def wanted(file: str, name: str) -> bool:
    """Whether the tests use the array."""
    if file == "schedules":
        return "kdiff200" not in name and not name.startswith("ddim_a")
    if file == "samplers_ddim_plms":
        return "mask" not in name
    return name.startswith(("dpmpp", "euler_ancestral_latest")) or (
        file == "samplers_kdiffusion_current" and ".sigmas." not in name
    )


def main(folder: Path) -> None:
    """Gather what is wanted and write it beside this file."""
    arrays = {}
    for file in (
        "schedules",
        "samplers_ddim_plms",
        "samplers_kdiffusion",
        "samplers_kdiffusion_current",
    ):
        full = np.load(folder / f"{file}.npz")
        arrays.update({name: full[name] for name in full.files if wanted(file, name)})
    arrays["noise_sequence"] = arrays["noise_sequence"][:NOISES]
    np.savez_compressed(Path(__file__).with_name("goldens.npz"), **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
