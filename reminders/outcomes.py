"""What became of reminders and their mails, written by the batch: sent, tried again, laid by, set aside, failed.

Every change states the state it starts from and who holds the row. A batch's outcomes are noted in
the worker's journal as they come; `take_over` writes down what a dead worker had noted.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Least
from django.utils import timezone

from portal.mail import Answer, Outcome
from reminders import counting, gates, journal, pacing
from reminders.bulk import insert_rows, update_each
from reminders.models import Decision, Message, Reminder, Suppression
from reminders.querysets import ReminderQuerySet

logger = logging.getLogger(__name__)

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=60)
# Nobody knows whether the mail server took the mail: it may have arrived.
IN_DOUBT = "in_doubt"
# Whoever held it was not heard of again.
LEASE_RAN_OUT = "lease_ran_out"

_ENDS = {
    Decision.Outcome.SKIP: Reminder.State.SKIPPED,
    Decision.Outcome.CANCEL: Reminder.State.CANCELLED,
    Decision.Outcome.MISS: Reminder.State.MISSED,
    Decision.Outcome.FAIL: Reminder.State.FAILED,
}


@dataclass(slots=True)
class Tally:
    """How many reminders ended how in one run."""

    sent: int = 0
    waiting: int = 0
    ended: int = 0
    retrying: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All reminders that the run touched."""
        return self.sent + self.waiting + self.ended + self.retrying + self.failed


class Mailed(Protocol):
    """A message and the reminders it carries."""

    @property
    def message(self) -> Message | None:
        """The stored message."""

    @property
    def reminders(self) -> list[Reminder]:
        """What it carries."""


def held(ids: Iterable[uuid.UUID], token: str) -> ReminderQuerySet:
    """The reminders among these that are still claimed under `token`."""
    return Reminder.objects.filter(id__among=ids, claimed_by=token, state=Reminder.State.CLAIMED)


def settle_objections(
    verdicts: Collection[tuple[Reminder, gates.Verdict]], token: str, now: datetime, tally: Tally
) -> None:
    """Write the verdicts of a batch that keep a reminder from going now."""
    if not verdicts:
        return
    by_end: dict[tuple[str, str, datetime | None], list[uuid.UUID]] = defaultdict(list)
    for row, verdict in verdicts:
        by_end[verdict.outcome, verdict.gate, verdict.until].append(row.id)
    with transaction.atomic():
        for (outcome, gate, until), ids in by_end.items():
            rows = held(ids, token)
            if outcome == Decision.Outcome.WAIT:
                tally.waiting += rows.update(
                    state=Reminder.State.PLANNED, due_at=until, lease_until=None
                )
            else:
                end = _ENDS[Decision.Outcome(outcome)]
                tally.ended += rows.update(state=end, reason=gate, lease_until=None, settled_at=now)
        Decision.objects.bulk_create(
            Decision(reminder=row, decided_at=now, outcome=v.outcome, gate=v.gate, value=v.value)
            for row, v in verdicts
        )


@transaction.atomic
def record(
    settled: Sequence[tuple[Mailed, Answer]], token: str, now: datetime, tally: Tally
) -> None:
    """Write what the server answered, for many mails at once."""
    by_outcome: dict[Outcome, list[tuple[Mailed, Answer]]] = defaultdict(list)
    for each, answer in settled:
        by_outcome[answer.outcome].append((each, answer))
    _record_sent(by_outcome.pop(Outcome.SENT, []), now, tally)
    for outcome, answered in by_outcome.items():
        if outcome in {Outcome.PERMANENT, Outcome.NO_SUCH_ADDRESS}:
            _give_up(answered, token, now, tally)
        else:
            _try_again(answered, outcome, token, now, tally)


