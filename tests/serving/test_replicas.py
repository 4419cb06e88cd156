"""Copies of the application on a cluster: how many, what each takes, what it is."""

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.routing import Route

from imaginairy import ModelStore
from imaginairy.cli.aimg import aimg
from imaginairy.errors import BadOptionError
from imaginairy.fleet.ray_cluster import Place
from imaginairy.serving.engine import Engine
from imaginairy.serving.limits import Limits
from imaginairy.serving.listening import Listening
from imaginairy.serving.ray_serve import SharedShelf
from imaginairy.serving.replicas import Replicas, Settings
from imaginairy.serving.shelf import Shelf


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [("1", 1, 1), ("7", 7, 7), ("1-4", 1, 4), ("4-4", 4, 4), ("2-1000", 2, 1000)],
)
def test_they_are_read(said: str, least: int, most: int) -> None:
    assert Replicas.read(said) == Replicas(least, most)


@pytest.mark.parametrize(
    "said",
    ["", "0", "0-2", "4-1", "1001", "1-1001", "1-", "-1", "auto", "1-2-3", "1.5"],
)
def test_what_is_no_number_of_them_is_refused(said: str) -> None:
    with pytest.raises(BadOptionError, match="from 1 to 1000, or the least and"):
        Replicas.read(said)


def test_a_copy_takes_more_than_may_wait_so_that_it_refuses_the_rest_itself() -> None:
    limits = Limits(waiting=128, stop_seconds=9)
    options = Replicas(3, 3).options(limits, Place(3, 1, 2))
    assert options == {
        "num_replicas": 3,
        "max_ongoing_requests": 192,
        "graceful_shutdown_timeout_s": 9,
        "ray_actor_options": {"num_gpus": 1, "num_cpus": 2},
    }


def test_between_two_numbers_there_are_as_many_as_are_needed() -> None:
    options = Replicas(1, 4).options(Limits(waiting=128), Place(4, 0, 4))
    assert "num_replicas" not in options
    assert options["autoscaling_config"] == {
        "min_replicas": 1,
        "max_replicas": 4,
        "target_ongoing_requests": 8,
    }
    few = Replicas(1, 2).options(Limits(waiting=1), Place(2, 0, 1))
    assert few["autoscaling_config"]["target_ongoing_requests"] == 1


def test_what_a_copy_is_made_of_travels_and_makes_the_application(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGINAIRY_API_KEY", "one,two")
    engine = Engine(store, ["storybook"], Limits(waiting=5), batch_size=3)
    with closing(Listening.asked("127.0.0.1", 0, ["Shop"], ["http://a"])) as at:
        settings = Settings.of(engine, at, models=("storybook",), device="cpu")
    there: Settings = pickle.loads(pickle.dumps(settings))
    assert there == settings
    assert (there.models, there.device) == (("storybook",), "cpu")
    assert (there.keys, there.limits.waiting) == (("one", "two"), 5)
    assert there.names is not None and "shop" in there.names
    assert (there.batch_size, there.precision) == (3, store.precision)
    paths = {
        each.path for each in there.application().routes if isinstance(each, Route)
    }
    assert {"/v1/images/generations", "/v1/prompts", "/ready"} <= paths


class Method:
    """A method of what lies in another process, as Ray has them called."""

    def __init__(self, method: Callable[..., Awaitable[Any]]) -> None:
        self.remote = method


class Elsewhere:
    """A shelf as if it lay in another process."""

    def __init__(self) -> None:
        shelf = Shelf()
        self.put, self.get = Method(shelf.put), Method(shelf.get)


def test_copies_share_a_shelf() -> None:
    elsewhere = Elsewhere()
    one, other = SharedShelf(elsewhere), SharedShelf(elsewhere)
    name = asyncio.run(one.put(b"image", "image/png", "png"))
    held = asyncio.run(other.get(name))
    assert held is not None and held.data == b"image"
    assert asyncio.run(other.get("none")) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--replicas", "2"], "--replicas needs --ray"),
        (["--ray", "local", "--replicas", "none"], "replicas 'none' cannot be read"),
        (["--ray", "no where"], "'no where' is no address of a Ray cluster"),
    ],
)
def test_what_cannot_be_a_cluster_is_refused(words: list[str], said: str) -> None:
    ran = CliRunner().invoke(aimg, ["serve", "--port", "0", *words])
    assert ran.exit_code == 2 and said in ran.stderr
