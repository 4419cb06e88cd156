"""Draw the world, train the models, export and measure them: `python -m storybook`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NoReturn

STAGES = {
    "world": "reports.world:draw_world",
    "cache": "training.cache:draw_cache",
    "autoencoder": "drawing.autoencoder:train",
    "latents": "drawing.latents:encode_cache",
    "twins": "drawing.twins:draw_twins",
    "tokenizer": "drawing.tokenizer:train",
    "text": "drawing.text:train",
    "unet": "drawing.unet:train",
    "decoder": "drawing.decoder:train",
    "export": "drawing.export:export",
    "tiny-cache": "drawing.tiny:draw_cache",
    "tiny": "drawing.tiny:train",
    "tiny-export": "drawing.tiny:export",
    "words": "words.known_words:export",
    "lcm-cache": "adapters.fewer_steps:draw_cache",
    "lcm": "adapters.fewer_steps:train",
    "adapters": "adapters.lessons:learn",
    "adapters-export": "adapters.export:export",
    "controls-cache": "controls.pairs:draw_cache",
    "control-edges": "controls.learners:train_edges",
    "control-colours": "controls.learners:train_colours",
    "judge": "reports.judge:train",
    "report": "reports.drawing:report",
    "tiny-report": "reports.tiny:report",
    "adapters-report": "reports.adapters:report",
    "settings-report": "reports.drawing:report_settings",
    "contact-sheet": "reports.drawing:contact_sheet",
    "edits-report": "reports.edits:report",
    "segmentation": "masks.segmentation:train",
    "segmentation-export": "masks.segmentation:export",
    "segmentation-report": "reports.masks:report",
    "upscaler-cache": "upscaler.network:draw_cache",
    "upscaler": "upscaler.network:train",
    "upscaler-export": "upscaler.network:export",
    "upscaler-report": "reports.upscaler:report",
    "captions": "words.captions:train",
    "captions-export": "words.captions:export",
    "captions-report": "reports.captions:report",
    "similarity": "words.similarity:train",
    "similarity-export": "words.similarity:export",
    "similarity-report": "reports.similarity:report",
    "image-prompt": "controls.learners:train_likeness",
    "controls-export": "controls.export:export",
    "controls-report": "reports.controls:report",
    "face-finder": "faces.finder:train",
    "face-finder-export": "faces.finder:export",
    "faces-cache": "faces.pairs:draw_cache",
    "face-codebook": "faces.restorer:train_codebook",
    "face-codes": "faces.restorer:train_codes",
    "face-steering": "faces.restorer:train_steering",
    "faces-export": "faces.restorer:export",
    "faces-report": "reports.faces:report",
    "flow-tokenizer": "flow.vocabulary:train",
    "flow-texts": "flow.scenes:write_texts",
    "flow-autoencoder": "flow.autoencoder:train",
    "flow-latents": "flow.scenes:encode_cache",
    "flow": "flow.train:train",
    "flow-steps": "flow.fewer_steps:train",
    "flow-export": "flow.export:export",
    "flow-report": "reports.flow:report",
}
"""The function of each, in the order of all. It is imported when it runs, so that no
process that shares in a stage reads in what the others need.
"""

ASIDE = {"recover": "recover:recover", "look": "look:fit"}
"""What is only run when it is named."""


MEASURE = {name for name in STAGES if name.endswith("report")} | {"contact-sheet"}
"""What draws or reads pictures with the finished models."""


def rehearse() -> NoReturn:
    """Begin anew with the settings of a rehearsal."""
    from storybook import settings

    command = [sys.executable, "-m", "storybook", *sys.argv[1:]]
    os.execve(sys.executable, command, os.environ | {settings.REHEARSES: "1"})


def main() -> None:
    """Run the stages asked for, or all of them in order."""
    known = STAGES | ASIDE
    parser = argparse.ArgumentParser(prog="storybook", description=__doc__)
    parser.add_argument(
        "stages", nargs="*", metavar="stage", help=f"any of: {', '.join(known)}"
    )
    parser.add_argument(
        "--rehearse",
        action="store_true",
        help="take every step of the way with next to nothing, to see that it works; "
        "what it writes goes to a folder of its own, and nothing is measured",
    )
    given = parser.parse_args()
    names = given.stages or [n for n in STAGES if not (given.rehearse and n in MEASURE)]
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"unknown stage {unknown[0]!r}; known: {', '.join(known)}")
    run(names, rehearsal=given.rehearse)


def run(names: Sequence[str], *, rehearsal: bool) -> None:
    """Run stages in their order, in a rehearsal or in earnest."""
    import torch

    from storybook import settings

    if rehearsal and not settings.REHEARSAL:
        rehearse()
    settings.STATE.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(settings.THREADS)
    for name in names:
        print(f"storybook: {name}", flush=True)
        stage(name)()


def stage(name: str) -> Callable[[], None]:
    """Return the function of a stage."""
    module, function = (STAGES | ASIDE)[name].split(":")
    return getattr(import_module(f"storybook.{module}"), function)


if __name__ == "__main__":
    main()
