"""Licences that limit what models are used for, and by what these are told."""

import pytest

from imaginairy.families.table import FAMILIES
from imaginairy.sources.terms import TERMS, said_terms, terms_of

DEV = {"guidance_in.in_layer.weight": (3072, 256)}
BOTH = {"txt_in.weight": (4096, 12288)}


@pytest.mark.parametrize(
    ("family", "name", "shapes", "title"),
    [
        ("flux1", "x", DEV, "Flux.1 [dev]"),
        ("flux1", "x", {"time_text_embed.guidance_embedder.linear_1.weight": (1, 1)},
         "Flux.1 [dev]"),
        ("flux1", "flux1-schnell", {}, None),
        ("chroma", "flux1-dev", DEV, None),
        ("flux2", "x", BOTH, "Flux.2 [klein 9B]"),
        ("flux2", "x", {"context_embedder.weight": (4096, 12288)}, "Flux.2 [klein 9B]"),
        ("flux2", "x", {"txt_in.weight": (3072, 7680)}, None),
        ("sdxl", "cosxl_edit", {}, "CosXL"),
        ("sdxl", "sd_xl_turbo_1.0_fp16", {}, "SDXL-Turbo"),
        ("sdxl", "dreamshaperXL_turbo", {}, None),
        ("sd2", "sd-turbo", {}, "SD-Turbo"),
        ("sd1", "sd-turbo", {}, None),
    ],
)  # fmt: skip
def test_who_is_under_one(
    family: str, name: str, shapes: dict[str, tuple[int, ...]], title: str | None
) -> None:
    terms = terms_of(family, [name], shapes)
    assert (terms and terms.title) == title


def test_rows_are_of_families_that_there_are() -> None:
    known = {family.name for family in FAMILIES}
    assert {name for terms in TERMS for name in terms.families} <= known
    assert all(terms.named or terms.tensor for terms in TERMS)


@pytest.mark.parametrize(
    ("licence", "limits"),
    [
        ("FLUX.1 [dev] Non-Commercial License", True),
        ("CC-BY-NC-4.0", True),
        ("Stability AI  Community\nLicense", True),
        ("for research only", True),
        ("CreativeML Open RAIL++-M", False),
        ("apache-2.0", False),
        ("", False),
    ],
)
def test_what_a_file_says_of_itself(licence: str, limits: bool) -> None:
    said = said_terms({"modelspec.license": licence})
    assert (said is not None) == limits and "\n" not in (said or "")
