"""Pictures as shards: files of many, each named for the pictures in it.

Before a shard appears it is noted which pictures are in it. So what is there is known
by the shards that lie there, and one that a killed process was at is drawn anew.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from imaginairy.fleet.ids import IdMap, shard_name
from imaginairy.fleet.sinks import notes
from imaginairy.fleet.sinks.published import Published
from imaginairy.fleet.sinks.sink import MOST_BYTES, Done, Sink


class ShardSink(Sink):
    """What all kinds of shards have in common; see its module."""

    ending: str
    pictures_together = 256

    @abstractmethod
    def packed(self, drawn: Sequence[Published]) -> bytes:
        """Return the file of a shard, the same for the same pictures."""

    @abstractmethod
    def unpacked(self, data: bytes) -> list[Published]:
        """Return the pictures in the file of a shard."""

    def publish(self, drawn: Sequence[Published]) -> list[str]:
        """Let pictures appear together, in one shard unless they are too large."""
        shards: dict[str, str] = {}
        for group in _groups(list({each.id: each for each in drawn}.values())):
            rows = [(each.id, each.prompt) for each in group]
            name = f"{shard_name([id for id, _ in rows])}.{self.ending}"
            self._part.note([notes.shard_note(name, rows)])
            self.files.write(name, self.packed(group))
            self.files.settle([name])
            shards.update((id, self.files.address(name)) for id, _ in rows)
        return [shards[each.id] for each in drawn]

    def done(self) -> Done:
        """Return which pictures are in the shards that are there."""
        self.files.clear()
        ids = IdMap()
        for _, rows in self._shards():
            for id, prompt in rows:
                ids.put(id, prompt)
        return Done(ids)

    def finish(self) -> None:
        """Take pictures out that are there twice, and the manifest together.

        That is so where a worker that was taken for dead published after the one that
        took its place.
        """
        while (found := self._there_twice()) is not None:
            self._keep(*found)
        super().finish()

    def _there_twice(self) -> tuple[str, dict[str, int]] | None:
        """Return a shard with pictures that another has too, and what only it has."""
        seen = IdMap()
        for name, rows in self._shards():
            own = {id: prompt for id, prompt in rows if seen.put(id)}
            if len(own) < len(rows):
                return name, own
        return None

    def _keep(self, name: str, prompts: Mapping[str, int]) -> None:
        """Put a shard in the place of another that holds these of its pictures."""
        if prompts:
            drawn = self.unpacked(self.files.read(name) or b"")
            kept = [
                replace(each, prompt=prompts[each.id])
                for each in drawn
                if each.id in prompts
            ]
            self.publish(kept)
        self.files.remove(name)

    def _shards(self) -> Iterator[tuple[str, list[tuple[str, int]]]]:
        """Yield the shards that are there, with the ids and prompts in them."""
        there = {name for name in self.files.names() if name.endswith(self.ending)}
        for note in notes.notes(self.files):
            name = str(note.get("shard"))
            if name in there:
                there.remove(name)
                yield name, list(notes.rows_of(note))


def _groups(drawn: Sequence[Published]) -> Iterator[list[Published]]:
    """Yield the pictures of each shard; the last takes it over its bytes."""
    group: list[Published] = []
    size = 0
    for each in drawn:
        group.append(each)
        size += len(each.data)
        if size >= MOST_BYTES or len(group) >= ShardSink.pictures_together:
            yield group
            group, size = [], 0
    if group:
        yield group
