"""How fast mail may leave, and where to: pauses that mail servers ask for, and limits that the clinic sets.

One row of `SendingChannel` stands for all mail, one for each recipient domain that there is
something to say about. Everything here is on the machine's own clock (UTC), as leases are. With no
limit set and no pause in force, a batch costs one query.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from portal.mail import Answer, Outcome
from reminders.models import SendingChannel

logger = logging.getLogger(__name__)

ALL_MAIL = ""
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=60)
# A worker waits this long for a mail's turn; what has to wait longer is laid by for another run.
PATIENCE = timedelta(seconds=20)

CHANNEL_STOPPED = "channel_stopped"
DOMAIN_SLOWED = "domain_slowed"
PACED = "paced"


class Holdup(NamedTuple):
    """Why a mail has to wait, and for how long from now."""

    gate: str
    wait: timedelta
    value: str = ""


class Slot(NamedTuple):
    """When one mail of a batch may leave (UTC; None is at once). With `goes` false not in this run, but then."""

    at: datetime | None = None
    goes: bool = True

    @property
    def remaining(self) -> timedelta:
        """How long that is from now on."""
        return max(self.at - timezone.now(), timedelta()) if self.at else timedelta()


def domain_of(address: str) -> str:
    """The part of an address that says which servers take its mail, in lower case."""
    return address.rpartition("@")[2].lower()


@dataclass(slots=True)
class Channels:
    """What a batch knows of the channels: read once, and kept up to date with each answer."""

    paused: dict[str, SendingChannel]

    @classmethod
    def read(cls) -> Channels:
        """The channels that are paused, or were when mail was last tried there. One query."""
        rows = SendingChannel.objects.filter(pauses__gt=0)
        return cls({row.domain: row for row in rows})

    @property
    def is_stopped(self) -> bool:
        """Whether no mail may leave at all."""
        return self._remaining(ALL_MAIL) is not None

    def holdup(self, address: str) -> Holdup | None:
        """What keeps mail to an address back just now, if anything does."""
        remaining = self._remaining(ALL_MAIL)
        if remaining is not None:
            return Holdup(CHANNEL_STOPPED, remaining, self.paused[ALL_MAIL].reason)
        domain = domain_of(address)
        remaining = self._remaining(domain)
        return None if remaining is None else Holdup(DOMAIN_SLOWED, remaining, domain)

    def learn(self, address: str, answer: Answer) -> None:
        """Take in what the server answered: pause what it asks to pause, and let go on what goes again."""
        match answer.outcome:
            case Outcome.CHANNEL_REFUSED:
                self.paused[ALL_MAIL] = pause(ALL_MAIL, answer, reason="login_or_tls_refused")
                logger.error("all mail is stopped: the mail server refuses the login or TLS")
            case Outcome.SLOW_DOWN:
                domain = domain_of(address)
                self.paused[domain] = pause(domain, answer, reason="asked_to_slow_down")
            case Outcome.SENT:
                self._went_through(domain_of(address))

    def _remaining(self, domain: str) -> timedelta | None:
        row = self.paused.get(domain)
        if row is None or row.paused_until is None:
            return None
        remaining = row.paused_until - timezone.now()
        return remaining if remaining > timedelta() else None

    def _went_through(self, domain: str) -> None:
        known = {ALL_MAIL, domain} & self.paused.keys()
        if known:
            resume(*known)
            for name in known:
                del self.paused[name]


@transaction.atomic
def pause(domain: str, answer: Answer, *, reason: str) -> SendingChannel:
    """Let no mail leave there for a while: a minute at first, twice as long each time, an hour at most.

    An answer that comes while a pause is in force, from a mail that was on its way, does not make it longer.
    """
    now = timezone.now()
    SendingChannel.objects.get_or_create(domain=domain, defaults={"changed_at": now})
    row = SendingChannel.objects.select_for_update().get(domain=domain)
    if row.paused_until is None or row.paused_until <= now:
        row.paused_until = now + min(FIRST_PAUSE * 2 ** min(row.pauses, 10), LONGEST_PAUSE)
        row.pauses += 1
        row.reason, row.response, row.changed_at = reason, answer.response[:500], now
        row.save()
    return row


def resume(*domains: str) -> int:
    """Let mail leave there again at once; returns how many pauses that ended. `ALL_MAIL` is the channel itself."""
    return SendingChannel.objects.filter(domain__in=domains, pauses__gt=0).update(
        paused_until=None, pauses=0, reason="", response="", changed_at=timezone.now()
    )


def stopped() -> SendingChannel | None:
    """The row that says why no mail leaves, if the mail server refuses us; for the dashboard. One query."""
    return SendingChannel.objects.filter(domain=ALL_MAIL, paused_until__gt=timezone.now()).first()


def wait_for(slot: Slot) -> None:
    """Wait until a mail's turn has come."""
    if slot.at is not None:
        time.sleep(slot.remaining.total_seconds())


def slots(addresses: Sequence[str]) -> list[Slot]:
    """When each mail of a batch may leave, so that all workers together keep to the clinic's limits.

    The limits are MAIL_PER_SECOND in total and MAIL_PER_SECOND_PER_DOMAIN; 0 is no limit. Each
    limit in force costs a row's lock for each channel of the batch; without limits nothing is read.
    """
    domains = [domain_of(address) for address in addresses]
    own = _slots_of_each(domains, settings.MAIL_PER_SECOND_PER_DOMAIN)
    going = [number for number, slot in enumerate(own) if slot.goes]
    total = _take(ALL_MAIL, len(going), settings.MAIL_PER_SECOND)
    for number, slot in zip(going, total, strict=True):
        own[number] = _later(own[number], slot)
    return own


def _later(own: Slot, total: Slot) -> Slot:
    """The turn that both limits allow."""
    moments = [slot.at for slot in (own, total) if slot.at is not None]
    return Slot(max(moments, default=None), total.goes)


def _slots_of_each(domains: Sequence[str], per_second: float) -> list[Slot]:
    queues = {domain: iter(_take(domain, n, per_second)) for domain, n in Counter(domains).items()}
    return [next(queues[domain]) for domain in domains]


def _take(domain: str, number: int, per_second: float) -> list[Slot]:
    """Take so many turns of one channel (a leaky bucket, kept as the moment of the next free turn)."""
    if per_second <= 0 or not number:
        return [Slot()] * number
    step = timedelta(seconds=1 / per_second)
    with transaction.atomic():
        now = timezone.now()
        SendingChannel.objects.get_or_create(domain=domain, defaults={"changed_at": now})
        row = SendingChannel.objects.select_for_update().get(domain=domain)
        first = max(row.next_at or now, now)
        taken = max(0, min(number, (now + PATIENCE - first) // step + 1))
        later = first + taken * step
        SendingChannel.objects.filter(domain=domain).update(next_at=later)
    going = [Slot(first + turn * step) for turn in range(taken)]
    return going + [Slot(later, goes=False)] * (number - taken)
