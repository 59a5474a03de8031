"""From due to sent: claim under a lease, ask the gates, make the mails, send, record each outcome.

The database is the truth. Every function here may run twice, or at once on many workers: a row is
changed only from the state, and by the holder of the claim, that the change starts from.

Leases are counted on the machine's own clock (UTC), not on the demo's, which can jump.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import OperationalError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Least
from django.utils import timezone

from portal import mail
from portal.mail import Answer, Outcome
from portal.models import SendingSwitch
from reminders import counting, emails, gates, pacing
from reminders.models import Decision, Message, Reminder, Suppression
from reminders.querysets import ReminderQuerySet

logger = logging.getLogger(__name__)

BATCH = 50
LEASE = timedelta(seconds=settings.LEASE_SECONDS)
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=60)

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


@dataclass(slots=True)
class Letter:
    """The reminders of one slot for one person, on their way into one message."""

    reminders: list[Reminder]
    message: Message | None = None
    items: list[emails.Item] = field(default_factory=list)


def dispatch(*, now: datetime, most: int = 5_000) -> Tally:
    """Send what is due at `now` (UTC), in batches, until nothing is left or `most` reminders were looked at."""
    tally = Tally()
    backend = get_connection(fail_silently=False)
    try:
        while tally.total < most and SendingSwitch.current().is_on and not pacing.stopped():
            token = uuid.uuid4().hex
            if not claim(token=token, now=now):
                break
            _deliver(token, now, backend, tally)
    finally:
        backend.close()
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
        .select_related(
            "step", "recipient", "message", "appointment__location",
            "episode__patient__clinic", "episode__patient__user", "episode__procedure",
            "episode__version",
        )
        .prefetch_related(
            "step__texts", "episode__anchor_dates", "episode__imaging_requests__step"
        )
        .order_by("due_at", "id")
    )  # fmt: skip


def _deliver(token: str, now: datetime, backend: BaseEmailBackend, tally: Tally) -> None:
    reminders = load(token)
    around = gates.Surroundings.of(reminders, now)
    channels = pacing.Channels.read()
    verdicts = [(row, _verdict(row, around, channels)) for row in reminders]
    _settle_objections([pair for pair in verdicts if pair[1].outcome != "send"], token, now, tally)
    going = [row for row, verdict in verdicts if verdict.outcome == "send"]
    writer = emails.Writer()
    letters = [
        letter
        for letter in _under_cap(_letters(going), around, token, tally)
        if _write_items(letter, writer, token, now, tally)
    ]
    turns = pacing.slots([row.reminders[0].recipient.email for row in letters])
    for letter, slot in zip(letters, turns, strict=True):
        _send_in_turn(letter, slot, channels, token, now, backend, tally)


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


def _settle_objections(
    verdicts: Collection[tuple[Reminder, gates.Verdict]], token: str, now: datetime, tally: Tally
) -> None:
    """Write the verdicts of a batch that keep a reminder from going now."""
    by_end: dict[tuple[str, str, datetime | None], list[uuid.UUID]] = defaultdict(list)
    for row, verdict in verdicts:
        by_end[verdict.outcome, verdict.gate, verdict.until].append(row.id)
    with transaction.atomic():
        for (outcome, gate, until), ids in by_end.items():
            held = _held(ids, token)
            if outcome == Decision.Outcome.WAIT:
                tally.waiting += held.update(
                    state=Reminder.State.PLANNED, due_at=until, lease_until=None
                )
            else:
                end = _ENDS[Decision.Outcome(outcome)]
                tally.ended += held.update(state=end, reason=gate, lease_until=None, settled_at=now)
        Decision.objects.bulk_create(
            Decision(reminder=row, decided_at=now, outcome=v.outcome, gate=v.gate, value=v.value)
            for row, v in verdicts
        )


def _held(ids: Iterable[uuid.UUID], token: str) -> ReminderQuerySet:
    return Reminder.objects.filter(id__in=ids, claimed_by=token, state=Reminder.State.CLAIMED)


def _letters(reminders: Iterable[Reminder]) -> list[Letter]:
    """Put together what goes in one mail: by person and clinic. What was tried before keeps its message."""
    slots: dict[tuple[uuid.UUID, uuid.UUID, uuid.UUID | None], Letter] = {}
    for row in reminders:
        slot = (row.recipient_id, row.episode.patient.clinic_id, row.message_id)
        slots.setdefault(slot, Letter([], row.message)).reminders.append(row)
    return list(slots.values())


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
    _settle_objections(beyond, token, around.now, tally)
    return going


def _write_items(
    letter: Letter, writer: emails.Writer, token: str, now: datetime, tally: Tally
) -> bool:
    """Put each reminder into words. One that cannot be is set aside and holds up no other."""
    going = []
    for row in letter.reminders:
        try:
            letter.items.append(writer.item(row))
            going.append(row)
        except emails.Unwritable as error:
            _fail([row], token, now, gate="text_incomplete", value=str(error))
            tally.failed += 1
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            # Whatever is wrong with this one, the others must not wait for it.
            logger.exception("reminder %s cannot be written", row.id)
            _fail([row], token, now, gate="fault", value=type(error).__name__)
            tally.failed += 1
    letter.reminders = going
    return bool(going)


@transaction.atomic
def _hand_over(letter: Letter, token: str, now: datetime) -> bool:
    """Store the message, with its Message-ID, just before it is sent; say whether it may be.

    From here on planning leaves its reminders alone. Where a plan took one of them back, or a
    record was closed, since they were claimed, nothing is sent: what is left waits for another turn.
    """
    if not _is_still_ours(letter, token):
        held = _held([row.id for row in letter.reminders], token)
        held.update(state=Reminder.State.RETRYING, lease_until=None, reason="changed_meanwhile")
        return False
    fields = emails.compose(letter.reminders, letter.items)
    message = letter.message or _new_message(now)
    for name, value in fields.items():
        setattr(message, name, value)
    message.state = Message.State.SENDING
    message.attempts += 1
    message.save()
    _held([row.id for row in letter.reminders], token).update(
        message=message, lease_until=timezone.now() + LEASE
    )
    letter.message = message
    return True


def _is_still_ours(letter: Letter, token: str) -> bool:
    """Whether every reminder is still held here, and nothing that ends all mail about it was recorded since."""
    ids = [row.id for row in letter.reminders]
    # In order, as the reconciler locks them; and without barring notes of decisions about them.
    locked = _held(ids, token).order_by("id").select_for_update(no_key=True, of=("self",))
    return len(locked.sendable().values_list("id")) == len(ids)


def _new_message(now: datetime) -> Message:
    key = uuid.uuid4()
    return Message(id=key, message_id=f"<{key}@{mail.message_id_domain()}>", created_at=now)


def _send_in_turn(
    letter: Letter,
    slot: pacing.Slot,
    channels: pacing.Channels,
    token: str,
    now: datetime,
    backend: BaseEmailBackend,
    tally: Tally,
) -> None:
    """Send one message when its turn comes; lay it by where the turn is far off or the channel is held up."""
    held_up = channels.holdup(letter.reminders[0].recipient.email)
    if held_up is None and not slot.goes:
        held_up = pacing.Holdup(pacing.PACED, slot.remaining)
    if held_up is not None:
        _lay_by(letter, held_up, token, now)
        tally.waiting += len(letter.reminders)
        return
    pacing.wait_for(slot)
    if _is_handed_over(letter, token, now, tally):
        _send(letter, channels, token, now, backend, tally)


def _is_handed_over(letter: Letter, token: str, now: datetime, tally: Tally) -> bool:
    try:
        return _hand_over(letter, token, now)
    except (SoftTimeLimitExceeded, OperationalError):
        raise
    except Exception as error:
        # Whatever is wrong with this one, the others must not wait for it.
        logger.exception("the mail of reminder %s cannot be made", letter.reminders[0].id)
        _fail(letter.reminders, token, now, gate="fault", value=type(error).__name__)
        tally.failed += len(letter.reminders)
        return False


def _send(
    letter: Letter,
    channels: pacing.Channels,
    token: str,
    now: datetime,
    backend: BaseEmailBackend,
    tally: Tally,
) -> None:
    message = letter.message
    if message is None:
        raise ValueError("A message is stored before it is sent.")
    answer = mail.send(emails.outgoing(message), connection=backend)
    match answer.outcome:
        case Outcome.SENT:
            _record_sent(letter, message, token, now, answer)
            tally.sent += len(letter.reminders)
        case Outcome.TEMPORARY | Outcome.SLOW_DOWN | Outcome.CHANNEL_REFUSED:
            _try_again(letter, message, token, now, answer)
            tally.retrying += len(letter.reminders)
        case Outcome.PERMANENT | Outcome.NO_SUCH_ADDRESS:
            _give_up(letter, message, token, now, answer)
            tally.failed += len(letter.reminders)
    channels.learn(message.to_address, answer)
    logger.info(
        "message %s: %s",
        message.id,
        answer.outcome,
        extra={
            "message_row": str(message.id),
            "reminders": [str(row.id) for row in letter.reminders],
            "outcome": answer.outcome,
        },
    )


@transaction.atomic
def _lay_by(letter: Letter, held_up: pacing.Holdup, token: str, now: datetime) -> None:
    """Put back what was not tried: it waits for its channel."""
    _held([row.id for row in letter.reminders], token).update(
        state=Reminder.State.RETRYING,
        lease_until=None,
        due_at=now + held_up.wait,
        reason=held_up.gate,
    )
    _note(letter.reminders, Decision.Outcome.WAIT, held_up.gate, held_up.value, now)


@transaction.atomic
def _record_sent(
    letter: Letter, message: Message, token: str, now: datetime, answer: Answer
) -> None:
    _held([row.id for row in letter.reminders], token).update(
        state=Reminder.State.SENT, lease_until=None, settled_at=now, reason=""
    )
    _mark(message, Message.State.SENT, answer, sent_at=now)
    _note(letter.reminders, Decision.Outcome.SEND, "all_gates", answer.response, now)


@transaction.atomic
def _try_again(letter: Letter, message: Message, token: str, now: datetime, answer: Answer) -> None:
    # No further doubling after ten: after two days of refusals the product would not be a date any more.
    wait = min(FIRST_WAIT * 2 ** min(message.attempts - 1, 10), LONGEST_WAIT)
    _held([row.id for row in letter.reminders], token).update(
        state=Reminder.State.RETRYING,
        lease_until=None,
        # Not beyond its end, where it is noticed as missed.
        due_at=Least(Value(now + wait), F("valid_until")),
        reason="server_busy",
    )
    _mark(message, Message.State.RETRYING, answer)
    _note(letter.reminders, Decision.Outcome.WAIT, "mail_server", answer.response, now)


@transaction.atomic
def _give_up(letter: Letter, message: Message, token: str, now: datetime, answer: Answer) -> None:
    gate = "no_such_address" if answer.outcome == Outcome.NO_SUCH_ADDRESS else "refused"
    _fail(letter.reminders, token, now, gate=gate, value=answer.response)
    _mark(message, Message.State.FAILED, answer)
    if answer.outcome == Outcome.NO_SUCH_ADDRESS:
        Suppression.objects.update_or_create(
            address=message.to_address,
            defaults={"reason": gate, "response": answer.response, "lifted_at": None},
        )


@transaction.atomic
def _fail(reminders: list[Reminder], token: str, now: datetime, *, gate: str, value: str) -> None:
    _held([row.id for row in reminders], token).update(
        state=Reminder.State.FAILED, lease_until=None, settled_at=now, reason=gate
    )
    _note(reminders, Decision.Outcome.FAIL, gate, value, now)


def _mark(
    message: Message, state: Message.State, answer: Answer, *, sent_at: datetime | None = None
) -> None:
    Message.objects.filter(pk=message.pk).exclude(state=Message.State.SENT).update(
        state=state, last_response=answer.response, sent_at=sent_at
    )


def _note(
    reminders: Iterable[Reminder], outcome: Decision.Outcome, gate: str, value: str, now: datetime
) -> None:
    Decision.objects.bulk_create(
        Decision(reminder=row, decided_at=now, outcome=outcome, gate=gate, value=value[:200])
        for row in reminders
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
