"""What is told of what was done to a picture after it was drawn."""

import json
from datetime import datetime
from typing import Any

import pytest
from PIL import Image

from imaginairy.metadata.afterwards import (
    KEY,
    carried_tags,
    changes,
    is_mask_or_hint,
    noted,
    steps_of,
    with_step,
)
from imaginairy.metadata.foreign import parse_parameters
from imaginairy.metadata.read import Written
from imaginairy.metadata.tags import Tags
from imaginairy.version import __version__

OURS = {"prompt": "a fox", "prompt_text": "a fox", "software": "imaginairy 0.0"}
THEIRS = "a fox\nSteps: 2, Sampler: Euler, Seed: 5, CFG scale: 3"
STEP = {"done": "upscale", "scale": 2}


def written(comment: str = "", *texts: str, **chunks: str) -> Written:
    return Written((8, 8), "PNG", comment, texts, chunks)


def stamped(tags: Tags, step: dict[str, Any]) -> dict[str, Any]:
    """Return a step as it is written, with who did it and when."""
    now = f"imaginairy {__version__}"
    done = parse_parameters(tags.comment)
    last = done.afterwards[-1] if done else json.loads(tags.comment)[KEY][-1]
    age = datetime.now().astimezone() - datetime.fromisoformat(last["created"])
    assert -2 < age.total_seconds() < 600
    return {**step, "software": now, "created": last["created"]}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"done": "upscale", "scale": 2}, "was made 2 times as large"),
        (
            {"done": "upscale", "scale": 2.0, "model": "/m/x2.pth"},
            "was made 2 times as large by x2.pth",
        ),
        ({"done": "upscale", "scale": 2.5}, "was made 2.5 times as large"),
        ({"done": "fix_faces"}, "had its faces restored"),
        (
            {"done": "fix_faces", "faces": 2, "model": "codeformer"},
            "had its faces restored by codeformer",
        ),
        ({"done": "mask", "mask_prompt": "a dog"}, "became a mask of 'a dog'"),
        ({"done": "glitter", "model": "x"}, "went through 'glitter' by x"),
        ({}, "went through 'None'"),
    ],
)
def test_what_was_done_in_words(step: dict[str, Any], words: str) -> None:
    nothing = {"done": "fix_faces", "faces": 0}
    assert changes([nothing, step, nothing]) == [words]


def test_a_mask_is_told_by_any_of_its_steps() -> None:
    assert is_mask_or_hint([STEP, {"done": "mask"}])
    assert not is_mask_or_hint([STEP]) and not is_mask_or_hint([])


def test_steps_are_noted_one_after_the_other_on_a_picture() -> None:
    one, two, three = (Image.new("RGB", (8, 8)) for _ in range(3))
    assert noted(one) == []
    assert with_step(two, one, done="a") is two
    with_step(three, two, done="b", scale=2)
    assert noted(three) == [{"done": "a"}, {"done": "b", "scale": 2}]
    assert noted(two) == [{"done": "a"}]
    two.info[KEY] = "nonsense"
    assert noted(two) == []


@pytest.mark.parametrize(
    ("said", "steps"),
    [
        ({**OURS, KEY: [STEP, 3, "x", {}]}, [STEP, {}]),
        ({**OURS, KEY: 7}, []),
        (OURS, []),
        ({KEY: [STEP]}, [STEP]),
        ({"seed": 3}, []),
        ([1], []),
    ],
)
def test_steps_are_read_from_our_comment(said: Any, steps: list[Any]) -> None:
    assert steps_of(written(json.dumps(said))) == steps


def test_steps_are_read_from_the_text_of_another_tool() -> None:
    text = f"{THEIRS}, Postprocess upscale by: 2"
    found = [{"done": "upscale", "model": None, "scale": "2"}]
    assert steps_of(written("", "no record", text)) == found
    assert steps_of(written(json.dumps({"seed": 3}), text)) == found
    assert steps_of(written(json.dumps(OURS), text)) == [], "ours counts first"
    assert steps_of(written("[" * 100_000, text)) == found


def test_our_record_goes_on_with_what_is_done_now() -> None:
    before = written(json.dumps({**OURS, KEY: [{"done": "mask"}]}), Title="kept")
    tags = carried_tags(before, [STEP])
    assert json.loads(tags.comment) == {
        **OURS, KEY: [{"done": "mask"}, stamped(tags, STEP)]
    }  # fmt: skip
    assert (tags.description, tags.software) == ("a fox", "imaginairy 0.0")
    assert tags.chunks == {"Title": "kept"}


def test_a_record_of_another_tool_gets_one_more_setting() -> None:
    before = written("", "no record", THEIRS, workflow="{}", parameters=THEIRS)
    tags = carried_tags(before, [STEP])
    assert tags.comment.startswith(f"{THEIRS}, Postprocess: ")
    record = parse_parameters(tags.comment)
    assert record is not None and record.afterwards == (stamped(tags, STEP),)
    assert tags.chunks == {"workflow": "{}", "parameters": tags.comment}
    assert tags.software == f"imaginairy {__version__}"
    again = carried_tags(written("", tags.comment), [{"done": "mask"}])
    record = parse_parameters(again.comment)
    assert record is not None
    assert [step["done"] for step in record.afterwards] == ["upscale", "mask"]
    assert again.comment.count("Postprocess") == 1
    assert again.created == record.afterwards[1]["created"]


@pytest.mark.parametrize("before", [None, written(), written("by me", Author="me")])
def test_a_picture_that_says_nothing_says_what_was_done(before: Written | None) -> None:
    tags = carried_tags(before, [STEP])
    said = json.loads(tags.comment)
    software = f"imaginairy {__version__}"
    kept = {"comment": "by me"} if before and before.comment else {}
    assert said == {"software": software, KEY: [stamped(tags, STEP)], **kept}
    assert (tags.software, tags.created) == (software, said[KEY][0]["created"])
    assert tags.chunks == ({"Author": "me"} if kept else {})
