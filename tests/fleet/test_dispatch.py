"""Who draws which prompts, and what is done where one fails, without any process."""

from collections.abc import Iterable, Iterator
from typing import Any

from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.fleet.dispatch import Dispatch, kind_of, share
from imaginairy.fleet.rows import PromptRow

ANNA, BEN, CARL = "Anna", "Ben", "Carl"
ALL = (ANNA, BEN, CARL)


def row(id: str, **fields: Any) -> PromptRow:
    return PromptRow(id, ImaginePrompt("a fox", seed=1, **fields))


def rows(count: int, **fields: Any) -> list[PromptRow]:
    return [row(f"{number}", **fields) for number in range(count)]


def ids(task: Iterable[PromptRow]) -> list[str]:
    return [row.id for row in task]


def publish(dispatch: Dispatch, worker: str, task: Iterable[PromptRow]) -> None:
    """Let a worker draw and publish all of its task."""
    for each in task:
        dispatch.drawn(worker, each.id)
        dispatch.published(worker, [each.id])
    dispatch.done(worker)


def lost_alone(dispatch: Dispatch, worker: str) -> object:
    assert len(dispatch.task(worker, [worker])) == 1
    return dispatch.lost(worker, "died")


def test_every_row_is_handed_out_once_and_then_it_is_over() -> None:
    dispatch = Dispatch(rows(21), together=4)
    seen = []
    while not dispatch.is_over:
        for worker in (ANNA, BEN):
            task = dispatch.task(worker, [ANNA, BEN])
            assert len(task) <= 4
            seen += ids(task)
            if task:
                publish(dispatch, worker, task)
    assert sorted(seen, key=int) == [f"{number}" for number in range(21)]
    assert dispatch.task(ANNA, [ANNA]) == ()


def test_nothing_to_draw_is_over_at_once() -> None:
    assert Dispatch([]).is_over


def test_it_is_not_over_while_a_picture_is_drawn_or_held() -> None:
    dispatch = Dispatch(rows(1))
    dispatch.task(ANNA, [ANNA])
    assert not dispatch.is_over
    dispatch.drawn(ANNA, "0")
    dispatch.done(ANNA)
    assert dispatch.holds(ANNA)
    assert not dispatch.holds(BEN)
    assert not dispatch.is_over
    dispatch.published(ANNA, ["0"])
    assert not dispatch.holds(ANNA)
    assert dispatch.is_over


def test_rows_are_read_as_the_workers_need_them() -> None:
    read: list[str] = []
    (one,) = rows(1)

    def coming() -> Iterator[PromptRow]:
        for number in range(100_000):
            read.append(f"{number}")
            yield PromptRow(read[-1], one.prompt)

    dispatch = Dispatch(coming())
    dispatch.task(ANNA, [ANNA])
    assert len(read) == 8 * 16
    dispatch.task(BEN, range(10_000))
    assert len(read) == 8 + 10_000


def test_what_is_alike_is_handed_out_together() -> None:
    mixed = [row(f"{n}", width=256 if n % 2 else 512) for n in range(32)]
    dispatch = Dispatch(mixed, together=8)
    task = dispatch.task(ANNA, [ANNA])
    assert len(task) == 8
    assert {each.prompt.width for each in task} == {512}
    assert ids(task) == [f"{number}" for number in range(0, 16, 2)]


def test_a_worker_keeps_to_the_model_that_it_has_loaded() -> None:
    models = ["one", "other"]
    mixed = [row(f"{n}", model=models[n % 2]) for n in range(64)]
    dispatch = Dispatch(mixed, together=4)
    drawn: dict[str, list[str | None]] = {ANNA: [], BEN: []}
    first = dispatch.task(ANNA, [ANNA, BEN])
    dispatch.task(BEN, [ANNA, BEN])
    publish(dispatch, BEN, [])
    publish(dispatch, ANNA, first)
    while task := dispatch.task(ANNA, [ANNA, BEN]):
        drawn[ANNA] += [each.prompt.model for each in task]
        publish(dispatch, ANNA, task)
    assert drawn[ANNA] == sorted(drawn[ANNA], key=drawn[ANNA].index)


def test_a_few_of_the_loaded_model_are_no_reason_to_leave_many_waiting() -> None:
    few = [*rows(4, model="one"), row("few", model="one")]
    many = [row(f"many{n}", model="other") for n in range(60)]
    dispatch = Dispatch([*few, *many], together=4)
    publish(dispatch, ANNA, dispatch.task(ANNA, [ANNA]))
    assert dispatch.task(ANNA, [ANNA])[0].prompt.model == "other"


def test_the_last_rows_are_shared_so_that_all_end_together() -> None:
    assert [share(left, 2, 8) for left in (100, 32, 31, 8, 4, 3, 1)] == [
        8, 8, 7, 2, 1, 1, 1,
    ]  # fmt: skip
    dispatch = Dispatch(rows(8))
    assert len(dispatch.task(ANNA, [ANNA, BEN])) == 2


