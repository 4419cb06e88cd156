"""Pictures over HTTP: `aimg serve`."""
