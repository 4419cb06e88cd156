"""The flow transformers that draw, by name.

Sizes of repositories are not published; `imagine --plan` says what is to be fetched.
"""

from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import DrawingDefaults, HubRepo, ModelRow

APACHE = "Apache-2.0"
REACH = 2.25
"""1536 x 1536, of 1024 x 1024."""


def _defaults(steps: int, prompt_strength: float = 1.0) -> DrawingDefaults:
    return DrawingDefaults(
        width=1024,
        height=1024,
        steps=steps,
        prompt_strength=prompt_strength,
        sampler="k_euler",
        reach=REACH,
    )


FLOW_ROWS: tuple[ModelRow, ...] = (
    ModelRow(
        role=DRAWS,
        name="z-image-turbo",
        family="z-image",
        aliases=("z-image", "zimage"),
        summary="Z-Image-Turbo, a flow transformer of 6 billion parameters, 8 steps",
        weights=HubRepo("Tongyi-MAI/Z-Image-Turbo"),
        licence=APACHE,
        defaults=_defaults(8),
    ),
    ModelRow(
        role=DRAWS,
        name="flux2-klein-4b",
        family="flux2",
        aliases=("flux2-klein", "klein-4b"),
        summary="Flux.2 [klein] of 4 billion parameters, 4 steps",
        weights=HubRepo("black-forest-labs/FLUX.2-klein-4B"),
        licence=APACHE,
        defaults=_defaults(4),
    ),
    ModelRow(
        role=DRAWS,
        name="flux1-schnell",
        family="flux1",
        aliases=("flux-schnell", "schnell"),
        summary="Flux.1 [schnell] of 12 billion parameters, 4 steps",
        weights=HubRepo("black-forest-labs/FLUX.1-schnell"),
        licence=APACHE,
        defaults=_defaults(4),
    ),
    ModelRow(
        role=DRAWS,
        name="chroma1-hd",
        family="chroma",
        aliases=("chroma1", "chroma"),
        summary="Chroma1-HD of 8.9 billion parameters, guided, with negative prompts",
        weights=HubRepo("lodestones/Chroma1-HD"),
        licence=APACHE,
        defaults=_defaults(26, 4.0),
    ),
)
