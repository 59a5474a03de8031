"""From due to sent: claim (`claiming`), ask the gates, make the mails, send, record each outcome.

The database is the truth. Every function here may run twice, or at once on many workers: a row is
changed only from the state, and by the holder of the claim, that the change starts from.

While the mail server thinks, the next mails are made: the sender takes them from `Run.feed`, one
step at a time. Leases are counted on the machine's own clock (UTC), not on the demo's, which can jump.
"""

from __future__ import annotations

import gc
import logging
import uuid
from collections import defaultdict, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache, partial

from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from portal.mail import Answer, Mail
from portal.models import SendingSwitch
from portal.smtp import Sender, open_sender
from portal.wire import Delivery
from reminders import boarding, counting, emails, gates, outcomes, pacing
from reminders.aside import Aside
from reminders.claiming import BATCH, claim
from reminders.journal import Journal
from reminders.letters import LEASE, Letter, compose, letters_of, store, write_items
from reminders.loading import load
from reminders.models import Decision, Message, Reminder
from reminders.outcomes import Tally, settle_objections

logger = logging.getLogger(__name__)

# A run begins with fewer reminders than a batch: while they are read nothing is sent, and what one worker
# holds no other helps with.
FIRST_BATCH = 50
# Mails stored at once, and outcomes written down at once. The first are fewer: connections wait for them.
HANDFUL = 100
FIRST_HANDFUL = 8
# A run that begins with more than this asks and stores on connections of their own, once they are open.
MANY = 32
# How long the sender leaves us alone, in seconds, where all we do is wait for the database.
A_MOMENT = 0.002
# The part of a lease within which its mails are begun; the rest is for ending the last of them.
SHARE_TO_BEGIN = 0.4


