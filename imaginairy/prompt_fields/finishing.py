"""What is done to an image once it is generated."""

from dataclasses import dataclass

from imaginairy import checks
from imaginairy.fields import option
from imaginairy.needs import A_CAPTION, FACES, UPSCALING
from imaginairy.prompt_fields.shared import ON_HUB, SHARE, SUITABLE

DEFAULT_FACE_FIDELITY = 0.2


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class FinishingFields:
    """What is done to it afterwards."""

    fix_faces: bool = option(
        "Restore the faces in the image (face restoration).",
        checks.flag, False, section="Finishing", also=("restore_faces",),
    )  # fmt: skip
    fix_faces_fidelity: float | None = option(
        "How close restored faces stay to those generated, from 0 (the best faces) to "
        f"1 (the most alike); {DEFAULT_FACE_FIDELITY} by default.",
        SHARE, section="Finishing", needs=(FACES,),
    )  # fmt: skip
    fix_faces_model: str | None = option(
        f"What restores faces: a face restorer's name or the path of one; {SUITABLE}",
        checks.model, section="Finishing", needs=(FACES,),
    )  # fmt: skip
    fix_faces_detector: str | None = option(
        f"What finds the faces: a face detector's name or the path of one; {SUITABLE}",
        checks.model, section="Finishing", needs=(FACES,),
    )  # fmt: skip
    upscale: bool | None = option(
        "Upscale: make the image larger and sharper; on by default for the bundled "
        "model, whose images are small, and off for others.",
        checks.flag, section="Finishing",
    )  # fmt: skip
    upscaler: str | None = option(
        "What makes it larger: an upscaler's name or the path of its weights; "
        f"{SUITABLE}",
        checks.model, section="Finishing", needs=(UPSCALING,),
        implies={"upscale": True},
    )  # fmt: skip
    caption_text: str = option(
        "Text written at the foot of the image; {seed} and other fields are filled in.",
        checks.text, "", section="Finishing", after="caption_model",
    )  # fmt: skip
    enhance: tuple[str, ...] = option(
        "An enhancer that another package brings, by name, or as name=value; may be "
        "given several times.",
        checks.enhancers, (), section="Finishing",
    )  # fmt: skip
    caption: bool = option(
        "Also describe the image in words, in the log and in its metadata.",
        checks.flag, False, section="Finishing",
    )  # fmt: skip
    caption_model: str | None = option(
        f"What writes the caption: a caption model's {ON_HUB}",
        checks.model, section="Finishing", needs=(A_CAPTION,),
    )  # fmt: skip
