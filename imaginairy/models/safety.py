"""The safety checker that Stable Diffusion 1.x was published with.

CLIP's vector of a picture is compared with vectors of concepts that are not to be shown
(Rando et al., arXiv:2210.04610, describe it).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.finite import finite
from imaginairy.models.picture_input import (
    CLIP_PICTURES,
    PictureInput,
    read_picture_input,
)
from imaginairy.models.pretrained import (
    VISION,
    Design,
    Origin,
    load_pretrained,
)
from imaginairy.settings import SIZE, Section, Settings
from imaginairy.sources.rows import ModelRow
from imaginairy.weights.stored import Names
from imaginairy.weights.weightfile import Tensors

WARINESS = 0.01
"""How much stricter a picture is judged once it shows what needs special care."""
DIGITS = 3
"""To which scores are rounded before they are compared with 0."""


@dataclass(frozen=True)
class Verdict:
    """What a picture's scores are; above 0 it shows the concept."""

    special_scores: tuple[float, ...]
    concept_scores: tuple[float, ...]

    @property
    def unsafe(self) -> bool:
        """Whether it shows a concept that is not to be shown."""
        return any(score > 0 for score in self.concept_scores)


class SafetyNetwork(nn.Module):
    """CLIP's look at a picture, and the concepts to compare it with.

    Args:
        vision: transformers' configuration of the part that looks.
        dim: length of the vectors.
        concepts: how many there are.
        special: how many there are that need special care.
    """

    def __init__(self, vision: Any, dim: int, concepts: int, special: int) -> None:
        super().__init__()
        from transformers import CLIPVisionModel

        self.vision_model = CLIPVisionModel(vision)
        self.visual_projection = nn.Linear(vision.hidden_size, dim, bias=False)
        self.concept_embeds = nn.Parameter(torch.empty(concepts, dim))
        self.special_care_embeds = nn.Parameter(torch.empty(special, dim))
        self.concept_embeds_weights = nn.Parameter(torch.empty(concepts))
        self.special_care_embeds_weights = nn.Parameter(torch.empty(special))

    def forward(self, pixels: Tensor) -> Tensor:
        """Map pictures (batch, 3, side, side) to vectors (batch, dim)."""
        seen = self.vision_model(pixel_values=pixels)
        return self.visual_projection(seen.pooler_output)


class SafetyChecker:
    """A safety checker in memory.

    Args:
        network: computes where its weights lie, in float32.
        picture_input: how pictures are handed over.
        origin: where it came from, if from a folder.
    """

    def __init__(
        self,
        network: SafetyNetwork,
        picture_input: PictureInput = CLIP_PICTURES,
        origin: Origin | None = None,
    ) -> None:
        self.network = network
        self.picture_input = picture_input
        self.origin = origin

    @torch.inference_mode()
    def judge(self, pixels: Tensor) -> list[Verdict]:
        """Judge pictures (batch, 3, side, side)."""
        device = self.network.concept_embeds.device
        vectors = self.network(pixels.to(device))
        return self.judge_vectors(finite(vectors, "the safety checker", self.network))

    def judge_vectors(self, vectors: Tensor) -> list[Verdict]:
        """Judge pictures by CLIP's vectors of them, (batch, dim)."""
        network = self.network
        special = similarities(vectors, network.special_care_embeds)
        concepts = similarities(vectors, network.concept_embeds)
        special_thresholds = network.special_care_embeds_weights.tolist()
        thresholds = network.concept_embeds_weights.tolist()
        return [
            verdict(special[row], special_thresholds, concepts[row], thresholds)
            for row in range(len(vectors))
        ]


def similarities(vectors: Tensor, others: Tensor) -> np.ndarray:
    """Return the cosines of every vector with every other, (batch, others)."""
    cosines = F.normalize(vectors, dim=-1) @ F.normalize(others, dim=-1).T
    return cosines.float().cpu().numpy()


def verdict(
    special: np.ndarray,
    special_thresholds: list[float],
    concepts: np.ndarray,
    thresholds: list[float],
) -> Verdict:
    """Compare a picture's cosines with the thresholds, as the published checker does.

    From the first concept of special care on that a picture shows, all later
    comparisons are stricter by `WARINESS`. Scores are rounded before they are judged,
    so that up to 0.0005 above a threshold still passes.
    """
    added = 0.0
    special_scores, scores = [], []
    for cosine, threshold in zip(special, special_thresholds, strict=True):
        special_scores.append(round(float(cosine - threshold + added), DIGITS))
        if special_scores[-1] > 0:
            added = WARINESS
    for cosine, threshold in zip(concepts, thresholds, strict=True):
        scores.append(round(float(cosine - threshold + added), DIGITS))
    return Verdict(tuple(special_scores), tuple(scores))


def load_safety_checker(spec: ModelRow, device: torch.device) -> SafetyChecker:
    """Load a safety checker.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    network, origin = load_pretrained(spec, SAFETY, device)
    pictures = read_picture_input(origin.folder, CLIP_PICTURES)
    return SafetyChecker(network, pictures, origin)


def _build(sizes: Settings, tensors: Tensors) -> nn.Module:
    import transformers

    def count(name: str) -> int:
        if name not in tensors.shapes:
            raise ValueError(f"the tensor {name} is missing")
        return tensors.shapes[name][0]

    config: Any = transformers.CLIPConfig(**sizes)
    return SafetyNetwork(
        config.vision_config,
        config.projection_dim,
        count("concept_embeds"),
        count("special_care_embeds"),
    )


def _names(network: nn.Module, tensors: Tensors) -> Names:
    """Say where CLIP's tensors lie: older versions of transformers add a level."""
    old = any(name.startswith("vision_model.vision_model.") for name in tensors.shapes)
    level = "vision_model."
    modules = [name for name, _ in network.named_modules() if name.startswith(level)]
    return {name: level * old + name for name in modules}


SAFETY = Design(
    name="safety checker",
    model_type="clip",
    settings={"vision_config": Section(VISION), "projection_dim": SIZE},
    build=_build,
    tied={},
    names=_names,
)
