"""Learned words in the metadata of pictures: written, read, and found again."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file

from imaginairy.cli.record import Record, read_record
from imaginairy.errors import BadOptionError
from imaginairy.fleet.lines import Asked
from imaginairy.metadata.foreign import parse_parameters
from imaginairy.metadata.tags import parameters_text
from imaginairy.metadata.word_hashes import called
from imaginairy.metadata.write import write_image
from tests.cli.test_record import SAID
from tests.metadata.test_tags import SAID as ALL_SAID


@pytest.fixture
def sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The user's folder of adapters; the hashes of what is in it, by names."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv("IMAGINAIRY_ADAPTERS", str(folder))
    monkeypatch.chdir(tmp_path)
    hashes = {}
    for number, name in enumerate(("zorb", "glim")):
        path = folder / f"{name}.safetensors"
        save_file({"emb_params": torch.full((1, 48), number / 9)}, path)
        hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashes


def again(words: Any, hashes: Any, **changes: Any) -> Record:
    """Read a picture that was drawn with words."""
    path = Path("a.png")
    said = {**SAID, "embeddings": words, "embedding_sha256": hashes}
    write_image(Image.new("RGB", (8, 8)), path, said)
    return read_record(path, changes)


def test_what_is_here_is_taken_as_it_is(
    sums: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    record = again(["zorb", "x=glim"], {"zorb": sums["zorb"], "x=glim": sums["glim"]})
    assert record.asked.fields["embeddings"] == ("zorb", "x=glim")
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("named", "word"),
    [
        ("/home/stranger/zorb.pt", "zorb"),
        ("quux=/home/stranger/zorb.pt", "quux"),
        ("owner/repo:glim.pt", "glim"),
        ("glim", "glim"),
    ],
)
def test_a_file_of_the_same_hash_takes_its_place(
    named: str, word: str, sums: dict[str, str]
) -> None:
    record = again([named], {named: sums["zorb"]})
    mine = Path("mine/zorb.safetensors").absolute()
    assert record.asked.fields["embeddings"] == (f"{word}={mine}",)


def test_another_file_of_the_name_is_said(
    sums: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    record = again(["zorb"], {"zorb": "ab" * 32})
    assert record.asked.fields["embeddings"] == ("zorb",)
    [said] = caplog.messages
    assert f"zorb is another file than then: SHA-256 {sums['zorb'][:10]} in" in said


@pytest.mark.usefixtures("sums")
@pytest.mark.parametrize("hashes", [None, 3, {}, {"/x.pt": 3}, {"/x.pt": "a"}, []])
def test_what_is_not_here_stays_named(hashes: Any) -> None:
    assert again(["/x.pt"], hashes).asked.fields["embeddings"] == ("/x.pt",)


@pytest.mark.usefixtures("sums")
def test_what_the_user_gives_comes_first() -> None:
    record = again(["/x.pt"], {}, embeddings=("glim",))
    assert record.asked.fields["embeddings"] == ("glim",)
    assert "embeddings" in record.changed


@pytest.mark.usefixtures("sums")
@pytest.mark.parametrize("words", [3, ["x" * 9999], {"a": 1}, [[]]])
def test_what_is_no_list_of_words_is_refused(words: Any) -> None:
    with pytest.raises(BadOptionError, match=r"'a\.png'"):
        again(words, {})


def test_other_files_are_why_a_picture_is_another(
    sums: dict[str, str], tmp_path: Path
) -> None:
    record = again(["zorb"], {"zorb": sums["zorb"]})
    drawn = tmp_path / "b.png"
    Image.new("RGB", (8, 8), "white").save(drawn)
    now = {**SAID, "embedding_sha256": {"zorb": "ab" * 32}}
    assert "learned words are other files" in str(record.verdict(drawn, lambda: now))
    now["embedding_sha256"] = {"zorb": sums["zorb"]}
    assert "learned words" not in str(record.verdict(drawn, lambda: now))


def foreign(text: str) -> Record:
    """Read a picture of another tool."""
    info = PngInfo()
    info.add_text("parameters", text)
    Image.new("RGB", (8, 8)).save("a.png", pnginfo=info)
    return read_record(Path("a.png"), {"model": "storybook"})


SETTINGS = "Steps: 4, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64"


@pytest.mark.parametrize(
    "more",
    [
        'TI hashes: "{zorb}, ng_v2: 0123456789ab"',
        'Hashes: {{"model": "ab", "embed:zorb": "{sum}", "embed:ng_v2": "0123456789"}}',
    ],
)
def test_words_of_other_tools_are_found(
    more: str, sums: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    said = more.format(zorb=f"zorb: {sums['zorb'][:12]}", sum=sums["zorb"][:10].upper())
    with caplog.at_level(logging.WARNING):
        record = foreign(f"a zorb\nNegative prompt: ng_v2\n{SETTINGS}, {said}")
    assert record.asked.fields["embeddings"] == ("zorb",)
    assert "the learned words ng_v2 (0123456789" in caplog.text
    assert "nothing here does it" not in caplog.text


def test_a_renamed_file_is_found_by_its_hash(sums: dict[str, str]) -> None:
    record = foreign(f'a quux\n{SETTINGS}, TI hashes: "quux: {sums["glim"][:12]}"')
    mine = Path("mine/glim.safetensors").absolute()
    assert record.asked.fields["embeddings"] == (f"quux={mine}",)


def test_what_is_no_hash_is_left_out_as_before() -> None:
    record = parse_parameters(f"a\n{SETTINGS}, TI hashes: what")
    assert record is not None and record.unknown == {"TI hashes": "what"}
    assert record.words == {}


def test_hashes_are_written_as_others_write_them() -> None:
    sums = {"easynegative": "c74b4e810b03" + "0" * 52, "q=/a/b.pt": "12" * 32}
    text = parameters_text({**ALL_SAID, "embedding_sha256": sums})
    written = 'TI hashes: "easynegative: c74b4e810b03, q: 121212121212", Version'
    assert written in text
    record = parse_parameters(text)
    assert record is not None
    assert record.words == {"easynegative": "c74b4e810b03", "q": "121212121212"}
    assert "TI hashes" not in parameters_text(ALL_SAID)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("easynegative", "easynegative"),
        ("/a/b/easynegative.pt", "easynegative"),
        ("owner/repo:embeds/x.bin", "x"),
        ("owner/repo", "repo"),
        ("w=owner/repo", "w"),
    ],
)
def test_what_a_word_is_called_for_others(given: str, word: str) -> None:
    assert called(given) == word


def test_hypernetworks_are_found_again(tmp_path: Path, sums: dict[str, str]) -> None:
    other = tmp_path / "mine" / "hyper.pt"
    other.write_bytes(b"what is in it is not looked at")
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    said = {
        "hypernetworks": ["/x/its.pt=0.5", "zorb", "/x/unknown.pt"],
        "hypernetwork_sha256": {"/x/its.pt": digest, "zorb": "ab" * 32},
    }
    write_image(Image.new("RGB", (8, 8)), Path("a.png"), {**SAID, **said})
    record = read_record(Path("a.png"), {})
    names = (f"{other}=0.5", "zorb=1.0", "/x/unknown.pt=1.0")
    assert record.asked.fields["hypernetworks"] == names


def test_hypernetworks_are_written_as_prompts_name_them() -> None:
    said = {**ALL_SAID, "hypernetworks": ["/a/anime.pt=0.5", "mine"]}
    first = parameters_text(said).splitlines()[0]
    assert first == "a fox <hypernet:anime:0.5> <hypernet:mine:1>"


@pytest.mark.parametrize("said", [5, ["a"], {"a": 5}])
def test_other_adapters_are_named(tmp_path: Path, said: Any) -> None:
    for name in ("red", "blue"):
        Image.new("RGB", (8, 8), name).save(tmp_path / f"{name}.png")
    then = {"lora_sha256": said, "hypernetwork_sha256": {"its": "ab" * 32}}
    record = Record(tmp_path / "red.png", Asked("a", {}, None), metadata=then)
    now = {"lora_sha256": {"a": "12" * 32}, "hypernetwork_sha256": {"its": "cd" * 32}}
    verdict = str(record.verdict(tmp_path / "blue.png", lambda: now))
    assert "The hypernetwork 'its' has other weights than then: SHA-256 cdcd" in verdict
    now = {"lora_sha256": {}, "hypernetwork_sha256": {}}
    verdict = str(record.verdict(tmp_path / "blue.png", lambda: now))
    assert verdict.endswith("The file itself may have been changed since.")
