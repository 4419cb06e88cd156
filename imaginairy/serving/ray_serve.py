"""The same application on Ray Serve: its copies share what is asked for.

Ray is imported here and nowhere before it is asked for.
"""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from imaginairy.errors import ImaginairyError, in_words
from imaginairy.fleet.ray_cluster import LOCAL, connected, places
from imaginairy.fleet.surroundings import Surroundings
from imaginairy.serving.replicas import Replicas, Settings
from imaginairy.serving.said import said
from imaginairy.serving.shelf import Held, Shelf

NAME = "imaginairy"
"""What the application is called on its cluster."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
QUIET = {"log_level": "ERROR", "enable_access_log": False}


class SharedShelf(Shelf):
    """A shelf in a process of its own, which all copies of the application reach.

    Args:
        actor: the process, in which a `Shelf` is.
    """

    def __init__(self, actor: Any) -> None:
        super().__init__()
        self.actor = actor

    async def put(self, data: bytes, media_type: str, ending: str) -> str:
        """Lay down a file; see `Shelf.put`."""
        name: str = await self.actor.put.remote(data, media_type, ending)
        return name

    async def get(self, name: str) -> Held | None:
        """Return the file of that name."""
        held: Held | None = await self.actor.get.remote(name)
        return held


def serve_on_ray(
    address: str, place: tuple[str, int], replicas: Replicas, settings: Settings
) -> None:
    """Serve on a cluster until a signal.

    Args:
        address: see `imaginairy.fleet.ray_cluster.connected`.
        place: the host and the port that machines of the cluster listen at.

    Raises:
        BadOptionError: Ray is not installed, or the address is none.
        ImaginairyError: there is no such cluster, or the application does not start.
    """
    with connected(address, replicas.most) as cluster, told_to_end() as end:
        from ray import serve

        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        room = places(
            cluster.ray.nodes(),
            is_cpu=settings.device == "cpu",
            workers=replicas.most,
        )
        here = Surroundings.here(None if room.gpus else max(1, room.cpus))
        shelf = cluster.ray.remote(num_cpus=0)(Shelf).remote()
        copies = serve.deployment(name=NAME, **replicas.options(settings.limits, room))(
            serve.ingress(builder(settings, here, shelf))()
        )
        host, port = place
        serve.start(http_options={"host": host, "port": port}, logging_config=QUIET)
        try:
            serve.run(copies.bind(), name=NAME, route_prefix="/")
            said.info("Listening at http://%s:%d; Ctrl-C stops it.", host, port)
            if cluster.dashboard:
                said.info("Ray's dashboard is at %s.", cluster.dashboard)
            end.wait()
        except RuntimeError as error:
            why = in_words(error).strip().partition("\n")[0].rstrip(".")
            raise ImaginairyError(
                f"The server does not start on the cluster at '{address}': {why}."
            ) from error
        finally:
            serve.delete(NAME)
            if address == LOCAL:
                serve.shutdown()


@contextmanager
def told_to_end() -> Iterator[Event]:
    """Give what is set once a signal comes that ends a server."""
    is_told = Event()
    before = {each: signal.signal(each, lambda *_: is_told.set()) for each in SIGNALS}
    try:
        yield is_told
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def builder(
    settings: Settings, surroundings: Surroundings, shelf: Any
) -> Callable[[], Any]:
    """Return what makes the application in each of its processes.

    Args:
        surroundings: those of whoever serves.
        shelf: the process of the shelf that they share.
    """

    def build() -> Any:
        surroundings.settle()
        return settings.application(SharedShelf(shelf))

    return build
