"""RRDBNet as published: by Real-ESRGAN, by ESRGAN, and in ESRGAN's first files.

Which of these a file has is told part by part, as some mix them.
"""

from imaginairy.errors import CheckpointError
from imaginairy.networks.enhancer_config import RRDBNetConfig
from imaginairy.networks.rrdbnet import CONVOLUTIONS, DENSE_BLOCKS, RRDBNet
from imaginairy.published.naming import Shapes, count
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

RRDB_NAMES = {
    "conv_in": ("conv_first", "conv_first", "model.0"),
    "dense": (
        "body.{block}.rdb{dense}.conv{index}",
        "RRDB_trunk.{block}.RDB{dense}.conv{index}",
        "model.1.sub.{block}.RDB{dense}.conv{index}.0",
    ),
    "conv_trunk": ("conv_body", "trunk_conv", "model.1.sub.{blocks}"),
    "enlarge": ("conv_up{number}", "upconv{number}", "model.{place}"),
    "conv_fine": ("conv_hr", "HRconv", "model.{fine}"),
    "conv_out": ("conv_last", "conv_last", "model.{out}"),
}
"""What the parts of an RRDBNet are called: by Real-ESRGAN, by ESRGAN, and in ESRGAN's
first files, where all that follows the blocks is numbered in one row."""
REAL_ESRGAN: Names = {part: names[0] for part, names in RRDB_NAMES.items()}
FIRST_DENSE = {"block": 0, "dense": 1, "index": 1}
FOLDS = (1, 2, 4)
"""Sides of the squares of pixels that upscalers fold into channels."""
GREY, COLORED = 1, 3
COLORS = {GREY, COLORED}
"""Channels that pictures may have here."""
TRANSPARENT = 4
"""Channels that an upscaler of pictures with transparency takes; of no other kind."""


def is_rrdbnet(shapes: Shapes) -> bool:
    """Tell an RRDBNet by the first convolution of its blocks."""
    return _named(shapes, "dense", FIRST_DENSE) is not None


def rrdbnet_part(tensors: Tensors) -> Part:
    """Tell an RRDBNet's size and naming by its tensors."""
    config, style = _rrdbnet(tensors.shapes)
    return Part(RRDBNet, config, tensors, rrdbnet(config, style))


def _rrdbnet(shapes: Shapes) -> tuple[RRDBNetConfig, Names]:
    """Size an RRDBNet, and tell what its parts are called.

    Doublings, and channels of folded pictures, tell the scale. Nothing tells those of
    ESRGAN's first files that enlarge by 3 from those by 2.
    """
    dense = _named(shapes, "dense", FIRST_DENSE) or REAL_ESRGAN["dense"]
    usual = RRDB_NAMES["dense"].index(dense)
    blocks = count(shapes, f"{dense}.weight".format(block="{}", dense=1, index=1))
    doublings = 0
    while _named(shapes, "enlarge", _places(doublings + 1)):
        doublings += 1
    numbers = {"blocks": blocks, **FIRST_DENSE, **_places(doublings)}
    style = {
        part: _named(shapes, part, numbers) or names[usual]
        for part, names in RRDB_NAMES.items()
    }
    first, inner, last = (
        shapes[f"{style[part]}.weight".format(**numbers)]
        for part in ("conv_in", "dense", "conv_out")
    )
    image_channels, fold = _unfolded(first[1], last[0])
    if fold > 2**doublings:
        raise CheckpointError(
            f"an upscaler that folds squares of {fold} x {fold} pixels and doubles "
            f"{doublings} times makes pictures smaller; none of these can be used."
        )
    config = RRDBNetConfig(
        scale=2**doublings // fold,
        image_channels=image_channels,
        drawn_channels=last[0],
        channels=first[0],
        growth=inner[0],
        blocks=blocks,
        doublings=doublings,
    )
    return config, style


def _places(doublings: int) -> dict[str, int]:
    """Number what follows the blocks, in a row and by itself, by the last doubling."""
    place = 3 * doublings
    return {"number": doublings, "place": place, "fine": place + 2, "out": place + 4}


def _named(shapes: Shapes, part: str, numbers: dict[str, int]) -> str | None:
    """Return which of its names a part of an RRDBNet goes by."""
    for name in RRDB_NAMES[part]:
        if f"{name}.weight".format(**numbers) in shapes:
            return name
    return None


def _unfolded(folded: int, drawn: int) -> tuple[int, int]:
    """Return of how many channels pictures are, and the side of the squares folded."""
    for channels in (drawn, GREY, COLORED):
        for fold in FOLDS:
            fits = folded == channels * fold**2 and {channels, drawn} <= COLORS
            if fits and (folded, drawn) != (TRANSPARENT, COLORED):
                return channels, fold
    raise CheckpointError(
        f"an upscaler from {folded} channels to {drawn} is of no known kind; those of "
        "grey or coloured pictures, folded by 1, 2 or 4, can be used."
    )


def rrdbnet(config: RRDBNetConfig, style: Names = REAL_ESRGAN) -> Names:
    """Name an RRDBNet; what its parts are called is Real-ESRGAN's unless given."""
    numbers = {"blocks": config.blocks, **_places(config.doublings)}
    names = {
        part: style[part].format(**numbers)
        for part in ("conv_in", "conv_trunk", "conv_fine", "conv_out")
    }
    for doubling in range(config.doublings):
        places = _places(doubling + 1)
        names[f"enlarge.{doubling}"] = style["enlarge"].format(**places)
    for block in range(config.blocks):
        for dense in range(DENSE_BLOCKS):
            for index in range(CONVOLUTIONS):
                ours = f"blocks.{block}.dense.{dense}.convolutions.{index}"
                names[ours] = style["dense"].format(
                    block=block, dense=dense + 1, index=index + 1
                )
    return names
