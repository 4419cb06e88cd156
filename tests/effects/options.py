"""The options of `imagine`, `edit` and `again` that are no fields of a prompt."""

import json
import re
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image
from pyarrow import parquet

from imaginairy.metadata.read import read_metadata
from tests.effects.prompt_options import COMMANDS, TINY
from tests.support.credentials import EDITED, GENERATED, credentials
from tests.support.parts import is_bare
from tests.support.pictures import pixels
from tests.support.runs import PICTURES, Ran, Use

Judge = Callable[[Ran, Ran], None]
Words = tuple[str, ...]


def sizes(ran: Ran) -> list[tuple[int, int]]:
    return [(each["width"], each["height"]) for each in ran.metadata]


def frames(ran: Ran, pattern: str) -> list[np.ndarray]:
    """Return the frames of the one animation of that name."""
    (path,) = ran.folder.glob(pattern)
    with Image.open(path) as animation:
        shown = []
        for number in range(getattr(animation, "n_frames", 1)):
            animation.seek(number)
            shown.append(pixels(animation))
    return shown


def it_is_72_wide_and_96_high(before: Ran, after: Ran) -> None:
    assert sizes(before) == [(64, 64)]
    assert sizes(after) == [(72, 96)]


def it_is_72_wide_and_high(before: Ran, after: Ran) -> None:
    assert (sizes(before), sizes(after)) == ([(64, 64)], [(72, 72)])


def each_repeat_has_the_next_seed(before: Ran, after: Ran) -> None:
    assert [each["seed"] for each in after.metadata] == [7, 8, 9]


def each_is_saved_before_the_next_is_begun(before: Ran, after: Ran) -> None:
    """Without, two small ones are drawn at once; the pictures are the same."""
    for ran, order in ((before, "12ss"), (after, "1s2s")):
        lines = ran.stderr.splitlines()
        told = [re.match(r"\[(\d)/2\]|(s)aved", line) for line in lines]
        assert "".join(each[1] or each[2] for each in told if each) == order
    for number in range(2):
        difference = np.abs(before.pixels(number) - after.pixels(number))
        assert difference.mean() < 0.2


def two_processes_draw_the_same(before: Ran, after: Ran) -> None:
    """What differs is when it was done, and that it is said who does it."""
    assert "2 workers on cpu" in after.stderr
    assert [path.name for path in before.pictures()] == [
        path.name for path in after.pictures()
    ]
    for number, told in enumerate(zip(before.metadata, after.metadata, strict=True)):
        one, two = ({**each, "created": None} for each in told)
        assert one == two
        assert (before.pixels(number) == after.pixels(number)).all()


def there_is_no_such_cluster(before: Ran, after: Ran) -> None:
    """What comes of one that is there, see `tests/fleet/test_on_a_cluster.py`."""
    assert (before.code, after.code) == (0, 2)
    assert "'nowhere:0' is no address of a Ray cluster" in after.stderr


def no_such_number_of_processes(before: Ran, after: Ran) -> None:
    assert (before.code, after.code) == (0, 2)
    assert "or 'auto' for one on each GPU, not 'all'" in after.stderr


def the_second_run_leaves_it_as_it_is(before: Ran, after: Ran) -> None:
    assert "1 of the 1 images were there already" in after.stderr
    assert len(before.pictures()) == len(after.pictures()) == 1
    assert "outputs/manifest.jsonl" in set(after.files) - set(before.files)


def it_lies_in_the_folder_named(before: Ran, after: Ran) -> None:
    assert len(before.pictures("outputs")) == 1
    assert not after.pictures("outputs")
    assert len(after.pictures("here/and there")) == 1


def it_is_published_by_its_id(before: Ran, after: Ran) -> None:
    (picture,) = before.pictures()
    assert not after.pictures()
    (published,) = after.pictures("published")
    assert re.fullmatch(r"00000001-[0-9a-f]{10}\.jpg", published.name)
    assert read_metadata(published)["seed"] == read_metadata(picture)["seed"] == 7