def test_what_failed_is_tried_alone_by_others_and_then_given_up() -> None:
    dispatch = Dispatch(rows(48))
    assert "0" in ids(dispatch.task(ANNA, ALL))
    assert dispatch.failed(ANNA, "0", "why 1") is None
    publish(dispatch, ANNA, [])
    assert "0" not in ids(dispatch.task(ANNA, ALL))
    publish(dispatch, ANNA, [])
    assert ids(dispatch.task(BEN, ALL)) == ["0"]
    assert dispatch.failed(BEN, "0", "why 2") is None
    dispatch.done(BEN)
    assert "0" not in ids(dispatch.task(BEN, ALL))
    assert ids(dispatch.task(CARL, ALL)) == ["0"]
    given_up = dispatch.failed(CARL, "0", "why 3")
    assert given_up == (rows(1)[0], "why 3", 3)


def test_what_failed_with_all_there_are_is_tried_by_one_of_them() -> None:
    dispatch = Dispatch(rows(1), tries=2)
    dispatch.task(ANNA, [ANNA])
    dispatch.failed(ANNA, "0", "why")
    dispatch.done(ANNA)
    assert not dispatch.is_over
    assert ids(dispatch.task(ANNA, [ANNA])) == ["0"]
    assert dispatch.failed(ANNA, "0", "why") is not None
    dispatch.done(ANNA)
    assert dispatch.is_over


def test_what_a_dead_worker_was_at_is_drawn_again_alone() -> None:
    dispatch = Dispatch(rows(64), together=4)
    task = dispatch.task(ANNA, [ANNA, BEN])
    dispatch.drawn(ANNA, task[0].id)
    dispatch.published(ANNA, [task[0].id])
    assert dispatch.lost(ANNA, "died") is None
    again = [ids(dispatch.task(BEN, [BEN])) for _ in range(3)]
    assert again == [[each.id] for each in task[1:]]


def test_a_worker_that_dies_takes_no_try_of_what_was_in_company() -> None:
    dispatch = Dispatch(rows(64), together=4, tries=1)
    dispatch.task(ANNA, [ANNA])
    assert dispatch.lost(ANNA, "died") is None
    assert lost_alone(dispatch, ANNA) is not None


def test_what_kills_every_worker_is_given_up() -> None:
    dispatch = Dispatch(rows(1))
    assert lost_alone(dispatch, ANNA) is None
    assert lost_alone(dispatch, BEN) is None
    assert lost_alone(dispatch, CARL) == (rows(1)[0], "died", 3)
    assert dispatch.is_over


def test_what_a_dead_worker_held_is_drawn_again_in_company() -> None:
    dispatch = Dispatch(rows(64), together=4)
    task = dispatch.task(ANNA, [ANNA])
    for each in task:
        dispatch.drawn(ANNA, each.id)
    dispatch.done(ANNA)
    assert dispatch.lost(ANNA, "died") is None
    assert not dispatch.holds(ANNA)
    seen: list[str] = []
    while handed := dispatch.task(BEN, [BEN]):
        seen += ids(handed)
        publish(dispatch, BEN, handed)
    assert sorted(seen, key=int) == [f"{number}" for number in range(64)]
    assert dispatch.is_over


def test_a_picture_that_could_not_be_saved_is_drawn_again() -> None:
    dispatch = Dispatch(rows(1))
    dispatch.task(ANNA, [ANNA])
    dispatch.drawn(ANNA, "0")
    assert dispatch.failed(ANNA, "0", "full") is None
    dispatch.done(ANNA)
    assert not dispatch.holds(ANNA)
    assert ids(dispatch.task(ANNA, [ANNA])) == ["0"]


def test_a_task_that_cannot_be_gone_on_with_fails_with_what_is_left_of_it() -> None:
    dispatch = Dispatch(rows(64), together=4, tries=1)
    task = dispatch.task(ANNA, [ANNA])
    dispatch.drawn(ANNA, task[0].id)
    given_up = dispatch.broken(ANNA, "no such device")
    assert [each.row for each in given_up] == list(task[1:])
    assert {each.reason for each in given_up} == {"no such device"}
    assert dispatch.holds(ANNA)


def test_prompts_of_a_kind_differ_in_words_and_seeds() -> None:
    def kind(text: str, **fields: Any) -> object:
        return kind_of(ImaginePrompt(text, **fields))

    usual = kind("a fox", seed=1)
    assert kind("a dog", seed=2, negative_prompt="mist") == usual
    others: list[dict[str, Any]] = [
        {"model": "storybook"},
        {"vae": "taesd"},
        {"width": 256},
        {"steps": 7},
        {"sampler_type": "ddim"},
        {"loras": ["a.safetensors"]},
        {"best_of": 2},
        {"reference_images": [Image.new("RGB", (64, 64))]},
    ]
    assert len({usual, *(kind("a fox", **fields) for fields in others)}) == 9
    assert kind("a fox <lora:mist:1>") != usual
