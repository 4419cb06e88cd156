"""How addresses of the web begin, lead where and are shown; none is opened here."""

from urllib.parse import parse_qsl, urlencode, urlsplit

SCHEMES = ("http", "https")
ALLOW_PRIVATE = "IMAGINAIRY_ALLOW_PRIVATE_URLS"
"""The variable that lets addresses lead into this machine and its own networks."""
SECRETS = {"token", "api_key", "apikey", "key", "access_token", "auth"}
"""What a query says to show who asks; it is written down nowhere."""


def without_secrets(url: str) -> str:
    """Return an address without what shows who asks; what is none as it is."""
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        kept = [(name, value) for name, value in query if name.lower() not in SECRETS]
        if len(kept) == len(query) and "@" not in parts.netloc:
            return url
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=host, query=urlencode(kept)).geturl()
    except ValueError:
        return url
