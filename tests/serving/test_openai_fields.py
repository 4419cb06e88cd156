"""What OpenAI's API asks for beside a prompt: taken, or refused in a sentence."""

from typing import Any

import pytest

from imaginairy import ImaginePrompt
from imaginairy.errors import BadImageError, BadOptionError, UnknownModelError
from imaginairy.serving.openai_fields import (
    NO_MODEL,
    OpenAIFields,
    RefusedFieldError,
    asked,
    param_in,
    told_by_field,
)
from imaginairy.serving.refusals import (
    BusyError,
    NotOfferedError,
    OverLimitError,
    RefusedError,
)


def test_nothing_asked_for_is_one_picture_in_the_answer() -> None:
    request, rest = asked({"prompt": "a fox"})
    assert (request.n, request.response_format) == (1, "b64_json")
    assert (request.output_format, request.stream) == ("png", False)
    assert rest == {"prompt": "a fox"}


def test_null_is_as_if_it_were_not_there() -> None:
    nothing = dict.fromkeys(("n", "size", "style", "stream", "user", "steps", "wrong"))
    assert asked({"prompt": "a fox", **nothing}) == asked({"prompt": "a fox"})


@pytest.mark.parametrize(
    ("given", "of_prompt"),
    [
        ({"size": "auto"}, {}),
        ({"size": "512x256"}, {"width": 512, "height": 256}),
        ({"quality": "auto"}, {}),
        ({"quality": "low"}, {"speed": "fast"}),
        ({"quality": "Medium"}, {"speed": "balanced"}),
        ({"quality": "hd"}, {"speed": "exact"}),
        ({"steps": 4, "seed": 1}, {"steps": 4, "seed": 1}),
        ({"background": "opaque", "moderation": "low", "user": "me"}, {}),
    ],
)
def test_its_words_are_fields_of_a_prompt(
    given: dict[str, Any], of_prompt: dict[str, Any]
) -> None:
    assert asked(given)[1] == of_prompt
    ImaginePrompt("a fox", **of_prompt)


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"n": 0}, "n", "n 0 is out of range; give one from 1 to 10."),
        ({"n": 11}, "n", "out of range"),
        ({"n": "2"}, "n", "n must be a whole number, not '2'."),
        ({"n": True}, "n", "whole number"),
        ({"size": "512"}, "size", "size '512' cannot be read; give width and height"),
        ({"size": "512x512x3"}, "size", "cannot be read"),
        ({"size": "999999x512"}, "size", "cannot be read"),
        ({"size": "-1x512"}, "size", "cannot be read"),
        ({"size": [512, 512]}, "size", "cannot be read"),
        ({"quality": "best"}, "quality", "quality 'best' is unknown; choose one of"),
        ({"background": "transparent"}, "background", "choose one of auto, opaque"),
        ({"response_format": "b64json"}, "response_format", "mean 'b64_json'"),
        ({"response_format": "bytes"}, "response_format", "choose one of b64_json"),
        ({"output_format": "gif"}, "output_format", "choose one of png, jpeg, webp"),
        ({"output_format": "jpeg", "output_compression": 101}, "output_compression",
         "from 0 to 100"),
        ({"output_compression": 50}, "output_compression", "is for jpeg and webp"),
        ({"stream": 1}, "stream", "stream is true or false, not 1."),
        ({"stream": True, "n": 2}, "n", "A stream has one image, and n is 2"),
        ({"stream": True, "response_format": "url"}, "response_format", "is b64_json"),
        ({"partial_images": 2}, "partial_images", "partial_images needs stream"),
        ({"stream": True, "partial_images": 4}, "partial_images", "from 0 to 3"),
        ({"user": "x" * 513}, "user", "user may have 512 characters, and has 513."),
        ({"user": 3}, "user", "user is text, not int."),
        ({"style": "vivid"}, "style", "say it in the prompt"),
        ({"input_fidelity": "high"}, "input_fidelity", "init_image_strength says"),
        ({"size": "64x64", "width": 64}, "width", "size and width both say width"),
        ({"quality": "low", "speed": "fast"}, "speed", "quality and speed both say"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused_by_the_name_of_its_field(
    given: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(RefusedFieldError, match=said) as refused:
        asked({"prompt": "a fox", **given})
    assert refused.value.param == field


def test_a_stream_has_pictures_on_the_way() -> None:
    request, _ = asked({"stream": True, "partial_images": 3, "n": 1})
    assert request == OpenAIFields(stream=True, partial_images=3)


@pytest.mark.parametrize(
    ("message", "given", "field"),
    [
        ("steps 0 is out of range.", {"prompt": "x", "steps": 0}, "steps"),
        ("151 steps are more than 150.", {"steps": 151, "n": 1}, "steps"),
        ("The prompt is empty.", {"prompt": "", "steps": 1}, "prompt"),
        ("A prompt has no field 'wrong'.", {"prompt": "x", "wrong": 1}, "wrong"),
        ("There is no model 'm'.", {"model": "m", "prompt": "m"}, "model"),
        ("width 65 is not a multiple.", {"size": "65x64"}, "size"),
        ("width 65 is not a multiple.", {"width": 65, "size": "auto"}, "width"),
        ("speed 'x' is unknown.", {"quality": "low"}, "quality"),
        ("prompt_strength -1 is out of range.", {"cfg": -1}, "cfg"),
        ("An image of 9x9 is large.", {"n": 1, "draw_size": "9x9"}, "draw_size"),
        ("Something else.", {"prompt": "else.", "n": 1}, None),
    ],
)
def test_what_a_message_is_about_is_found(
    message: str, given: dict[str, Any], field: str | None
) -> None:
    assert param_in(message, given) == field


def refused_as(error: Exception, given: dict[str, Any]) -> RefusedError:
    with pytest.raises(RefusedError) as refused, told_by_field(given):
        raise error
    return refused.value


def test_refusals_have_the_status_of_that_api() -> None:
    model = {"model": "m"}
    missing = refused_as(NotOfferedError("There is no model 'm'."), model)
    assert (missing.status, missing.param, missing.code) == (404, "model", NO_MODEL)
    other = refused_as(NotOfferedError("There is no adapter 'l'."), {"loras": "l"})
    assert (other.status, other.param, other.code) == (404, "loras", "not_found")
    large = refused_as(OverLimitError("151 steps are more."), {"steps": 151})
    assert (large.status, large.param, large.code) == (400, "steps", "over_limit")
    for wrong in (BadOptionError, BadImageError, UnknownModelError):
        bad = refused_as(wrong("steps 0 is out of range."), {"steps": 0})
        assert (bad.status, bad.param, bad.code) == (400, "steps", "invalid_value")
    known = RefusedFieldError("said", "field", "code")
    assert refused_as(known, {"said": 1}) is known and known.param == "field"
    busy = BusyError("Too much.", 3)
    assert refused_as(busy, {}) is busy and busy.status == 429


def test_other_failures_stay_what_they_are() -> None:
    with pytest.raises(ZeroDivisionError), told_by_field({}):
        raise ZeroDivisionError
