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
        self.failed: list[tuple[ImaginePrompt, Exception]] = []

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
            said = [str(each) for _, each in self.failed]
            self.failed.append((prompt, error))
            if str(error) not in said:
                text = shortened(prompt.prompt_text)
                say(f"Error: '{text}': {failure.message}", err=True)

    def report(self) -> None:
        """Raise an error that sums up what failed, if anything did."""
        if not self.failed:
            return
        texts = dict.fromkeys(shortened(each.prompt_text) for each, _ in self.failed)
        shown = ", ".join(f"'{text}'" for text in list(texts)[:TEXTS_SHOWN])
        more = ", ..." if len(texts) > TEXTS_SHOWN else ""
        words = (
            f"{len(self.failed)} of {self.jobs} pictures could not be generated "
            f"({shown}{more}); what is wrong is said above"
        )
        if len(self.failed) == self.jobs:
            bad_use = all(isinstance(error, BAD_USE) for _, error in self.failed)
            raise (BadOptionError if bad_use else ImaginairyError)(f"{words}.")
        raise ImaginairyError(f"{words}, and the others are saved.")
