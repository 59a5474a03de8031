"""Reminders on their way into one mail: put together, put into words, and handed over to be sent.

Handing over is the last moment at which a plan or a record can still stop a mail: it is asked once
more under a lock, for a handful of mails at a time, and what passes gets its stored message.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import OperationalError, transaction
from django.utils import timezone

from portal import mail
from reminders import emails
from reminders.bulk import insert_all, update_each
from reminders.models import Message, Reminder
from reminders.outcomes import Tally, fail, held

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=settings.LEASE_SECONDS)


@dataclass(slots=True, eq=False)
class Letter:
    """The reminders of one slot for one person, on their way into one message."""

    reminders: list[Reminder]
    message: Message | None = None
    items: list[emails.Item] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where it goes."""
        return self.reminders[0].recipient.email

    @property
    def ids(self) -> list[uuid.UUID]:
        """Its reminders' keys."""
        return [row.id for row in self.reminders]


def letters_of(reminders: Iterable[Reminder]) -> list[Letter]:
    """Put together what goes in one mail: by person and clinic. What was tried before keeps its message."""
    slots: dict[tuple[uuid.UUID, uuid.UUID, uuid.UUID | None], Letter] = {}
    for row in reminders:
        slot = (row.recipient_id, row.episode.patient.clinic_id, row.message_id)
        slots.setdefault(slot, Letter([], row.message)).reminders.append(row)
    return list(slots.values())


def write_items(
    letter: Letter, writer: emails.Writer, token: str, now: datetime, tally: Tally
) -> bool:
    """Put each reminder into words. One that cannot be is set aside and holds up no other."""
    going = []
    for row in letter.reminders:
        try:
            letter.items.append(writer.item(row))
            going.append(row)
        except emails.Unwritable as error:
            fail([row], token, now, gate="text_incomplete", value=str(error))
            tally.failed += 1
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            # Whatever is wrong with this one, the others must not wait for it.
            logger.exception("reminder %s cannot be written", row.id)
            fail([row], token, now, gate="fault", value=type(error).__name__)
            tally.failed += 1
    letter.reminders = going
    return bool(going)


def hand_over(letters: Collection[Letter], token: str, now: datetime, tally: Tally) -> list[Letter]:
    """Store the messages, with their Message-IDs, just before they are sent; return those that may be.

    From here on planning leaves their reminders alone. Where a plan took one of them back, or a
    record was closed, since they were claimed, nothing is sent: what is left waits for another turn.
    """
    composed = [letter for letter in letters if _compose(letter, token, now, tally)]
    if not composed:
        return []
    with transaction.atomic():
        ours = _still_ours([pk for letter in composed for pk in letter.ids], token)
        going = [letter for letter in composed if ours.issuperset(letter.ids)]
        changed = [
            pk for letter in composed if not ours.issuperset(letter.ids) for pk in letter.ids
        ]
        if changed:
            held(changed, token).update(
                state=Reminder.State.RETRYING, lease_until=None, reason="changed_meanwhile"
            )
        _store(going, token, now)
    return going


def _compose(letter: Letter, token: str, now: datetime, tally: Tally) -> bool:
    """Make the mail's texts. One that cannot be made is set aside and holds up no other."""
    try:
        letter.fields = emails.compose(letter.reminders, letter.items)
    except (SoftTimeLimitExceeded, OperationalError):
        raise
    except Exception as error:
        # Whatever is wrong with this one, the others must not wait for it.
        logger.exception("the mail of reminder %s cannot be made", letter.reminders[0].id)
        fail(letter.reminders, token, now, gate="fault", value=type(error).__name__)
        tally.failed += len(letter.reminders)
        return False
    return True


def _still_ours(ids: Sequence[uuid.UUID], token: str) -> set[uuid.UUID]:
    """Which reminders are still held here, with nothing recorded since that ends all mail about them."""
    # In order, as the reconciler locks them; and without barring notes of decisions about them.
    locked = held(ids, token).order_by("id").select_for_update(no_key=True, of=("self",))
    return set(locked.sendable().values_list("id", flat=True))


def _store(letters: Sequence[Letter], token: str, now: datetime) -> None:
    new = [letter for letter in letters if letter.message is None]
    again = [letter.message for letter in letters if letter.message is not None]
    for letter in letters:
        message = letter.message or _new_message(now)
        for name, value in letter.fields.items():
            setattr(message, name, value)
        message.state = Message.State.SENDING
        message.attempts += 1
        letter.message = message
    insert_all(Message, [letter.message for letter in new if letter.message])
    for message in again:
        message.save()
    update_each(
        Reminder,
        "message",
        {pk: letter.message.id for letter in letters if letter.message for pk in letter.ids},
        also={"lease_until": timezone.now() + LEASE},
        where={"claimed_by": token, "state": Reminder.State.CLAIMED},
    )


def _new_message(now: datetime) -> Message:
    key = uuid.uuid4()
    return Message(id=key, message_id=f"<{key}@{mail.message_id_domain()}>", created_at=now)
