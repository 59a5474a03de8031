"""The two addresses that stand in every mail, written out; `reminders/urls.py` serves them, and a test compares.

Asking Django for an address loads every page of the portal: a process that only sends would hold tens of MiB
for two lines of text.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings


def why(reminder_id: UUID) -> str:
    """Where a reader sees why a reminder came."""
    return f"{settings.BASE_URL}/why/{reminder_id}/"


def unsubscribe(token: str) -> str:
    """Where a link of `reminders.unsubscribe` leads."""
    return f"{settings.BASE_URL}/unsubscribe/{token}/"
