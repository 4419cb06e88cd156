"""Draw with the bundled model, several pictures at once and one by one in turn.

Called by `python -m benchmarks`; prints how many pictures a second as JSON.
"""

import json
import sys
from functools import partial
from statistics import median

from imaginairy import ModelStore
from imaginairy.measuring import TOGETHER, draw_bundled, seconds_of


def main(rounds: int) -> None:
    """Print the rates of both, and the median of the ratios of neighbours."""
    store = ModelStore("cpu")
    draw_bundled(store, TOGETHER)  # loads the model
    alone, together = [], []
    for _ in range(rounds):
        alone.append(seconds_of(partial(draw_bundled, store, 1), store.device))
        together.append(
            seconds_of(partial(draw_bundled, store, TOGETHER), store.device)
        )
    ratio = median(a / b for a, b in zip(alone, together, strict=True))
    rates = {"alone": TOGETHER / median(alone), "together": TOGETHER / median(together)}
    print(json.dumps({**rates, "ratio": ratio}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
