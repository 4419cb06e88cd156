"""Places of files: what they are, what is shown of them, how files appear there."""

from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from imaginairy.errors import BadOptionError, CannotSaveError
from imaginairy.fleet.addresses import is_address, said_by, shown
from imaginairy.fleet.sinks import open_sink
from imaginairy.fleet.sinks.files import FsspecFiles, LocalFiles, files_at
from imaginairy.fleet.sinks.notes import parts
from tests.support.rows import published, row


def test_addresses_are_told_from_paths() -> None:
    assert is_address("s3://bucket/x") and is_address("memory://x")
    assert not any(map(is_address, ["out", "/a/b", "file:///a", "local:///a", "a:b"]))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("s3://key:secret@bucket/x?versionId=secret", "s3://bucket/x"),
        ("simplecache::s3://key:secret@bucket/x", "simplecache::s3://bucket/x"),
        ("az://x/y?sig=secret&se=2", "az://x/y"),
        ("out?put", "out?put"),
    ],
    ids=["plain", "s3", "chained", "az", "path"],
)
def test_secrets_of_addresses_are_not_shown(address: str, words: str) -> None:
    assert shown(address) == words


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("No s3://key:secret@bucket", "No s3://bucket"),
        ("GET https://x/y?sig=secret&a=secret: 403", "GET https://x/y?sig=&a= 403"),
        ("first\nsecret", "first"),
        ("done.", "done"),
    ],
    ids=["user", "query", "lines", "plain"],
)
def test_secrets_of_errors_are_not_shown(said: str, words: str) -> None:
    assert said_by(ValueError(said)) == words


class Moving(LocalFileSystem):
    """Notes what is written and moved, and moves to no name that is taken."""

    def __init__(self) -> None:
        super().__init__(skip_instance_cache=True)
        self.told: list[str] = []

    def pipe_file(self, path: str, value: bytes, **more: object) -> None:
        self.told.append(f"write {Path(path).name[:1]}")
        super().pipe_file(path, value, **more)

    def mv(self, path1: str, path2: str, **more: object) -> None:
        if Path(path2).exists():
            raise FileExistsError(path2)
        self.told.append(f"move to {Path(path2).name}")
        super().mv(path1, path2, **more)


def test_where_files_are_moved_none_appears_half(tmp_path: Path) -> None:
    moving = Moving()
    files = FsspecFiles("memory://x")
    files.fs, files.root = moving, str(tmp_path)
    for data in (b"first", b"second"):
        files.write("ab/fox.jpg", data)
        assert files.read("ab/fox.jpg") == data
        assert moving.told == ["write .", "move to fox.jpg"]
        assert [path.name for path in (tmp_path / "ab").iterdir()] == ["fox.jpg"]
        moving.told.clear()


class Refusing(LocalFileSystem):
    """Says nothing of what it holds, and lets nothing go."""

    def ls(self, path: str, **more: object) -> list[str]:
        raise RuntimeError("no answer from s3://key:secret@bucket")

    rm_file = ls


def test_what_is_refused_at_an_address_is_a_sentence(tmp_path: Path) -> None:
    files = FsspecFiles("memory://x")
    files.fs, files.root = Refusing(skip_instance_cache=True), str(tmp_path)
    for ask in (lambda: [*files.names("ab")], lambda: files.remove("ab")):
        with pytest.raises(CannotSaveError, match=r"x/ab' could not be .* s3://bucket"):
            ask()


def test_a_file_system_without_objects_is_published_in(tmp_path: Path) -> None:
    sink = open_sink(f"dir::file://{tmp_path}/out")
    fox = row("fox")
    for _ in range(2):
        sink.publish([published(fox)])
    sink.finish()
    assert sorted(sink.files.names()) == ["_manifest/", "fox.jpg"]
    assert len(sink.done()) == len(parts(sink.files)) == 1
    assert len(list(tmp_path.rglob("fox.jpg"))) == 1


def test_places_go_by_what_they_are(tmp_path: Path, in_memory: str) -> None:
    assert isinstance(files_at(f"file://{tmp_path}"), LocalFiles)
    assert isinstance(files_at(tmp_path), LocalFiles)
    files = files_at(in_memory)
    assert files.read("x") is None and list(files.names()) == []
    assert list(files.lines("x")) == []
    files.remove("x")
    with pytest.raises(BadOptionError, match="is no place to save in"):
        files_at("a\0b")


def test_what_a_place_refuses_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CannotSaveError, match=r"fox\.jpg' could not be written or rea"):
        files_at(tmp_path / "file").write("fox.jpg", b"x")
