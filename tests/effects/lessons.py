"""The options of `aimg learn`."""

from collections.abc import Iterator

from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from imaginairy.metadata.read import read_metadata
from tests.effects.options import Judge
from tests.support.runs import Ran

Row = tuple[str, tuple[str, ...], tuple[str, ...], Judge]
MADE = "made.safetensors"
SHORT = ("--model", "tiny", "--output", MADE, "--size", "64x64", "--steps", "1",
         "--learning-rate", "0.01")  # fmt: skip
LEARN = ("learn", "zorbs", "--word", "zorb", *SHORT, "--rank", "2")
WORD = ("learn", "zorbs", "--word", "zorb", *SHORT, "--kind", "word")
SAMPLED = (*LEARN, "--sample-every", "1")
QUERY = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


def tensors(ran: Ran) -> dict[str, Tensor]:
    return load_file(ran.folder / MADE)


def said(ran: Ran, name: str) -> str:
    """Return what the file says of itself."""
    with safe_open(ran.folder / MADE, framework="pt") as file:
        return str(file.metadata().get(name, ""))


def says(name: str, value: str) -> Judge:
    """Return a judge that the file says something of itself that it did not."""

    def judge(before: Ran, after: Ran) -> None:
        assert said(before, name) != value
        assert said(after, name) == value

    return judge


def something_else_is_learnt(before: Ran, after: Ran) -> None:
    first, second = tensors(before), tensors(after)
    assert first.keys() == second.keys()
    assert any(not first[name].equal(second[name]) for name in first)


def of_shape(name: str, *shape: int) -> Judge:
    """Return a judge that a tensor has a shape, which it had not."""

    def judge(before: Ran, after: Ran) -> None:
        assert tensors(before)[name].shape != shape
        assert tensors(after)[name].shape == shape

    return judge


def has(end: str) -> Judge:
    """Return a judge that there are tensors of a name, and were none."""

    def judge(before: Ran, after: Ran) -> None:
        assert not any(end in name for name in tensors(before))
        assert any(end in name for name in tensors(after))

    return judge


def it_is_scaled_by_half(before: Ran, after: Ran) -> None:
    alphas = [float(tensors(ran)[f"{QUERY}.alpha"]) for ran in (before, after)]
    assert alphas == [2, 1]


def it_has_that_name(before: Ran, after: Ran) -> None:
    assert {MADE, "made.learning"} <= {*before.files}
    assert {"named.safetensors", "named.learning"} <= {*after.files}
    assert MADE not in after.files


def a_picture_is_drawn(before: Ran, after: Ran) -> None:
    assert "made-samples/000001-1.png" not in before.files
    assert "made-samples/000001-1.png" in after.files
    assert sampled(after) == "zorb, a blue fox"


def sampled(ran: Ran) -> str:
    """Return of what the sample is."""
    read = read_metadata(ran.folder / "made-samples" / "000001-1.png")
    return str(read["prompt_text"])


def it_is_of_that(before: Ran, after: Ran) -> None:
    assert (sampled(before), sampled(after)) == ("zorb, a blue fox", "a bowl")


def it_goes_on(before: Ran, after: Ran) -> None:
    assert after.code == 0
    assert (said(before, "ss_steps"), said(after, "ss_steps")) == ("1", "2")
    assert "step 1: saved" not in after.stderr, "the first was taken before"


def says_meanwhile(words: str) -> Judge:
    """Return a judge that words are said, and were not without."""

    def judge(before: Ran, after: Ran) -> None:
        assert words not in before.stderr
        assert words in after.stderr
        assert after.code == 0

    return judge


def refused(words: str) -> Judge:
    """Return a judge that it is refused in these words, with nothing learnt."""

    def judge(before: Ran, after: Ran) -> None:
        assert (before.code, after.code) == (0, 2)
        assert words in after.stderr
        assert MADE not in after.files

    return judge


def nothing_is_said(before: Ran, after: Ran) -> None:
    assert before.stderr and not after.stderr
    assert MADE in after.files


