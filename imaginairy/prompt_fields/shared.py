"""What several fields of a prompt have in common."""

from imaginairy.checks import Number

SHARE = Number(0, 1)
SUITABLE = "the one that suits the model by default."
ON_HUB = f"name, path, or owner/repo on the hub; {SUITABLE}"
