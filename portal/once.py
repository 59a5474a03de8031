"""Tickets that make a form act once: a second press of the button, or a second tab, finds its ticket spent."""

from __future__ import annotations

import uuid

from django.core.cache import cache

GOOD_FOR = 24 * 60 * 60  # seconds


def new_ticket() -> str:
    """A ticket for one form."""
    return uuid.uuid4().hex


def spend(ticket: str) -> bool:
    """Take the ticket; False when it was taken before.

    Call it inside the transaction of the change: the cache lies in the same database, so that a
    change that is rolled back gives its ticket back.
    """
    return cache.add(f"ticket:{ticket}", True, GOOD_FOR)


def is_spent(ticket: str) -> bool:
    """Whether the ticket was taken: the form it belongs to has done its work."""
    return bool(ticket) and cache.get(f"ticket:{ticket}") is not None
