"""OpenAI's own client asks a real server, and gets what its methods promise."""

import base64
import io
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from urllib.error import HTTPError

import numpy as np
import openai
import pytest
from jsonschema import Draft202012Validator
from openai import OpenAI
from PIL import Image
from starlette.routing import Route

from imaginairy.result import ImagineResult
from imaginairy.serving.bounds import ALLOWED
from imaginairy.serving.openapi import description
from tests.support.pictures import assert_same, distance, pixels, share
from tests.support.served import KEY, Served

HEART = "a red heart on a white background"
BLUE = "a blue heart on a white background"
SMALL: dict[str, Any] = {"size": "128x128"}
STEPS = 6
DESCRIBED = description(ALLOWED)
Drawing = Callable[..., ImagineResult]


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[OpenAI]:
    address = f"{server.address}/v1"
    with OpenAI(base_url=address, api_key=KEY, max_retries=0, timeout=120) as client:
        yield client


def asked(**fields: Any) -> dict[str, Any]:
    """Return what the client takes beside its own: the fields of a prompt."""
    return {"extra_body": {"steps": STEPS, "seed": 3, **fields}}


def image_of(text: str | None) -> Image.Image:
    """Return the image that came as base64."""
    image = Image.open(io.BytesIO(base64.b64decode(text or "", validate=True)))
    image.load()
    return image


