"""The words that a model knows, where its folder says so; nothing here needs torch.

A model that was trained on few words takes no notice of others and generates something
else without a word. `words.json` beside its weights lists what its captions were made
of, by group; models of all the world have none.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import ascii_lowercase

from imaginairy.errors import CheckpointError
from imaginairy.prompt_syntax import read_text
from imaginairy.settings import Listed, ListOf, Schema, Text, read
from imaginairy.sources.layouts import WORDS
from imaginairy.weights.json_file import read_json

WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
"""A word as people write it: letters and digits, apostrophes inside."""
_SILENT = """
a about above after against all also am among an and another any are around as at away
be been before behind being below beneath beside besides between both but by can do
does down during each either every few for from had has have having he her here hers
him his how i if in inside into is it its itself just like lots made make many me more
most much my near next no non nor not of off on onto or other our out outside over own
per please plus same she showing shows so some such than that the their them there
these they this those through to together too toward towards under until up upon us
very was we were what when where which while who whose with within without you your
"""
STOP_WORDS = frozenset(_SILENT.split())
"""Words that say nothing by themselves."""
ENDINGS = (
    *(("'s", ""), ("\u2019s", ""), ("s", ""), ("es", ""), ("ies", "y"), ("ves", "f")),
    *(("ves", "fe"), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("er", "")),
    *(("er", "e"), ("ier", "y"), ("est", ""), ("est", "e"), ("iest", "y"), ("y", "")),
    *(("ly", ""), ("ily", "y"), ("ied", "y")),
)
"""What is put to the end of a word, and what stands there without it."""
LISTED: Schema = {"groups": Listed(ListOf(Text(null=False), null=False), null=False)}
"""What is read of a `words.json`."""
LEAST_STEM = 3
"""Letters of the shortest word that others may be forms of."""
MOST_SHOWN = 20
"""Unknown words that are named in a line."""
IRREGULAR = {
    **{"men": "man", "women": "woman", "children": "child", "people": "person"},
    **{"mice": "mouse", "geese": "goose", "feet": "foot", "teeth": "tooth"},
    **{"gray": "grey", "colour": "color", "colours": "color", "colored": "color"},
    **{"coloured": "color", "colourful": "colorful", "cacti": "cactus"},
}


@dataclass(frozen=True)
class KnownWords:
    """What a model was taught."""

    groups: dict[str, tuple[str, ...]]
    """Words by what they belong to, in the order in which they are shown."""

    @cached_property
    def stems(self) -> frozenset[str]:
        """The known words, and what they may be forms of."""
        words = (word for group in self.groups.values() for word in group)
        return frozenset(stem for word in words for stem in stems(word))

    def knows(self, word: str) -> bool:
        """Tell whether a word, or one that it is a form of, is known or says nothing.

        Numbers in digits and single letters are passed over.
        """
        silent = word.isdigit() or word in STOP_WORDS or word in ascii_lowercase
        return silent or not self.stems.isdisjoint(stems(word))

    def unknown(self, texts: Iterable[str]) -> list[str]:
        """Return the words of texts that are not known, each once, in their order."""
        found: list[str] = []
        met: set[str] = set()
        for word in (word for text in texts for word in words_of(text)):
            forms = set(stems(word))
            if met.isdisjoint(forms) and not self.knows(word):
                found.append(word)
                met |= forms
        return found


def words_of(text: str) -> Iterator[str]:
    """Yield the words of a prompt's text in small letters, without its markup."""
    plain = "".join(fragment.text for fragment in read_text(text))
    return (match[0] for match in WORD.finditer(plain.lower()))


def shortened(words: Sequence[str]) -> str:
    """Return words as a line lists them, shortened where there are many."""
    shown, more = ", ".join(words[:MOST_SHOWN]), len(words) - MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def stems(word: str) -> Iterator[str]:
    """Yield a word and all that it may be a plural or another form of."""
    yield word
    if word in IRREGULAR:
        yield IRREGULAR[word]
    for ending, instead in ENDINGS:
        stem = word.removesuffix(ending)
        if stem == word or len(stem + instead) < LEAST_STEM:
            continue
        yield stem + instead
        if ending[0] in "iey" and stem[-1:] == stem[-2:-1]:
            yield stem[:-1]  # running, sunny


def read_words(folder: Path) -> KnownWords | None:
    """Read what a model's folder says of its words; None where it says nothing.

    Raises:
        CheckpointError: the file is there and says something else.
    """
    file = folder / WORDS
    if not file.is_file():
        return None
    said = read(file, read_json(file), LISTED, "a list of words")
    if "groups" not in said:
        raise CheckpointError(
            f"'{file}' does not list words by group; mend it or take it away."
        )
    return KnownWords(said["groups"])
