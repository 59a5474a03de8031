"""Reminders on their way into one mail: put together, put into words, and stored, ready to be handed over."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import OperationalError, transaction

from portal import mail
from portal.instances import Mould
from reminders import emails
from reminders.bulk import insert_all
from reminders.compiled import Printed
from reminders.models import Message, Reminder, Sheet
from reminders.outcomes import Tally, fail

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=settings.LEASE_SECONDS)
_AT_ANY_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True, eq=False)
class Letter:
    """The reminders of one slot for one person, on their way into one message."""

    reminders: list[Reminder]
    address: str = ""
    message: Message | None = None
    drafts: list[emails.Draft] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    printed: Printed | None = None
    # On the machine's clock (UTC): after this moment it is too late to begin under the claim's lease.
    begin_until: datetime = _AT_ANY_TIME

    @property
    def ids(self) -> list[UUID]:
        """Its reminders' keys."""
        return [row.id for row in self.reminders]


def letters_of(reminders: Iterable[Reminder]) -> list[Letter]:
    """Put together what goes in one mail: by person and clinic. What was tried before keeps its message."""
    slots: dict[tuple[UUID, UUID, UUID | None], Letter] = {}
    for row in reminders:
        slot = (row.recipient_id, row.episode.patient.clinic_id, row.message_id)
        if slot not in slots:
            slots[slot] = Letter([], row.recipient.email, row.message)
        slots[slot].reminders.append(row)
    return list(slots.values())


def write_items(
    letter: Letter, writer: emails.Writer, token: str, now: datetime, tally: Tally
) -> bool:
    """Put each reminder into words. One that cannot be is set aside and holds up no other."""
    going = []
    for row in letter.reminders:
        try:
            letter.drafts.append(writer.draft(row))
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


def compose(letter: Letter, writer: emails.Writer, token: str, now: datetime, tally: Tally) -> bool:
    """Make the mail's texts. One that cannot be made is set aside and holds up no other."""
    try:
        letter.fields = emails.compose(letter.reminders, letter.drafts, sheets=writer.sheets)
        letter.printed = letter.fields.pop("printed")
        letter.fields |= _stored(letter.printed)
    except (SoftTimeLimitExceeded, OperationalError):
        raise
    except Exception as error:
        # Whatever is wrong with this one, the others must not wait for it.
        logger.exception("the mail of reminder %s cannot be made", letter.reminders[0].id)
        fail(letter.reminders, token, now, gate="fault", value=type(error).__name__)
        tally.failed += len(letter.reminders)
        return False
    return True


def _stored(printed: Printed) -> dict[str, Any]:
    """A mail's two parts as they are stored: on a sheet, or whole."""
    if printed.sheet is None or printed.own is None:
        return {
            "sheet_id": None, "own": {}, "whole_text": printed.text, "whole_html": printed.html
        }  # fmt: skip
    return {
        "sheet_id": printed.sheet.key, "own": printed.own, "whole_text": "", "whole_html": ""
    }  # fmt: skip


def store(letters: Sequence[Letter], now: datetime, kept: set[UUID] | None = None) -> None:
    """Store the mails with their Message-IDs, before any of them is tried.

    A mail that was tried before keeps its message, with the words of today. A new one belongs to no
    reminder until it is handed over (`boarding.board`). `kept` are the sheets that this run knows to be
    stored, and learns of the others here.
    """
    kept = set() if kept is None else kept
    again = [letter for letter in letters if letter.message is not None]
    new = [letter for letter in letters if letter.message is None]
    sheets = _sheets_beyond(kept, letters)
    with transaction.atomic():
        _store_sheets(sheets)
        for letter in again:
            _write_anew(letter)
        insert_all(Message, [_new_message(letter, now) for letter in new])
    kept.update(sheets)


def _store_sheets(sheets: Mapping[UUID, Sheet]) -> None:
    """Store these, unless another worker has, or is about to; each waits for the other to decide.

    In the order of their keys: with an order each of their own, two would wait for each other for ever.
    """
    if sheets:
        in_order = [sheets[key] for key in sorted(sheets)]
        Sheet.objects.bulk_create(in_order, ignore_conflicts=True)


def _sheets_beyond(kept: Collection[UUID], letters: Iterable[Letter]) -> dict[UUID, Sheet]:
    """The sheets of these letters that are not among those kept, by key."""
    used = [letter.printed.sheet for letter in letters if letter.printed]
    return {
        sheet.key: Sheet(id=sheet.key, text=sheet.text.texts, html=sheet.html.texts)
        for sheet in used
        if sheet and sheet.key not in kept
    }


_FIELDS = tuple(field.attname for field in Message._meta.concrete_fields)
_MESSAGE = Mould(Message, _FIELDS)


def _new_message(letter: Letter, now: datetime) -> Message:
    key = uuid4()
    message_id = f"<{key}@{mail.message_id_domain()}>"
    values = _AT_FIRST | letter.fields | {"id": key, "message_id": message_id, "created_at": now}
    letter.message = _MESSAGE.cast([values[name] for name in _FIELDS])
    return letter.message


# How a message begins.
_AT_FIRST = {
    "state": Message.State.SENDING.value, "attempts": 1, "last_response": "", "sent_at": None, "bounced_at": None,
}  # fmt: skip


def _write_anew(letter: Letter) -> None:
    """Write today's words, unless a worker that held it before has got it through since: then it stays as it went."""
    message = letter.message
    assert message is not None
    for name, value in letter.fields.items():
        setattr(message, name, value)
    message.state = Message.State.SENDING
    message.attempts += 1
    values = {name: getattr(message, name) for name in _FIELDS if name != "id"}
    Message.objects.filter(pk=message.pk).exclude(state=Message.State.SENT).update(**values)
