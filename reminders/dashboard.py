"""Today: what needs a person, for the first page of the staff admin."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def today(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the admin's first page what waits for somebody at the clinics of whoever asks."""
    return context
