"""The row of the family: all that the package is told of it."""

from imaginairy.families.family import (
    AUTOENCODER,
    DENOISER,
    Family,
    Header,
    LatentGrid,
    PartRow,
)

HERE = "tests.families.patchwork"


def detect(header: Header) -> bool:
    if header.index is None:
        return header.has("quilt.stitch.needle.")
    return "stitcher" in header.folders


PATCHWORK = Family(
    name="patchwork",
    title="Patchwork",
    detect=detect,
    parts=(
        PartRow(
            role=DENOISER,
            title="stitcher",
            folder="stitcher",
            prefix="quilt.stitch.",
            published=f"{HERE}.published:stitcher",
        ),
        PartRow(
            role=AUTOENCODER,
            title="codec",
            folder="codec",
            prefix="quilt.codec.",
            published="imaginairy.published.autoencoder:autoencoder",
            usual={"norm_num_groups": 4, "scaling_factor": 0.5},
        ),
        PartRow(
            role="small",
            title="small reader",
            folder="reader",
            prefix="quilt.read.small.",
            published="imaginairy.published.clip_text:clip_text",
            usual={"num_attention_heads": 4},
            vocabulary="words",
        ),
        PartRow(
            role="big",
            title="big reader",
            folder="reader_big",
            prefix="quilt.read.big.",
            published=f"{HERE}.published:reader",
            vocabulary="words_big",
            reader=f"{HERE}.text:big_words",
            usual_vocabulary=None,
            encoder=f"{HERE}.text:BigReader",
        ),
    ),
    condition=f"{HERE}.text:condition",
    grid=LatentGrid(channels=16, pixels=16, multiple_of=2),
    prediction="v",
    noise={"beta_end": 0.02, "beta_schedule": "linear"},
    native=64,
)
