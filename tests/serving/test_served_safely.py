"""Nothing that a request says reaches a file, an address or a model of somebody else's,
and none takes more than its share.
"""

import base64
import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imaginairy import ModelStore
from imaginairy.serving.limits import Limits
from tests.support.served import KEY, Served, served

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
BOUNDARY = "so-far"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def post(
    path: str, body: bytes, kind: str = "application/json", **headers: str
) -> bytes:
    """Return a request as it is sent; a header that is empty is left out."""
    said = {
        "Host": "127.0.0.1",
        "Authorization": f"Bearer {KEY}",
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Connection": "close",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in said.items() if value]
    return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode() + body


def get(path: str, **headers: str) -> bytes:
    return post(path, b"", **headers).replace(b"POST", b"GET", 1)


def form(*parts: tuple[str, bytes]) -> bytes:
    """Return a form: of each part what follows its `form-data`, and what is in it."""
    written = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {told}\r\n\r\n".encode()
        + data
        + b"\r\n"
        for told, data in parts
    ]
    return b"".join(written) + f"--{BOUNDARY}--\r\n".encode()


def said_of(server: Served, path: str, fields: dict[str, Any]) -> tuple[int, str]:
    """Ask for images of some fields, and return the status and the sentence."""
    if path == EDITS:
        parts = [(f'name="{name}"', str(it).encode()) for name, it in fields.items()]
        picture = 'name="image"; filename="a.png"', png()
        answer = server.said(post(path, form(*parts, picture), FORM))
    else:
        answer = server.said(post(path, json.dumps(fields).encode()))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), json.loads(body)["error"]["message"]


def png(size: tuple[int, int] = (64, 64)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, "green").save(data, "PNG")
    return data.getvalue()


