"""How files name the networks of this family; sizes and names together."""

from imaginairy.published.naming import Naming, Shapes
from imaginairy.settings import Settings
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors
from tests.families.patchwork.network import (
    Reader,
    ReaderConfig,
    Stitcher,
    StitcherConfig,
)


def stitcher_config(shapes: Shapes, settings: Settings) -> StitcherConfig:
    width, channels = shapes["needle.in.weight"][:2]
    return StitcherConfig(
        in_channels=channels,
        out_channels=shapes["needle.out.weight"][0],
        width=width,
        context_dim=shapes["eye.k.weight"][1],
        pooled_dim=shapes["hears.weight"][1],
    )


def stitcher_names(config: StitcherConfig) -> Names:
    return {
        "enter": "needle.in",
        "time": "clock",
        "whole": "hears",
        "size": "measures",
        "look.query": "eye.q",
        "look.key": "eye.k",
        "look.value": "eye.v",
        "look.out": "eye.out",
        "leave": "needle.out",
    }


def reader_config(shapes: Shapes, settings: Settings) -> ReaderConfig:
    return ReaderConfig(*shapes["lexicon"], max_tokens=shapes["rows"][0])


def reader_names(config: ReaderConfig) -> Names:
    return {"words.weight": "lexicon", "places.weight": "rows"}


STITCHER = Naming("ours", r"needle\.", stitcher_config, stitcher_names)
READER = Naming("ours", r"lexicon", reader_config, reader_names)


def stitcher(tensors: Tensors, settings: Settings) -> Part:
    return STITCHER.part(Stitcher, tensors, settings)


def reader(tensors: Tensors, settings: Settings) -> Part:
    return READER.part(Reader, tensors, settings)
