"""From due to sent: claim under a lease, ask the gates, make the mails, send, record each outcome.

The database is the truth. Every function here may run twice, or at once on many workers: a row is
changed only from the state, and by the holder of the claim, that the change starts from.

Leases are counted on the machine's own clock (UTC), not on the demo's, which can jump.
"""

from __future__ import annotations

import gc
import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from portal.mail import Answer, Mail
from portal.models import SendingSwitch
from portal.smtp import Sender, open_sender
from portal.wire import Delivery
from reminders import counting, emails, gates, outcomes, pacing
from reminders.journal import Journal
from reminders.letters import LEASE, Letter, hand_over, letters_of, write_items
from reminders.models import Decision, Message, Reminder
from reminders.outcomes import Tally, settle_objections

logger = logging.getLogger(__name__)

# Reminders claimed at once.
BATCH = 200
# Mails handed over at once: as many as go out in a moment, since no plan can stop them any more.
HANDFUL = 100
# The part of a lease within which a handful's mails are begun; the rest is for ending the last of them.
SHARE_TO_BEGIN = 0.4


@dataclass(slots=True)
class Desk:
    """What a run keeps open while there is something to send: connections, and the journal."""

    sender: Sender
    journal: Journal


def open_desk(stack: ExitStack) -> Desk:
    """Open what sending needs. A run that ends in an error leaves its journal for others to take over."""
    _set_the_program_aside()
    book = stack.enter_context(Journal())
    sender = open_sender(
        before_dot=lambda mail: book.intend(mail.message_id),
        after_reply=lambda delivery: book.settle(delivery.mail.message_id, delivery.answer),
    )
    stack.enter_context(closing(sender))
    return Desk(sender, book)


@cache
def _set_the_program_aside() -> None:
    """Once in a process: let the garbage collector look at what a run makes, not at the program itself.

    Rows and what was fetched with them point at each other. With the whole program to go through, the
    collector comes so seldom that a long run holds tens of MiB of rows that are done with.
    """
    gc.collect()
    gc.freeze()
    # How seldom it comes is measured by what the last full collection found.
    gc.collect()


def dispatch(*, now: datetime, most: int = 5_000) -> Tally:
    """Send what is due at `now` (UTC), in batches, until nothing is left or `most` reminders were looked at."""
    tally, desk = Tally(), None
    outcomes.take_over(now=now)
    with ExitStack() as stack:
        while tally.total < most and SendingSwitch.current().is_on and not pacing.stopped():
            token = uuid.uuid4().hex
            if not claim(token=token, now=now):
                break
            desk = desk or open_desk(stack)
            _deliver(token, now, desk, tally)
    return tally


def claim(*, token: str, now: datetime, batch: int = BATCH) -> int:
    """Take the oldest due reminders, and all others that are due for the same people, under a lease.

    What is due for one person goes in one mail, so it is claimed together. Returns how many were taken.
    """
    with transaction.atomic():
        due = Reminder.objects.due(now)
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        first = list(due.values_list("id", "recipient_id")[:batch])
        if not first:
            return 0
        people = {recipient for _, recipient in first}
        rest = Reminder.objects.due(now).filter(recipient__in=people)
        if connection.features.has_select_for_update_skip_locked:
            rest = rest.select_for_update(skip_locked=True)
        ids = {row for row, _ in first} | set(rest.values_list("id", flat=True)[: 4 * batch])
        return Reminder.objects.filter(id__in=ids, state__in=("planned", "retrying")).update(
            state=Reminder.State.CLAIMED,
            claimed_by=token,
            lease_until=timezone.now() + LEASE,
            attempts=F("attempts") + 1,
        )


def load(token: str) -> list[Reminder]:
    """The reminders held under `token`, with all that gates and mails need, in a constant number of queries."""
    return list(
        Reminder.objects.filter(claimed_by=token, state=Reminder.State.CLAIMED)
        .select_related("recipient", "episode__patient")
        # What many rows share is fetched once, not once for each row.
        .prefetch_related(
            "step__texts", "message", "appointment__location", "episode__patient__clinic",
            "episode__anchor_dates", "episode__imaging_requests__step",
        )
        .order_by("due_at", "id")
    )  # fmt: skip


def _deliver(token: str, now: datetime, desk: Desk, tally: Tally) -> None:
    reminders = load(token)
    around = gates.Surroundings.of(reminders, now)
    channels = pacing.Channels.read()
    verdicts = [(row, _verdict(row, around, channels)) for row in reminders]
    settle_objections([pair for pair in verdicts if pair[1].outcome != "send"], token, now, tally)
    going = [row for row, verdict in verdicts if verdict.outcome == "send"]
    writer = emails.Writer()
    letters = [
        letter
        for letter in _under_cap(letters_of(going), around, token, tally)
        if write_items(letter, writer, token, now, tally)
    ]
    for handful in _in_turn(letters, channels, token, now, tally):
        _send(hand_over(handful, token, now, tally), channels, token, now, desk, tally)


