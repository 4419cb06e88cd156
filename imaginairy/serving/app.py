"""The application: all APIs behind one guard, and what tells how the server is."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imaginairy.serving import (
    openai_images,
    openai_models,
    prompts_api,
    reference_api,
)
from imaginairy.serving.answers import error_answer
from imaginairy.serving.engine import Engine
from imaginairy.serving.guard import LOCAL_NAMES, Guard, Keys
from imaginairy.serving.metrics import Metrics
from imaginairy.serving.refusals import UnavailableError
from imaginairy.serving.shelf import Shelf
from imaginairy.version import __version__

OPEN = frozenset({"/health", "/ready", *reference_api.PATHS})
"""Paths that need no key, beside those of images that are held: names that nobody
guesses are keys."""


def application(
    engine: Engine,
    *,
    keys: Iterable[str] = (),
    names: Collection[str] | None = LOCAL_NAMES,
    origins: Collection[str] = (),
    shelf: Shelf | None = None,
    when_loaded: Callable[[], None] = lambda: None,
) -> Starlette:
    """Return the application, which starts and stops the engine with itself.

    Args:
        keys: those that requests may come with; without any, everybody may ask.
        names: the names that the server goes by; None where any will do.
        origins: pages of which origins may ask it; `*` allows all.
        shelf: where images lie that are fetched by their addresses.
        when_loaded: called in another thread once the engine is ready, or cannot be.
    """
    metrics = Metrics(engine)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        engine.start(when_loaded)
        try:
            yield
        finally:
            await engine.stop()

    async def wrong(_: Request, error: Exception) -> Response:
        return error_answer(error, engine.offer)

    guard = Middleware(
        Guard,
        offer=engine.offer,
        limits=engine.limits,
        metrics=metrics,
        keys=Keys(keys),
        names=names,
        origins=origins,
        is_open=_is_open,
    )
    return Starlette(
        routes=[
            *_own(engine, metrics),
            *prompts_api.routes(engine),
            *openai_images.routes(engine, shelf or Shelf()),
            *openai_models.routes(engine),
            *reference_api.routes(),
        ],
        middleware=[*_cors(origins), guard],
        exception_handlers={HTTPException: wrong},
        lifespan=lifespan,
    )


def _is_open(path: str) -> bool:
    """Tell whether a path needs no key."""
    return path in OPEN or path.startswith(openai_images.HELD_AT)


def _cors(origins: Collection[str]) -> list[Middleware]:
    """Return what tells browsers that pages of these origins may ask."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    ]


def _own(engine: Engine, metrics: Metrics) -> list[Route]:
    """Return the routes that tell how the server is."""

    async def health(_: Request) -> Response:
        """Say that the server answers, and the thread runs that draws."""
        if not engine.is_alive:
            raise UnavailableError("The thread that draws has ended.")
        return JSONResponse({"status": "ok", "version": __version__})

    async def ready(_: Request) -> Response:
        """Say whether requests are taken."""
        if why := engine.unready():
            raise UnavailableError(why)
        return JSONResponse({"status": "ready", "models": list(engine.offer.models)})

    async def figures(_: Request) -> Response:
        """Say what the server did, as Prometheus reads it."""
        data = await engine.aside(metrics.text)
        return Response(data, media_type="text/plain; version=0.0.4; charset=utf-8")

    return [
        Route("/health", health),
        Route("/ready", ready),
        Route("/metrics", figures),
    ]
