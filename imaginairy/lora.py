"""LoRAs and how much each counts: as they are given, and as prompts name them.

    FILE=0.8                    a weight; 1 where none is said, below 0 the opposite
    FILE,unet=0.8,text=0.5      weights of their own for the UNet and the text encoders
    FILE=0.8,in=0.5,mid=0,out4=1.2    factors for blocks of the UNet
    FILE=0.8@0-0.6              only over a part of the steps

`FILE` is a path, a name, `owner/repo[:file]` on the hub or a web address. In a prompt
it is `<lora:name:0.8>`, as the web UIs write it, or `<lyco:name:0.8>`; two numbers are
for the text encoders and for the UNet, in that order.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any, TypeAlias, TypeVar

from imaginairy.asked_files import LONGEST, NUMBER, WAYS, WEIGHT, several
from imaginairy.checks import Number, text
from imaginairy.errors import BadOptionError, BadPromptError, shown

SHARE = Number(0, 1)
PLACE = r"(?:in|out)\d{0,2}|mid"
"""Blocks of a UNet: all on its way down, the middle, all on its way up, or the one of
that number, counted as CompVis did, from 0."""
SHARES = rf"@(?P<start>{NUMBER})-(?P<end>{NUMBER})"
GIVEN = (
    rf"(?s)(?P<name>.+?)(?:=(?P<weight>{NUMBER}))?"
    rf"(?P<more>(?:,(?:unet|text|{PLACE})={NUMBER})*)(?:{SHARES})?"
)
TAG = r"(?i)(?<!\\)<(?:lora|lyco):([^<>:\n]*)((?::[^<>:\n]*)*)>"
LAST = rf"(?s)(?P<value>.*?)(?:{SHARES})?"
Several = TypeVar("Several", bound=Sequence[Any])
MOST = 100
"""LoRAs of one picture."""
BASE = "base"
TAG_NAMES = {"te": "text"}
"""What the web UIs call a part, and we do."""


def _places(down: Sequence[int], up: Sequence[int]) -> tuple[str, ...]:
    return (*(f"in{n}" for n in down), "mid", *(f"out{n}" for n in up))


BLOCK_LISTS = {
    1 + len(places): places
    for places in (
        _places((1, 2, 4, 5, 7, 8), range(3, 12)),
        _places(range(12), range(12)),
        _places((4, 5, 7, 8), range(6)),
        _places(range(9), range(9)),
    )
}
"""What the numbers behind `lbw=` are for, by how many they are, as a widespread
extension of the web UIs counts them: the first is for the text encoders, the others for
blocks, those that LoRAs of Stable Diffusion 1 or XL change, or all of them."""


NAMED_LISTS = {
    "NONE": "0" * 17, "ALL": "1" * 17, "INS": "11110000000000000",
    "IND": "10001110000000000", "INALL": "11111110000000000",
    "MIDD": "10001111111100000", "OUTD": "10000000111100000",
    "OUTS": "10000000000011111", "OUTALL": "10000000111111111",
}  # fmt: skip
"""The lists of that extension that have names, as long as nobody gives them others."""
HALVES = "ALL0.5"
"""The one with other numbers."""


@dataclass(frozen=True)
class Lora:
    """A LoRA, or another of its kin, and how much of it acts where and when.

    Raises:
        BadOptionError: a number is out of range, or there is no such block.
    """

    name: str
    """A name, a path, `owner/repo[:file]` on the hub, or a web address."""
    weight: float = 1.0
    """How much of it acts; 0 is nothing, and below that the opposite."""
    unet: float | None = None
    """The weight in the network that draws, where that is another."""
    text: float | None = None
    """The weight in the text encoders, where that is another."""
    blocks: Mapping[str, float] | None = field(default=None, hash=False)
    """Factors for blocks of the UNet: `in`, `mid`, `out`, or single ones as `in4`."""
    start: float = 0.0
    """The share of the steps that is walked before it acts."""
    end: float = 1.0
    """The share of the steps after which it acts no more."""

    def __post_init__(self) -> None:
        name = str(self.name) if isinstance(self.name, PathLike) else self.name
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST:
            raise BadOptionError(
                f"A LoRA goes by a name, a path or an address, not {shown(self.name)}."
            )
        self._set("name", text("name of a LoRA", name).strip())
        for part in ("weight", "unet", "text"):
            value = getattr(self, part)
            if value is not None or part == "weight":
                self._set(part, WEIGHT(f"The {part} of the LoRA '{name}'", value))
        for share in ("start", "end"):
            said = f"The {share} of the LoRA '{name}'"
            self._set(share, SHARE(said, getattr(self, share)))
        if self.start >= self.end:
            raise BadOptionError(
                f"The LoRA '{name}' acts from {self.start:g} to {self.end:g} of the "
                "steps, which is none of them; give a start below the end, as @0-0.6."
            )
        self._set("blocks", self._blocks() or None)

    def _blocks(self) -> dict[str, float]:
        blocks = self.blocks or {}
        if not isinstance(blocks, Mapping) or not all(
            isinstance(place, str) and re.fullmatch(PLACE, place) for place in blocks
        ):
            raise BadOptionError(
                f"The blocks of the LoRA '{self.name}' are {shown(self.blocks)}; give "
                "numbers for in, mid and out, or for single ones such as in4 and out11."
            )
        return {
            place: WEIGHT(f"The {place} of the LoRA '{self.name}'", factor)
            for place, factor in blocks.items()
        }

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def in_unet(self) -> float:
        """How much of it acts in the network that draws."""
        return self.weight if self.unet is None else self.unet

    @property
    def in_text(self) -> float:
        """How much of it acts in the text encoders."""
        return self.weight if self.text is None else self.text

    def called(self, name: str) -> "Lora":
        """Return the same by another name.

        Raises:
            BadOptionError: it is none.
        """
        return replace(self, name=name)

    def __str__(self) -> str:
        parts = {"unet": self.unet, "text": self.text, **(self.blocks or {})}
        more = "".join(f",{k}={_written(v)}" for k, v in parts.items() if v is not None)
        weight = f"={_written(self.weight)}"
        shares = f"@{_written(self.start)}-{_written(self.end)}"
        short = self.name + ("" if self.weight == 1 else weight) + more
        short += "" if (self.start, self.end) == (0, 1) else shares
        whole = f"{self.name}{weight}{more}{shares}"
        return short if parse_lora(short) == self else whole


LoraLike: TypeAlias = "str | PathLike[str] | Lora | Mapping[str, Any]"
"""What names a LoRA: text that `parse_lora` reads, a path, or the thing itself."""


def parse_lora(given: Any) -> Lora:
    """Read `FILE=0.8`, `FILE=0.8,unet=0.5,text=0.2,in=1,mid=0,out4=2@0-0.6` and so on.

    Raises:
        BadOptionError: it cannot be read so, or a number is out of range.
    """
    if isinstance(given, Lora):
        return given
    if isinstance(given, Mapping) and "name" in given and set(given) <= {*FIELDS}:
        return Lora(**given)
    if isinstance(given, PathLike):
        return Lora(str(given))
    read = (
        isinstance(given, str) and len(given) <= LONGEST and re.fullmatch(GIVEN, given)
    )
    if not isinstance(given, str) or not read or not read["name"].strip():
        raise BadOptionError(
            f"A LoRA is given as FILE or FILE=0.8, not {shown(given)}; {WAYS}."
        )
    parts = dict(part.split("=") for part in read["more"].split(",") if part)
    if len(parts) < read["more"].count(","):
        raise BadOptionError(f"The LoRA {shown(given)} names a part twice.")
    numbers = {name: float(value) for name, value in parts.items()}
    return Lora(
        read["name"],
        _number(read["weight"], 1.0),
        unet=numbers.pop("unet", None),
        text=numbers.pop("text", None),
        blocks=numbers or None,
        start=_number(read["start"], 0.0),
        end=_number(read["end"], 1.0),
    )


FIELDS = tuple(Lora.__dataclass_fields__)


def loras(name: str, value: Any) -> tuple[Lora, ...]:
    """Take LoRAs: one, or several, each as `parse_lora` takes it; none of nothing."""
    if isinstance(value, Lora | Mapping):
        value = (value,) if value else ()
    given = several(name, value, "LoRAs, each as FILE or FILE=0.8")
    return tuple(parse_lora(each) for each in require_few(given))


def require_few(given: Several) -> Several:
    """Return LoRAs, or what names them, where they are not too many.

    Raises:
        BadOptionError: they are.
    """
    if len(given) > MOST:
        raise BadOptionError(f"There are {len(given)} LoRAs; at most {MOST} can act.")
    return given


def loras_in(prompt: str) -> tuple[Lora, ...]:
    """Return the LoRAs that a prompt names, as `<lora:name:0.8>`.

    Raises:
        BadPromptError: what is said of one cannot be read.
    """
    return tuple(_of_tag(found) for found in re.finditer(TAG, prompt))


def names_in(prompt: str) -> tuple[str, ...]:
    """Return the names of the LoRAs in a prompt, whatever it says of them."""
    return tuple(_plain_name(found[1]) for found in re.finditer(TAG, prompt))


def _plain_name(written: str) -> str:
    """Return a name without the backslashes that parts of a prompt put into it."""
    return re.sub(r"\\([()|\\])", r"\1", written).strip()


def without_loras(prompt: str, name: str | None = None) -> str:
    """Return a prompt without the LoRAs that it names, or without that of a name."""
    return re.sub(
        TAG, lambda tag: "" if name in (None, _plain_name(tag[1])) else tag[0], prompt
    )


def _of_tag(tag: re.Match[str]) -> Lora:
    *parts, last = tag[2].split(":")[1:] or [""]
    read = re.fullmatch(LAST, last)
    assert read is not None
    values: dict[str, str] = {}
    places = iter(("weight", "unet"))
    for part in (*parts, read["value"]):
        if part.strip().startswith("lbw="):
            values |= _listed(part)
            continue
        named, sign, value = part.strip().rpartition("=")
        name = TAG_NAMES.get(named, named) if sign else next(places, "")
        if part.strip() and (name in values or not re.fullmatch(NUMBER, value)):
            name = ""
        if part.strip():
            values[name] = value
    known = re.compile(rf"weight|unet|text|{BASE}|{PLACE}")
    if not tag[1].strip() or not all(map(known.fullmatch, values)):
        raise BadPromptError(
            f"The prompt has {shown(tag[0])}, which cannot be read; write "
            "<lora:name:0.8>, or <lora:name:0.5:0.8> with the weights for the text "
            "encoders and for the UNet."
        )
    numbers = {name: float(value) for name, value in values.items()}
    weight, unet = numbers.pop("weight", 1.0), numbers.pop("unet", None)
    base = numbers.pop(BASE, 1.0)
    text = numbers.pop("text", None if base == 1 else weight)
    return Lora(
        _plain_name(tag[1]),
        weight,
        unet=unet,
        text=None if text is None else base * text,
        blocks=numbers or None,
        start=_number(read["start"], 0.0),
        end=_number(read["end"], 1.0),
    )


def _listed(part: str) -> dict[str, str]:
    """Read factors of blocks as numbers in a row; give what is none as it is."""
    said = part.partition("=")[2].strip()
    if said in NAMED_LISTS:
        numbers = [*NAMED_LISTS[said]]
    elif said == HALVES:
        numbers = ["0.5"] * 17
    else:
        numbers = [each.strip() for each in said.split(",")]
    places = BLOCK_LISTS.get(len(numbers), ())
    if not places or not all(re.fullmatch(NUMBER, each) for each in numbers):
        return {"": part}
    return dict(zip((BASE, *places), numbers, strict=True))


def _number(said: str | None, usual: float) -> float:
    return usual if said is None else float(said)


def _written(number: float) -> str:
    short = f"{number:g}"
    return short if float(short) == number else repr(float(number))
