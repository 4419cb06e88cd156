"""Licences that do not allow everything, and how models under one are told.

By the names and shapes of tensors where only these have such, else by what a model is
called; a model that says its licence itself, in its metadata, needs neither.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from imaginairy.families.family import Shape
from imaginairy.sources.few_steps import plain

SAYS = "modelspec.license"
"""Where the metadata of a file says its licence."""
LIMITS = re.compile(
    r"\bnon[ -]?commercial|\bnc\b|\bnc-|\bresearch\b|\bcommunity\b", re.IGNORECASE
)
"""What a licence is called that limits what a model is used for."""


@dataclass(frozen=True)
class Terms:
    """A licence that limits what models are used for, and which these are."""

    title: str
    """What such a model is called."""
    licence: str
    families: Collection[str]
    """Names of the families of which there are such models."""
    named: str = ""
    """Pattern of what their names hold, as `plain` writes them."""
    tensor: str = ""
    """Pattern of the name of a tensor that only they have."""
    measures: int = 0
    """What its second axis measures; anything where that is 0."""


FLUX = "the FLUX Non-Commercial License of Black Forest Labs"
TERMS = (
    Terms("Flux.1 [dev]", FLUX, ("flux1",),
          tensor=r"(^|\.)guidance_(in\.in_layer|embedder\.linear_1)\.weight$"),
    Terms("Flux.2 [klein 9B]", FLUX, ("flux2",),
          tensor=r"(^|\.)(txt_in|context_embedder)\.weight$", measures=12288),
    Terms("CosXL", "the Stability AI Non-Commercial Research Community License",
          ("sdxl",), named=r"\bcos ?xl\b"),
    Terms("SDXL-Turbo", "a non-commercial licence of Stability AI, or its Community "
          "License", ("sdxl",), named=r"^sd ?xl ?turbo\b"),
    Terms("SD-Turbo", "the Stability AI Community License", ("sd2",),
          named=r"^sd ?turbo\b"),
)  # fmt: skip
"""The first that a model shows is what it is taken for."""


def terms_of(
    family: str, names: Collection[str], shapes: Mapping[str, Shape]
) -> Terms | None:
    """Return the licence of a model that limits its use, where it shows one.

    Args:
        family: name of its family.
        names: that of its file, folder or repository, and what it calls itself.
        shapes: of the tensors of the network that draws.
    """
    written = [plain(name) for name in names]
    for terms in TERMS:
        if family not in terms.families:
            continue
        if terms.tensor and _is_in(shapes, terms):
            return terms
        if terms.named and any(re.search(terms.named, name) for name in written):
            return terms
    return None


def said_terms(metadata: Mapping[str, str]) -> str | None:
    """Return the licence that a file says it is under, where that limits its use."""
    licence = " ".join(metadata.get(SAYS, "").split())
    return licence if LIMITS.search(licence) else None


def _is_in(shapes: Mapping[str, Shape], terms: Terms) -> bool:
    found = filter(re.compile(terms.tensor).search, shapes)
    return any(
        not terms.measures or shapes[name][1:2] == (terms.measures,) for name in found
    )
