"""CLIPSeg (Lüddecke and Ecker, arXiv:2112.10003): found, read, and put together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.errors import BadPromptError
from imaginairy.finite import finite
from imaginairy.models.picture_input import PictureInput, read_picture_input
from imaginairy.models.pretrained import (
    ACTIVATIONS,
    LAYERS,
    TEXT,
    VISION,
    Design,
    Origin,
    load_clip_tokenizer,
    load_pretrained,
)
from imaginairy.settings import SIZE, Flag, ListOf, Section, Settings
from imaginairy.sources.rows import ModelRow
from imaginairy.tokenizer import ClipTokenizer
from imaginairy.weights.weightfile import Tensors

if TYPE_CHECKING:
    from transformers import CLIPSegForImageSegmentation

    Network: TypeAlias = CLIPSegForImageSegmentation

PHRASES_AT_ONCE = 16


class Segmenter:
    """A mask model in memory: pictures and phrases in, masks out.

    Args:
        network: computes where its weights lie, in float32.
        tokenizer: cuts phrases.
        picture_input: how pictures are handed over.
        origin: where it came from, if from a folder.
    """

    def __init__(
        self,
        network: "Network",
        tokenizer: ClipTokenizer,
        picture_input: PictureInput,
        origin: Origin | None = None,
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.picture_input = picture_input
        self.origin = origin

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.network.device

    @torch.inference_mode()
    def soft_masks(
        self, image: Image, phrases: Sequence[str], size: tuple[int, int]
    ) -> list[npt.NDArray[np.float32]]:
        """Say how much each pixel belongs to each phrase.

        The picture is encoded once for all phrases.

        Args:
            image: RGB, upright.
            phrases: what to find, each by itself.
            size: width and height of the masks.

        Returns:
            A mask for each phrase, (height, width) in [0, 1].
        """
        meanings = self.read(phrases)
        seen = self.look(self.picture_input.of(image))
        shape = size[1], size[0]
        masks: list[npt.NDArray[np.float32]] = []
        for several in torch.split(meanings, PHRASES_AT_ONCE):
            for logits in self.find(seen, several).cpu():
                large = F.interpolate(logits[None, None], shape, mode="bilinear")
                masks.append(large[0, 0].sigmoid().numpy())
        return masks

    def look(self, pixels: Tensor) -> list[Tensor]:
        """Encode pictures (batch, 3, side, side); this needs no phrase yet.

        Returns:
            What the decoder reads, layer by layer, (batch, tokens, width) each.
        """
        seen = self.network.clip.vision_model(
            pixel_values=pixels.to(self.device), output_hidden_states=True
        )
        return [seen.hidden_states[i + 1] for i in self.network.extract_layers]

    def read(self, phrases: Sequence[str]) -> Tensor:
        """Embed phrases, (phrases, dim).

        Raises:
            BadPromptError: one is longer than the network can read.
        """
        clip, room = self.network.clip, self.tokenizer.max_tokens - 2
        rows = [self.tokenizer.ids(phrase) for phrase in phrases]
        longest = max(len(ids) for ids in rows)
        for phrase, ids in zip(phrases, rows, strict=True):
            if len(ids) > room:
                raise BadPromptError(
                    f"The description {phrase!r} is {len(ids)} tokens long; the mask "
                    f"model reads {room} at most."
                )
        windows = [self.tokenizer.window(ids)[: longest + 2] for ids in rows]
        text = clip.text_model(input_ids=torch.tensor(windows, device=self.device))
        return clip.text_projection(text.pooler_output)

    def find(self, seen: Sequence[Tensor], meanings: Tensor) -> Tensor:
        """Say where phrases are in pictures, as logits (batch, height, width).

        Args:
            seen: from `look`, one row for each phrase, or one for all of them.
            meanings: from `read`.
        """
        rows = [layer.expand(len(meanings), -1, -1) for layer in seen]
        logits = self.network.decoder(tuple(rows), meanings).logits
        return finite(logits, "the mask model", self.network)


def load_segmenter(spec: ModelRow, device: torch.device) -> Segmenter:
    """Load a mask model; raises what `load_pretrained` raises."""
    network, origin = load_pretrained(spec, CLIPSEG, device)
    tokenizer = load_clip_tokenizer(origin.folder, network.config.text_config)
    return Segmenter(network, tokenizer, read_picture_input(origin.folder), origin)


def _build(sizes: Settings, tensors: Tensors) -> nn.Module:
    import transformers

    config: Any = transformers.CLIPSegConfig(**sizes)
    layers = config.vision_config.num_hidden_layers
    if not all(number < layers for number in config.extract_layers):
        raise ValueError(f"extract_layers {config.extract_layers} of {layers} layers")
    return transformers.CLIPSegForImageSegmentation(config)


CLIPSEG = Design(
    name="CLIPSeg",
    model_type="clipseg",
    settings={
        "text_config": Section(TEXT),
        "vision_config": Section(VISION),
        "projection_dim": SIZE,
        "extract_layers": ListOf(LAYERS, 1, 1000, null=False),
        "reduce_dim": SIZE,
        "decoder_num_attention_heads": SIZE,
        "decoder_intermediate_size": SIZE,
        "decoder_hidden_act": ACTIVATIONS,
        "conditional_layer": LAYERS,
        "use_complex_transposed_convolution": Flag(),
    },
    build=_build,
    tied={},
)
