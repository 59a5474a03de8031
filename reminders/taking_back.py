"""Whether anything left about an episode: what decides if an import may be taken back."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from reminders.models import Reminder

LEFT_OR_LEAVING = (
    Reminder.State.SENT,
    Reminder.State.CLAIMED,
    Reminder.State.RETRYING,
    Reminder.State.FAILED,
)


def sent_of(episodes: Collection[UUID]) -> set[UUID]:
    """Those of the episodes about which a mail left, or is leaving.

    The reminders are held until the transaction ends, so that none is claimed while its episode goes.
    """
    if not episodes:
        return set()
    rows = Reminder.objects.select_for_update().filter(episode__in=episodes)
    return {
        key for key, state in rows.values_list("episode_id", "state") if state in LEFT_OR_LEAVING
    }
