"""The API's own description, for people and for programs."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from imaginairy.serving.bounds import ALLOWED
from imaginairy.serving.openapi import description
from imaginairy.serving.reference_page import POLICY, reference_page

PATHS = ("/docs", "/openapi.json")


def routes() -> list[Route]:
    """Return the routes of this API."""
    described = description(ALLOWED)
    page = reference_page(described)

    async def docs(_: Request) -> Response:
        """Show the page."""
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    async def openapi(_: Request) -> Response:
        """Give the description."""
        return JSONResponse(described)

    return [Route("/docs", docs), Route("/openapi.json", openapi)]
