"""Edits that a model is asked for which looks at reference images."""

import base64
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.serving.app import application
from imaginairy.serving.engine import Engine
from tests.support.pictures import pixels
from tests.support.tiny_flow import built, flux2

ASKED = {"prompt": "a red roof", "steps": "1", "seed": "1", "model": "klein"}
PAINTED = Image.fromarray(
    np.random.default_rng(1).integers(0, 255, (64, 80, 3), dtype=np.uint8)
)
RED = Image.new("RGB", (64, 64), "red")


def file(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("served") / "klein"
    built(flux2).save_pretrained(where)
    return where


@pytest.fixture(scope="module")
def client(store: ModelStore, folder: Path) -> Iterator[TestClient]:
    engine, loaded = Engine(store, [str(folder), "storybook"]), threading.Event()
    app = application(engine, when_loaded=loaded.set)
    with TestClient(app, base_url="http://localhost") as client:
        loaded.wait()
        yield client


def edited(client: TestClient, *images: Image.Image, **fields: Any) -> Any:
    name = "image[]" if images[1:] else "image"
    files = [(name, ("a.png", file(each), "image/png")) for each in images]
    return client.post("/v1/images/edits", data={**ASKED, **fields}, files=files)


def test_what_is_sent_is_looked_at_one_or_several(
    client: TestClient, store: ModelStore, folder: Path
) -> None:
    for images in ([PAINTED], [PAINTED, RED]):
        answer = edited(client, *images)
        assert answer.status_code == 200, answer.text
        [said] = answer.json()["data"]
        picture = Image.open(io.BytesIO(base64.b64decode(said["b64_json"])))
        asked = ImaginePrompt(
            "a red roof", steps=1, seed=1, model=str(folder), reference_images=images
        )
        [ours] = imagine(asked, store=store)
        assert (pixels(picture) == pixels(ours.img)).all()
    stays = edited(client, PAINTED, RED, init_image_strength="1")
    assert stays.status_code == 200, stays.text


def test_other_models_change_one(client: TestClient) -> None:
    answer = edited(client, PAINTED, RED, model="storybook")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert "Several files are called image, and one is changed" in error["message"]
    assert error["param"] == "image"
