"""What follows when a mail comes back, is delayed, or is complained about.

A report counts only for a mail that we sent to the address it names; our Message-IDs cannot be
guessed. The same report counts once, and reports may come in any order, also before the mail server's
own answer is recorded. A bounced reminder stays "sent", which it was; its message says that it bounced.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce, Least

from portal import clock
from portal.actions import return_invitation
from portal.mail import says_no_such_address
from reminders import actions
from reminders.models import Decision, DeliveryReport, Message, Suppression
from reminders.notifications import Kind, Report

logger = logging.getLogger(__name__)

# What providers call it. What they would not even send did not arrive either.
_PROVIDERS_KINDS = {
    "bounced": Kind.BOUNCED,
    "rejected": Kind.BOUNCED,
    "failed": Kind.BOUNCED,
    "complained": Kind.COMPLAINED,
    # By the provider's own link: not wanted, whichever way it was said.
    "unsubscribed": Kind.COMPLAINED,
    "deferred": Kind.DELAYED,
}
# What stands for a code where they quote none.
_PROVIDERS_CODES = {"bounced": "5.1.1", "invalid": "5.1.3"}
_CODE = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?!\.?\d)")
# "Other", and "the way there": whether the address is no good the provider knows better.
_SAYS_LITTLE = ("5.0.", "5.4.")


def take(report: Report, *, now: datetime) -> bool:
    """Act on one report, at `now` (UTC). Returns whether it was news; a forged or foreign one is ignored."""
    message = _message_of(report)
    if message is None:
        return _take_of_invitation(report, now)
    with transaction.atomic():
        _row, is_new = DeliveryReport.objects.get_or_create(
            digest=report.digest,
            defaults={
                "message": message, "kind": report.kind, "status": report.status,
                "detail": report.detail[:500], "source": report.source, "created_at": now,
            },
        )  # fmt: skip
        if is_new:
            _follow_up(report, message, now)
    if is_new:
        logger.info("message %s: %s %s", message.id, report.kind, report.status)
    return is_new


def _message_of(report: Report) -> Message | None:
    rows = Message.objects.filter(message_id=report.message_id).select_related("recipient")
    return next((row for row in rows if row.to_address.lower() in report.addresses), None)


def _take_of_invitation(report: Report, now: datetime) -> bool:
    """Act on a report about no reminder's mail. Who did not get an invitation is a task for staff."""
    news = None
    if report.kind == Kind.BOUNCED:
        news = return_invitation(message_id=report.message_id, addresses=report.addresses, now=now)
    if news is None:
        logger.warning(
            "a delivery report was ignored: it is about no mail of ours",
            extra={"report": report.digest[:12], "source": report.source},
        )
    return bool(news)


def _follow_up(report: Report, message: Message, now: datetime) -> None:
    if report.kind == Kind.BOUNCED:
        Message.objects.filter(pk=message.pk).update(
            bounced_at=Least(Coalesce(F("bounced_at"), Value(now)), Value(now))
        )
        _note(message, Decision.Outcome.FAIL, "bounced", report, now)
        if says_no_such_address(report.status):
            suppress(message, reason="no_such_address", response=_said(report), now=now)
    elif report.kind == Kind.DELAYED:
        _note(message, Decision.Outcome.WAIT, "delayed", report, now)
    else:
        _note(message, Decision.Outcome.SKIP, "complained", report, now)
        actions.choose(
            user=message.recipient, category=message.category, is_on=False, by=None, now=now
        )


def suppress(message: Message, *, reason: str, response: str, now: datetime) -> None:
    """Send no more to a message's address, unless staff lifted that after the message had gone."""
    row, is_new = Suppression.objects.get_or_create(
        address=message.to_address,
        defaults={"reason": reason, "response": response[:500], "created_at": now},
    )
    gone_at = message.sent_at or message.created_at
    if not is_new and row.lifted_at is not None and row.lifted_at < gone_at:
        Suppression.objects.filter(pk=row.pk).update(
            reason=reason, response=response[:500], lifted_at=None
        )


def _note(
    message: Message, outcome: Decision.Outcome, gate: str, report: Report, now: datetime
) -> None:
    Decision.objects.bulk_create(
        Decision(
            reminder=row, decided_at=now, outcome=outcome, gate=gate, value=_said(report)[:200]
        )
        for row in message.reminders.all()
    )


def _said(report: Report) -> str:
    return f"{report.status} {report.detail}".strip()


def on_tracking(sender: Any, event: Any, esp_name: str, **_kwargs: Any) -> None:
    """Take an event of a mail provider's webhook, which django-anymail has checked and put into one form."""
    report = report_of(event, esp_name)
    if report is not None:
        take(report, now=clock.now())


def report_of(event: Any, esp_name: str) -> Report | None:
    """A provider's event as a report; None for one that says nothing new, such as "delivered".

    The provider may have its own id for the mail; ours comes back in the metadata.
    """
    kind = _PROVIDERS_KINDS.get(event.event_type)
    if kind is None or not event.recipient:
        return None
    message_id = str((event.metadata or {}).get("message_id") or event.message_id or "")
    bare = message_id.strip().strip("<>")
    return Report(
        message_id=f"<{bare}>",
        addresses=frozenset({event.recipient.lower()}),
        kind=kind,
        status=_code_of(event) if kind == Kind.BOUNCED else "",
        detail=str(event.mta_response or event.description or "")[:500],
        source=esp_name[:20],
    )


def _code_of(event: Any) -> str:
    """The mail server's code, where the provider quotes one that says why: a full mailbox closes no address."""
    quoted = _CODE.search(f"{event.mta_response or ''} {event.description or ''}")
    if quoted and not quoted[0].startswith(_SAYS_LITTLE):
        return quoted[0]
    return _PROVIDERS_CODES.get(event.reject_reason or "", "")
