"""Draw with the bundled model, several pictures at once and one by one in turn.

Called by `python -m benchmarks`; prints how many pictures a second as JSON.
"""

import json
import sys
import time
from statistics import median

from imaginairy import ImaginePrompt, ModelStore, imagine

TOGETHER = 4
STEPS = 10


def seconds(store: ModelStore, batch_size: int) -> float:
    """Return how long it takes to draw `TOGETHER` pictures."""
    prompts = [
        ImaginePrompt(
            "a red fox in a field", seed=seed, steps=STEPS, model="storybook",
            width=128, height=128, upscale=False,
        )
        for seed in range(TOGETHER)
    ]  # fmt: skip
    begun = time.perf_counter()
    list(imagine(prompts, store=store, batch_size=batch_size))
    return time.perf_counter() - begun


def main(rounds: int) -> None:
    """Print the rates of both, and the median of the ratios of neighbours."""
    store = ModelStore("cpu")
    seconds(store, TOGETHER)  # loads the model
    alone, together = [], []
    for _ in range(rounds):
        alone.append(seconds(store, 1))
        together.append(seconds(store, TOGETHER))
    ratio = median(a / b for a, b in zip(alone, together, strict=True))
    rates = {"alone": TOGETHER / median(alone), "together": TOGETHER / median(together)}
    print(json.dumps({**rates, "ratio": ratio}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