def _verdict(row: Reminder, around: gates.Surroundings, channels: pacing.Channels) -> gates.Verdict:
    """The gates' verdict; what may go waits nevertheless where its channel is held up."""
    try:
        verdict = gates.decide(row, around)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        # Whatever is wrong with this one, the others must not wait for it.
        logger.exception("reminder %s cannot be judged", row.id)
        return gates.Verdict(Decision.Outcome.FAIL, "fault", type(error).__name__)
    held_up = channels.holdup(row.recipient.email)
    if verdict.outcome != Decision.Outcome.SEND or held_up is None:
        return verdict
    until = around.now + held_up.wait
    return gates.Verdict(Decision.Outcome.WAIT, held_up.gate, held_up.value, until)


def _under_cap(
    letters: Iterable[Letter], around: gates.Surroundings, token: str, tally: Tally
) -> list[Letter]:
    """Leave out what is beyond somebody's mails for the day, counting those of this batch."""
    going, beyond = [], []
    for letter in letters:
        verdicts = [(row, gates.under_daily_cap(row, around)) for row in letter.reminders]
        if all(verdict is not None for _, verdict in verdicts):
            beyond += [(row, verdict) for row, verdict in verdicts if verdict is not None]
            continue
        gates.count_mail(letter.reminders[0], around)
        going.append(letter)
    settle_objections(beyond, token, around.now, tally)
    return going


def _in_turn(
    letters: Sequence[Letter], channels: pacing.Channels, token: str, now: datetime, tally: Tally
) -> Iterator[list[Letter]]:
    """The letters by the handful, each when its turn comes. What has to wait longer is laid by."""
    turns = pacing.slots([letter.address for letter in letters])
    handful: list[Letter] = []
    for letter, slot in zip(letters, turns, strict=True):
        held_up = channels.holdup(letter.address)
        if held_up is None and not slot.goes:
            held_up = pacing.Holdup(pacing.PACED, slot.remaining)
        if held_up is not None:
            outcomes.lay_by([letter], held_up, token, now, tally)
            continue
        if handful and (slot.remaining or len(handful) == HANDFUL):
            yield handful
            handful = []
        pacing.wait_for(slot)
        handful.append(letter)
    if handful:
        yield handful


def _send(
    letters: Iterable[Letter],
    channels: pacing.Channels,
    token: str,
    now: datetime,
    desk: Desk,
    tally: Tally,
) -> None:
    """Send a handful and write down what became of it, however the sending ends."""
    by_id = {letter.message.message_id: letter for letter in letters if letter.message}
    if not by_id:
        return
    desk.journal.begin(token)
    settled: list[tuple[Letter, Answer]] = []
    waiting: list[Letter] = []
    mails = [emails.outgoing(letter.message) for letter in by_id.values() if letter.message]

    # Nothing is begun that might still be on its way when the lease has run out.
    begin_until = timezone.now() + LEASE * SHARE_TO_BEGIN

    def holds_back(mail: Mail) -> bool:
        return channels.holdup(mail.to) is not None or timezone.now() > begin_until

    try:
        for delivery in desk.sender.send(mails, holds_back=holds_back):
            letter = by_id[delivery.mail.message_id]
            if delivery.held_back:
                waiting.append(letter)
                continue
            settled.append((letter, delivery.answer))
            channels.learn(delivery.mail.to, delivery.answer)
            _log(letter, delivery)
    finally:
        outcomes.record(settled, token, now, tally)
    for letter in waiting:
        held_up = channels.holdup(letter.address) or pacing.Holdup(pacing.PACED, timedelta())
        outcomes.lay_by([letter], held_up, token, now, tally)


def _log(letter: Letter, delivery: Delivery) -> None:
    if not logger.isEnabledFor(logging.INFO) or letter.message is None:
        return
    logger.info(
        "message %s: %s",
        letter.message.id,
        delivery.answer.outcome,
        extra={
            "message_row": str(letter.message.id),
            "reminders": [str(row.id) for row in letter.reminders],
            "outcome": delivery.answer.outcome,
        },
    )


def recover(*, now: datetime) -> tuple[int, int]:
    """Take back what a dead worker held, and mark as missed what is no longer valid at `now` (UTC).

    Returns how many reminders were taken back and how many were missed. A message that was being
    sent keeps its Message-ID: should the server have accepted it already, the mailbox sees the same mail.
    """
    taken_back = Reminder.objects.filter(
        state=Reminder.State.CLAIMED, lease_until__lt=timezone.now()
    ).update(state=Reminder.State.RETRYING, lease_until=None, due_at=now, reason="lease_ran_out")
    counting.add(counting.LEASE_RECOVERIES, taken_back)
    missed = _mark_missed(now)
    Message.objects.abandoned().update(state=Message.State.WITHDRAWN)
    return taken_back, missed


@transaction.atomic
def _mark_missed(now: datetime, most: int = 5_000) -> int:
    stale = Reminder.objects.due(now).filter(valid_until__lte=now)
    if connection.features.has_select_for_update_skip_locked:
        # What somebody else has in hand is theirs to settle, or the next run's.
        stale = stale.select_for_update(skip_locked=True)
    ids = list(stale.values_list("id", flat=True)[:most])
    Reminder.objects.filter(id__in=ids).update(
        state=Reminder.State.MISSED, reason="too_old", settled_at=now
    )
    Decision.objects.bulk_create(
        Decision(reminder_id=pk, decided_at=now, outcome=Decision.Outcome.MISS, gate="too_old")
        for pk in ids
    )
    return len(ids)
