"""The flow transformers that draw, by name.

Sizes of repositories are not published; `imagine --plan` says what is to be fetched.
"""

from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import DrawingDefaults, HubRepo, ModelRow

REACH = 2.25
"""1536 x 1536, of 1024 x 1024."""


def _row(
    name: str,
    family: str,
    repo: str,
    summary: str,
    steps: int,
    prompt_strength: float = 1.0,
    aliases: tuple[str, ...] = (),
) -> ModelRow:
    return ModelRow(
        role=DRAWS,
        name=name,
        family=family,
        aliases=aliases,
        summary=summary,
        weights=HubRepo(repo),
        licence="Apache-2.0",
        defaults=DrawingDefaults(
            width=1024,
            height=1024,
            steps=steps,
            prompt_strength=prompt_strength,
            sampler="k_euler",
            reach=REACH,
        ),
    )


FLOW_ROWS: tuple[ModelRow, ...] = (
    _row(
        "z-image-turbo", "z-image", "Tongyi-MAI/Z-Image-Turbo",
        "Z-Image-Turbo, a flow transformer of 6 billion parameters, 8 steps",
        steps=8, aliases=("z-image", "zimage"),
    ),
    _row(
        "flux2-klein-4b", "flux2", "black-forest-labs/FLUX.2-klein-4B",
        "Flux.2 [klein] of 4 billion parameters, 4 steps",
        steps=4, aliases=("flux2-klein", "klein-4b"),
    ),
    _row(
        "flux1-schnell", "flux1", "black-forest-labs/FLUX.1-schnell",
        "Flux.1 [schnell] of 12 billion parameters, 4 steps",
        steps=4, aliases=("flux-schnell", "schnell"),
    ),
    _row(
        "chroma1-hd", "chroma", "lodestones/Chroma1-HD",
        "Chroma1-HD of 8.9 billion parameters, guided, with negative prompts",
        steps=26, prompt_strength=4.0, aliases=("chroma1", "chroma"),
    ),
)  # fmt: skip
