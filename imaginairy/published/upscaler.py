"""Which upscaler a file holds, told by its tensors."""

from imaginairy.errors import CheckpointError
from imaginairy.log import log
from imaginairy.published.kinds import kind_of, known_kind
from imaginairy.published.naming import lacking
from imaginairy.published.rrdbnet import is_rrdbnet, rrdbnet_part
from imaginairy.published.srvgg import is_srvgg, srvgg_part
from imaginairy.weights.assemble import Part
from imaginairy.weights.weightfile import Tensors

PREFIXES = (
    "", "module.", "netG.", "net_g.", "generator_ema.", "generator.", "params_ema.",
    "params.",
)  # fmt: skip
"""What training programs put before all names of an upscaler."""


def upscaler_part(tensors: Tensors) -> Part:
    """Tell an upscaler's design and size by its tensors.

    Raises:
        CheckpointError: they are of no design known here.
    """
    for prefix in PREFIXES:
        inner = tensors.below(prefix) if prefix else tensors
        if known_kind(inner.shapes):  # some of which extend an RRDBNet
            continue
        with lacking(tensors, "upscaler"):
            if is_rrdbnet(inner.shapes):
                part = rrdbnet_part(inner)
            elif is_srvgg(inner.shapes):
                part = srvgg_part(inner)
            else:
                continue
        if beside := len(tensors.shapes) - len(inner.shapes):
            log.info("'%s' holds %d more tensors, left aside.", tensors.origin, beside)
        return part
    raise CheckpointError(
        f"'{tensors.origin}' holds {kind_of(tensors.shapes)}; give an upscaler of the "
        "design RRDBNet (ESRGAN, Real-ESRGAN, BSRGAN) or SRVGG (Real-ESRGAN's compact "
        "network)."
    )
