"""HED's edge detector as ControlNet's annotators name it."""

from imaginairy.errors import CheckpointError
from imaginairy.networks.hed import HED, HEDConfig
from imaginairy.published.kinds import kind_of
from imaginairy.published.naming import Shapes, count, lacking
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

SIGN = "block1.projection.weight"
"""A tensor that tells one."""


def hed_part(tensors: Tensors) -> Part:
    """Tell an edge detector's size by its tensors.

    Raises:
        CheckpointError: they are of another design.
    """
    if SIGN not in tensors.shapes:
        raise CheckpointError(
            f"'{tensors.origin}' holds {kind_of(tensors.shapes)}; give an edge "
            "detector of the design HED, as ControlNetHED.pth."
        )
    with lacking(tensors, "edge detector"):
        config = hed_config(tensors.shapes)
    return Part(HED, config, tensors, hed(config))


def hed_config(shapes: Shapes) -> HEDConfig:
    """Size an edge detector, whose stages are numbered from 1."""
    stages = 0
    while f"block{stages + 1}.projection.weight" in shapes:
        stages += 1
    places = [f"block{number + 1}" for number in range(stages)]
    return HEDConfig(
        tuple(shapes[f"{place}.projection.weight"][1] for place in places),
        tuple(count(shapes, f"{place}.convs.{{}}.weight") for place in places),
        shapes["block1.convs.0.weight"][1],
    )


def hed(config: HEDConfig) -> Names:
    """Name an edge detector as ControlNet's annotators do."""
    names = {"shift": "norm"}
    for stage, layers in enumerate(config.layers):
        names[f"stages.{stage}.edges"] = f"block{stage + 1}.projection"
        for layer in range(layers):
            ours = f"stages.{stage}.convolutions.{layer}"
            names[ours] = f"block{stage + 1}.convs.{layer}"
    return names
