"""`aimg serve`: pictures over HTTP."""

import json
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from imaginairy.cli.common_options import (
    WIDE,
    device_option,
    precision_option,
    quiet_option,
)
from imaginairy.cli.completion import any_model
from imaginairy.cli.options import Decorator, dashed
from imaginairy.cli.run import reporting_errors, say, show_log
from imaginairy.cli.sections import SectionedCommand, SectionedOption
from imaginairy.cli.stores import Stores
from imaginairy.cli.threads import set_threads
from imaginairy.errors import BadOptionError, ImaginairyError
from imaginairy.fields import Section
from imaginairy.log import log
from imaginairy.memory import VARIABLE as LOW_MEMORY
from imaginairy.precision import Precision
from imaginairy.serving.limits import Limits
from imaginairy.serving.said import said

if TYPE_CHECKING:
    from imaginairy.serving.engine import Engine
    from imaginairy.serving.listening import Listening
    from imaginairy.serving.replicas import Replicas

HOST, PORT = "127.0.0.1", 8000
EXTRA = ("starlette", "uvicorn", "python_multipart", "prometheus_client")
"""What the extra `serve` brings."""


def _option(section: Section, *names: str, **settings: Any) -> Decorator:
    return click.option(*names, cls=SectionedOption, section=section, **settings)


def limit_options(command: Any) -> Any:
    """Add an option for each limit."""
    for each in reversed(fields(Limits)):
        command = _option(
            "Limits", dashed(f"max_{each.name}"), each.name,
            type=type(each.default), default=each.default, show_default=True,
            help=each.metadata["help"],
        )(command)  # fmt: skip
    return command


def require_extra() -> None:
    """Look whether what is needed is installed, before anything heavy is imported.

    Raises:
        ImaginairyError: something is not.
    """
    from importlib.util import find_spec

    if lacking := [name for name in EXTRA if find_spec(name) is None]:
        raise ImaginairyError(
            f"aimg serve needs packages that are not installed ({', '.join(lacking)}); "
            "install them with: pip install 'imaginairy[serve]'"
        )


