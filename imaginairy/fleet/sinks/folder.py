"""Pictures as files of a folder, named for their ids."""

from collections.abc import Iterator, Sequence

from imaginairy.fleet.ids import IdMap, file_stem, subfolder
from imaginairy.fleet.sinks import notes
from imaginairy.fleet.sinks.published import Published
from imaginairy.fleet.sinks.sink import Done, Sink


class FolderSink(Sink):
    """Each picture is a file: `fox.jpg`, or `3f/fox.jpg` where there are many."""

    kind = "folder"
    pictures_together = 1

    def publish(self, drawn: Sequence[Published]) -> list[str]:
        names = []
        for each in drawn:
            names.append(self._name(each.id, each.extension))
            self.files.write(names[-1], each.data)
        self.files.settle(names)
        self._part.note(
            [
                notes.drawn_note(each.id, name, each.prompt)
                for each, name in zip(drawn, names, strict=True)
            ]
        )
        return [self.files.address(name) for name in names]

    def _name(self, id: str, extension: str) -> str:
        stem = file_stem(id)
        name = f"{stem}.{extension}"
        return f"{subfolder(stem)}/{name}" if self.in_subfolders else name

    def done(self) -> Done:
        self.files.clear()
        noted, there = IdMap(), IdMap()
        for name in self._names():
            there.put(name)
        for note in notes.notes(self.files):
            for id, prompt in notes.rows_of(note):
                if str(note.get("file")) in there:
                    noted.put(id, prompt)
        return Done(noted)

    def _names(self) -> Iterator[str]:
        for name in self.files.names():
            if not name.endswith("/"):
                yield name
            elif self.in_subfolders and len(name) == 3:
                yield from (f"{name}{each}" for each in self.files.names(name))