def it_is_a_table(before: Ran, after: Ran) -> None:
    assert len(before.pictures("published")) == 1
    shards = list((after.folder / "published").glob("*.*"))
    assert [shard.suffix for shard in shards] == [".parquet"]
    (row,) = parquet.read_table(shards[0]).to_pylist()
    assert row["seed"] == 7 and row["image"][:3] == b"\xff\xd8\xff"


def it_is_a_png(before: Ran, after: Ran) -> None:
    (path,) = after.pictures()
    with Image.open(path) as image:
        assert (path.suffix, image.format) == (".png", "PNG")


def it_is_a_jpg(before: Ran, after: Ran) -> None:
    (path,) = after.pictures()
    with Image.open(path) as image:
        assert (path.suffix, image.format) == (".jpg", "JPEG")


def each_value_makes_a_picture(before: Ran, after: Ran) -> None:
    said = [(each["steps"], each["prompt_strength"]) for each in after.metadata]
    assert said == [(1, 2), (1, 3), (2, 2), (2, 3)]


def all_lie_on_one_sheet(before: Ran, after: Ran) -> None:
    assert not before.pictures("outputs/grids")
    assert "outputs/grids/000001_grid.jpg" in after.files
    with Image.open(after.folder / "outputs/grids/000001_grid.jpg") as image:
        assert image.width >= 2 * 64 and image.height >= 64


def all_are_joined_to_one_animation(before: Ran, after: Ran) -> None:
    assert not [name for name in before.files if "compilations" in name]
    assert "outputs/compilations/000001_anim.webp" in after.files
    joined = frames(after, "outputs/compilations/*.webp")
    assert len(joined) == 2
    for frame, own, other in ((joined[0], 0, 1), (joined[1], 1, 0)):
        near, far = (np.abs(frame - after.pixels(n)).mean() for n in (own, other))
        assert near < far / 2


def each_step_is_saved(before: Ran, after: Ran) -> None:
    assert not [name for name in before.files if "steps" in name]
    (picture,) = after.pictures()
    saved = [path.name for path in after.pictures(f"outputs/steps/{picture.stem}")]
    assert [name for name in saved if "step_" in name] == [
        "step_001.jpg",
        "step_002.jpg",
    ]


def it_is_shown_only_while_it_is_drawn(before: Ran, after: Ran) -> None:
    said = ["preview: outputs/preview.jpg" in ran.stderr for ran in (before, after)]
    assert said == [False, True]
    saved, beside = (
        [name for name in ran.files if name.startswith("outputs/")]
        for ran in (before, after)
    )
    assert saved == beside
    assert np.array_equal(before.pixels(), after.pixels())


def the_steps_are_animated(before: Ran, after: Ran) -> None:
    assert not [name for name in before.files if name.endswith(".gif")]
    assert [name for name in after.files if name.endswith(".gif")]
    animated = frames(after, "outputs/gif/*.gif")
    assert len(animated) >= 2
    assert np.abs(animated[-1] - after.pixels()).mean() < 20


def the_init_image_and_the_result_take_turns(before: Ran, after: Ran) -> None:
    assert not [name for name in before.files if name.endswith(".gif")]
    assert [name for name in after.files if name.endswith(".gif")]
    first, second = frames(after, "outputs/compare_gif/*.gif")
    assert np.abs(first - (255, 0, 0)).mean() < 5
    assert np.abs(second - after.pixels()).mean() < 20


def each_picture_is_one_object(before: Ran, after: Ran) -> None:
    (line,) = after.stdout.splitlines() or [""]
    assert line.startswith("{")
    said = json.loads(line)
    (picture,) = after.pictures()
    assert said.pop("path") == str(picture.relative_to(after.folder))
    said.pop("again", None)
    assert said == after.metadata[0]


def nothing_is_done_and_all_is_told(before: Ran, after: Ran) -> None:
    assert before.pictures() and not after.pictures()
    labels = {line.split()[0] for line in after.stdout.splitlines()}
    assert labels >= {"images", "model", "memory", "time"}
    assert "1 image in 'outputs'" in after.stdout


