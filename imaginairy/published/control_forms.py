"""ControlNets that are saved as what they differ in from the UNet that they control."""

from collections.abc import Mapping
from math import prod

from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.networks.unet import UNet
from imaginairy.published.naming import Shapes
from imaginairy.published.unet import compvis_names
from imaginairy.weights.stored import stored_as
from imaginairy.weights.weightfile import Tensors

PREFIX = "control_model."
"""What checkpoints that hold a UNet beside it put before the names of a ControlNet."""
LOW_RANK = "lora_controlnet"
"""The tensor that says that matrices are the UNet's own plus a product of two."""
DIFFERENCE = "difference"
"""The tensor that says that all of those that the UNet has too are added to its own."""
UP, DOWN = ".up", ".down"
FIRST = "input_blocks.0.0.weight"
"""The convolution that reads latents."""


def form_of(tensors: Tensors) -> str | None:
    """Return `LOW_RANK` or `DIFFERENCE`; None of one that is whole."""
    forms = (form for form in (LOW_RANK, DIFFERENCE) if form in tensors.shapes)
    return next(forms, None)


def completed(tensors: Tensors, unet: UNet) -> Tensors:
    """Return all tensors of a ControlNet, without a prefix, each made when it is read.

    Args:
        tensors: as a file holds them.
        unet: the one that is controlled; nothing is done to it. Of one that sees more
            beside the latents, what reads the latents is taken.

    Raises:
        CheckpointError: it was made from another UNet.
    """
    form = form_of(tensors)
    whole = tensors
    if any(name.startswith(PREFIX) for name in tensors.shapes):
        whole = tensors.below(PREFIX)
    if form is None:
        return whole
    return _Completed(whole, form, own_tensors(unet))


def own_tensors(unet: UNet) -> Mapping[str, Tensor]:
    """Return the tensors of a UNet as CompVis names them."""
    names = compvis_names(unet.config)
    return {stored_as(ours, names).name: t for ours, t in unet.state_dict().items()}


class _Completed(Tensors):
    """The tensors of a file, and the UNet's under them."""

    def __init__(self, file: Tensors, form: str, unet: Mapping[str, Tensor]) -> None:
        self.file, self.unet = file, unet
        held = {name: shape for name, shape in file.shapes.items() if name != form}
        pairs = _pairs(held) if form == LOW_RANK else {}
        self.added = {*pairs} if form == LOW_RANK else {*held} & {*unet}
        """What is the UNet's own and something more."""
        factors = {end for pair in pairs.values() for end in pair}
        shapes = {name: shape for name, shape in held.items() if name not in factors}
        for name, (up, down) in pairs.items():
            shapes[name] = (held[up][0], *held[down][1:])
        super().__init__(file.origin, shapes)
        self.pairs, self.root_file = pairs, file.root
        self.prefix, self.metadata = file.prefix, file.metadata
        self.types = {
            name: file.types[pairs[name][0] if name in pairs else name]
            for name in shapes
        }
        for name in sorted(self.added):
            self._require(name)

    @property
    def root(self) -> Tensors:
        return self.root_file

    def read(self, name: str) -> Tensor:
        if name in self.pairs:
            up, down = (self.file.read(end).float() for end in self.pairs[name])
            change = up.flatten(1) @ down.flatten(1)
        else:
            change = self.file.read(name)
        if name not in self.added:
            return change
        own = self._own(name).cpu().float()
        return (own + change.float().reshape(own.shape)).to(self.types[name])

    def rest(self) -> None:
        self.file.rest()

    def _own(self, name: str) -> Tensor:
        """Return the UNet's tensor; of what sees more than latents, what sees these."""
        own = self.unet[name]
        return own[:, : self.shapes[name][1]] if name == FIRST else own

    def _require(self, name: str) -> None:
        """Check that the UNet has a tensor that what is here can be added to."""
        wanted = self.shapes[name]
        has = tuple(self._own(name).shape) if name in self.unet else None
        ranks = {self.file.shapes[end][:2][place] for place, end in self._ranks(name)}
        if has is None or prod(has) != prod(wanted) or len(ranks) > 1:
            raise CheckpointError(
                f"'{self.origin}' holds what is added to the UNet that it was made "
                f"from, and {name} of {wanted} does not fit that of this model "
                f"({has or 'it has none'}); use a ControlNet for models of its family."
            )

    def _ranks(self, name: str) -> list[tuple[int, str]]:
        up, down = self.pairs.get(name, ("", ""))
        return [(1, up), (0, down)] if up else []


def _pairs(shapes: Shapes) -> dict[str, tuple[str, str]]:
    """Return the two factors of each matrix that has them."""
    modules = (name.removesuffix(UP) for name in shapes if name.endswith(UP))
    return {
        f"{each}.weight": (each + UP, each + DOWN)
        for each in modules
        if each + DOWN in shapes
    }