@dataclass(slots=True)
class Run:
    """One run of one worker: what it claimed, what is with the sender, and what came of it."""

    now: datetime
    most: int
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    tally: Tally = field(default_factory=Tally)
    claimed: int = 0
    batch: int = field(default_factory=lambda: min(FIRST_BATCH, BATCH))
    handful: int = FIRST_HANDFUL
    questions: Aside = field(default_factory=Aside)
    books: Aside = field(default_factory=Aside)
    storing: deque[tuple[Sequence[Letter], Future[None] | None]] = field(default_factory=deque)
    channels: pacing.Channels = field(default_factory=lambda: pacing.Channels({}))
    sheets: set[uuid.UUID] = field(default_factory=set)
    in_hand: set[uuid.UUID] = field(default_factory=set)
    ready: dict[str, Letter] = field(default_factory=dict)
    answered: dict[str, Answer] = field(default_factory=dict)
    held_back: list[Letter] = field(default_factory=list)

    def claim(self) -> list[uuid.UUID]:
        """The next reminders to look at; none once enough were looked at, or nothing may leave."""
        if self.claimed >= self.most or not SendingSwitch.current().is_on or pacing.stopped():
            return []
        ids = claim(token=self.token, now=self.now, batch=self.batch)
        self.batch = min(2 * self.batch, BATCH)
        self.claimed += len(ids)
        return ids

    def feed(self, ids: list[uuid.UUID]) -> Iterator[Mail | float]:
        """The mails of these reminders and of all that can be claimed after them, made a step at a time."""
        while ids:
            begin_until = timezone.now() + LEASE * SHARE_TO_BEGIN
            yield 0
            letters = self._taken_in_hand((yield from self._letters(ids)))
            for letter in letters:
                letter.begin_until = begin_until
            yield from self._mails(letters)
            ids = self.claim()
            yield 0
        yield from self._stored(waits=True)

    def _letters(self, ids: list[uuid.UUID]) -> Generator[float, None, list[Letter]]:
        """What of these reminders no gate objects to, put together by reader. Each step is a short one."""
        reminders = load(ids, self.token)
        yield 0
        around = gates.Surroundings.of(reminders, self.now)
        self.channels = pacing.Channels.read()
        yield 0
        verdicts = [(row, _verdict(row, around, self.channels)) for row in reminders]
        objections = [pair for pair in verdicts if pair[1].outcome != Decision.Outcome.SEND]
        settle_objections(objections, self.token, self.now, self.tally)
        yield 0
        going = [row for row, verdict in verdicts if verdict.outcome == Decision.Outcome.SEND]
        return _under_cap(letters_of(going), around, self.token, self.tally)

    def _taken_in_hand(self, letters: Sequence[Letter]) -> list[Letter]:
        """Those of which no mail is on its way here: what somebody took back by mistake this run may claim again."""
        new = [letter for letter in letters if self.in_hand.isdisjoint(letter.ids)]
        self.in_hand.update(key for letter in new for key in letter.ids)
        return new

    def _mails(self, letters: Sequence[Letter]) -> Iterator[Mail | float]:
        writer = emails.Writer()
        handful: list[Letter] = []
        for letter, slot in self._in_turn(letters):
            if slot.remaining or len(handful) >= self.handful:
                self._store(handful)
                handful = []
                self.handful = min(2 * self.handful, HANDFUL)
            if slot.remaining:
                yield from self._stored(waits=True)
                yield slot.remaining.total_seconds()
            if self._is_written(letter, writer):
                handful.append(letter)
            yield 0
            yield from self._stored()
        self._store(handful)

    def _in_turn(self, letters: Sequence[Letter]) -> Iterator[tuple[Letter, pacing.Slot]]:
        """The letters that may leave in this run, each with its turn. What has to wait longer is laid by."""
        turns = pacing.slots([letter.address for letter in letters])
        for letter, slot in zip(letters, turns, strict=True):
            held_up = self.channels.holdup(letter.address)
            if held_up is None and not slot.goes:
                held_up = pacing.Holdup(pacing.PACED, slot.remaining)
            if held_up is None:
                yield letter, slot
            else:
                outcomes.lay_by([letter], held_up, self.token, self.now, self.tally)
                self.in_hand.difference_update(letter.ids)

    def _is_written(self, letter: Letter, writer: emails.Writer) -> bool:
        parts = self.token, self.now, self.tally
        return write_items(letter, writer, *parts) and compose(letter, writer, *parts)

    def _store(self, handful: Sequence[Letter]) -> None:
        """Have these stored, aside where that pays for itself: the next ones are written meanwhile."""
        if not handful:
            return
        if self.books.is_open:
            self.storing.append(
                (handful, self.books.do(partial(store, handful, self.now, self.sheets)))
            )
        else:
            store(handful, self.now, self.sheets)
            self.storing.append((handful, None))

    def _stored(self, *, waits: bool = False) -> Iterator[Mail | float]:
        """The mails that are stored by now; with `waits` all that were to be."""
        while self.storing:
            handful, future = self.storing[0]
            while waits and future and not future.done():
                yield A_MOMENT
            if future and not future.done():
                return
            if future:
                future.result()
            self.storing.popleft()
            for letter in handful:
                assert letter.message is not None
                self.ready[letter.message.message_id] = letter
                yield emails.outgoing(letter.message, letter.printed)

    def board(self, mails: Sequence[Mail]) -> Collection[str] | Future[Collection[str]]:
        """Hand these mails over, unless something has happened since they were made; which may go."""
        letters = [self.ready[each.message_id] for each in mails]
        asked = [letter for letter in letters if self._holdup(letter) is None]
        if self.questions.is_open:
            return self.questions.do(partial(self._aboard, asked))
        return self._aboard(asked)

    def _aboard(self, asked: Sequence[Letter]) -> Collection[str]:
        # One day for all but the minutes round somebody's midnight.
        by_day: dict[date, dict[uuid.UUID, uuid.UUID]] = defaultdict(dict)
        for letter in asked:
            if letter.message is not None:
                by_day[self._day(letter)] |= dict.fromkeys(letter.ids, letter.message.pk)
        aboard: set[uuid.UUID] = set()
        for day, pairs in by_day.items():
            aboard |= boarding.board(pairs, self.token, self.now, day)
        going = [letter for letter in asked if aboard.issuperset(letter.ids)]
        return {letter.message.message_id for letter in going if letter.message}

    def _day(self, letter: Letter) -> date:
        return gates.day_in(letter.reminders[0].reader_zone, self.now)

    def _holdup(self, letter: Letter) -> pacing.Holdup | None:
        if timezone.now() > letter.begin_until:
            # It might still be on its way when the lease has run out.
            return pacing.Holdup(pacing.PACED, timedelta())
        return self.channels.holdup(letter.address)

    def take(self, delivery: Delivery) -> None:
        """Take in what became of one mail."""
        letter = self.ready.get(delivery.mail.message_id)
        if letter is None:
            return
        if delivery.held_back:
            self.held_back.append(letter)
            return
        self.answered[delivery.mail.message_id] = delivery.answer
        self.channels.learn(delivery.mail.to, delivery.answer)
        _log(letter, delivery)

    @property
    def has_news(self) -> bool:
        """Whether so much was heard that it is worth writing down."""
        return len(self.answered) >= HANDFUL or len(self.held_back) >= HANDFUL

    def write_down(self) -> None:
        """Write down everything that was heard so far, however the run ends."""
        answered, self.answered = self.answered, {}
        settled = [(self.ready[name], answer) for name, answer in answered.items()]
        outcomes.record(settled, self.token, self.now, self.tally)
        held_back, self.held_back = self.held_back, []
        for letter in held_back:
            held_up = self._holdup(letter)
            if held_up is not None:
                outcomes.lay_by([letter], held_up, self.token, self.now, self.tally)
        changed = [letter for letter in held_back if self._holdup(letter) is None]
        if changed:
            outcomes.put_back(changed, self.token)
        for letter in (*(letter for letter, _ in settled), *held_back):
            self.in_hand.difference_update(letter.ids)
            if letter.message is not None:
                self.ready.pop(letter.message.message_id, None)


