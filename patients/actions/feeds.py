"""A reader's private calendar feed: made, made anew, switched off, and what each fetch leaves behind. `now` is UTC."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from patients.actions.notes import Action, record
from patients.models import CalendarFeed, Patient
from portal import audit
from portal.models import User


def hash_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def reset_feed(*, user: User, by: User, now: datetime) -> str:
    """Give a reader a new feed address; the old one is dead at once. Returns the token, which is kept nowhere."""
    token = secrets.token_urlsafe(32)
    feed, is_new = CalendarFeed.objects.update_or_create(
        user=user,
        defaults={"token_hash": hash_of(token), "made_at": now, "digest": "", "changed_at": now},
    )
    audit.record(Action.CREATE if is_new else Action.UPDATE, "calendar_feed.reset", by=by, obj=feed)
    return token


@transaction.atomic
def end_feed(*, user: User, by: User) -> bool:
    """Switch the feed off. False where there was none."""
    for feed in CalendarFeed.objects.filter(user=user):
        audit.record(Action.DELETE, "calendar_feed.end", by=by, obj=feed)
        feed.delete()
        return True
    return False


@transaction.atomic
def note_fetch(
    *, feed: CalendarFeed, digest: str, patients: Iterable[Patient], now: datetime
) -> None:
    """Keep when the feed's content changed last, and note the reading: once a day, and with each change.

    Calendar programs come by every hour: an event for each visit of theirs would bury what means something.
    """
    is_changed = feed.digest != digest
    if is_changed:
        feed.digest, feed.changed_at = digest, now
    if is_changed or feed.noted_on != now.date():
        feed.noted_on = now.date()
        for patient in patients:
            record(Action.READ, "calendar_feed.read", by=feed.user, obj=feed, patient=patient)
        feed.save(update_fields=["digest", "changed_at", "noted_on"])