def nothing_tells_how_it_was_made(before: Ran, after: Ran) -> None:
    saved = [path for path in after.folder.rglob("*.*") if path.suffix in PICTURES]
    assert len(saved) == len(before.pictures()) > 0
    assert not any(map(is_bare, before.pictures()))
    for path in saved:
        assert is_bare(path)
        assert re.fullmatch(r"000001(_[a-z]+)?", path.stem), "by its number alone"
        assert not re.search(b"55798823|imaginairy", path.read_bytes())


def it_is_signed_as(source: str) -> Judge:
    """Return a judge that credentials say of what kind a picture is."""

    def judge(before: Ran, after: Ran) -> None:
        (picture,) = after.pictures()
        said = credentials(picture)
        assert (said.state, said.signed_by, said.source) == ("Valid", "one", source)

    return judge


def another_signed_it(before: Ran, after: Ran) -> None:
    signed = [credentials(ran.pictures()[0]).signed_by for ran in (before, after)]
    assert signed == ["one", "two"]


def that_key_signs_nothing(before: Ran, after: Ran) -> None:
    assert (before.code, after.code) == (0, 2)
    assert "Error: 'one.pem' and 'other.key' cannot sign" in after.stderr
    assert not after.files


def signing(source: str) -> Iterator[tuple[str, Words, Words, Judge]]:
    """Yield the options that sign, what follows them, what else is typed, the judge."""
    one = ("--c2pa-cert", "one.pem", "--c2pa-key", "one.key")
    yield "--c2pa", one, (), it_is_signed_as(source)
    yield "--c2pa-cert", ("two.pem",), ("--c2pa", *one), another_signed_it
    yield "--c2pa-key", ("other.key",), ("--c2pa", *one), that_key_signs_nothing


def it_is_drawn_in_the_terminal(before: Ran, after: Ran) -> None:
    assert "\u2580" not in before.stdout
    assert after.stdout.count("\u2580") > 100


def another_device_is_refused(before: Ran, after: Ran) -> None:
    assert (before.code, after.code) == (0, 2)
    assert "Error: Device 'abacus' is not available here" in after.stderr


def a_closed_port_is_asked(before: Ran, after: Ran) -> None:
    assert (before.code, after.code) == (0, 1)
    assert "could not be fetched (Connection refused)" in after.stderr


def it_is_computed_as_it_is_fastest(before: Ran, after: Ran) -> None:
    said = [ran.metadata[0]["precision"] for ran in (before, after)]
    assert said == ["full", "autocast"]


def its_weights_stay_on_disk(before: Ran, after: Ran) -> None:
    assert "stay on disk" not in before.stderr
    assert after.stderr.count(": weights stay on disk and are read as they are") == 1
    np.testing.assert_allclose(after.pixels(), before.pixels(), atol=1)


def nothing_is_said_but_warnings(before: Ran, after: Ran) -> None:
    assert "saved outputs/" in before.stderr
    assert "saved" not in after.stderr
    assert "does nothing here: left out <lora:x:1>" in after.stderr


def nothing_is_said(before: Ran, after: Ran) -> None:
    assert "saved outputs/" in before.stderr
    assert after.stderr == ""
    assert len(after.pictures()) == len(before.pictures())


def drawing_options() -> Iterator[Use]:
    """Yield what `imagine`, `edit` and `again` have in common."""
    for command, start in COMMANDS.items():
        base = (*start, *TINY)
        for options, with_it, without, judge in _rows(command):
            for option in options:
                whole = (*base, *without, *(option, *with_it))
                yield Use(command, option, (*base, *without), whole, judge)


Row = tuple[Words, Words, Words, Judge]
"""The spellings, what follows them, what else is typed, and the judge."""


