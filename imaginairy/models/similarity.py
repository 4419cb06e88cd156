"""CLIP (Radford et al., arXiv:2103.00020), which compares pictures with texts."""

from collections.abc import Sequence
from typing import Any

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
    TEXT,
    VISION,
    Design,
    Origin,
    load_clip_tokenizer,
    load_pretrained,
)
from imaginairy.settings import SIZE, Section, Settings
from imaginairy.sources.rows import ModelRow
from imaginairy.tokenizer import ClipTokenizer
from imaginairy.weights.weightfile import Tensors


class Comparer:
    """A similarity model in memory: pictures and texts to vectors of length 1.

    Args:
        network: transformers' CLIPModel, in float32.
        tokenizer: cuts texts.
        picture_input: how pictures are handed over.
        origin: where it came from, if from a folder.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: ClipTokenizer,
        picture_input: PictureInput = CLIP_PICTURES,
        origin: Origin | None = None,
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.picture_input = picture_input
        self.origin = origin

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        device: torch.device = self.network.device
        return device

    @property
    def steepness(self) -> float:
        """What similarities are multiplied by before they become probabilities."""
        return float(self.network.logit_scale.exp())

    def look(self, pixels: Tensor) -> Tensor:
        """Map pictures (batch, 3, side, side) to vectors (batch, dim)."""
        seen = self.network.vision_model(pixel_values=pixels.to(self.device))
        return self._of_length_1(self.network.visual_projection(seen.pooler_output))

    def read(self, texts: Sequence[str]) -> Tensor:
        """Map texts to vectors (texts, dim).

        One that is longer than the network reads at once is read in pieces, whose
        vectors are averaged.
        """
        pieces = [self.tokenizer.windows(text) for text in texts]
        windows = torch.tensor([window for each in pieces for window in each])
        vectors = self.read_windows(windows)
        split = torch.split(vectors, [len(each) for each in pieces])
        return F.normalize(torch.stack([each.mean(dim=0) for each in split]), dim=-1)

    def read_windows(self, ids: Tensor) -> Tensor:
        """Map windows of tokens (batch, tokens) to vectors (batch, dim)."""
        end = self.tokenizer.end
        longest = int((ids != end).sum(dim=1).max()) + 1
        read = self.network.text_model(input_ids=ids[:, :longest].to(self.device))
        return self._of_length_1(self.network.text_projection(read.pooler_output))

    def _of_length_1(self, vectors: Tensor) -> Tensor:
        vectors = finite(vectors, "the similarity model", self.network)
        return F.normalize(vectors, dim=-1)


def load_comparer(spec: ModelRow, device: torch.device) -> Comparer:
    """Load a similarity model.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    network, origin = load_pretrained(spec, CLIP, device)
    tokenizer = load_clip_tokenizer(origin.folder, network.config.text_config)
    pictures = read_picture_input(origin.folder, CLIP_PICTURES)
    return Comparer(network, tokenizer, pictures, origin)


def _build(sizes: Settings, tensors: Tensors) -> nn.Module:
    import transformers

    config: Any = transformers.CLIPConfig(**sizes)
    return transformers.CLIPModel(config)


CLIP = Design(
    name="CLIP",
    model_type="clip",
    settings={
        "text_config": Section(TEXT),
        "vision_config": Section(VISION),
        "projection_dim": SIZE,
    },
    build=_build,
    tied={},
)