def file_of(image: Image.Image, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    image.save(data, kind)
    return data.getvalue()


@pytest.fixture(scope="module")
def heart(client: OpenAI) -> Image.Image:
    answer = client.images.generate(prompt=HEART, **SMALL, **asked())
    (image,) = answer.data or []
    return image_of(image.b64_json)


def test_an_image_is_what_its_prompt_says_and_what_the_library_makes(
    heart: Image.Image, draw: Drawing
) -> None:
    assert heart.size == (128, 128)
    assert share(heart, "red") > 0.1 and share(heart, "white") > 0.5
    assert_same(heart, draw(HEART, seed=3, steps=STEPS).img)


def test_n_images_count_their_seeds_up(client: OpenAI, heart: Image.Image) -> None:
    answer = client.images.generate(prompt=HEART, n=2, **SMALL, **asked())
    first, second = answer.data or []
    assert (first.seed, second.seed) == (3, 4)  # type: ignore[attr-defined]
    assert_same(image_of(first.b64_json), heart)
    assert distance(image_of(second.b64_json), heart) > 3
    assert first.url is None and answer.usage is None
    assert (answer.size, answer.output_format) == ("128x128", "png")


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_it_comes_in_other_formats_and_less_of_it(
    client: OpenAI, heart: Image.Image, form: Any
) -> None:
    sizes = []
    for quality in (90, 10):
        answer = client.images.generate(
            prompt=HEART, output_format=form, output_compression=quality, **SMALL,
            **asked(),
        )  # fmt: skip
        (image,) = answer.data or []
        read = image_of(image.b64_json)
        assert read.format == form.upper() and distance(read, heart) < 8
        sizes.append(len(image.b64_json or ""))
    assert sizes[0] > sizes[1]


def test_by_url_it_is_fetched_without_a_key_and_no_other_is(
    client: OpenAI, heart: Image.Image
) -> None:
    answer = client.images.generate(
        prompt=HEART, response_format="url", **SMALL, **asked()
    )
    (image,) = answer.data or []
    assert image.url and image.b64_json is None
    with urllib.request.urlopen(image.url) as found:
        assert found.headers["content-type"] == "image/png"
        assert found.headers["x-content-type-options"] == "nosniff"
        assert_same(Image.open(io.BytesIO(found.read())), heart)
    for other in (image.url[:-5] + ".png", image.url[:-4]):
        with pytest.raises(HTTPError) as missed:
            urllib.request.urlopen(other)
        assert missed.value.code == 404
        missed.value.close()


def test_a_stream_shows_the_image_on_the_way(
    client: OpenAI, heart: Image.Image
) -> None:
    stream = client.images.generate(
        prompt=HEART, stream=True, partial_images=3, **SMALL, **asked()
    )
    *partial, last = list(stream)
    assert [each.type for each in partial] == ["image_generation.partial_image"] * 3
    assert last.type == "image_generation.completed"
    assert [each.partial_image_index for each in partial] == [0, 1, 2]  # type: ignore[union-attr]
    assert_same(image_of(last.b64_json), heart)
    away = [distance(image_of(each.b64_json), heart) for each in partial]
    assert all(before > after for before, after in pairwise(away)), "it comes near"
    for event in (*partial, last):
        told = event.model_dump(mode="json", exclude_unset=True)
        judge("Event", {name: told[name] for name in told if told[name] is not None})


def test_what_a_mask_shows_clear_is_painted_and_all_else_stays(
    client: OpenAI, heart: Image.Image
) -> None:
    picture = heart.resize((200, 160))
    mask = Image.new("RGBA", picture.size, "black")
    mask.paste((0, 0, 0, 0), (0, 0, 90, 160))
    answer = client.images.edit(
        image=file_of(picture), mask=file_of(mask), prompt=BLUE, **asked(steps=8)
    )
    (image,) = answer.data or []
    edited = image_of(image.b64_json)
    assert edited.size == picture.size and answer.size == "200x160"
    apart = np.abs(pixels(edited) - pixels(picture)).max(axis=2)
    assert apart[:, 110:].max() == 0 and apart[:, :70].mean() > 10
    judge("Images", answer.to_dict())


def test_without_a_mask_all_of_it_is_changed_in_a_stream_too(
    client: OpenAI, heart: Image.Image
) -> None:
    stream = client.images.edit(
        image=("heart.jpg", file_of(heart, "JPEG"), "image/jpeg"),
        prompt=BLUE, stream=True, partial_images=1,
        **asked(init_image_strength=0.1, upscale=False),
    )  # fmt: skip
    partial, last = list(stream)
    assert partial.type == "image_edit.partial_image"
    assert last.type == "image_edit.completed"
    edited = image_of(last.b64_json)
    assert share(edited, "blue") > 0.05 and share(edited, "red") < 0.02


def test_models_are_listed_and_told(client: OpenAI) -> None:
    (model,) = client.models.list()
    assert (model.id, model.owned_by) == ("storybook", "imaginairy")
    assert client.models.retrieve("storybook") == model
    judge("Models", client.models.list().to_dict(exclude_none=True))


def generate(client: OpenAI, **fields: Any) -> Any:
    return client.images.generate(**{"prompt": HEART, **fields})


def edit(client: OpenAI, **fields: Any) -> Any:
    image = file_of(Image.new("RGB", (64, 64)))
    return client.images.edit(**{"prompt": HEART, "image": image, **fields})


OPAQUE = file_of(Image.new("RGB", (64, 64)))


@pytest.mark.parametrize(
    ("call", "fields", "status", "param", "said"),
    [
        (generate, {"n": 0}, 400, "n", "n 0 is out of range"),
        (generate, {"size": "65x64"}, 400, "size", "width 65 is not a multiple of 8"),
        (generate, {"size": "9999x64"}, 400, "size", "out of range"),
        (generate, {"extra_body": {"draw_size": "4096x2048"}}, 400, "draw_size",
         "make it smaller"),
        (generate, {"prompt": ""}, 400, "prompt", "The prompt is empty"),
        (generate, {"prompt": "x" * 20_000}, 400, None, "20000 characters"),
        (generate, {"model": "dall-e-3"}, 404, "model", "has no model 'dall-e-3'"),
        (generate, {"style": "vivid"}, 400, "style", "say it in the prompt"),
        (generate, {"background": "transparent"}, 400, "background", "auto, opaque"),
        (generate, {"extra_body": {"wrong": 1}}, 400, "wrong", "no field 'wrong'"),
        (generate, {"extra_body": {"steps": 151}}, 400, "steps", "more than the 150"),
        (generate, {"extra_body": {"cfg": -1}}, 400, "cfg", "from 0 to"),
        (generate, {"extra_body": {"apg": "0", "prompt_strength": 1}}, 400, "apg",
         "switches off"),
        (edit, {"image": b"no picture"}, 400, "image", "not a picture that can be"),
        (edit, {"image": [OPAQUE, OPAQUE]}, 400, "image", "send one"),
        (edit, {"mask": OPAQUE}, 400, "mask", "opaque everywhere"),
        (edit, {"extra_body": {"steps": "many"}}, 400, "steps", "whole number"),
        (edit, {"extra_body": {"init_image": "/etc/passwd"}}, 400, "init_image",
         "is sent as the file 'image' here"),
        (generate, {"extra_body": {"init_image": "/etc/passwd"}}, 400, "init_image",
         "is none; paths and addresses are not read here"),
        (edit, {"extra_body": {"image_url": "file://x"}}, 400, "image_url", "as files"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_raises_what_the_client_has_for_it(
    client: OpenAI, call: Any, fields: dict[str, Any], status: int, param: str | None,
    said: str,
) -> None:  # fmt: skip
    kind = openai.NotFoundError if status == 404 else openai.BadRequestError
    with pytest.raises(kind, match=said) as refused:
        call(client, **fields)
    error = refused.value
    assert error.status_code == status and error.type == "invalid_request_error"
    assert error.code and (param is None or error.param == param)
    judge("Failure", {"error": error.body})


def test_what_fails_in_a_stream_is_told_in_it(client: OpenAI) -> None:
    stream = client.images.generate(
        prompt=HEART, stream=True, extra_body={"clip_skip": 50}
    )
    with pytest.raises(openai.APIError, match="A clip_skip of 50") as failed:
        list(stream)
    assert not isinstance(failed.value, openai.APIStatusError)


def test_a_wrong_key_is_no_key(client: OpenAI) -> None:
    for key in ("wrong", KEY[:-1], KEY + "x"):
        with pytest.raises(openai.AuthenticationError) as refused:
            client.with_options(api_key=key).models.list()
        assert refused.value.code == "invalid_api_key"


def test_the_description_tells_every_route_and_needs_no_key(server: Served) -> None:
    described = client_json(server, "/openapi.json")
    assert described == DESCRIBED
    with urllib.request.urlopen(f"{server.address}/docs") as page:
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert b"/v1/images/generations" in page.read()
    routes = {
        (each.path.replace(":path", ""), method.lower())
        for each in server.app.routes
        if isinstance(each, Route)
        for method in (each.methods or ()) - {"HEAD"}
    }
    told = {
        (path, method)
        for path, methods in described["paths"].items()
        for method in methods
    }
    assert told == routes


def client_json(server: Served, path: str) -> Any:
    import json

    with urllib.request.urlopen(f"{server.address}{path}") as answer:
        return json.load(answer)


def judge(schema: str, value: Any) -> None:
    """Judge that an answer is as the description says."""
    whole = {
        "$ref": f"#/components/schemas/{schema}",
        "components": DESCRIBED["components"],
    }
    Draft202012Validator(whole).validate(value)
