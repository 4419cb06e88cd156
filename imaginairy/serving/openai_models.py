"""The models that draw here, as OpenAI's API lists models."""

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imaginairy.serving.engine import Engine
from imaginairy.serving.openai_fields import told_by_field
from imaginairy.sources.rows import (
    BundledFolder,
    HubFile,
    HubRepo,
    ModelRow,
    Packing,
)

BUNDLED, OWN = "imaginairy", "local"
"""Who owns a model that comes with the package, and one that the server's owner has."""


def routes(engine: Engine) -> list[Route]:
    """Return the routes of this API."""
    since = int(time.time())

    async def models(_: Request) -> Response:
        """List the models, the usual one first."""
        rows = engine.offer.models.items()
        listed = [model_told(name, row, since) for name, row in rows]
        return JSONResponse({"object": "list", "data": listed})

    async def model(request: Request) -> Response:
        """Tell of one."""
        name = request.path_params["model"]
        with told_by_field({"model": name}):
            engine.offer.model("model", name)
        row = engine.offer.models[name]
        return JSONResponse(model_told(name, row, since))

    return [
        Route("/v1/models", models),
        Route("/v1/models/{model:path}", model),
    ]


def model_told(name: str, row: ModelRow, since: int) -> dict[str, Any]:
    """Return what is told of a model.

    Args:
        name: as requests name it.
        since: when it was first offered, in seconds since 1970.
    """
    match row.weights:
        case HubFile() | HubRepo():
            owner = row.weights.repo.partition("/")[0]
        case Packing() as packing:
            owner = packing.places[0].repo.partition("/")[0]
        case BundledFolder():
            owner = BUNDLED
        case _:
            owner = OWN
    return {"id": name, "object": "model", "created": since, "owned_by": owner}