def learn_options() -> Iterator[Row]:
    """Yield what `aimg learn` has."""
    other = ("learn", "others", *LEARN[2:])
    yield (
        "folder",
        (*LEARN, "--captions", "word"),
        (*other, "--captions", "word"),
        (something_else_is_learnt),
    )
    yield (
        "--word",
        ("learn", "zorbs", *SHORT),
        LEARN,
        says("modelspec.trigger_phrase", "zorb"),
    )
    named = (*LEARN, "--output", "named.safetensors")
    yield "--output", LEARN, named, it_has_that_name
    yield "--model", LEARN, (*LEARN, "--model", "other"), something_else_is_learnt
    yield from _of_kinds()
    yield from _of_steps()
    yield from _of_pictures()
    yield "--sample-every", LEARN, SAMPLED, a_picture_is_drawn
    of = (*SAMPLED, "--sample-prompt", "a bowl")
    yield "--sample-prompt", SAMPLED, of, it_is_of_that
    two = (*LEARN, "--steps", "2")
    often = (*two, "--save-every", "1")
    yield "--save-every", two, often, says_meanwhile("step 1: saved")
    yield "--resume", LEARN, (*LEARN, ";", *two, "--resume"), it_goes_on
    anew = (*LEARN, ";", *LEARN, "--seed", "1", "--yes")
    yield "--yes", LEARN, anew, something_else_is_learnt
    for option in ("-q", "--quiet"):
        yield option, LEARN, (*LEARN, option), nothing_is_said
    device = (*LEARN, "--device", "abacus")
    yield "--device", LEARN, device, refused("Device 'abacus' is not available here")
    precision = (*LEARN, "--precision", "abacus")
    yield "--precision", LEARN, precision, refused("'abacus' is not one of")


def _of_kinds() -> Iterator[Row]:
    yield "--kind", LEARN, (*LEARN, "--kind", "loha"), has(".hada_w1_a")
    rank = of_shape(f"{QUERY}.lora_down.weight", 3, 32)
    yield "--rank", LEARN, (*LEARN, "--rank", "3"), rank
    yield "--alpha", LEARN, (*LEARN, "--alpha", "1"), it_is_scaled_by_half
    yield "--layers", LEARN, (*LEARN, "--layers", "all"), has("resnets_0_conv1")
    yield "--text-encoder", LEARN, (*LEARN, "--text-encoder"), has("lora_te_")
    two = (*WORD, "--vectors", "2")
    yield "--vectors", WORD, two, of_shape("emb_params", 2, 48)
    begins = (*WORD, "--begins-as", "fox")
    yield "--begins-as", WORD, begins, something_else_is_learnt


def _of_steps() -> Iterator[Row]:
    two = (*LEARN, "--steps", "2")
    other = something_else_is_learnt
    yield "--steps", LEARN, two, says("ss_steps", "2")
    yield "--batch-size", LEARN, (*LEARN, "--batch-size", "2"), other
    yield "--learning-rate", LEARN, (*LEARN, "--learning-rate", "0.1"), other
    yield "--decay", two, (*two, "--decay", "cosine"), other
    yield "--snr-gamma", two, (*two, "--snr-gamma", "0.1"), other
    yield "--seed", LEARN, (*LEARN, "--seed", "1"), other
    again = (*LEARN, "--checkpointing")
    yield "--checkpointing", LEARN, again, says_meanwhile("with checkpointing")


def _of_pictures() -> Iterator[Row]:
    other, four = something_else_is_learnt, (*LEARN, "--batch-size", "4")
    size = (*LEARN, "--size", "72x64")
    yield "--size", LEARN, size, says("modelspec.resolution", "72x64")
    yield "--keep-shape", four, (*four, "--keep-shape"), other
    yield "--flip", four, (*four, "--flip"), other
    yield "--captions", LEARN, (*LEARN, "--captions", "word"), other
    dropped = (*LEARN, "--caption-dropout", "1")
    yield "--caption-dropout", LEARN, dropped, other
