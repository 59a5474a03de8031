"""How staff do something to a plan: they look at what it changes, and confirm it."""

from typing import Any

from django.test import Client


def confirmed(client: Client, url: str, fields: dict[str, Any] | None = None) -> Any:
    """Send a form, read what it would change, and confirm that."""
    fields = fields or {}
    shown = client.post(url, fields)
    digest = (shown.context or {}).get("digest", "")
    return client.post(url, fields | {"digest": digest})
