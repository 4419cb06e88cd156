"""Where the pictures of a run go: a folder, or shards, here or at any address."""

from imaginairy.fleet.sinks.opening import open_sink
from imaginairy.fleet.sinks.published import Published
from imaginairy.fleet.sinks.sink import Done, Sink

__all__ = ["Done", "Published", "Sink", "open_sink"]
