"""The controls that the web UIs say of a picture, and that are said to these."""

from typing import Any

import pytest

from imaginairy import Control, ImaginePrompt
from imaginairy.control import parse_control
from imaginairy.metadata.foreign import ForeignRecord, parse_parameters
from imaginairy.metadata.tags import parameters_text
from tests.support.photographs import ASTRONAUT

LINE = "a fox\nSteps: 20, Sampler: Euler a, Seed: 1"
CANNY = "Model: control_v11p_sd15_canny [d14c016b], Weight: 1"


def read(*lines: str) -> ForeignRecord:
    said = (f', ControlNet {n}: "{line}"' for n, line in enumerate(lines))
    record = parse_parameters(f"{LINE}{''.join(said)}, Version: v1.9.4")
    assert record is not None
    return record


@pytest.mark.parametrize(
    ("line", "given"),
    [
        (
            "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 0.8, "
            "Resize Mode: Crop and Resize, Processor Res: 512, Threshold A: 100.0, "
            "Threshold B: 200, Guidance Start: 0.1, Guidance End: 0.7, Pixel Perfect: "
            "False, Control Mode: Balanced, Hr Option: Both, Save Detected Map: True",
            "sd15-canny=0.8,hint=canny@0.1-0.7",
        ),
        (
            "Module: none, Model: mine [0a], Weight: 1.0, Control Mode: ControlNet is "
            "more important",
            "mine,guess,raw",
        ),
        (
            "preprocessor: scribble_hed, model: mine [0a], weight: 1, starting/ending: "
            "(0, 0.9), resize mode: Just Resize, pixel perfect: False, control mode: "
            "Balanced, preprocessor params: (512, 1, 64)",
            "mine,hint=scribble@0.0-0.9",
        ),
        (
            "Module: invert (from white bg & black line), Model: mine, Weight: 1",
            "mine,hint=invert",
        ),
        ("Module: dw_openpose_full, Model: a [1]", "a,hint=pose"),
    ],
)
def test_a_control_is_read(line: str, given: str) -> None:
    record = read(line)
    (found,) = record.fields["controls"]
    assert str(parse_control(found)) == given
    assert record.unknown == {}


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        (
            f"Module: canny, {CANNY}, Control Mode: My prompt is more important",
            {"ControlNet 0 control mode": "My prompt is more important"},
        ),
        (
            f"Module: canny, {CANNY}, Threshold A: 50.0, Threshold B: 200.0",
            {"ControlNet 0 threshold a": "50.0"},
        ),
    ],
)
def test_what_of_a_control_is_left_out_is_said(
    line: str, unknown: dict[str, str]
) -> None:
    record = read(line)
    assert len(record.fields["controls"]) == 1
    assert record.unknown == unknown


@pytest.mark.parametrize(
    "line",
    [
        "Module: reference_only, Model: None, Weight: 1",
        "Module: recolor_luminance, Model: mine [0a], Weight: 1",
        "Module: canny, Model: mine, Weight: 11",
        "Module: canny, Model: mine, Weight: much",
        "Module: canny, Model: mine, Guidance Start: 0.9, Guidance End: 0.2",
        "Module: canny, Model: mine, Guidance End: nan",
        "Module: canny",
        "canny",
    ],
)
def test_what_is_no_control_here_is_left_out(line: str) -> None:
    record = read(line, f"Module: canny, {CANNY}")
    (found,) = record.fields["controls"]
    assert found["name"] == "sd15-canny"
    assert record.unknown == {"ControlNet 0": line}


def told(**fields: Any) -> str:
    made_by = {"model_sha256": "ab", "software": "x", "prompt_text": "a fox"}
    asked = {
        "seed": 1,
        "steps": 9,
        "sampler_type": "ddim",
        "prompt_strength": 7,
        **fields,
    }
    prompt = ImaginePrompt("a fox", control_image=ASTRONAUT, **asked)
    return parameters_text({**prompt.to_dict(), **made_by})


def test_ours_are_said_to_others_with_no_folder(tmp_path: Any) -> None:
    net = tmp_path / "own, net.safetensors"
    text = told(
        controls=["canny=0.8@0-0.7", Control(str(net), hint="depth", guess=True)]
    )
    assert (
        'ControlNet 0: "Module: canny, Model: canny, Weight: 0.8, Guidance Start: 0, '
        'Guidance End: 0.7, Control Mode: Balanced"'
    ) in text
    assert str(tmp_path) not in text
    record = parse_parameters(text)
    assert record is not None and record.unknown == {}
    assert [str(parse_control(each)) for each in record.fields["controls"]] == [
        "canny=0.8,hint=canny@0.0-0.7",
        "own  net,hint=depth,guess",
    ]
    assert '"Module: none, Model: canny' in told(controls="canny", control_raw=True)
    metadata = {**ImaginePrompt("a fox", seed=1).to_dict(), "prompt_text": "a fox"}
    made_by = {"model_sha256": "ab", "software": "x"}
    for anything in ([{"name": 3}], [3], 3, {"name": "canny"}, [{"name": "a", "b": 1}]):
        said = parameters_text({**metadata, **made_by, "controls": anything})
        assert "ControlNet" not in said