def _record_sent(answered: Sequence[tuple[Mailed, Answer]], now: datetime, tally: Tally) -> None:
    """Whoever holds the reminders by now: their mail has gone, and nobody need send it again."""
    if not answered:
        return
    rows = [row for each, _ in answered for row in each.reminders]
    under_way = Reminder.State.CLAIMED, Reminder.State.RETRYING
    messages = [each.message.pk for each, _ in answered if each.message]
    Reminder.objects.filter(message__among=messages, state__in=under_way).update(
        state=Reminder.State.SENT, lease_until=None, settled_at=now, reason=""
    )
    _mark(answered, Message.State.SENT, sent_at=now)
    _note_answers(answered, Decision.Outcome.SEND, "all_gates", now)
    tally.sent += len(rows)


def _try_again(
    answered: Sequence[tuple[Mailed, Answer]],
    outcome: Outcome,
    token: str,
    now: datetime,
    tally: Tally,
) -> None:
    is_in_doubt = outcome is Outcome.IN_DOUBT
    waits: dict[timedelta, list[uuid.UUID]] = defaultdict(list)
    for each, _ in answered:
        waits[_wait_of(each)] += [row.id for row in each.reminders]
    for wait, ids in waits.items():
        held(ids, token).update(
            state=Reminder.State.RETRYING,
            lease_until=None,
            # Not beyond its end, where it is noticed as missed.
            due_at=Least(Value(now + wait), F("valid_until")),
            reason=IN_DOUBT if is_in_doubt else "server_busy",
        )
        tally.retrying += len(ids)
    _mark(answered, Message.State.RETRYING)
    gate = IN_DOUBT if is_in_doubt else "mail_server"
    _note_answers(answered, Decision.Outcome.WAIT, gate, now)


def _wait_of(mailed: Mailed) -> timedelta:
    tries = mailed.message.attempts if mailed.message else 1
    # No further doubling after ten: after two days of refusals the product would not be a date any more.
    return min(FIRST_WAIT * 2 ** min(tries - 1, 10), LONGEST_WAIT)


def _give_up(
    answered: Sequence[tuple[Mailed, Answer]], token: str, now: datetime, tally: Tally
) -> None:
    for each, answer in answered:
        nobody = answer.outcome == Outcome.NO_SUCH_ADDRESS
        gate = "no_such_address" if nobody else "refused"
        fail(each.reminders, token, now, gate=gate, value=answer.response)
        tally.failed += len(each.reminders)
        if nobody and each.message:
            Suppression.objects.update_or_create(
                address=each.message.to_address,
                defaults={"reason": gate, "response": answer.response, "lifted_at": None},
            )
    _mark(answered, Message.State.FAILED)


@transaction.atomic
def lay_by(
    mailed: Iterable[Mailed], held_up: pacing.Holdup, token: str, now: datetime, tally: Tally
) -> None:
    """Put back what was not tried: it waits for its channel, and this counts as no attempt."""
    rows, unsent = [], []
    for each in mailed:
        rows += each.reminders
        unsent += [each.message] if each.message else []
    # What need not wait keeps its place, whatever this machine's clock says. What ends first is noticed as missed then.
    due_at = Least(Value(now + held_up.wait), F("valid_until")) if held_up.wait else F("due_at")
    held([row.id for row in rows], token).update(
        state=Reminder.State.RETRYING,
        lease_until=None,
        due_at=due_at,
        reason=held_up.gate,
    )
    _take_back(unsent)
    _note(rows, Decision.Outcome.WAIT, held_up.gate, held_up.value, now)
    tally.waiting += len(rows)


@transaction.atomic
def put_back(mailed: Iterable[Mailed], token: str) -> None:
    """Put back what was not tried because something changed: the gates are asked again, and say what it was."""
    rows, unsent = [], []
    for each in mailed:
        rows += each.reminders
        unsent += [each.message] if each.message else []
    held([row.id for row in rows], token).update(
        state=Reminder.State.RETRYING, lease_until=None, reason="changed_meanwhile"
    )
    _take_back(unsent)


