"""Which adapter a name means: folders, paths, repositories, addresses; and hashes."""

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from imaginairy.errors import DownloadError, InvalidUrlError, UnknownModelError
from imaginairy.sources.adapter_facts import Beside, beside, header_of
from imaginairy.sources.adapter_folders import files
from imaginairy.sources.adapters import (
    AdapterRow,
    adapter_on_disk,
    adapter_source,
    fetch_adapter,
    locate_adapter,
    named_inside,
    with_hash,
)
from imaginairy.sources.checksum import checksum, checksum_of_tensors
from imaginairy.sources.from_address import LONGEST
from imaginairy.sources.rows import Address, HubFile, HubRepo, LocalPath
from imaginairy.sources.shelves import ADAPTERS, CONTROLS, Shelf
from tests.support.hub_environment import hub_environment
from tests.support.hub_server import HubServer, Repo
from tests.support.odd_server import OddServer

BUNDLED_COUNT = len([*ADAPTERS.bundled.glob("*.safetensors")])
"""How many come with the package, which are found behind those of one's own."""


def save(path: Path, value: float = 1.0, **said: str) -> Path:
    """Save a file that could be an adapter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"x.alpha": torch.tensor([value])}, path, metadata=said or None)
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.fixture
def mine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, the second of two."""
    folders = (home / "none", home / "mine")
    monkeypatch.setenv(ADAPTERS.variable, os.pathsep.join(map(str, folders)))
    return home / "mine"


def place(name: str, model: Path | None = None) -> Path | None:
    """Return where the adapter of a name lies."""
    return adapter_on_disk(locate_adapter(name, model))


def test_a_name_is_that_of_a_file_in_a_folder_of_ones_own(mine: Path) -> None:
    sketch = save(mine / "styles" / "sketch.safetensors")
    other = save(mine / "b" / "Sketch.pt")
    for name in ("sketch", "sketch.safetensors", "styles/sketch"):
        assert locate_adapter(name) == AdapterRow(
            name, LocalPath(sketch), is_known=True
        )
    assert place("Sketch") == other
    assert place("b/sketch") == other, "in any case, where none is just so"
    assert place("SKETCH") == other, "the first by its folder"
    assert [name for name, _ in files()][:2] == ["Sketch", "sketch"]


def test_only_files_are_looked_at_each_once(mine: Path) -> None:
    sketch = save(mine / "sketch.safetensors")
    os.mkfifo(mine / "pipe.safetensors")
    (mine / "gone.safetensors").symlink_to(mine / "nothing")
    (mine / "folder.safetensors").mkdir()
    (mine / "twice.safetensors").symlink_to(sketch)
    (mine / ".hidden").mkdir()
    save(mine / ".hidden" / "other.safetensors")
    assert [each for each in files() if each[1].parent != ADAPTERS.bundled] == [
        ("sketch", sketch)
    ]
    for name in ("pipe", "gone", "other"):
        with pytest.raises(UnknownModelError, match="those found are sketch, blue-h"):
            locate_adapter(name)


def test_folders_of_other_tools_beside_the_model_are_searched(home: Path) -> None:
    model = home / "models" / "checkpoints" / "m.safetensors"
    for at in (model.parent, home / "models" / "Lora" / "deep", model.parent / "loras"):
        save(at / f"in_{at.name}.safetensors")
    folder = home / "models" / "checkpoints" / "folder"
    folder.mkdir()
    assert place("in_loras", model) == model.parent / "loras" / "in_loras.safetensors"
    assert place("in_deep", model) == home / "models/Lora/deep/in_deep.safetensors"
    assert place("in_checkpoints", model) == model.parent / "in_checkpoints.safetensors"
    assert place("in_loras", folder) is not None
    assert place("in_deep", folder) is not None
    with pytest.raises(UnknownModelError, match="LoRA 'in_loras': those found are b"):
        locate_adapter("in_loras")


