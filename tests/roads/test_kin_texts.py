"""What prompts can say to Stable Diffusion 2 and XL, to the latents, beside diffusers.

diffusers is handed embeddings that are written out here, by the formulas of the pages,
of what transformers' encoders say of windows of 77 tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.errors import BadOptionError
from tests.support.beside_diffusers import BOWL, FOX, Last, prompts, theirs
from tests.support.golden import relative_error
from tests.support.tiny_kin import tiny_sd2, tiny_sdxl

TOLERANCE = 1e-4
ROOM = 75
LONG = "a scenic landscape of red fruit, " * 20
"""Of three windows."""
LOUD = f"a (scenic:1.4) landscape {LONG} (red fox:0.6) of {LONG}"
Stretches = Sequence[tuple[str, float]]
"""Pieces of a text, and their emphasis."""


@dataclass(frozen=True)
class Embedded:
    """What a pipeline of diffusers is given in place of a text."""

    tokens: Tensor
    pooled: Tensor | None


class Reader:
    """Reads texts with the encoders of a pipeline, each with its own padding."""

    def __init__(self, pipeline: Any, clip_skip: int = 1) -> None:
        self.pairs = [(pipeline.tokenizer, pipeline.text_encoder)]
        if hasattr(pipeline, "text_encoder_2"):
            self.pairs.append((pipeline.tokenizer_2, pipeline.text_encoder_2))
        self.is_xl = len(self.pairs) == 2
        self.clip_skip = clip_skip

    def read(self, *texts: tuple[float, Stretches]) -> Embedded:
        """Return the mean of texts, each by its weight, the shorter ones filled up."""
        total = sum(weight for weight, _ in texts)
        each = [self.one(stretches) for _, stretches in texts]
        longest = max(one.shape[1] for one in each)
        shares = [weight / total for weight, _ in texts]
        tokens = mean(shares, [self.filled(one, longest) for one in each])
        if not self.is_xl:
            return Embedded(tokens, None)
        plain = ["".join(piece for piece, _ in stretches) for _, stretches in texts]
        return Embedded(tokens, mean(shares, [self.pooled(text) for text in plain]))

    def one(self, stretches: Stretches) -> Tensor:
        """Return the embeddings of a text, both encoders' side by side."""
        return torch.cat([self.loud(*pair, stretches) for pair in self.pairs], dim=-1)

    def loud(self, tokenizer: Any, encoder: Any, stretches: Stretches) -> Tensor:
        """Return z + sum of (emphasis - 1) * (z - z without the stretch)."""
        ids = [plain_ids(tokenizer, piece) for piece, _ in stretches]
        plain = self.states(tokenizer, encoder, joined(ids))
        louder = plain.clone()
        for place, (_, emphasis) in enumerate(stretches):
            silent = [
                [tokenizer.eos_token_id] * len(own) if place == number else own
                for number, own in enumerate(ids)
            ]
            without = self.states(tokenizer, encoder, joined(silent))
            louder += (emphasis - 1) * (plain - without)
        return louder

    def states(self, tokenizer: Any, encoder: Any, ids: list[int]) -> Tensor:
        """Return the layer that is read, of all windows in a row."""
        windows = torch.tensor(windowed(tokenizer, ids))
        with torch.no_grad():
            hidden = encoder(windows, output_hidden_states=True).hidden_states
        read: Tensor = hidden[-self.clip_skip - self.is_xl]
        if not self.is_xl:
            text_model = getattr(encoder, "text_model", encoder)
            with torch.no_grad():
                read = text_model.final_layer_norm(read)
        return read.flatten(0, 1)[None]

    def pooled(self, text: str) -> Tensor:
        """Return the second encoder's own pooled embedding of the first window."""
        tokenizer, encoder = self.pairs[1]
        first = windowed(tokenizer, plain_ids(tokenizer, text))[:1]
        with torch.no_grad():
            pooled: Tensor = encoder(torch.tensor(first)).text_embeds
        return pooled

    def filled(self, tokens: Tensor, length: int) -> Tensor:
        """Fill up with windows of the empty text."""
        empty = torch.cat([self.states(*pair, []) for pair in self.pairs], dim=-1)
        missing = (length - tokens.shape[1]) // empty.shape[1]
        return torch.cat([tokens, *[empty] * missing], dim=1)


def mean(shares: Sequence[float], each: Sequence[Tensor]) -> Tensor:
    parts = [share * one for share, one in zip(shares, each, strict=True)]
    return torch.stack(parts).sum(dim=0)


def joined(each: Sequence[list[int]]) -> list[int]:
    return [number for one in each for number in one]


def plain_ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def windowed(tokenizer: Any, ids: list[int]) -> list[list[int]]:
    """Cut ids into windows of 77, each with a start, an end and its own padding."""
    parts = [ids[start : start + ROOM] for start in range(0, max(len(ids), 1), ROOM)]
    framed = [[tokenizer.bos_token_id, *p, tokenizer.eos_token_id] for p in parts]
    return [each + [tokenizer.pad_token_id] * (77 - len(each)) for each in framed]


@dataclass(frozen=True)
class Case:
    """A prompt, as it is typed and as formulas take it."""

    typed: str
    texts: tuple[tuple[float, Stretches], ...]
    negative: str = ""
    avoided: Stretches = (("", 1.0),)
    clip_skip: int = 1


