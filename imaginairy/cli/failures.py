"""Pictures of which nothing came: reported at once, summed up when the rest is done."""

from collections.abc import Iterator
from contextlib import contextmanager

from imaginairy.cli.run import BAD_USE, failure_of, say
from imaginairy.errors import BadOptionError, CannotSaveError, ImaginairyError
from imaginairy.log import shortened
from imaginairy.schema import ImaginePrompt

TEXTS_SHOWN = 3


class Failures:
    """Keeps what failed, of several jobs, until the others are done.

    Args:
        jobs: how many there are; a job alone fails as it is.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.failed = 0
        self._texts: dict[str, None] = {}
        self._said: set[str] = set()
        self._bad_use = True

    @contextmanager
    def noted(self, prompt: ImaginePrompt) -> Iterator[None]:
        """Report what fails in the block, once where it is the same again."""
        try:
            yield
        except Exception as error:
            failure = failure_of(error)
            ends = isinstance(error, CannotSaveError | OSError)
            if failure is None or ends or self.jobs == 1:
                raise
            self.failed += 1
            self._bad_use &= isinstance(error, BAD_USE)
            text = shortened(prompt.prompt_text)
            if len(self._texts) <= TEXTS_SHOWN:
                self._texts[text] = None
            if str(error) not in self._said:
                self._said.add(str(error))
                say(f"Error: '{text}': {failure.message}", err=True)

    def report(self) -> None:
        """Raise an error that sums up what failed, if anything did."""
        if not self.failed:
            return
        shown = ", ".join(f"'{text}'" for text in list(self._texts)[:TEXTS_SHOWN])
        more = ", ..." if len(self._texts) > TEXTS_SHOWN else ""
        words = (
            f"{self.failed} of {self.jobs} pictures could not be generated "
            f"({shown}{more}); what is wrong is said above"
        )
        if self.failed == self.jobs:
            raise (BadOptionError if self._bad_use else ImaginairyError)(f"{words}.")
        raise ImaginairyError(f"{words}, and the others are saved.")
