"""Draw the world, train the models, export and measure them: `python -m storybook`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch

from storybook import (
    autoencoder,
    cache,
    decoder,
    export,
    latents,
    masks_report,
    report,
    segmentation,
    settings,
    text,
    tokenizer,
    unet,
)

STAGES: dict[str, Callable[[], None]] = {
    "cache": cache.draw_cache,
    "autoencoder": autoencoder.train,
    "latents": latents.encode_cache,
    "tokenizer": tokenizer.train,
    "text": text.train,
    "unet": unet.train,
    "decoder": decoder.train,
    "export": export.export,
    "report": report.report,
    "segmentation": segmentation.train,
    "segmentation-export": segmentation.export,
    "segmentation-report": masks_report.report,
}


def main() -> None:
    """Run the stages asked for, or all of them in order."""
    parser = argparse.ArgumentParser(prog="storybook", description=__doc__)
    parser.add_argument(
        "stages", nargs="*", metavar="stage", help=f"any of: {', '.join(STAGES)}"
    )
    names = parser.parse_args().stages or list(STAGES)
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        parser.error(f"unknown stage {unknown[0]!r}; known: {', '.join(STAGES)}")
    torch.set_num_threads(settings.THREADS)
    for name in names:
        print(f"storybook: {name}", flush=True)
        STAGES[name]()


if __name__ == "__main__":
    main()