def test_paths_are_recorded_whole(mine: Path, home: Path) -> None:
    save(mine / "sketch.safetensors")
    path = save(home / "here" / "own.safetensors")
    row = AdapterRow(str(path), LocalPath(path))
    assert locate_adapter("own.safetensors") == row
    assert adapter_on_disk(locate_adapter(str(path))) == path
    Path("sketch").mkdir()
    assert locate_adapter("sketch").is_known, "a folder here takes no name away"
    for outside in ("../mine/sketch.safetensors", str(mine / "sketch.safetensors")):
        assert not locate_adapter(outside).is_known
    path.unlink()
    with pytest.raises(UnknownModelError, match=r"no adapter at '.*own\.saf.* any"):
        fetch_adapter(row)


def test_a_folder_holds_one(home: Path) -> None:
    folder = home / "here" / "peft"
    folder.mkdir()
    with pytest.raises(
        UnknownModelError, match=r"'.*peft' holds no files of weights\."
    ):
        place("peft")
    one = save(folder / "a.safetensors")
    (folder / "a.pt").touch()
    assert place("peft") == one
    usual = save(folder / "adapter_model.safetensors")
    assert place("peft") == usual
    save(folder / "pytorch_lora_weights.safetensors")
    with pytest.raises(
        UnknownModelError, match=r"3 files of weights|4 files of weight"
    ):
        place("peft")


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("me/mine", HubRepo("me/mine")),
        ("me/mine@v2", HubRepo("me/mine", "v2")),
        ("me/mine:a/b.safetensors", HubFile("me/mine", "a/b.safetensors")),
        ("me/mine@v2:b.pt", HubFile("me/mine", "b.pt", "v2")),
    ],
)
def test_repositories_of_the_hub(name: str, where: HubRepo | HubFile) -> None:
    row = locate_adapter(name)
    assert row == AdapterRow(name, where)
    assert adapter_source(row) == "https://huggingface.co/me/mine"


def test_a_file_of_the_hub_may_be_given_by_its_page() -> None:
    page = "https://huggingface.co/me/mine/{}/sub/a.safetensors?download=true"
    file = HubFile("me/mine", "sub/a.safetensors")
    expected = AdapterRow("me/mine:sub/a.safetensors", file)
    assert locate_adapter(page.format("resolve/main")) == expected
    assert locate_adapter(page.format("blob/v2")).name == "me/mine@v2:sub/a.safetensors"
    out = "https://huggingface.co/me/mine/resolve/main/../../a.safetensors"
    assert locate_adapter(out).place == Address(out)


def test_folders_that_are_not_there_are_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        ADAPTERS.variable, os.pathsep.join(["", str(home), "~nobody.at.all/x"])
    )
    save(home / "sketch.safetensors")
    with pytest.raises(UnknownModelError) as raised:
        locate_adapter("zorb")
    said = str(raised.value)
    assert "those found are sketch, blue-hour, " in said
    assert ", and there is no folder '~nobody.at.all/x'; give" in said


@pytest.mark.parametrize(
    "name",
    [
        "../no", "./no", "a/..", "me/..no", "me/mine@../main:a.pt", "~/no",
        "me/mine:../a.safetensors", "me/mine:/etc/a.pt", "me/mine:C:\\a.pt",
    ],
)  # fmt: skip
@pytest.mark.parametrize("shelf", [ADAPTERS, CONTROLS])
def test_a_name_leads_out_of_no_folder(name: str, shelf: Shelf, mine: Path) -> None:
    save(mine.parent / "no.safetensors")
    with pytest.raises(UnknownModelError, match=f"^There is no {shelf.noun} '"):
        locate_adapter(name, shelf=shelf)


def test_what_nothing_goes_by_is_said_with_what_there_is(mine: Path) -> None:
    for number in range(15):
        save(mine / f"style{number:02}.safetensors")
    with pytest.raises(UnknownModelError) as raised:
        locate_adapter("stile01")
    said = str(raised.value)
    assert said.startswith("There is no LoRA 'stile01': those found are style00, sty")
    assert f"style11 and {3 + BUNDLED_COUNT} more, and there is no folder '" in said
    assert "none'; give the path of one, owner/repo or owner/repo:FILE on" in said
    assert said.endswith(f"yours in {ADAPTERS.variable}. Did you mean 'style01'?")
    with pytest.raises(UnknownModelError, match=r"A weight is written NAME=0\.8\."):
        locate_adapter("qqq:0.8")