CASES = {
    "long": Case(LONG, ((1, [(LONG, 1)]),)),
    "long beside a short negative": Case(
        LONG, ((1, [(LONG, 1)]),), BOWL, [(BOWL, 1)]
    ),
    "short beside a long negative": Case(
        FOX, ((1, [(FOX, 1)]),), LONG, [(LONG, 1)]
    ),
    "weighted": Case(
        f"0.7*({FOX})|0.3*({BOWL})", ((0.7, [(FOX, 1)]), (0.3, [(BOWL, 1)]))
    ),
    "pushed away, of other lengths": Case(
        f"1*({FOX})|-0.3*({LONG})", ((1, [(FOX, 1)]), (-0.3, [(LONG, 1)]))
    ),
    "emphasised": Case(
        "a (red:1.5) fox of (fruit)0.5",
        ((1, [("a ", 1), ("red", 1.5), (" fox of ", 1), ("fruit", 0.5)]),),
        "a (bowl:1.3)",
        [("a ", 1), ("bowl", 1.3)],
    ),
    "emphasised across windows": Case(
        LOUD,
        ((1, [("a ", 1), ("scenic", 1.4), (f" landscape {LONG} ", 1),
              ("red fox", 0.6), (f" of {LONG}", 1)]),),
    ),
    "an earlier layer": Case(
        FOX, ((1, [(FOX, 1)]),), BOWL, [(BOWL, 1)], clip_skip=2
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=["2", "XL"])
def pipeline(request: pytest.FixtureRequest) -> Any:
    made = {"2": tiny_sd2, "XL": tiny_sdxl}[request.param]()
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def folder(pipeline: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    saved = tmp_path_factory.mktemp("models") / "kin"
    pipeline.save_pretrained(saved)
    return saved


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


def wanted_of(pipeline: Any, case: Case, seed: int, **options: Any) -> Tensor:
    """Return what diffusers ends with, given what is embedded here."""
    reader = Reader(pipeline, case.clip_skip)
    follow, avoid = reader.read(*case.texts), reader.read((1, case.avoided))
    if reader.is_xl and not case.negative:
        assert follow.pooled is not None
        avoid = Embedded(*map(torch.zeros_like, (follow.tokens, follow.pooled)))
    longest = max(follow.tokens.shape[1], avoid.tokens.shape[1])
    given: dict[str, Any] = {
        "prompt_embeds": reader.filled(follow.tokens, longest),
        "negative_prompt_embeds": reader.filled(avoid.tokens, longest),
    }
    if reader.is_xl:
        given["pooled_prompt_embeds"] = follow.pooled
        given["negative_pooled_prompt_embeds"] = avoid.pooled
    return theirs(pipeline, None, seed, **given, **options)


def asked_of(folder: Path, case: Case, seed: int) -> ImaginePrompt:
    skip = {} if case.clip_skip == 1 else {"clip_skip": case.clip_skip}
    [asked] = prompts(folder, case.typed, negative_prompt=case.negative, **skip)
    return replace(asked, seed=seed)


def latents_of(asked: list[ImaginePrompt], store: ModelStore) -> dict[int, Tensor]:
    last = Last()
    list(imagine(asked, store=store, observer=last, batch_size=len(asked)))
    assert len(last.latents) == len(asked)
    return last.latents


@pytest.mark.parametrize("name", CASES)
def test_what_is_typed_is_what_the_formulas_say(
    name: str, pipeline: Any, folder: Path, store: ModelStore
) -> None:
    case = CASES[name]
    latents = latents_of([asked_of(folder, case, 0)], store)
    assert relative_error(latents[0], wanted_of(pipeline, case, 0)) < TOLERANCE


def test_three_at_once_are_each_of_their_own(
    pipeline: Any, folder: Path, store: ModelStore
) -> None:
    """Of texts of one and of three windows, layers, and sizes where they are read."""
    cases = [CASES[name] for name in ("emphasised", "long", "an earlier layer")]
    asked = [asked_of(folder, case, seed) for seed, case in enumerate(cases)]
    told: list[dict[str, Any]] = [{}, {}, {}]
    if hasattr(pipeline, "text_encoder_2"):
        asked[1] = replace(asked[1], original_size="640x96", target_size="96x640")
        asked[2] = replace(asked[2], crop="7,9")
        told[1:] = [
            {"original_size": (96, 640), "target_size": (640, 96)},
            {"crops_coords_top_left": (7, 9)},
        ]
    latents = latents_of(asked, store)
    for seed, case in enumerate(cases):
        wanted = wanted_of(pipeline, case, seed, **told[seed])
        assert relative_error(latents[seed], wanted) < TOLERANCE


@pytest.mark.parametrize("pipeline", ["XL"], indirect=True)
def test_an_earlier_layer_is_that_of_diffusers_itself(
    pipeline: Any, folder: Path, store: ModelStore
) -> None:
    """Which counts from 0, and reads what is to be avoided without it."""
    [asked] = prompts(folder, FOX, clip_skip=2)
    wanted = theirs(pipeline, FOX, 0, clip_skip=1)
    assert relative_error(latents_of([asked], store)[0], wanted) < TOLERANCE


def test_more_layers_than_can_be_read_are_refused(
    pipeline: Any, folder: Path, store: ModelStore
) -> None:
    most = 2 if hasattr(pipeline, "text_encoder_2") else 3
    list(imagine(prompts(folder, FOX, clip_skip=most, steps=1), store=store))
    with pytest.raises(BadOptionError) as refused:
        list(imagine(prompts(folder, FOX, clip_skip=most + 1), store=store))
    assert str(refused.value) == (
        f"A clip_skip of {most + 1} is more than the {most} layers of this model's "
        f"text encoder; give one from 1 to {most}."
    )
