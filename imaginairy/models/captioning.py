"""BLIP (Li et al., arXiv:2201.12086), which says what is in a picture."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from torch import Tensor, nn

from imaginairy.errors import CheckpointError
from imaginairy.finite import finite
from imaginairy.models.picture_input import (
    CLIP_PICTURES,
    PictureInput,
    read_picture_input,
)
from imaginairy.models.pretrained import (
    ID,
    TEXT,
    VISION,
    Design,
    Origin,
    load_pretrained,
)
from imaginairy.settings import Schema, Section, Settings, Whole, read
from imaginairy.sources.layouts import GENERATION, TOKENIZER, WORD_PIECES
from imaginairy.sources.rows import ModelRow
from imaginairy.weights.json_file import read_json, short_enough
from imaginairy.weights.vocabulary import from_file, readable
from imaginairy.weights.weightfile import Tensors

PREFIX = "a picture of"
"""What BLIP's captions were trained to go on from; it is no part of the caption."""
MOST_BEAMS = 32
"""Beginnings that may be followed at a time; each takes memory of its own."""
WRITING: Schema = {
    "num_beams": Whole(1, MOST_BEAMS, null=True),
    "min_length": Whole(0, 1000, null=True),
    "max_length": Whole(0, 1000, null=True),
}
"""What is read of how captions are searched for."""
UNKNOWN, END = "[UNK]", "[SEP]"
BLIP_PICTURES = PictureInput(
    side=384,
    resample=CLIP_PICTURES.resample,
    mean=CLIP_PICTURES.mean,
    deviation=CLIP_PICTURES.deviation,
)
"""What the published BLIPs see."""


@dataclass(frozen=True)
class Writing:
    """How captions are searched for; as BLIP's authors do where a model says nothing.

    Lengths count tokens, those of `PREFIX` and the two around a text included.
    """

    num_beams: int = 3
    """Beginnings that are followed at a time; 1 takes the likeliest word each time."""
    min_length: int = 5
    max_length: int = 20


class Captioner:
    """A caption model in memory.

    Args:
        network: transformers' BlipForConditionalGeneration, in float32.
        tokenizer: cuts and joins words.
        picture_input: how pictures are handed over.
        writing: how captions are searched for.
        origin: where it came from, if from a folder.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Tokenizer,
        picture_input: PictureInput = BLIP_PICTURES,
        writing: Writing | None = None,
        origin: Origin | None = None,
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.picture_input = picture_input
        self.writing = writing or Writing()
        self.origin = origin
        text = network.config.text_config
        self.begin = [text.bos_token_id, *self.ids(PREFIX)]
        """The tokens that every caption goes on from."""

    def ids(self, text: str) -> list[int]:
        """Return the tokens of a text, without those around it."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    @torch.inference_mode()
    def write(self, pixels: Tensor, beams: int | None = None) -> list[str]:
        """Write a caption for each of the pictures (batch, 3, side, side).

        Args:
            beams: beginnings to follow at a time; the model's usual number by default.
        """
        writing, network = self.writing, self.network
        # The network's own search takes the last token for the end of a text.
        begin = torch.tensor([[*self.begin, network.config.text_config.sep_token_id]])
        written = network.generate(
            pixel_values=pixels.to(network.device),
            input_ids=begin.repeat(len(pixels), 1).to(network.device),
            do_sample=False,
            num_beams=writing.num_beams if beams is None else beams,
            min_length=writing.min_length,
            max_length=writing.max_length,
            logits_processor=[self._require_numbers],
        )
        return [self.text(ids) for ids in written.tolist()]

    def _require_numbers(self, ids: Tensor, scores: Tensor) -> Tensor:
        """Hand on the scores of the next words, which may rule some out by -inf."""
        known = scores.nan_to_num(torch.nan, torch.nan, 0)
        finite(known, "the caption model", self.network)
        return scores

    def text(self, ids: list[int]) -> str:
        """Join tokens to a caption, without `PREFIX` and those that are no words."""
        whole: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return whole.removeprefix(PREFIX).strip()


def load_captioner(spec: ModelRow, device: torch.device) -> Captioner:
    """Load a caption model.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    network, origin = load_pretrained(spec, BLIP, device)
    tokenizer = load_wordpiece(origin.folder)
    text = network.config.text_config
    known, end = tokenizer.get_vocab_size(), tokenizer.token_to_id(END)
    if known > text.vocab_size or end != text.sep_token_id:
        raise CheckpointError(
            f"The vocabulary of '{origin.folder}' has {known} tokens and ends texts "
            f"with {end}; its text decoder knows {text.vocab_size} and ends them with "
            f"{text.sep_token_id}; they do not belong together."
        )
    return Captioner(
        network,
        tokenizer,
        read_picture_input(origin.folder, BLIP_PICTURES),
        read_writing(origin.folder, text.max_position_embeddings),
        origin,
    )


def read_writing(folder: Path, room: int) -> Writing:
    """Read how long captions may be; where it is not said, as published.

    Args:
        room: tokens that the network can count.

    Raises:
        CheckpointError: the file that says it holds something else.
    """
    file = folder / GENERATION
    settings = read_json(file) if file.is_file() else {}
    said = read(file, settings, WRITING, "what captions pictures")
    writing = Writing(**said)
    return replace(writing, max_length=min(writing.max_length, room))


def load_wordpiece(folder: Path) -> Tokenizer:
    """Load the vocabulary of word pieces that BERT and BLIP use.

    Args:
        folder: holds a tokenizer.json, or a vocab.txt of one piece a line.

    Raises:
        CheckpointError: there is no vocabulary there, or it is broken.
    """
    whole, pieces = folder / TOKENIZER, folder / WORD_PIECES
    with readable(folder, f"{TOKENIZER} nor {WORD_PIECES}"):
        if whole.is_file():
            tokenizer = from_file(whole)
        else:
            lines = short_enough(pieces).read_text(encoding="utf-8").splitlines()
            tokenizer = wordpiece({piece: number for number, piece in enumerate(lines)})
        if tokenizer.decoder is None:
            tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def wordpiece(vocabulary: dict[str, int]) -> Tokenizer:
    """Make BERT's uncased tokenizer of its vocabulary."""
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = [word for word in vocabulary if word[0] == "[" and word[-1] == "]"]
    tokenizer.add_special_tokens([word for word in special if len(word) > 2])
    ends = [(word, vocabulary[word]) for word in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    return tokenizer


def _build(sizes: Settings, tensors: Tensors) -> nn.Module:
    import transformers

    config: Any = transformers.BlipConfig(**sizes)
    return transformers.BlipForConditionalGeneration(config)


BLIP = Design(
    name="BLIP",
    model_type="blip",
    settings={
        "text_config": Section({**TEXT, "sep_token_id": ID}),
        "vision_config": Section(VISION),
    },
    build=_build,
    tied={
        "text_decoder.cls.predictions.decoder.weight": (
            "text_decoder.bert.embeddings.word_embeddings.weight"
        ),
        "text_decoder.cls.predictions.decoder.bias": (
            "text_decoder.cls.predictions.bias"
        ),
    },
)