@click.command("serve", cls=SectionedCommand, context_settings=WIDE)
@_option(
    "Server", "--host", default=HOST, show_default=True,
    help="Where to listen; other machines reach it only at another host, such as "
    "0.0.0.0, which needs a key.",
)  # fmt: skip
@_option(
    "Server", "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True,
    help="Port to listen at; 0 takes any that is free.",
)  # fmt: skip
@_option(
    "Server", "--ray", metavar="ADDRESS",
    help="Serve on a Ray cluster: local for one of this machine, auto on a machine of "
    "one, or the HOST:PORT of its head.",
)  # fmt: skip
@_option(
    "Server", "--replicas", metavar="N|N-M", default="1", show_default=True,
    help="Copies of the server on that cluster, or the least and the most, as 1-4, "
    "between which there are as many as what is asked for needs.",
)  # fmt: skip
@_option(
    "Server", "--check", is_flag=True,
    help="Look whether all is there, print what would be served as JSON, and end.",
)  # fmt: skip
@_option(
    "Server", "--no-key", is_flag=True,
    help="Let everybody ask who reaches the server, where IMAGINAIRY_API_KEY names no "
    "keys.",
)  # fmt: skip
@_option(
    "Server", "--allow-host", "names", multiple=True, metavar="NAME",
    help="Another name that the server goes by, such as that of a proxy before it; may "
    "be given several times.",
)  # fmt: skip
@_option(
    "Server", "--allow-origin", "origins", multiple=True, metavar="ORIGIN",
    help="Let web pages of this origin ask (CORS), as https://example.org; may be "
    "given several times.",
)  # fmt: skip
@_option(
    "Model", "--model", "models", multiple=True, shell_complete=any_model("draws"),
    help="Model that requests may name; may be given several times. The first is "
    "loaded at the start and draws where a request names none.",
)  # fmt: skip
@device_option
@precision_option
@_option(
    "Model", "--low-memory", is_flag=True, envvar=LOW_MEMORY, show_envvar=True,
    help="Take as little memory as possible, and more time.",
)  # fmt: skip
@_option(
    "Model", "--batch-size", type=int, metavar="N",
    help="How many images are generated at once, of whichever requests; by default as "
    "many as pay and as memory holds.",
)  # fmt: skip
@limit_options
@_option(
    "Logging and help", "--log-prompts", is_flag=True,
    help="Also log what is said of prompts, which may quote them.",
)  # fmt: skip
@quiet_option()
@click.pass_context
@reporting_errors
def serve_cmd(
    context: click.Context,
    /,
    host: str,
    port: int,
    ray: str | None,
    replicas: str,
    check: bool,
    no_key: bool,
    names: tuple[str, ...],
    origins: tuple[str, ...],
    models: tuple[str, ...],
    device: str | None,
    precision: Precision,
    low_memory: bool,
    batch_size: int | None,
    log_prompts: bool,
    quiet: bool,
    **limits: Any,
) -> None:
    """Generate images over HTTP, with a model kept loaded, until a signal.

    It answers OpenAI's images API, and POST /v1/prompts takes the fields of a prompt as
    JSON; /docs shows all of it. By default only this machine can ask;
    IMAGINAIRY_API_KEY names the keys that requests must come with.
    """
    set_threads()
    require_extra()
    show_log(quiet=quiet)

    from imaginairy.serving.listening import Listening

    allowed, copies = Limits(**limits), copies_asked(ray, replicas)
    with closing(Listening.asked(host, port, names, origins, no_key=no_key)) as at:
        stores = context.ensure_object(Stores)
        store = stores.get(device, precision, low_memory=low_memory)

        from imaginairy.serving.engine import Engine
        from imaginairy.serving.run import serve

        engine = Engine(store, models, allowed, batch_size=batch_size)
        if check:
            asked = {"no_key": no_key, "log_prompts": log_prompts}
            cluster = {"ray": ray, "replicas": replicas}
            say(json.dumps({**at.told(), **engine.told(), **asked, **cluster}))
            log.info("All of it is there; without --check it is served.")
            return
        if copies is not None:
            serve_copies(engine, at, copies, context.params)
            return
        try:
            serve(engine, at, when_loaded=lambda: hush(log_prompts, quiet))
        except ImaginairyError as error:
            if engine.is_alive:  # nothing else ends a thread that computes
                say(f"Error: {error}", err=True)
                os._exit(1)
            raise


def copies_asked(ray: str | None, replicas: str) -> "Replicas | None":
    """Return how many copies there are on a cluster; None where none is asked for.

    Raises:
        BadOptionError: an address or a number cannot be read.
    """
    from imaginairy.fleet.ray_cluster import settled
    from imaginairy.serving.replicas import Replicas

    copies = Replicas.read(replicas)
    if ray is None:
        if copies != Replicas():
            raise BadOptionError("--replicas needs --ray; say which cluster.")
        return None
    settled(ray)
    return copies


def serve_copies(
    engine: "Engine", at: "Listening", copies: "Replicas", asked: Mapping[str, Any]
) -> None:
    """Serve on a cluster what an engine would serve here, which only looked at it."""
    from imaginairy.serving.ray_serve import serve_on_ray
    from imaginairy.serving.replicas import Settings

    settings = Settings.of(engine, at, models=asked["models"], device=asked["device"])
    place = at.place
    at.close()  # it was looked whether it is free
    serve_on_ray(asked["ray"], place, copies, settings)


def hush(log_prompts: bool, quiet: bool) -> None:
    """Let only the server's own log be shown, which does not quote prompts."""
    said.setLevel("ERROR" if quiet else "INFO")
    if not log_prompts:
        log.setLevel("ERROR")