def _published() -> Iterator[Row]:
    """Yield what only those of many images have."""
    there = ("--output", "published")
    yield ("--output",), there[1:], (), it_is_published_by_its_id
    yield ("--output-kind", "--output-format"), ("parquet",), there, it_is_a_table
    yield ("--ray",), ("nowhere:0",), there, there_is_no_such_cluster


def _beside(steps: Words, red: Words) -> Iterator[Row]:
    """Yield what is made beside the images; `steps` makes some, `red` starts of one."""
    yield ("--grid",), (), ("-r", "2"), all_lie_on_one_sheet
    yield (
        ("--compilation-anim",),
        ("webp",),
        ("-r", "2"),
        all_are_joined_to_one_animation,
    )
    yield ("--show-work",), (), steps, each_step_is_saved
    yield ("--preview",), (), steps, it_is_shown_only_while_it_is_drawn
    yield ("--gif",), (), steps, the_steps_are_animated
    yield ("--compare-gif",), (), red, the_init_image_and_the_result_take_turns


def _several(command: str) -> Iterator[Row]:
    """Yield what is about several images."""
    alone: Words = ()
    yield (
        ("-r", "--repeats", "--batch-count"),
        ("3",),
        alone,
        each_repeat_has_the_next_seed,
    )
    yield (
        ("--batch-size",),
        ("1",),
        ("-r", "2"),
        each_is_saved_before_the_next_is_begun,
    )
    if command == "imagine":  # as the others do, which takes seconds
        both = ("-r", "2", "--batch-size", "1")
        yield ("--workers",), ("2",), both, two_processes_draw_the_same
    else:
        yield ("--workers",), ("all",), alone, no_such_number_of_processes


def _rows(command: str) -> Iterator[Row]:
    """Yield what is about one as well."""
    alone: tuple[str, ...] = ()
    red = () if command == "edit" else ("--init-image", "red.png")
    lora = ("--negative-prompt", "<lora:x:1>")
    steps = ("--steps", "2")
    if command == "edit":  # where fewer are run
        steps = (*steps, "--init-image-strength", "0")
    if command == "edit":  # a square stays one
        yield ("--size",), ("72",), alone, it_is_72_wide_and_high
    else:
        yield ("--size",), ("72x96",), alone, it_is_72_wide_and_96_high
    yield from _several(command)
    yield ("--outdir",), ("here/and there",), alone, it_lies_in_the_folder_named
    if command != "again":
        yield from _published()
    if command == "again":  # which saves as the picture was
        yield ("--output-file-extension",), ("jpg",), alone, it_is_a_jpg
    else:
        yield ("--output-file-extension",), ("png",), alone, it_is_a_png
    sweeps = ("steps[1,2]", "--arg-schedule", "prompt_strength[2:3:1]")
    yield ("--arg-schedule",), sweeps, alone, each_value_makes_a_picture
    yield from _beside(steps, red)
    again = (";", *COMMANDS[command], *TINY, "--resume")
    yield ("--resume",), again, alone, the_second_run_leaves_it_as_it_is
    yield ("--plan",), (), alone, nothing_is_done_and_all_is_told
    yield ("--json",), (), alone, each_picture_is_one_object
    unlikely = ("--seed", "55798823")
    yield ("--no-metadata",), (), unlikely, nothing_tells_how_it_was_made
    for option, with_it, without, judge in signing(EDITED if red == () else GENERATED):
        yield (option,), with_it, without, judge
    yield ("--show",), (), alone, it_is_drawn_in_the_terminal
    yield ("--device",), ("abacus",), alone, another_device_is_refused
    private = ("--mask-image", "http://127.0.0.1:9/a.png")
    yield ("--allow-private-urls",), private, red, a_closed_port_is_asked
    yield ("--precision",), ("autocast",), alone, it_is_computed_as_it_is_fastest
    yield ("--low-memory",), (), alone, its_weights_stay_on_disk
    yield ("--log-level",), ("warning",), lora, nothing_is_said_but_warnings
    yield ("-q", "--quiet"), (), alone, nothing_is_said
