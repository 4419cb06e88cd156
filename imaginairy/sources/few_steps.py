"""Models distilled to few steps, and some that were not: how they are told apart.

Most of them look like what they were made of and do not say what they are; so their
names tell, where a kind is called by a word that others are not.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_STEPS = 16
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class FewSteps:
    """One way in which models are distilled."""

    title: str
    """What such a model is called, with its article."""
    defaults: Mapping[str, Any]
    """What is usual for them; see `sources.rows.DrawingDefaults`."""
    families: Collection[str]
    """Names of the families of which there are such models."""
    named: str = ""
    """Pattern of what their names hold, as `plain` writes them."""
    adapter: str = ""
    """The same of adapters that make such a model of another; by default as models."""
    noise: Mapping[str, Any] = field(default_factory=dict)
    """What is usual of their noise, as in `scheduler_config.json`."""
    says: str = ""
    """Pattern of what only they have: a tensor, a setting of their UNet, or the class
    of their scheduler or of what draws with them."""
    measures: int = 0
    """What the second axis of that tensor measures; anything where that is 0."""
    refers: bool = False
    """Whether they look at reference images; see `families.references`."""


@dataclass(frozen=True)
class Told:
    """What a model was taken for."""

    kind: FewSteps
    because: str
    """What of it says so."""
    defaults: Mapping[str, Any]
    """What is usual for it, with the number of steps that its name says."""
    says: Mapping[str, Any]
    """What it predicts, as in `scheduler_config.json`, where its name says that."""


NOT_GUIDED: Mapping[str, Any] = {"steps": 4, "prompt_strength": 1.0}
TURBO: Mapping[str, Any] = {
    **NOT_GUIDED, "sampler": "k_euler_a", "schedule": "trailing",
}  # fmt: skip
LIGHTNING: Mapping[str, Any] = {
    **NOT_GUIDED, "sampler": "k_euler", "schedule": "trailing",
}  # fmt: skip
HYPER: Mapping[str, Any] = {**NOT_GUIDED, "sampler": "ddim", "schedule": "trailing"}
LCM: Mapping[str, Any] = {"steps": 4, "prompt_strength": 1.5, "sampler": "k_lcm"}
EMBEDDING: Mapping[str, Any] = {**LCM, "prompt_strength": 8.0}
"""Of those that read the guidance scale, which costs them nothing."""
DEV: Mapping[str, Any] = {"steps": 28, "prompt_strength": 3.5, "sampler": "k_euler"}
KONTEXT: Mapping[str, Any] = {**DEV, "prompt_strength": 2.5}
FILL: Mapping[str, Any] = {**DEV, "steps": 50, "prompt_strength": 30.0}
BY_SIZE: Mapping[str, Any] = {"use_dynamic_shifting": True}
UNDISTILLED: Mapping[str, Any] = {
    "steps": 28, "prompt_strength": 4.0, "sampler": "k_euler",
}  # fmt: skip
TCD: Mapping[str, Any] = {**NOT_GUIDED, "sampler": "k_tcd"}
DMD: Mapping[str, Any] = {**NOT_GUIDED, "sampler": "k_lcm", "schedule": "trailing"}

FEW_STEPS = (
    FewSteps(
        "a latent consistency model (LCM) that reads the guidance scale", EMBEDDING,
        ("sd1", "sd2", "sdxl"),
        says=r".*time_embed\.cond_proj\.weight|time_cond_proj_dim",
    ),
    FewSteps(
        "a latent consistency model (LCM)", LCM, ("sd1", "sd2", "sdxl"),
        named=r"\blcm\b", says="LCMScheduler",
    ),
    FewSteps(
        "a trajectory consistency model (TCD)", TCD, ("sd1", "sd2", "sdxl"),
        named=r"\btcd\b", says="TCDScheduler",
    ),
    FewSteps(
        "a Turbo model of 512 x 512", {**TURBO, "width": 512, "height": 512},
        ("sd2", "sdxl"), named=r"^sd ?(xl ?)?turbo\b",
    ),
    FewSteps(
        "a Turbo model", TURBO, ("sd2", "sdxl"), named=r"\bturbo\b",
        adapter=r"\bsd ?xl ?turbo\b|\bturbo\b.* lora\b",
    ),
    FewSteps(
        "a Lightning model", LIGHTNING, ("sdxl",), named=r"\blightning\b",
        adapter=r"\bsdxl lightning\b|\blightning\b.*\d ?steps?\b",
    ),
    FewSteps(
        "a Hyper model of one step", {**TCD, "steps": 1}, ("sd1", "sdxl"),
        adapter=r"\bhyper ?sd.*(?<!\d)1 ?steps?\b",
    ),
    FewSteps(
        "a Hyper model that is guided", {**HYPER, "prompt_strength": 5.0},
        ("sd1", "sdxl"), named=r"\bhyper ?(sd|\d+ ?steps?\b).*\bcfg\b",
    ),
    FewSteps(
        "a Hyper model", HYPER, ("sd1", "sdxl"),
        named=r"\bhyper ?(sd|\d+ ?steps?\b)",
    ),
    FewSteps(
        "a Flux.1 [Fill]", FILL, ("flux1",), noise=BY_SIZE,
        says=r".*(img_in|x_embedder)\.weight|FluxFillPipeline", measures=384,
    ),
    FewSteps(
        "a Flux.1 [Kontext]", KONTEXT, ("flux1",), named=r"\bkontext\b",
        says="FluxKontextPipeline", refers=True, noise=BY_SIZE,
    ),
    FewSteps(
        "a Flux.1 that reads the guidance scale", DEV, ("flux1",), noise=BY_SIZE,
        says=r".*guidance_(in\.in_layer|embedder\.linear_1)\.weight|guidance_embeds",
    ),
    FewSteps(
        "a Flux.2 [klein] before it was distilled", UNDISTILLED, ("flux2",),
        named=r"\bklein\b.*\bbase\b",
    ),
    FewSteps(
        "a Z-Image before it was distilled", {**UNDISTILLED, "steps": 40},
        ("z-image",), named=r"^z ?image( base)?( bf ?16| fp ?\d+| q ?\d.*)?$",
    ),
    FewSteps("a DMD2 model", DMD, ("sdxl",), named=r"\bdmd ?2?\b"),
)  # fmt: skip
"""The first that a model shows is what it is taken for."""


def told(
    family: str, names: Collection[str], says: Collection[str] | Shapes = ()
) -> Told | None:
    """Tell whether a model was distilled to a few steps, and how.

    Args:
        family: name of its family.
        names: that of its file, folder or repository, and what it calls itself.
        says: the shapes of its tensors by their names, or the names of its settings,
            of its scheduler and of what draws with it.
    """
    written = [plain(name) for name in names]
    for kind in FEW_STEPS:
        if family not in kind.families:
            continue
        if shown := next(_shown(kind, says), ""):
            return _told(kind, f"'{shown}' says", written)
        if kind.named and any(re.search(kind.named, name) for name in written):
            return _told(kind, "its name says", written)
    return None


def _shown(kind: FewSteps, says: Collection[str] | Shapes) -> Iterator[str]:
    """Yield what only models of a kind have."""
    shapes = says if isinstance(says, Mapping) else {}
    for each in filter(re.compile(kind.says).fullmatch, says):
        wide = shapes.get(each, ())[1:2]
        if not kind.measures or wide in ((), (kind.measures,)):
            yield each


def told_of_adapter(family: str, names: Collection[str]) -> Told | None:
    """Tell whether an adapter makes a model need few steps; see `told`."""
    written = [plain(name) for name in names]
    for kind in FEW_STEPS:
        pattern = kind.adapter or kind.named
        found = (re.search(pattern, name) for name in written if pattern)
        if family in kind.families and any(found):
            return _told(kind, "its name says", written)
    return None


def plain(name: str) -> str:
    """Return a name as lower words: `dreamshaperXL_8LCM` is `dreamshaper xl 8 lcm`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.findall(r"[a-z0-9]+", apart.lower()))


def _told(kind: FewSteps, because: str, names: Collection[str]) -> Told:
    counts = [re.search(r"(?<!\d)(\d{1,2}) ?steps?\b", name) for name in names]
    steps = next((int(found[1]) for found in counts if found), 0)
    said = {"steps": steps} if 0 < steps <= MOST_STEPS else {}
    clean = any(re.search(r"\bx0\b", name) for name in names)
    says = {**kind.noise, **({"prediction_type": "sample"} if clean else {})}
    return Told(kind, because, {**kind.defaults, **said}, says)