def test_the_one_of_a_repository_is_fetched_once(home: Path) -> None:
    weights = save(home / "w.safetensors").read_bytes()
    repo = {"README.md": b"-", "w.safetensors": weights, "w.bin": b"-"}
    two = {"a.safetensors": weights, "b.safetensors": weights}
    with (
        HubServer({"me/one": Repo(repo), "me/two": Repo(two)}) as server,
        hub_environment(HF_HOME=str(home / "hub"), HF_ENDPOINT=server.url),
    ):
        assert place("me/one") is None
        fetched = fetch_adapter(locate_adapter("me/one"))
        assert fetched.read_bytes() == weights
        assert [*server.downloads()] == ["w.safetensors"]
        server.requests.clear()
        assert fetch_adapter(locate_adapter("me/one")) == fetched
        assert server.requests == []
        with pytest.raises(
            UnknownModelError, match=r"a.saf.*say which, as me/two:FILE"
        ):
            fetch_adapter(locate_adapter("me/two"))
        named = fetch_adapter(locate_adapter("me/two:b.safetensors"))
        assert named.name == "b.safetensors"


def answer(data: bytes, *headers: str) -> bytes:
    """Return what a server says that has a file."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(data)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + data


@pytest.mark.usefixtures("private_urls")
def test_what_lies_at_an_address_is_fetched_once(home: Path) -> None:
    weights = save(home / "w.safetensors").read_bytes()
    called = 'Content-Disposition: attachment; filename="../my style.safetensors"'
    with OddServer(answer(weights, called)) as server:
        url = f"{server.url}/api/5?token=secret&type=Model"
        row = locate_adapter(url)
        assert row.name == adapter_source(row) == f"{server.url}/api/5?type=Model"
        assert row.place == Address(url)
        assert adapter_on_disk(row) is None
        fetched = fetch_adapter(row)
        assert fetched.read_bytes() == weights
        assert fetched.name == "my style.safetensors"
        assert "token=secret" in server.asked[0]
        assert fetch_adapter(locate_adapter(row.name)) == fetched
        assert len(server.asked) == 1
    assert place("my style") == fetched, "found by its name from then on"


@pytest.mark.usefixtures("private_urls")
def test_a_page_is_no_adapter() -> None:
    with OddServer(answer(b"<!doctype html><title>Sign in</title>")) as server:
        row = locate_adapter(f"{server.url}/x.safetensors")
        with pytest.raises(
            DownloadError, match=r"/x.safetensors' is no file of weights"
        ):
            fetch_adapter(row)
        assert adapter_on_disk(row) is None
    with (
        OddServer(b"HTTP/1.1 404 Gone\r\n\r\n") as server,
        pytest.raises(DownloadError, match=r"The adapter 'http.*answered 404 Gone"),
    ):
        fetch_adapter(locate_adapter(server.url))


def test_what_shows_who_asks_is_not_said_where_it_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def said(url: str) -> str:
        with pytest.raises((DownloadError, InvalidUrlError)) as raised:
            fetch_adapter(AdapterRow("it", Address(url)))
        return str(raised.value)

    on = b"HTTP/1.1 302 Found\r\nLocation: ftp://a.example/w?key=word\r\n\r\n"
    for answered in (on, b"HTTP/1.1 404 Gone\r\n\r\n"):
        with OddServer(answered) as server:
            url = f"{server.url}/w?token=word&type=Model".replace("//", "//me:word@")
            private = said(url)
            with monkeypatch.context() as allowing:
                allowing.setenv("IMAGINAIRY_ALLOW_PRIVATE_URLS", "1")
                refused = said(url)
        for each in (private, refused):
            assert f"'{server.url}/w?type=Model'" in each
            assert "word" not in each
    assert "word" not in said("http://a.example:99999/w?token=word")


@pytest.mark.usefixtures("private_urls")
def test_no_file_is_hidden_by_its_name(home: Path) -> None:
    weights = save(home / "w.safetensors").read_bytes()
    name = f"ab.{'x' * (LONGEST - 13)}.safetensors"
    called = f'Content-Disposition: attachment; filename="{name}"'
    with OddServer(answer(weights, called)) as server:
        row = locate_adapter(server.url)
        assert fetch_adapter(row) == fetch_adapter(row)
        assert len(server.asked) == 1


def test_an_address_within_this_machine_is_not_asked() -> None:
    with OddServer(answer(b"")) as server:
        with pytest.raises(InvalidUrlError, match="not a public address"):
            fetch_adapter(locate_adapter(f"{server.url}/x.safetensors"))
        assert server.asked == []


# What they say of themselves


def test_hashes_of_all_and_of_the_tensors_alone(mine: Path) -> None:
    path = save(mine / "a.safetensors", 2.0, note="x")
    same = save(mine / "b.safetensors", 2.0, note="other")
    pickle = mine / "c.pt"
    pickle.write_bytes(b"\x80\x02anything")
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    tensors = hashlib.sha256(data[begin:]).hexdigest()
    assert checksum_of_tensors(path) == checksum_of_tensors(same) == tensors
    assert checksum_of_tensors(path) == tensors, "remembered"
    assert checksum_of_tensors(pickle) == checksum([pickle])
    assert with_hash(checksum([same])) == same
    assert with_hash(checksum([same])[:10].upper()) == same
    assert with_hash(tensors[:12]) == path, "the first of the two"
    assert with_hash(checksum([pickle])[:10]) == pickle
    assert with_hash("0" * 10) is with_hash("") is with_hash(tensors[:4]) is None


def test_a_hash_that_is_written_down_is_believed(mine: Path) -> None:
    path = save(mine / "a.safetensors", sshs_model_hash="ab12" * 16)
    assert with_hash("ab12ab12ab12") == path


def test_prompts_may_name_one_as_its_header_does(mine: Path) -> None:
    path = save(mine / "pencil_v3-000010.safetensors", ss_output_name="pencil")
    save(mine / "z.safetensors")
    assert named_inside("pencil") == path
    assert locate_adapter("pencil") == AdapterRow(
        "pencil", LocalPath(path), is_known=True
    )
    assert named_inside("") is named_inside("crayon") is None


def test_the_header_is_read_without_the_tensors(mine: Path) -> None:
    path = save(mine / "a.safetensors", note="x")
    assert header_of(path) == ({"x.alpha": (1,)}, {"note": "x"})
    for content in (
        b"", b"\x80\x02", b"\x05\0\0\0\0\0\0\0{bad}", b"\xff" * 8 + b"{}",
        b"\x02\0\0\0\0\0\0\0[]", b"\x07\0\0\0\0\0\0\0{\"a\":1}",
    ):  # fmt: skip
        path.write_bytes(content)
        assert header_of(path) == ({}, {})
    assert header_of(mine / "none.safetensors") == ({}, {})


SITE = {"trainedWords": ["pencil sketch", " ", 5], "baseModel": "SD 1.5"}
NOTED = {"activation text": "a\nsketch,", "sd version": "SDXL"}


@pytest.mark.parametrize(
    ("site", "noted", "expected"),
    [
        (SITE, {}, Beside(("pencil sketch",), "SD 1.5")),
        (SITE, NOTED, Beside(("a sketch,",), "SDXL")),
        ({}, NOTED, Beside(("a sketch,",), "SDXL")),
        ({"trainedWords": "x", "baseModel": 5}, [], Beside()),
        ({}, {"sd version": "Unknown"}, Beside()),
    ],
)
def test_files_beside_say_more(
    mine: Path, site: object, noted: object, expected: Beside
) -> None:
    path = save(mine / "a.safetensors")
    (mine / "a.civitai.info").write_text(json.dumps(site))
    (mine / "a.json").write_text(json.dumps(noted))
    assert beside(path) == expected


def test_files_beside_that_are_broken_say_nothing(mine: Path) -> None:
    path = save(mine / "a.safetensors")
    assert beside(path) == Beside()
    (mine / "a.civitai.info").write_bytes(b"\xff\xfe")
    (mine / "a.json").write_text("[" * 100_000)
    assert beside(path) == Beside()