def bomb(width: int, height: int) -> bytes:
    """Return a png of few bytes that says it has so many pixels, all of them black."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checked

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(min(width * height, 1 << 22)), 9)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", rows), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture(scope="module")
def hasty(store: ModelStore) -> Iterator[Served]:
    """A server that does not wait for long."""
    with served(store, Limits(body_seconds=0.1)) as running:
        yield running


@pytest.fixture(scope="module")
def narrow(store: ModelStore) -> Iterator[Served]:
    """A server that reads little."""
    with served(store, Limits(body_bytes=20_000)) as running:
        yield running


KINDS = pytest.mark.parametrize(
    ("path", "kind"), [(GENERATIONS, "application/json"), (EDITS, FORM)]
)


PATHS = (
    "/etc/passwd",
    "../../../etc/passwd",
    "file:///etc/passwd",
    "~/.ssh/id_rsa",
    "C:\\Windows\\win.ini",
    "\\\\host\\share\\x.safetensors",
    "http://127.0.0.1:9/x.safetensors",
    "http://169.254.169.254/latest/meta-data/",
    "https://[::1]/x.png",
    "somebody/pickled-model",
    "pickled.ckpt",
    "\0",
)
NAMING = (
    *("model", "vae", "refiner", "upscaler", "mask_model", "fix_faces_model"),
    *("fix_faces_detector", "caption_model", "similarity_model"),
    *("loras", "embeddings", "hypernetworks", "init_image", "mask_image", "enhance"),
)
BESIDE: dict[str, dict[str, Any]] = {
    "mask_model": {"mask_prompt": "fox"},
    "fix_faces_model": {"fix_faces": True},
    "fix_faces_detector": {"fix_faces": True},
    "caption_model": {"caption": True},
    "similarity_model": {"best_of": 2},
}
"""What some of these need."""


@pytest.mark.parametrize("path", [GENERATIONS, EDITS])
@pytest.mark.parametrize("field", NAMING)
def test_no_field_names_a_file_an_address_or_a_foreign_model(
    server: Served, field: str, path: str
) -> None:
    fields = {"prompt": "a fox", **BESIDE.get(field, {})}
    for name in PATHS:
        status, said = said_of(server, path, {**fields, field: name})
        assert status in (400, 404), (name, said)
        assert "root:" not in said and "No such file" not in said


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../../../etc/passwd", "~/.ssh/id_rsa", "some/pickled.ckpt"]
)
def test_a_prompt_names_none_either(server: Served, name: str) -> None:
    for prompt in (f"a fox <lora:{name}:1>", f"a fox <hypernet:{name}:1>"):
        status, said = said_of(server, GENERATIONS, {"prompt": prompt})
        assert status == 404 and "This server has no adapter" in said


def test_an_answer_tells_nothing_of_which_files_there_are(
    server: Served, tmp_path: Path
) -> None:
    there, nowhere = tmp_path / "here.safetensors", tmp_path / "none.safetensors"
    there.write_bytes(b"")
    for field in ("model", "loras", "vae"):
        told = [
            said_of(server, GENERATIONS, {"prompt": "a fox", field: str(path)})
            for path in (there, nowhere)
        ]
        said = [message.replace("here.", "none.") for _, message in told]
        assert said[0] == said[1] and told[0][0] == told[1][0]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/images/held/../../../etc/passwd",
        "/v1/images/held/..%2f..%2f..%2fetc%2fpasswd",
        "/v1/images/held/%2e%2e/%2e%2e/etc/passwd",
        "/v1/images/held/%00.png",
        "/v1/images/held/",
        "/v1/models/..%2f..%2fetc%2fpasswd",
        "/etc/passwd",
        "//etc/passwd",
        "/docs/../etc/passwd",
    ],
)
def test_there_are_no_files_at_its_addresses(server: Served, path: str) -> None:
    answer = server.said(get(path))
    assert answer.split(b" ", 2)[1] == b"404" and b"root:" not in answer


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (bomb(60_000, 60_000), "pixels"),
        (bomb(2**31 - 1, 2**31 - 1), ""),
        (bomb(16_000, 6_000), "pixels"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot be read"),
        (b"PK\x03\x04" + bytes(100), "not a picture"),
        (b"", "not a picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "cannot be read"),
        (b"\x80\x04cos\nsystem\n(S'false'\ntR.", "not a picture"),
    ],
)
def test_pictures_that_are_none_or_fill_memory_are_refused(
    server: Served, data: bytes, said: str
) -> None:
    whole = form(('name="image"; filename="x.png"', data), ('name="prompt"', b"a fox"))
    answer = server.said(post(EDITS, whole, FORM))
    assert answer.split(b" ", 2)[1] == b"400" and said.encode() in answer
    text = base64.b64encode(data).decode()
    fields = {"prompt": "a fox", "init_image": text}
    assert said_of(server, GENERATIONS, fields)[0] == 400


def test_names_of_files_that_are_sent_are_not_looked_at(server: Served) -> None:
    parts = [
        ('name="prompt"', b"a green field"),
        ('name="steps"', b"1"),
        ('name="size"', b"64x64"),
        ('name="image"; filename="../../etc/passwd"', png()),
    ]
    assert server.status(post(EDITS, form(*parts), FORM)) == 200


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (form(*[('name="steps"', b"1")] * 201), FORM, 400),
        (form(*[('name="image"; filename="x"', b"1")] * 17), FORM, 400),
        (form(('name="image"', b"/etc/passwd")), FORM, 400),
        (form(('name="other"; filename="x"', b"1")), FORM, 400),
        (form(('filename="x"', b"1")), FORM, 400),
        (form(('name="prompt"', b"a fox")), FORM, 400),
        (b"--other\r\nnonsense", FORM, 400),
        (b"", FORM, 400),
        (b"prompt=fox", "multipart/form-data", 400),
        (b"prompt=fox&image=/etc/passwd", "application/x-www-form-urlencoded", 415),
        (b'{"prompt": "a fox", "image": "/etc/passwd"}', "application/json", 415),
        (b"", "", 415),
    ],
)
def test_forms_that_are_none_are_refused(
    server: Served, body: bytes, kind: str, status: int
) -> None:
    assert server.status(post(EDITS, body, kind)) == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'"a fox"', 400),
        (b'{"prompt": "a fox", "n": NaN}', 400),
        (b'{"prompt": "a fox", "n": 1e999}', 400),
        (b'{"prompt": "a fox", "seed": ' + b"9" * 5000 + b"}", 400),
        (b'{"prompt": "\\ud800"}', 400),
        (b"[" * 100_000, 400),
        (b'{"prompt": "a fox", "x": [' + b"[]," * 50_000 + b"[]]}", 413),
        (b'{"prompt": "a fox", "x": [' + b"{}," * 50_000 + b"{}]}", 413),
        (b'{"prompt": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400),
    ],
)
def test_bodies_that_are_no_request_are_refused(
    server: Served, body: bytes, status: int
) -> None:
    assert server.status(post(GENERATIONS, body)) == status


@KINDS
def test_what_does_not_arrive_is_given_up(hasty: Served, path: str, kind: str) -> None:
    begun = form(('name="prompt"', b"a fo"))[:-10]
    assert hasty.status(post(path, begun, kind, Content_Length="10000")) == 408


@KINDS
def test_what_never_ends_or_says_that_it_is_large_is_not_read(
    narrow: Served, path: str, kind: str
) -> None:
    endless = post(path, b"", kind, Content_Length="", Transfer_Encoding="chunked")
    endless += b"5000\r\n" + bytes(0x5000) + b"\r\n"
    assert narrow.status(endless) == 413
    assert narrow.status(post(path, b"", kind, Content_Length="20001")) == 413


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1"])
def test_it_answers_to_no_name_of_another(server: Served, host: str) -> None:
    assert server.status(get("/v1/models", Host=host)) == 403
    assert server.status(get("/docs", Host=f"{host}:80")) == 403


def test_pages_of_elsewhere_may_not_ask(server: Served) -> None:
    assert server.status(get("/v1/models", Origin="https://evil.example")) == 403


@pytest.mark.parametrize("path", ["/v1/models", GENERATIONS, EDITS, "/v1/prompts"])
def test_without_a_key_nothing_is_asked(server: Served, path: str) -> None:
    for header in ("", "Bearer", "Bearer ", f"Basic {KEY}", KEY, f"Bearer {KEY}x"):
        asked = post(path, b"{}", Authorization=header)
        asked = asked.replace(b"POST", b"GET", 1) if path == "/v1/models" else asked
        assert server.status(asked) == 401


def test_the_server_is_well_after_all_that(server: Served) -> None:
    assert server.status(get("/health")) == 200 and server.engine.unready() is None
    assert server.engine.pictures_waiting == server.engine.pictures_drawing == 0
