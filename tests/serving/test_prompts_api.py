"""Our own API: the fields of a prompt in, pictures and all that made them out."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from imaginairy import ModelStore, imagine
from imaginairy.metadata.read import read_metadata
from imaginairy.serving.app import application
from imaginairy.serving.engine import Engine
from imaginairy.serving.limits import Limits
from tests.support.engines import LITTLE, little
from tests.support.pictures import assert_same

HOME = "http://localhost"
PROMPTS = "/v1/prompts"


@pytest.fixture(scope="module")
def client(store: ModelStore) -> Iterator[TestClient]:
    """The application, without a key, as tests ask it in this process."""
    engine, loaded = Engine(store, ["storybook"], Limits(pictures=3)), threading.Event()
    app = application(engine, when_loaded=loaded.set)
    with TestClient(app, base_url=HOME) as client:
        loaded.wait()
        yield client


def asked(client: TestClient, body: Any, **settings: Any) -> Any:
    """Ask for pictures; return what is answered, which must be that."""
    answer = client.post(PROMPTS, json=body, **settings)
    assert answer.status_code == 200, answer.text
    return answer.json()["pictures"]


def refused(client: TestClient, body: Any) -> tuple[int, str]:
    answer = client.post(PROMPTS, json=body)
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "code", "param"}
    return answer.status_code, error["message"]


def test_a_prompt_gives_its_picture_and_what_made_it(
    client: TestClient, store: ModelStore, tmp_path: Any
) -> None:
    (picture,) = asked(client, {**LITTLE, "prompt": "a fox", "seed": 6})
    file = tmp_path / "picture.png"
    file.write_bytes(base64.b64decode(picture["b64"]))
    (alone,) = imagine(little("a fox", seed=6), store=store)
    with Image.open(file) as image:
        assert_same(image, alone.img)
        assert image.format == "PNG"
    assert (picture["width"], picture["height"], picture["format"]) == (64, 64, "png")
    assert picture["metadata"]["seed"] == read_metadata(file)["seed"] == 6
    assert picture["metadata"]["model"] == "storybook"


def test_what_made_it_has_the_words_that_were_asked_for(client: TestClient) -> None:
    texts = {"prompt": "a sign of /r/pics/ on a wall", "negative_prompt": "/a/b/c"}
    (picture,) = asked(client, {**LITTLE, **texts})
    assert picture["metadata"]["prompt_text"] == texts["prompt"]
    assert picture["metadata"]["prompt"] == [{"text": texts["prompt"], "weight": 1.0}]
    assert picture["metadata"]["negative_prompt"] == texts["negative_prompt"]


def test_several_prompts_give_several_pictures(client: TestClient) -> None:
    prompts = [{**LITTLE, "prompt": "a fox", "seed": seed} for seed in (1, 2, 3)]
    pictures = asked(client, {"prompts": prompts, "format": "jpg", "metadata": False})
    assert [each["metadata"]["seed"] for each in pictures] == [1, 2, 3]
    with Image.open(io.BytesIO(base64.b64decode(pictures[0]["b64"]))) as image:
        assert image.format == "JPEG" and not image.getexif()


def test_uploads_are_drawn_from(client: TestClient) -> None:
    data = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(data, "PNG")
    upload = base64.b64encode(data.getvalue()).decode()
    stays = {
        **LITTLE,
        "prompt": "a fox",
        "init_image": upload,
        "init_image_strength": 1,
    }
    (picture,) = asked(client, {**stays, "steps": 1})
    with Image.open(io.BytesIO(base64.b64decode(picture["b64"]))) as image:
        red, green, blue = image.convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert green > 2 * max(red, blue), "it stays green"
    assert picture["metadata"]["init_image"].startswith("sha256:")


def events(client: TestClient, body: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of a stream, with their data."""
    answer = client.post(PROMPTS, json={"stream": True, **body})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    read = []
    for part in answer.text.split("\n\n")[:-1]:
        name, data = part.split("\n")
        read.append((name.removeprefix("event: "), json.loads(data[6:])))
    return read


def test_a_stream_tells_of_steps_previews_and_pictures(client: TestClient) -> None:
    prompt = {**LITTLE, "prompt": "a fox", "steps": 4}
    told = events(client, {**prompt, "previews": 1})
    assert [name for name, _ in told] == [
        "step", "step", "preview", "step", "step", "picture", "done",
    ]  # fmt: skip
    said = [data for _, data in told]
    assert said[0] == {"picture": 0, "step": 1, "steps": 4}
    with Image.open(io.BytesIO(base64.b64decode(said[2]["b64"]))) as image:
        assert (image.format, image.size) == ("JPEG", (64, 64))
    (whole,) = asked(client, prompt)
    assert said[5]["picture"] == 0 and said[6] == {}
    assert said[5]["metadata"]["prompt"] == whole["metadata"]["prompt"]