@dataclass(slots=True)
class Desk:
    """What a run keeps open while there is something to send: connections, and the journal."""

    sender: Sender
    journal: Journal


def open_desk(stack: ExitStack, run: Run) -> Desk:
    """Open what sending needs. A run that ends in an error leaves its journal for others to take over."""
    _set_the_program_aside()
    book = stack.enter_context(Journal())
    book.begin(run.token)

    def after_reply(delivery: Delivery) -> None:
        book.settle(delivery.mail.message_id, delivery.answer)
        # Known from here on, whenever the sender comes round to saying so.
        run.answered[delivery.mail.message_id] = delivery.answer

    sender = open_sender(
        before_dot=lambda mail: book.intend(mail.message_id), after_reply=after_reply
    )
    stack.enter_context(closing(sender))
    for each in (run.questions, run.books):
        stack.enter_context(closing(each))
        if run.claimed > MANY:
            each.open()
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
    outcomes.take_over(now=now)
    run = Run(now, most)
    # Most ticks find nothing, and this one question is all they ask.
    if not Reminder.objects.due(now).values_list("id")[:1]:
        return run.tally
    with ExitStack() as stack:
        desk = None
        # What a run itself made due, or put back, is found when the feed has ended.
        while ids := run.claim():
            desk = desk or open_desk(stack, run)
            _send(run, ids, desk)
    return run.tally


def _send(run: Run, ids: list[uuid.UUID], desk: Desk) -> None:
    try:
        for delivery in desk.sender.send(run.feed(ids), boarding=run.board):
            run.take(delivery)
            if run.has_news:
                run.write_down()
                desk.journal.begin(run.token)
    finally:
        run.write_down()
    desk.journal.begin(run.token)


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
    until = min(around.now + held_up.wait, row.valid_until)
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
    machine_now = timezone.now()
    # A lease that ends so late was taken before the machine's clock was set back. Twice the lease,
    # since the clocks of two machines may differ a little.
    is_over = Q(lease_until__lt=machine_now) | Q(lease_until__gt=machine_now + 2 * LEASE)
    taken_back = Reminder.objects.filter(is_over, state=Reminder.State.CLAIMED).update(
        state=Reminder.State.RETRYING,
        lease_until=None,
        due_at=now,
        reason=outcomes.LEASE_RAN_OUT,
    )
    counting.add(counting.LEASE_RECOVERIES, taken_back)
    _call_forward(now)
    missed = _mark_missed(now)
    Message.objects.never_begun(now - LEASE).delete()
    Message.objects.abandoned().update(state=Message.State.WITHDRAWN)
    return taken_back, missed


def _call_forward(now: datetime) -> None:
    """Try at once what was given its next try by a clock that has been set back since."""
    to_go_at_once = Q(reason=outcomes.LEASE_RAN_OUT, due_at__gt=now)
    beyond_any_wait = Q(due_at__gt=now + outcomes.LONGEST_WAIT + LEASE)
    waiting = Reminder.objects.filter(state=Reminder.State.RETRYING)
    waiting.filter(to_go_at_once | beyond_any_wait).update(due_at=now)


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
