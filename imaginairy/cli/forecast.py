"""`--plan`: what a run would take, told before anything of it begins."""

import json
from typing import TYPE_CHECKING, Any

import click

from imaginairy.cli.forecast_words import lines_of
from imaginairy.cli.jobs import Plan, sized
from imaginairy.cli.output import Drawing
from imaginairy.cli.rates import rate_of
from imaginairy.cli.run import say
from imaginairy.fleet.addresses import shown

if TYPE_CHECKING:
    from imaginairy.foresight import Foreseen
    from imaginairy.models.store import ModelStore


def tell_plan(plan: Plan, drawing: Drawing, store: "ModelStore") -> None:
    """Print what a run would take, and do nothing of it.

    Raises:
        ImaginairyError: it would be refused.
    """
    from imaginairy.foresight import Foresight

    prompts = (job.prompt for job in sized(plan, drawing.size, store))
    batch_size, previews = drawing.batch_size, drawing.preview
    ahead = Foresight(prompts, plan.total, store, batch_size, previews=previews)
    told = ahead.facts()
    times = [seconds_of(kind, store) for kind in ahead.kinds]
    place = str(drawing.outdir) if drawing.output is None else shown(drawing.output)
    for kind, seconds in zip(told["kinds"], times, strict=True):
        kind["seconds"] = seconds
    told |= {
        "seconds": None if None in times else sum(filter(None, times)),
        "outdir": place,
        "extension": drawing.extension,
    }
    tell(told, as_json=drawing.as_json)


def seconds_of(kind: "Foreseen", store: "ModelStore") -> float | None:
    """Return how long images take, as others of their kind did, where any did."""
    order = kind.order
    rate = rate_of(order.prompt, store)
    if rate is None:
        return None
    drawn = kind.images * order.prompt.best_of
    return drawn * rate.seconds(order.prompt, order.steps_to_run)


def tell(told: dict[str, Any], *, as_json: bool) -> None:
    """Print what is known of a run."""
    if as_json:
        click.echo(json.dumps(told))
    else:
        say("\n".join(lines_of(told)))
