"""The last question: may these few mails, which are begun next, still go? And the note that they are on their way.

Both are one statement, so that nothing comes between them. A cancellation, a move, an opt-out or
anything else that was committed before it stops the mail; what is committed afterwards finds the mail
handed over, which planning can see (`Existing.in_hand`). Whatever is said no to here is asked about
again by the gates, which know the reason: so nothing may be asked here that no gate asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import DateTimeField, UUIDField
from django.utils import timezone

from portal import kept_plans
from portal.lookups import array_of_keys
from reminders.gates import PLANNING_TAKES

# LIMIT and OFFSET keep PostgreSQL from joining the questions into one: it would think for longer about
# the order of ten tables than it takes to ask.
_ONE = "LIMIT 1 OFFSET 0"

# What must hold of a row for its mail to go. It is the gates' questions about what people change.
_MAY_GO = f"""
    EXISTS (
        SELECT 1 FROM patients_episode episode
        JOIN patients_patient patient ON patient.id = episode.patient_id
        WHERE episode.id = mine.episode_id
        AND (episode.status IN ('planned', 'active') OR mine.kind IN ('surgery_cancelled', 'visit_cancelled'))
        AND patient.deceased_on IS NULL AND NOT patient.is_restricted
        AND (patient.user_id = mine.recipient_id OR EXISTS (
            SELECT 1 FROM patients_relatedperson link
            WHERE link.user_id = mine.recipient_id AND link.patient_id = patient.id
            AND link.ended_at IS NULL {_ONE})) {_ONE})
    AND EXISTS (
        SELECT 1 FROM portal_user reader
        JOIN reminders_message message ON message.to_address = reader.email
        WHERE reader.id = mine.recipient_id AND reader.is_active AND message.id = mine.message
        AND (mine.is_essential OR reader.paused_from IS NULL
             OR reader.paused_from > %s OR reader.paused_until < %s)
        AND NOT EXISTS (
            SELECT 1 FROM reminders_suppression gone
            WHERE gone.address = reader.email AND gone.lifted_at IS NULL {_ONE})
        AND NOT EXISTS (
            SELECT 1 FROM reminders_sendingchannel channel WHERE channel.paused_until > %s
            AND (channel.domain = '' OR lower(reader.email) LIKE '%%@' || channel.domain) {_ONE})
        {_ONE})
    AND (mine.is_essential OR NOT EXISTS (
        SELECT 1 FROM reminders_preference choice
        WHERE choice.user_id = mine.recipient_id AND choice.category = mine.category
        AND NOT choice.is_on {_ONE}))
    AND (mine.appointment_id IS NULL OR mine.kind = 'visit_cancelled' OR EXISTS (
        SELECT 1 FROM patients_appointment visit
        WHERE visit.id = mine.appointment_id AND visit.status = 'booked' {_ONE}))
    AND (mine.step_id IS NULL OR NOT EXISTS (
        SELECT 1 FROM patients_planrequest change
        WHERE change.episode_id = mine.episode_id AND change.requested_at > %s {_ONE}))
    AND (mine.step_id IS NULL OR NOT EXISTS (
        SELECT 1 FROM patients_stepresponse response
        JOIN procedures_step answered ON answered.id = response.step_id
        WHERE response.episode_id = mine.episode_id AND answered.key = mine.step_key
        AND response.occurrence = mine.occurrence AND response.answer = 'done' {_ONE}))
    AND NOT EXISTS (SELECT 1 FROM portal_sendingswitch switch WHERE NOT switch.is_on {_ONE})
"""  # noqa: S608 - nothing but our own words goes in

# What is asked about a row.
_COLUMNS = (
    "id", "kind", "episode_id", "appointment_id", "step_id", "step_key", "occurrence", "recipient_id", "category",
    "is_essential",
)  # fmt: skip

# What the server's log calls it.
_NAME = "reminders.boarding.board"
_STATEMENT = """
    WITH mail (reminder, message) AS ({pairs}),
    mine AS MATERIALIZED ({held}),
    going AS MATERIALIZED (SELECT mine.id, mine.message FROM mine WHERE {may_go})
    UPDATE reminders_reminder SET message_id = going.message
    FROM going WHERE reminders_reminder.id = going.id
    RETURNING reminders_reminder.id
"""


def board(messages: Mapping[UUID, UUID], token: str, now: datetime, today: date) -> set[UUID]:
    """Hand over the reminders that may still go, each with its message's key; returns which they are.

    A row is locked in the order of the keys, as the reconciler does it. `now` (UTC) is the portal's,
    `today` the readers' local day. The statement takes PostgreSQL longer to plan than to answer.
    """
    moments: list[Any] = [timezone.now(), now - PLANNING_TAKES]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            pairs: list[Any] = [array_of_keys(messages), array_of_keys(messages.values())]
            kept_plans.execute(
                connection, cursor, _NAME, _locking(), [*pairs, token, today, today, *moments]
            )
        else:
            pairs = [_key(key) for pair in messages.items() for key in pair]
            moments = [_moment(moment) for moment in moments]
            cursor.execute(_statement(len(messages)), [*pairs, token, today, today, *moments])
        return {row if isinstance(row, UUID) else UUID(row) for (row,) in cursor.fetchall()}


@cache
def _statement(number: int) -> str:
    """The statement for so many mails on SQLite, which locks no rows: it has one writer at a time."""
    pairs = "VALUES " + ", ".join(["(%s, %s)"] * number)
    columns = ", ".join(f"row.{name}" for name in _COLUMNS)
    held = f"""
        SELECT mail.message, {columns} FROM mail JOIN reminders_reminder row ON row.id = mail.reminder
        WHERE row.claimed_by = %s AND row.state = 'claimed'
    """  # noqa: S608 - nothing but our own words goes in
    return _STATEMENT.format(pairs=pairs, held=held, may_go=_MAY_GO)


@cache
def _locking() -> str:
    pairs = "SELECT * FROM unnest(%s::uuid[], %s::uuid[]) ORDER BY 1"
    columns = ", ".join(_COLUMNS)
    # Each row by its key. Asked for by its state too it would be looked for among all that are claimed, dead
    # versions included.
    held = f"""
        SELECT mail.message, row.* FROM mail CROSS JOIN LATERAL (
            SELECT {columns}, state FROM reminders_reminder
            WHERE id = mail.reminder AND claimed_by = %s
            FOR NO KEY UPDATE {_ONE}
        ) row WHERE row.state = 'claimed'
    """  # noqa: S608 - nothing but our own words goes in
    return _STATEMENT.format(pairs=pairs, held=held, may_go=_MAY_GO)


def _key(key: UUID) -> Any:
    return UUIDField().get_db_prep_value(key, connection)


def _moment(moment: datetime) -> Any:
    return DateTimeField().get_db_prep_value(moment, connection)