def _take_back(messages: Iterable[Message]) -> None:
    """Undo the hand-over of messages that were not tried: a new one goes, an older one loses this attempt."""
    handed_over = [row for row in messages if row.state == Message.State.SENDING]
    new = [row.pk for row in handed_over if row.attempts == 1]
    again = [row.pk for row in handed_over if row.attempts > 1]
    if new:
        Reminder.objects.filter(message__in=new).update(message=None)
        Message.objects.filter(pk__in=new, state=Message.State.SENDING).delete()
    if again:
        Message.objects.filter(pk__in=again, state=Message.State.SENDING).update(
            state=Message.State.RETRYING, attempts=F("attempts") - 1
        )


@transaction.atomic
def fail(reminders: list[Reminder], token: str, now: datetime, *, gate: str, value: str) -> None:
    """Set reminders aside for good, with the reason."""
    held([row.id for row in reminders], token).update(
        state=Reminder.State.FAILED, lease_until=None, settled_at=now, reason=gate
    )
    _note(reminders, Decision.Outcome.FAIL, gate, value, now)


def _mark(
    answered: Sequence[tuple[Mailed, Answer]],
    state: Message.State,
    *,
    sent_at: datetime | None = None,
) -> None:
    """Note on each message what the server said of it. What was sent once stays sent."""
    update_each(
        Message,
        "last_response",
        {each.message.pk: answer.response for each, answer in answered if each.message},
        also={"state": state, "sent_at": sent_at},
        where={"state": tuple(set(Message.State.values) - {Message.State.SENT.value})},
    )


def _note_answers(
    answered: Iterable[tuple[Mailed, Answer]],
    outcome: Decision.Outcome,
    gate: str,
    now: datetime,
) -> None:
    decisions = [
        (row.id, now, outcome.value, gate, answer.response[:200])
        for each, answer in answered
        for row in each.reminders
    ]
    insert_rows(Decision, ("reminder", "decided_at", "outcome", "gate", "value"), decisions)


def _note(
    reminders: Iterable[Reminder], outcome: Decision.Outcome, gate: str, value: str, now: datetime
) -> None:
    Decision.objects.bulk_create(
        Decision(reminder=row, decided_at=now, outcome=outcome, gate=gate, value=value[:200])
        for row in reminders
    )


# --- What a dead worker left -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    message: Message
    reminders: list[Reminder]


def take_over(*, now: datetime) -> int:
    """Write down what dead workers of this host had noted, and take back at once what else they held.

    What was in doubt, because no answer had come, is sent again under the same Message-ID. Returns
    how many reminders were taken back.
    """
    taken_back = 0
    for legacy in journal.left_behind():
        with transaction.atomic():
            _write_down(legacy, now)
            taken_back += Reminder.objects.filter(
                claimed_by=legacy.token, state=Reminder.State.CLAIMED
            ).update(
                state=Reminder.State.RETRYING, lease_until=None, due_at=now, reason=LEASE_RAN_OUT
            )
    counting.add(counting.LEASE_RECOVERIES, taken_back)
    return taken_back


def _write_down(legacy: journal.Legacy, now: datetime) -> None:
    own = Reminder.objects.filter(
        message__message_id__in=legacy.settled, claimed_by=legacy.token
    ).order_by("id")
    # Somebody may have seen the lease run out before: the answer is known all the same.
    own.filter(state=Reminder.State.RETRYING, reason=LEASE_RAN_OUT).update(
        state=Reminder.State.CLAIMED, lease_until=timezone.now()
    )
    found: dict[uuid.UUID, _Found] = {}
    for row in own.filter(state=Reminder.State.CLAIMED).select_related("message"):
        if row.message is not None:
            found.setdefault(row.message.pk, _Found(row.message, [])).reminders.append(row)
    settled = [(each, legacy.settled[each.message.message_id]) for each in found.values()]
    record(settled, legacy.token, now, Tally())
    logger.warning("took over %d outcomes that a dead worker had noted", len(settled))
