"""How addresses of the web begin and what lets them lead where; none is opened here."""

SCHEMES = ("http", "https")
ALLOW_PRIVATE = "IMAGINAIRY_ALLOW_PRIVATE_URLS"
"""The variable that lets addresses lead into this machine and its own networks."""
