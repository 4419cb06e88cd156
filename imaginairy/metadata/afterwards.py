"""What is done to pictures after they were saved, told in the tags they carry on.

A picture that is made larger, gets its faces restored or is masked keeps the record of
how it was drawn, ours or another tool's, and says of each step what did it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL.Image import Image

from imaginairy.metadata.foreign import parse_parameters
from imaginairy.metadata.foreign_settings import POSTPROCESS
from imaginairy.metadata.read import Written
from imaginairy.metadata.tags import PARAMETERS, Tags, as_json, tags_of
from imaginairy.version import __version__

KEY = "afterwards"
"""The entry of the metadata, and of a Pillow picture's `info`, that lists the steps."""
UPSCALE, FIX_FACES, MASK, HINT = "upscale", "fix_faces", "mask", "hint"
Step = Mapping[str, Any]


def with_step(image: Image, before: Image, **step: Any) -> Image:
    """Note on a picture what was done to the one before it; return it."""
    image.info[KEY] = [*noted(before), step]
    return image


def noted(image: Image) -> list[Step]:
    """Return the steps that are noted on a picture in memory."""
    steps = image.info.get(KEY)
    return steps if isinstance(steps, list) else []


def steps_of(written: Written) -> list[Step]:
    """Return what a file says was done to its picture afterwards, in that order."""
    said = _ours(written)
    steps = _foreign(written)[1] if said is None else said.get(KEY)
    given = steps if isinstance(steps, list | tuple) else []
    return [step for step in given if isinstance(step, dict)]


def is_mask_or_hint(steps: Sequence[Step]) -> bool:
    """Tell by its steps whether a picture was only made to say something of another."""
    return any(step.get("done") in (MASK, HINT) for step in steps)


def changes(steps: Sequence[Step]) -> list[str]:
    """Return in words what changed a picture; a step that found nothing to do did not.

    Each follows `it`: `was made 2 times as large by real-esrgan-x4plus`.
    """
    told = []
    for step in steps:
        by = f" by {Path(str(step['model'])).name}" if step.get("model") else ""
        match step.get("done"):
            case "upscale":
                scale = str(step.get("scale")).removesuffix(".0")
                told.append(f"was made {scale} times as large{by}")
            case "fix_faces":
                faces = step.get("faces")
                if faces != 0:
                    told.append(f"had its faces restored{by}")
            case "mask":
                told.append(f"became a mask of '{step.get('mask_prompt')}'")
            case "hint":
                told.append(f"became a hint, {step.get('kind')}")
            case other:
                told.append(f"went through '{other}'{by}")
    return told


def carried_tags(written: Written | None, steps: Sequence[Step]) -> Tags:
    """Return the tags of what was made of a picture.

    Args:
        written: what the picture says, None where it was in memory only.
        steps: what was done to it now.
    """
    written = written or Written((0, 0), "", "")
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    software = f"imaginairy {__version__}"
    made = [{**step, "software": software, "created": now} for step in steps]
    said = _ours(written)
    if said is not None:
        said = {**said, KEY: [*steps_of(written), *made]}
        return tags_of(said, written.chunks)
    text, done = _foreign(written)
    if text:
        whole = _with_steps(text, [*done, *made])
        chunks = {**written.chunks, PARAMETERS: whole}
        return Tags(whole, software=software, created=now, chunks=chunks)
    said = {"software": software, KEY: made}
    if written.comment:
        said["comment"] = written.comment
    return Tags(as_json(said), software=software, created=now, chunks=written.chunks)


def _ours(written: Written) -> dict[str, Any] | None:
    """Return what we wrote into a file: how it was drawn, or only what was done."""
    try:
        said = json.loads(written.comment)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and {"prompt", KEY} & set(said) else None


def _foreign(written: Written) -> tuple[str, Sequence[Step]]:
    """Return another tool's text about a picture, and what was done afterwards."""
    for text in written.texts:
        record = parse_parameters(text)
        if record is not None:
            return text, record.afterwards
    return "", ()


def _with_steps(text: str, steps: Sequence[Step]) -> str:
    """Return another tool's text with all steps as the last of its settings."""
    start = text.rstrip().partition(f", {POSTPROCESS}: ")[0]
    quoted = json.dumps(json.dumps(steps, default=str))
    return f"{start}, {POSTPROCESS}: {quoted}"
