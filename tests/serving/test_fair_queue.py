"""Each client has its turn, however much others ask for."""

from imaginairy.serving.fair_queue import FairQueue


def taken(queue: FairQueue[str], count: int) -> str:
    """Take items as their turns come."""
    items = []
    for _ in range(count):
        items.append(next(iter(queue)))
        queue.take(items[-1])
    return " ".join(items)


def filled(*clients_and_items: str) -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue()
    for item in clients_and_items:
        queue.add(item[0], item)
    return queue


def test_what_one_client_asks_for_comes_in_its_order() -> None:
    assert taken(filled("a1", "a2", "a3"), 3) == "a1 a2 a3"


def test_clients_take_turns_and_who_came_first_is_first() -> None:
    queue = filled("a1", "a2", "a3", "b1", "b2", "c1")
    assert list(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert taken(queue, 6) == "a1 b1 c1 a2 b2 a3"
    assert len(queue) == 0


def test_who_comes_later_does_not_wait_behind_all_that_waits() -> None:
    queue = filled("a1", "a2", "a3", "a4")
    assert taken(queue, 2) == "a1 a2"
    queue.add("b", "b1")
    assert taken(queue, 3) == "b1 a3 a4"


def test_nobody_saves_turns_up_by_asking_for_nothing() -> None:
    queue = filled("a1", "a2", "a3")
    assert taken(queue, 3) == "a1 a2 a3"
    for item in ("a4", "a5", "b1", "b2", "b3"):
        queue.add(item[0], item)
    assert taken(queue, 5) == "b1 a4 b2 a5 b3"


def test_what_goes_along_with_another_counts_as_a_turn() -> None:
    queue = filled("a1", "a2", "a3", "b1", "b2")
    queue.take("a1")
    queue.take("a3")
    queue.add("a", "a4")
    assert list(queue) == ["b1", "a2", "b2", "a4"]


def test_what_is_dropped_is_gone_and_is_dropped_once() -> None:
    queue = filled("a1", "b1")
    queue.drop("a1")
    queue.drop("a1")
    assert "a1" not in queue and "b1" in queue and list(queue) == ["b1"]


def test_what_is_put_back_comes_before_all() -> None:
    queue = filled("a1", "b1", "c1")
    queue.take("b1")
    queue.take("a1")
    queue.back("b1")
    queue.back("a1")
    assert list(queue) == ["a1", "b1", "c1"]


def test_clients_that_have_no_turns_to_wait_for_are_forgotten() -> None:
    queue = filled(*(f"{letter}1" for letter in "abcdefgh"))
    taken(queue, 8)
    queue.add("z", "z1")
    taken(queue, 1)
    queue.add("y", "y1")
    queue.add("y", "y2")
    taken(queue, 2)
    assert len(queue._next) <= 2
