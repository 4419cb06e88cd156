"""What lies beside a tokenizer's vocabulary: words added to it, and special tokens.

Three files hold it, as transformers wrote them over the years: `tokenizer_config.json`,
`special_tokens_map.json` and `added_tokens.json`. Where the first lists the added words
itself the other two only repeat it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from imaginairy.settings import (
    Field,
    Flag,
    Listed,
    ListOf,
    Number,
    Schema,
    Section,
    Settings,
    Text,
    Whole,
    read,
)
from imaginairy.weights.json_file import LONGEST, read_json

LISTS = ("additional_special_tokens", "extra_special_tokens")
"""Where further special tokens are listed, by their text or as an object."""
SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token")
FEWEST_TOKENS = 3
"""The start, one token of text and the end."""


@dataclass(frozen=True)
class Token(Field):
    """A special token, as its text or as an object that holds it."""

    null: bool = True

    def read(self, value: Any) -> str:
        return Text().read(value.get("content") if isinstance(value, dict) else value)

    def refusal(self, owner: str) -> str:
        return ", which is no token"


@dataclass(frozen=True)
class Tokens(Field):
    """Several of them, listed or by names."""

    null: bool = True

    def read(self, value: Any) -> tuple[str, ...]:
        each = [*value.values()] if isinstance(value, dict) else value
        return ListOf(Token(null=False)).read(each)

    def refusal(self, owner: str) -> str:
        return ", which is no list of tokens"


ID = Whole(0, 10_000_000)
"""The number of a token."""
ADDED: Schema = {
    "content": Text(null=False),
    **dict.fromkeys(
        ("single_word", "lstrip", "rstrip", "normalized", "special"), Flag()
    ),
}
SETTINGS: Schema = {
    **dict.fromkeys(SPECIAL, Token()),
    **dict.fromkeys(LISTS, Tokens()),
    "model_max_length": Number(FEWEST_TOKENS - 1, null=True),
    "added_tokens_decoder": Listed(Section(ADDED, null=False)),
}
"""What is read of `tokenizer_config.json` and `special_tokens_map.json`."""


@dataclass(frozen=True)
class Beside:
    """What is said beside a vocabulary."""

    settings: Settings = field(default_factory=dict)
    words: Mapping[int, AddedToken] = field(default_factory=dict)
    """Words added to the vocabulary, by their ids."""

    def special(self, name: str, usual: str) -> str:
        """Return the text of a special token."""
        return self.settings.get(name) or usual

    @property
    def max_tokens(self) -> int | None:
        """How long a window is at most; None where that is not said."""
        said = self.settings.get("model_max_length")
        return None if said is None else int(said)

    def added_to(self, vocabulary: dict[str, int]) -> dict[str, int]:
        """Return a vocabulary with the added words.

        Raises:
            ValueError: the id of a word is that of another.
        """
        words = {token.content: number for number, token in self.words.items()}
        whole = {**vocabulary, **words}
        if len(set(whole.values())) < len(whole):
            raise ValueError("an added word has the number of another word")
        return whole

    def add_to(self, tokenizer: Tokenizer) -> None:
        """Have a tokenizer see the added words as wholes.

        Raises:
            ValueError: a word that it did not know cannot get the id it should have.
        """
        for number, token in sorted(self.words.items()):
            known = tokenizer.token_to_id(token.content)
            tokenizer.add_tokens([token])
            found = tokenizer.token_to_id(token.content)
            if known is None and found != number:
                raise ValueError(
                    f"the added word {token.content!r} has the number {number} and "
                    f"would get {found}"
                )
        tokenizer.add_special_tokens(_special(self.settings))


def read_beside(source: Path) -> Beside:
    """Read what is said beside the vocabulary of a folder; a file stands alone.

    Raises:
        ValueError: a number is none.
        CheckpointError: a file is too long, or says something else than it may.
    """
    if not source.is_dir():
        return Beside()
    settings = _said(source / "tokenizer_config.json")
    if "added_tokens_decoder" in settings:
        listed = settings["added_tokens_decoder"]
        words = {int(n): AddedToken(**facts) for n, facts in listed.items()}
        return Beside(settings, words)
    listed = {name: settings[name] for name in LISTS if name in settings}
    settings = {**settings, **_said(source / "special_tokens_map.json"), **listed}
    special, file = _special(settings), source / "added_tokens.json"
    words = {
        number: AddedToken(
            word, normalized=word not in special, special=word in special
        )
        for word, number in (numbered(file) if file.is_file() else {}).items()
    }
    return Beside(settings, words)


def numbered(file: Path) -> dict[str, int]:
    """Read a file of words and their numbers.

    Raises:
        CheckpointError: it is something else, or too long.
    """
    words = read_json(file, LONGEST)
    return read(file, words, dict.fromkeys(words, ID), "a vocabulary")


def _special(settings: Settings) -> list[str]:
    """List the special tokens that are named or listed."""
    named = [settings[name] for name in SPECIAL if settings.get(name)]
    return [*named, *(each for name in LISTS for each in settings.get(name, ()))]


def _said(file: Path) -> dict[str, Any]:
    return (
        read(file, read_json(file), SETTINGS, "a tokenizer") if file.is_file() else {}
    )
