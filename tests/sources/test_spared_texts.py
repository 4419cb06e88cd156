"""What is given to a model is not fetched with it once more."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imaginairy.models.given_texts import spared
from imaginairy.models.loading import opened
from imaginairy.sources.fetch import on_disk
from imaginairy.sources.flow_rows import OF_CLIP, OF_T5
from imaginairy.sources.roles import DRAWS, TEXT_ENCODER
from imaginairy.sources.rows import HubFile, LocalPath, ModelRow, Packing
from tests.support import tiny_flow
from tests.support.flow_names import its_authors
from tests.support.hub_client import Client
from tests.support.hub_server import HubServer, Repo

REPO = "someone/flux"
DRAWING, LONG, SHORT, DECODES = (
    HubFile(REPO, f"{name}.safetensors", holds=holds)
    for name, holds in (("draws", ""), ("t5", OF_T5), ("clip", OF_CLIP), ("vae", ""))
)
ROW = ModelRow(
    DRAWS, "mine", "mine", Packing("bf16", (DRAWING, LONG, SHORT, DECODES)), "MIT",
    family="flux1",
)  # fmt: skip


@pytest.fixture
def texts(client: Client, server: HubServer, tmp_path: Path) -> Iterator[Path]:
    """Text encoders that lie here, of a model whose files the hub has."""
    pipeline = tiny_flow.built(tiny_flow.flux1)
    pipeline.text_encoder.save_pretrained(tmp_path / "clip")
    pipeline.tokenizer.save_pretrained(tmp_path / "clip")
    pipeline.text_encoder_2.save_pretrained(tmp_path / "t5")
    parts = {
        "draws": its_authors(pipeline.transformer.state_dict()),
        "t5": pipeline.text_encoder_2.state_dict(),
        "clip": pipeline.text_encoder.state_dict(),
        "vae": pipeline.vae.state_dict(),
    }
    tiny_flow.save_split(tmp_path / "hub-has", parts)
    files = (tmp_path / "hub-has").iterdir()
    server.repos[REPO] = Repo({file.name: file.read_bytes() for file in files})
    with client.here():
        yield tmp_path


def given(*places: Path) -> ModelRow:
    rows = [
        ModelRow(TEXT_ENCODER, str(place), "", LocalPath(place), "") for place in places
    ]
    return replace(ROW, texts=tuple(rows))


def test_a_text_encoder_that_is_given_is_not_fetched_too(
    texts: Path, server: HubServer
) -> None:
    row = given(texts / "t5")
    model = opened(row)
    assert server.downloads() == ["vae.safetensors", "clip.safetensors",
                                  "draws.safetensors"]  # fmt: skip
    assert {*model.parts} >= {"text", "text_2"}
    assert [*model.given] == [row.texts[0].name]
    server.requests.clear()
    both = given(texts / "t5", texts / "clip")
    assert [*opened(both).given] == [text.name for text in both.texts]
    assert server.downloads() == [], "the rest is here"
    assert on_disk(both) is None and on_disk(spared(both)) is not None
    assert {*opened(ROW).parts} == {*model.parts}
    assert server.downloads() == ["t5.safetensors"], "without it, its own is wanted"


def test_what_is_not_here_yet_or_holds_something_else_spares_nothing(
    texts: Path,
) -> None:
    assert spared(ROW) is ROW
    elsewhere = given(texts / "gone")
    assert spared(elsewhere) is elsewhere
    no_text = given(texts / "hub-has" / "vae.safetensors")
    assert spared(no_text) is no_text
    alone = replace(given(texts / "t5"), weights=DRAWING)
    assert spared(alone) is alone, "a file holds what it holds"
