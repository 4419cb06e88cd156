"""Ids equal to those of transformers' tokenizer on the same vocabulary."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers
from transformers import CLIPTokenizer

from imaginairy.errors import CheckpointError
from imaginairy.models.captioning import load_wordpiece
from imaginairy.tokenizer import END, START, ClipTokenizer
from imaginairy.weights.vocabulary import LONGEST, load_tokenizer, readable
from tests.support.examples import examples
from tests.support.tiny import tiny_tokenizer
from tests.support.vocabularies import scanty_vocabulary, write_vocabulary

WORDS = [
    *("a", "an", "the", "of", "fox", "foxes", "bowl", "fruit", "landscape", "don"),
    *("'t", "'ve", "'s", "...", "!!", "<|", "|>", "caf\u00e9", "stra\u00dfe"),
    *("\u65e5\u672c", "\U0001f304", "\u0645\u0631\u062d\u0628\u0627"),
]
PIECES = [
    *WORDS,
    "don't",
    "we'll",
    "I'M",
    "they'VE",
    "'d",
    "''ll",
    "hello_world",
    "3.14",
    "1234567890",
    "\u0663\u0664",  # digits of another script
    "\u00bd\u2163\u3007",  # a half, a Roman four and an ideographic zero
    "CAF\u00c9",
    "cafe\u0301",  # the accent by itself
    "e\u0301\u0323\u0308",
    "\u0301",
    "\u0130\u1e9e\u03a3",  # letters whose small form is longer, or depends on the place
    "\u212b\ufb01\u1100\u1161",  # letters that normal forms change
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\ufe0f",
    "\U0001f1e9\U0001f1ea",
    "{0.5}",
    "&lt;b&gt;",
    "\u201csmart\u2026\u201d",
    "\0",
    "\x1b[31m",
    "\ufffd",
    "\ufeff",
    "\u200b",
    "\u202e",
    "</w>",
    "#version: 0.2",
    START,
    END,
    START.upper(),
    END.title(),
    "<|endoftext|",
    "<|pad|>",
]
SPACES = ["", " ", "  ", "\t", "\n", "\r\n", "\x0b", "\x1f", "\x85", "\u00a0", "\u2003"]

texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=st.characters(max_codepoint=0x17F), max_size=60),
    st.lists(
        st.tuples(st.sampled_from(PIECES), st.sampled_from(SPACES)), max_size=12
    ).map(lambda pairs: "".join(part for pair in pairs for part in pair)),
)
many = examples(3)


def byte_vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return a vocabulary in which every text can be written, and its merges."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    spelling = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for word in WORDS:
        [(spelt, _)] = spelling.pre_tokenize_str(word)
        parts = [*spelt[:-1], f"{spelt[-1]}</w>"]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair not in merges:
                merges.append(pair)
                tokens.append("".join(pair))
            parts = ["".join(pair), *parts[2:]]
    tokens += [START, END]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}, merges


@pytest.fixture(scope="module", params=[byte_vocabulary, scanty_vocabulary])
def theirs(request: pytest.FixtureRequest) -> CLIPTokenizer:
    vocabulary, merges = request.param()
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


@pytest.fixture(scope="module", params=["tokenizer.json", "vocab.json"])
def ours(
    request: pytest.FixtureRequest,
    theirs: CLIPTokenizer,
    tmp_path_factory: pytest.TempPathFactory,
) -> ClipTokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    if request.param == "tokenizer.json":
        theirs.save_pretrained(folder)
        assert not (folder / "vocab.json").exists()
    else:
        model = json.loads(theirs.backend_tokenizer.to_str())["model"]
        write_vocabulary(folder, model["vocab"], model["merges"])
    return load_tokenizer(folder, 77)


@many
@example(text="")
@example(text=" ")
@example(text=" ".join(PIECES))
@example(text="".join(PIECES))
@example(text="a fox " * 500)
@given(text=texts)
def test_ids_equal_those_of_transformers(
    ours: ClipTokenizer, theirs: CLIPTokenizer, text: str
) -> None:
    assert ours.ids(text) == theirs(text, add_special_tokens=False).input_ids


@many
@given(text=texts)
def test_a_window_equals_that_of_transformers(
    ours: ClipTokenizer, theirs: CLIPTokenizer, text: str
) -> None:
    padded = theirs(text, padding="max_length", truncation=True, max_length=77)
    assert ours.windows(text)[0] == padded.input_ids


def test_the_vocabulary_of_bytes_has_a_word_for_everything() -> None:
    """Else the comparisons above would only compare unknown tokens."""
    tokenizer = CLIPTokenizer(*byte_vocabulary())
    text = "caf\u00e9 \u65e5\u672c \U0001f304 don't"
    spelt = tokenizer.convert_ids_to_tokens(
        tokenizer(text, add_special_tokens=False).input_ids
    )
    assert END not in spelt
    assert len(spelt) == 5


@pytest.mark.parametrize("max_tokens", [3, 16, 77])
@examples(1)
@given(text=texts, times=st.integers(1, 9))
def test_windows_lose_nothing(
    theirs: CLIPTokenizer, max_tokens: int, text: str, times: int
) -> None:
    tokenizer = ClipTokenizer(theirs.backend_tokenizer, max_tokens)
    ids = tokenizer.ids(text * times)
    windows = tokenizer.windows(text * times)
    room = max_tokens - 2
    assert len(windows) == max(1, -(-len(ids) // room))
    for number, window in enumerate(windows):
        held = ids[number * room : (number + 1) * room]
        assert window[: 1 + len(held)] == [tokenizer.start, *held]
        assert set(window[1 + len(held) :]) == {tokenizer.end}
        assert len(window) == max_tokens


@pytest.mark.parametrize(
    ("tokens", "windows"),
    [(0, 1), (1, 1), (74, 1), (75, 1), (76, 2), (150, 2), (151, 3), (1000, 14)],
)
def test_how_many_windows_a_text_needs(
    ours: ClipTokenizer, tokens: int, windows: int
) -> None:
    filled = ours.windows(" ".join(["fox"] * tokens))
    assert len(filled) == windows
    [fox] = ours.ids("fox")
    assert sum(window.count(fox) for window in filled) == tokens


def test_text_that_utf_8_cannot_hold_is_read_with_question_marks(
    ours: ClipTokenizer,
) -> None:
    assert ours.ids("a \udce9 fox") == ours.ids("a ? fox")


def test_a_saved_length_limit_cuts_nothing(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer().backend_tokenizer
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    ours = load_tokenizer(tmp_path / "tokenizer.json", 77)
    assert len(ours.ids("fox " * 40)) == 40
    assert len(ours.ids("fox")) == 1


def test_a_tokenizer_file_is_preferred_to_a_vocabulary(tmp_path: Path) -> None:
    tiny_tokenizer().save_pretrained(tmp_path)
    write_vocabulary(tmp_path, {START: 0, END: 1}, [])
    size = load_tokenizer(tmp_path, 77).tokenizer.get_vocab_size()
    assert size == len(tiny_tokenizer())


def test_a_vocabulary_may_have_windows_line_ends(tmp_path: Path) -> None:
    vocabulary, merges = scanty_vocabulary()
    write_vocabulary(tmp_path, vocabulary, merges)
    merges_file = tmp_path / "merges.txt"
    merges_file.write_bytes(merges_file.read_bytes().replace(b"\n", b"\r\n"))
    [fox] = load_tokenizer(tmp_path, 77).ids("fox")
    assert fox == vocabulary["fox</w>"]


@pytest.mark.parametrize("missing", ["vocab.json", "merges.txt", "both"])
def test_a_folder_without_a_vocabulary_is_refused(tmp_path: Path, missing: str) -> None:
    write_vocabulary(tmp_path, *scanty_vocabulary())
    for name in ("vocab.json", "merges.txt"):
        if missing in (name, "both"):
            (tmp_path / name).unlink()
    with pytest.raises(CheckpointError) as caught:
        load_tokenizer(tmp_path, 77)
    assert f"'{tmp_path}' holds no vocabulary: neither tokenizer.json" in str(
        caught.value
    )


def test_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no vocabulary"):
        load_tokenizer(tmp_path / "gone", 77)


NONSENSE = "cannot be read|is empty|holds no settings|which is no whole number"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tokenizer.json", ""),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", '{"model": {"type": "Unknown"}}'),
        ("vocab.json", ""),
        ("vocab.json", "[]"),
        ("vocab.json", '{"a": -1}'),
        ("vocab.json", '{"a": "b"}'),
        ("merges.txt", "x y\n"),
    ],
)
def test_a_vocabulary_that_makes_no_sense_is_refused(
    tmp_path: Path, name: str, text: str
) -> None:
    write_vocabulary(tmp_path, *scanty_vocabulary())
    (tmp_path / name).write_text(text)
    with pytest.raises(CheckpointError, match=NONSENSE):
        load_tokenizer(tmp_path, 77)


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
def test_a_vocabulary_that_is_no_file_is_refused_without_waiting(
    tmp_path: Path, name: str
) -> None:
    write_vocabulary(tmp_path, *scanty_vocabulary())
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(CheckpointError, match="is a pipe, not a file"):
        load_tokenizer(tmp_path, 77)


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json"]
)
def test_a_vocabulary_that_is_too_long_is_refused_before_it_is_read(
    tmp_path: Path, name: str
) -> None:
    write_vocabulary(tmp_path, *scanty_vocabulary())
    (tmp_path / name).touch()
    os.truncate(tmp_path / name, LONGEST + 1)
    with pytest.raises(CheckpointError, match="such files are read up to"):
        load_tokenizer(tmp_path, 77)


def test_what_makes_the_library_panic_is_refused(tmp_path: Path) -> None:
    """Its panics are no Exceptions, and end a program that does not expect them."""
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
    model["continuing_subword_prefix"] = "longer than what it stands before"
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}))
    with pytest.raises(BaseException) as theirs:
        Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert not isinstance(theirs.value, Exception)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_tokenizer(tmp_path, 77)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_wordpiece(tmp_path)


def test_what_stops_the_program_is_let_through(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), readable(tmp_path, "a nor b"):
        raise KeyboardInterrupt


@pytest.mark.parametrize("token", [START, END])
def test_a_vocabulary_that_is_not_clip_s_is_refused(tmp_path: Path, token: str) -> None:
    vocabulary, merges = scanty_vocabulary()
    del vocabulary[token]
    write_vocabulary(tmp_path, vocabulary, merges)
    with pytest.raises(CheckpointError) as caught:
        load_tokenizer(tmp_path, 77)
    assert f"lacks '{token}'; it is not CLIP's" in str(caught.value)


@examples(2)
@given(data=st.data())
def test_a_tokenizer_file_with_wrong_bytes_is_refused_where_the_library_does(
    tmp_path: Path, data: st.DataObject
) -> None:
    """And where a window could not be begun or ended; else it is read as by it."""
    content = bytearray(tiny_tokenizer().backend_tokenizer.to_str().encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    file = tmp_path / "tokenizer.json"
    file.write_bytes(content)
    theirs = read_by_library(file)
    if theirs is None or None in map(theirs.token_to_id, (START, END)):
        with pytest.raises(CheckpointError):
            load_tokenizer(file, 77)
        return
    theirs.no_truncation()
    theirs.no_padding()
    text = "a red fox, a bowl of fruit!"
    ids = theirs.encode(text, add_special_tokens=False).ids
    assert load_tokenizer(file, 77).ids(text) == ids


def read_by_library(file: Path) -> Tokenizer | None:
    try:
        return Tokenizer.from_file(str(file))
    except Exception:
        return None
