"""A licence that limits what a model is used for is said when it is first loaded."""

from hashlib import sha256

from imaginairy.families.family import DENOISER
from imaginairy.log import shortened
from imaginairy.models.checkpoint import Checkpoint
from imaginairy.models.own_defaults import names_of
from imaginairy.said import warn_once
from imaginairy.sources.rows import ModelRow
from imaginairy.sources.terms import said_terms, terms_of

LONGEST = 200
"""Letters of a licence's name that are shown."""


def tell_terms(row: ModelRow, checkpoint: Checkpoint) -> None:
    """Say the licence of a model, once for all models under it, where it limits them.

    What the catalog says of its models is said of these.
    """
    if row.notice:
        return
    tensors = checkpoint.parts[DENOISER].tensors
    if licence := said_terms(tensors.metadata):
        licence = shortened(licence, LONGEST)
        digest = sha256(licence.encode()).hexdigest()[:16]
        warn_once(
            f"licence-{digest}",
            f"{row.name} is under the licence '{licence}', as it says of itself; read "
            "it before using its images for more than trying out. This is said once.",
        )
        return
    terms = terms_of(checkpoint.family.name, names_of(row), tensors.shapes)
    if terms is not None:
        warn_once(
            "licence-"
            + "-".join(terms.title.replace("[", "").replace("]", "").split()),
            f"{row.name} is a {terms.title}, or made of one: {terms.licence} limits "
            "commercial use; read it before using its images for more than trying "
            "out. This is said once.",
        )
