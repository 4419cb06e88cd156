"""How many examples `hypothesis` makes up: few each day, many each night.

`pytest --hypothesis-profile nightly` (or the variable HYPOTHESIS_PROFILE, or `make
nightly`) takes the second; it makes up others each time, and the first the same ones.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

PROFILE = "HYPOTHESIS_PROFILE"
SUPPRESSED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
"""A busy machine is no fault of a test; what tests write to `tmp_path` is written anew
for each example."""


def register_profiles() -> None:
    """Make the profiles known, and take the one that the environment names."""
    always = settings(deadline=None, suppress_health_check=SUPPRESSED)
    settings.register_profile(
        "daily", always, max_examples=15, derandomize=True, database=None
    )
    settings.register_profile("nightly", always, max_examples=1200, print_blob=True)
    profile = os.environ.get(PROFILE, "daily")
    settings.load_profile(profile)
    if profile == "daily":
        # Else it takes numbers and words from whatever modules are imported, and so
        # makes up others in another order of the tests.
        providers._get_local_constants = lambda: providers._local_constants


def examples(times: float) -> settings:
    """Return settings for a test with so many times the usual number of examples."""
    return settings(max_examples=round(times * settings.default.max_examples))
