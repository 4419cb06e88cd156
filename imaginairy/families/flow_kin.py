"""What families of flow transformers share: where their parts lie, and how they come.

Most of their files hold the transformer alone, whose text encoder and autoencoder lie
in files of their own, beside it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from imaginairy.families.family import (
    DENOISER,
    Header,
    PartRow,
    Written,
    WrittenModel,
)
from imaginairy.families.unet_kin import DIFFUSERS_WEIGHTS
from imaginairy.settings import OneOf, Schema

CONFIGS = "imaginairy.published.flow_configs"
NO_EYES = {"image_encoder": [None, None], "feature_extractor": [None, None]}
"""What a folder says that sees no image prompts, where pipelines may."""
TRANSFORMER = "model.diffusion_model."
"""What the names of its transformer begin with in a single file that holds more."""
FOLDER = "transformer"
"""Where it lies in the diffusers layout."""
SCHEDULERS = r"FlowMatch(Euler|Heun)DiscreteScheduler"
"""What such a folder's noise is called."""
STREAMS: Schema = {"patch_size": OneOf((1,))}
"""What a `config.json` may say of Flux's kin, whose latents are cut before."""
FLOW_GRID_STEP = 2
"""Latents along a side of a patch."""


def transformer_part(
    published: str,
    classes: str,
    settings: Schema,
    *,
    folder: str = "OF_DIFFUSERS",
) -> PartRow:
    """Return the row of a transformer that a function of `published` reads.

    Args:
        folder: the naming there of folders in the diffusers layout.
    """
    module, _, network = published.partition(":")
    return PartRow(
        role=DENOISER,
        title="transformer",
        folder=FOLDER,
        prefix=TRANSFORMER,
        published=published,
        classes=classes,
        settings=settings,
        half=False,
        wide=True,
        comes_alone=True,
        written=Written(
            config=f"{CONFIGS}:of_{network}",
            file=f"{module}:OF_AUTHORS",
            folder=f"{module}:{folder}",
            weights=DIFFUSERS_WEIGHTS,
            says_size=False,
        ),
    )


def written_as(
    architecture: str,
    pipeline: str,
    blocks: str,
    trained_as: str,
    *,
    inpaints: str = "",
    refers: str = "",
    index: Mapping[str, Any] = MappingProxyType({}),
) -> WrittenModel:
    """Return what models of such a family say of themselves where they are written.

    Args:
        architecture: as `modelspec.architecture`.
        pipeline: what `model_index.json` calls what draws with it, beside the `index`.
        blocks: what GGUF files say as `general.architecture`.
        trained_as: what adapters say as `ss_base_model_version`.
        inpaints: the same as `pipeline`, for models that see a mask.
        refers: the same for those that look at reference images, where others do not.
    """
    return WrittenModel(
        architecture={"": architecture},
        pipeline=pipeline,
        inpaints=inpaints or pipeline,
        refers=refers,
        index=index,
        trained_as=trained_as,
        lora_of_file=True,
        blocks=blocks,
    )


def has(header: Header, *names: str) -> bool:
    """Tell whether a transformer has tensors of all of these names."""
    start = TRANSFORMER if header.index is None else f"{FOLDER}/"
    return all(f"{start}{name}" in header.shapes for name in names)


def begins(header: Header, *starts: str) -> bool:
    """Tell whether one of its tensors' names begins with one of these."""
    start = TRANSFORMER if header.index is None else f"{FOLDER}/"
    return header.has(*(f"{start}{name}" for name in starts))


def of_turbo(steps: int) -> Mapping[str, Any]:
    """Return what is usual for models that draw in few steps, without guidance."""
    return {"steps": steps, "prompt_strength": 1.0, "sampler": "k_euler"}