def test_what_fails_in_a_stream_is_its_last_event(client: TestClient) -> None:
    fails = {**LITTLE, "prompt": "a fox", "original_size": "64x64"}
    ((name, data),) = events(client, fails)
    assert name == "error" and "reads no original_size" in data["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ([], 400, "is a JSON object, not []"),
        ({}, 400, "A prompt is a text, or an object of fields"),
        ({"prompts": "a fox"}, 400, "or a list of them as 'prompts'"),
        ({"prompts": ["a fox"], "steps": 3}, 400, "or a list of them as 'prompts'"),
        ({"prompts": []}, 422, "1 to 3 pictures, not 0"),
        ({"prompts": ["a fox"] * 4}, 422, "1 to 3 pictures, not 4"),
        ({"prompt": "a fox", "best_of": 4}, 422, "1 to 3 pictures, not 4"),
        ({"prompt": "a fox", "outdir": "/tmp"}, 400, "has no field 'outdir'"),
        ({"prompt": "a fox", "steps": -1}, 422, "steps -1 is out of range"),
        ({"prompt": "a fox", "model": "sd15"}, 404, "no model 'sd15'"),
        ({"prompt": "a fox", "format": "gif"}, 422, "format 'gif' is unknown"),
        ({"prompt": "a fox", "stream": "yes"}, 422, "stream is true or false"),
        ({"prompt": "a fox", "previews": 99}, 422, "previews 99 is out of range"),
        ({"prompt": "a fox", "original_size": "64x64"}, 422, "reads no original_size"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    client: TestClient, body: Any, status: int, said: str
) -> None:
    code, message = refused(client, body)
    assert (code, said in message) == (status, True), message


def test_only_json_is_read(client: TestClient) -> None:
    for kind in ("text/plain", "multipart/form-data; boundary=x", ""):
        answer = client.post(PROMPTS, content=b"{}", headers={"content-type": kind})
        assert answer.status_code == 415
        assert "send JSON" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/v1/prompts/x", 404), ("GET", PROMPTS, 405)],
)
def test_there_is_nothing_else(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert "nothing here to ask for like that" in answer.json()["error"]["message"]


def test_it_tells_how_it_is(client: TestClient) -> None:
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/ready").json() == {"status": "ready", "models": ["storybook"]}


def figure(client: TestClient, name: str) -> float:
    """Return a figure of the metrics; 0 where it is not there yet."""
    lines = client.get("/metrics").text.splitlines()
    return sum(float(each.split()[-1]) for each in lines if each.startswith(name))


def test_it_counts_what_it_does(client: TestClient) -> None:
    names = (
        "imaginairy_pictures_total",
        'imaginairy_requests_total{route="/v1/prompts",status="200"}',
        'imaginairy_requests_total{route="/v1/prompts",status="404"}',
        'imaginairy_refused_total{status="404"}',
        'imaginairy_request_seconds_count{route="/v1/prompts"}',
    )
    before = [figure(client, name) for name in names]
    asked(client, {**LITTLE, "prompt": "a fox"})
    refused(client, {"prompt": "a fox", "model": "nobody"})
    after = [figure(client, name) for name in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1, 1, 2]
    assert figure(client, "imaginairy_ready") == 1
    assert figure(client, "imaginairy_drawing_seconds_total") > 0
    assert figure(client, "imaginairy_requests_waiting") == 0
    assert figure(client, "imaginairy_free_memory_bytes") > 0


def test_it_logs_who_asked_for_what_kind_of_thing_and_no_words(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "imaginairy.serving"):
        asked(client, {**LITTLE, "prompt": "a secret fox"}, params={"token": "secret"})
    lines = [
        record.getMessage()
        for record in caplog.records
        if record.name == "imaginairy.serving"
    ]
    assert len(lines) == 1 and "POST /v1/prompts 200" in lines[0]
    assert "secret" not in lines[0]


def test_keys_names_and_origins(store: ModelStore) -> None:
    engine, loaded = Engine(store, ["storybook"]), threading.Event()
    app = application(
        engine,
        keys=["sesame"],
        names={"draws.example"},
        origins=["https://page.example"],
        when_loaded=loaded.set,
    )
    key = {"Authorization": "Bearer sesame"}
    page = {"Origin": "https://page.example"}
    with TestClient(app, base_url="http://draws.example") as client:
        loaded.wait()
        assert client.get("/health").status_code == 200, "without a key"
        answer = client.post(PROMPTS, json={**LITTLE, "prompt": "a fox"}, headers=page)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["access-control-allow-origin"] == page["Origin"]
        assert client.get("/metrics").status_code == 401
        asked(client, {**LITTLE, "prompt": "a fox"}, headers=key | page)
        other = {"Host": "evil.example"}
        assert client.get("/health", headers=other).status_code == 403
        other = {"Origin": "https://evil.example"}
        assert client.get("/health", headers=other).status_code == 403
        asks = page | {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "Authorization, Content-Type",
        }
        assert client.options(PROMPTS, headers=asks).status_code == 200
    assert not engine.is_alive, "it ends with the application"
