"""What lies beside a tokenizer's vocabulary: words added to it, and special tokens.

Three files hold it, as transformers wrote them over the years: `tokenizer_config.json`,
`special_tokens_map.json` and `added_tokens.json`. Where the first lists the added words
itself the other two only repeat it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from imaginairy.weights.json_file import short_enough

LISTS = ("additional_special_tokens", "extra_special_tokens")
"""Where further special tokens are listed, by their text or as an object."""
SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token")
FEWEST_TOKENS = 3
"""The start, one token of text and the end."""


@dataclass(frozen=True)
class Beside:
    """What is said beside a vocabulary."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    words: Mapping[int, AddedToken] = field(default_factory=dict)
    """Words added to the vocabulary, by their ids."""

    def special(self, name: str, usual: str) -> str:
        """Return the text of a special token."""
        given = self.settings.get(name)
        return _content(given) if given else usual

    @property
    def max_tokens(self) -> int | None:
        """How long a window is at most; None where that is not said."""
        said = self.settings.get("model_max_length")
        return said if isinstance(said, int) and said >= FEWEST_TOKENS else None

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
        ValueError, TypeError, AttributeError: it makes no sense.
        CheckpointError: a file is too long.
    """
    if not source.is_dir():
        return Beside()
    settings = _json(source / "tokenizer_config.json")
    if "added_tokens_decoder" in settings:
        listed = settings["added_tokens_decoder"]
        words = {int(n): AddedToken(**facts) for n, facts in listed.items()}
        return Beside(settings, words)
    listed = {name: settings[name] for name in LISTS if name in settings}
    settings = {**settings, **_json(source / "special_tokens_map.json"), **listed}
    special = _special(settings)
    words = {
        int(number): AddedToken(
            word, normalized=word not in special, special=word in special
        )
        for word, number in _json(source / "added_tokens.json").items()
    }
    return Beside(settings, words)


def _special(settings: Mapping[str, Any]) -> list[str]:
    """List the special tokens that are named or listed."""
    named = [settings[name] for name in SPECIAL if settings.get(name)]
    listed = [each for name in LISTS for each in settings.get(name) or ()]
    return [_content(each) for each in (*named, *listed)]


def _content(token: Any) -> str:
    """Return the text of a token that is given as such or as an object."""
    return str(token["content"] if isinstance(token, Mapping) else token)


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    text = short_enough(file).read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return {**content}
