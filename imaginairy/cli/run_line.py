"""What is shown of a run of many images: a line that moves, or JSON for programs."""

import json
import sys
from typing import Any

import click
from tqdm import tqdm

from imaginairy.cli.run import say
from imaginairy.fleet.events import Event
from imaginairy.log import log

FORMAT = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"


class RunLine:
    """Is told the events of a run, see `fleet.events`, and shows them.

    Args:
        as_json: print each event as a JSON object, and nothing else.
        quiet: show no more than what failed.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json, self.quiet = as_json, quiet
        self._bar: Any = None
        self._said: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if self.as_json:
            click.echo(json.dumps(event))
        getattr(self, f"_{event['event']}")(event)

    def _started(self, event: Event) -> None:
        there = event["there"]
        log.info(
            "%d image%s to %s%s",
            event["total"],
            "s" if event["total"] > 1 else "",
            event["output"],
            f", {there} of which are there already" if there else "",
        )
        self._bar = tqdm(
            total=event["total"],
            initial=there,
            bar_format=FORMAT,
            leave=False,
            disable=self.quiet or not sys.stderr.isatty(),
        )

    def _drawn(self, event: Event) -> None:
        log.info("saved %s", event["file"])

    def _failed(self, event: Event) -> None:
        reason = event["reason"]
        if reason not in self._said:
            self._said.add(reason)
            say(f"Error: '{event['id']}': {reason}", err=True)

    def _progress(self, event: Event) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(in_words(event), refresh=False)
            self._bar.update(event["done"] + event["failed"] - self._bar.n)

    def _ended(self, event: Event) -> None:
        self.close()
        speed = event["drawn"] / event["seconds"] if event["seconds"] else 0.0
        log.info(
            "%d of %d images are there%s%s.",
            event["done"],
            event["total"],
            f", {event['failed']} failed" if event["failed"] else "",
            f"; {event['drawn']} in {duration(event['seconds'])}, "
            f"{speed:.3g} a second" if event["drawn"] else "",
        )  # fmt: skip

    def close(self) -> None:
        """Take the line away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def in_words(progress: Event) -> str:
    """Return how a run goes, behind how far it is."""
    workers = progress["workers"]
    parts = [
        f"{progress['failed']} failed" if progress["failed"] else "",
        f"{progress['per_second']:.3g} a second" if progress["per_second"] else "",
        f"{duration(progress['left_s'])} left" if progress["left_s"] else "",
        f"{workers} workers" if workers != 1 else "",
    ]
    return ", ".join(filter(None, parts))


def duration(seconds: float) -> str:
    """Return a time as 7:05, or as 1:00:00."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"
