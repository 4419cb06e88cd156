"""The learned words that a prompt is drawn with: those asked for, and those it says."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imaginairy.adapters.file import Adapter
from imaginairy.adapters.word_file import read_word, require_suits, word_of
from imaginairy.embedding import WordFile, parse_embedding
from imaginairy.errors import BadOptionError, CheckpointError
from imaginairy.families.learned_word import LearnedWord
from imaginairy.sources.adapter_folders import Folders
from imaginairy.sources.adapters import fetch_adapter, is_path, locate_adapter
from imaginairy.word_signs import looking_so, mentioned, occurs

KIND = "learned word"


@dataclass(frozen=True)
class Reader:
    """What reads the words of a picture."""

    model: Any
    """A `DrawingModel`."""
    name: str
    """What it is called in messages."""
    home: Path | None
    """The file or folder that it lies in, by which others may lie."""
    say: Callable[[str], None]
    """Says a sentence, once."""
    folders: Folders = field(default_factory=Folders)
    """Where words lie by name."""

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yield the names and paths of files that may be words."""
        return self.folders.files(self.home)

    def read(self, path: Path, word: str = "") -> LearnedWord:
        """Read a word that the model can read.

        Raises:
            CheckpointError: there is none in the file, or it is for another model.
        """
        learned = read_word(path, word)
        require_suits(learned, str(path), self.model, self.name)
        return learned

    def knows(self, word: str) -> bool:
        """Tell whether a word is one of the model's vocabularies."""
        encoders = self.model.encoders.values()
        known = [each.tokenizer for each in encoders if hasattr(each, "words")]
        return any(each.tokenizer.token_to_id(word) is not None for each in known)


def bundled_in(adapters: Iterable[Adapter]) -> list[LearnedWord]:
    """Return the learned words that come with LoRAs.

    Raises:
        CheckpointError: what stands there is none.
    """
    return [
        word_of(
            word,
            {tensor: adapter.tensors.read(name) for tensor, name in named.items()},
            str(adapter.path),
        )
        for adapter in adapters
        for word, named in adapter.embeddings.items()
    ]


def words_of(
    given: Sequence[str],
    texts: Sequence[str],
    reader: Reader,
    bundled: Sequence[LearnedWord] = (),
) -> tuple[WordFile, ...]:
    """Return the files of the learned words that texts are read with.

    They are there then. What looks like one and is none is said.

    Args:
        given: those that are asked for, as `embeddings` of a prompt.
        bundled: those that come with LoRAs, which are read too.

    Raises:
        UnknownModelError: nothing goes by a name that was given.
        CheckpointError: a file holds no word, or one for another model.
        BadOptionError: two go by the same word.
        DownloadError: one could not be fetched.
    """
    found: dict[str, WordFile] = {}
    for each in given:
        file = _given(each, reader)
        for name in file.names:
            if found.setdefault(name.casefold(), file) != file:
                raise BadOptionError(
                    f"Two learned words go by '{name}', '{file.given}' and "
                    f"'{found[name.casefold()].given}'; give one of them another "
                    "word, as WORD=FILE."
                )
        if not any(occurs(name, text) for name in file.names for text in texts):
            reader.say(
                f"Neither the prompt nor the negative prompt says '{file.names[0]}', "
                "so that learned word does nothing."
            )
    asked = {name.casefold() for text in texts for name in mentioned(text)}
    brought = {name.casefold() for word in bundled for name in word.names}
    for stem, paths in _named_by(texts, reader, {*found} | brought):
        if chosen := _chosen(stem, paths, reader, is_asked=stem.casefold() in asked):
            path, word = chosen
            for name in word.names:
                found.setdefault(name.casefold(), WordFile(word.names, stem, path))
    _say_what_is_missed(texts, {*found} | brought, reader)
    return tuple(dict.fromkeys(found.values()))


def read_words(words: Sequence[WordFile]) -> list[LearnedWord]:
    """Read the vectors of words.

    Raises:
        CheckpointError: one is not there any more.
    """
    return [read_word(each.path, parse_embedding(each.given)[0]) for each in words]


def _given(given: str, reader: Reader) -> WordFile:
    """Find a word that is asked for."""
    word, name = parse_embedding(given)
    wanted = name.casefold()
    for stem, path in () if is_path(name) else reader.files():
        if wanted in (stem.casefold(), path.name.casefold()):
            try:
                learned = reader.read(path, word)
            except CheckpointError:  # another of that name may be for the model
                continue
            return WordFile(learned.names, given, path)
    row = locate_adapter(name, reader.home, KIND)
    path = fetch_adapter(row)
    learned = reader.read(path, word)
    recorded = f"{word}={row.name}" if word else row.name
    return WordFile(learned.names, recorded, path)


def _named_by(
    texts: Sequence[str], reader: Reader, known: set[str]
) -> Iterator[tuple[str, list[Path]]]:
    """Yield the names of files that texts say, and all files of that name."""
    whole = "\n".join(texts).casefold()
    named: dict[str, list[Path]] = {}
    for stem, path in reader.files():
        if stem.casefold() in whole and stem.casefold() not in known:
            named.setdefault(stem, []).append(path)
    for stem, paths in named.items():
        if any(occurs(stem, text) for text in texts):
            yield stem, paths


def _chosen(
    stem: str, paths: Sequence[Path], reader: Reader, *, is_asked: bool
) -> tuple[Path, LearnedWord] | None:
    """Return the first of files of a name that is a word for the model, if any is.

    What is a word for another model is said.

    Args:
        is_asked: whether it is asked for as `embedding:NAME`.

    Raises:
        CheckpointError: it is asked for, and none is.
    """
    refusal: CheckpointError | None = None
    for path in paths:
        try:
            word = read_word(path)
        except CheckpointError as error:  # most are other adapters
            refusal = refusal or (error if is_asked else None)
            continue
        try:
            require_suits(word, str(path), reader.model, reader.name)
        except CheckpointError as error:
            refusal = error
        else:
            return path, word
    if refusal and is_asked:
        raise refusal
    if refusal:
        reader.say(f"'{stem}' is read as plain text: {refusal}")
    return None


def _say_what_is_missed(texts: Sequence[str], known: set[str], reader: Reader) -> None:
    """Say what of texts looks like a learned word and is none."""
    for name in dict.fromkeys(name for text in texts for name in mentioned(text)):
        if name.casefold() not in known:
            reader.say(
                f"There is no learned word '{name}' in the folders of adapters, so "
                f"embedding:{name} is left out; give its file with --embedding."
            )
    for word in dict.fromkeys(word for text in texts for word in looking_so(text)):
        names = {word.casefold(), word.casefold()[1:-1]}
        if not names & known and not reader.knows(word):
            reader.say(
                f"{word} looks like a learned word; no file of that name was found or "
                "given with --embedding, so it is read as plain text."
            )
