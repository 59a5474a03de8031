"""A reader corrects how to reach them: the phone number at once, the email address once both ends said yes.

Each action is atomic and audited; `now` is UTC. Mails leave after the transaction.
"""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from patients.actions.feeds import hash_of
from patients.actions.finding import keep_account_findable
from patients.actions.notes import Action
from patients.actions.people import update_patient
from patients.models import EmailChange, Patient
from portal import audit, mail
from portal.models import User
from portal.once import spend

GOOD_FOR = timedelta(days=2)
# Wishes of one person in a day: each of them writes to an address that may be a stranger's.
MOST_A_DAY = 3
logger = logging.getLogger(__name__)


@transaction.atomic
def correct_phone(*, patient: Patient, phone: str, by: User, now: datetime) -> None:
    """Keep another phone number of a patient. Keeping the same one changes nothing."""
    update_patient(patient=patient, by=by, now=now, phone=phone.strip())


@transaction.atomic
def ask_email_change(
    *, user: User, new_email: str, now: datetime, ticket: str = ""
) -> EmailChange | None:
    """Ask both addresses whether the login moves from one to the other. An earlier wish is void.

    The same form sent twice asks once, so that the links of the first mails still work; None then. Nobody learns
    whether the new address has an account. Raises ValidationError for the address in use, and for more than
    `MOST_A_DAY` wishes.
    """
    if ticket and not spend(ticket):
        return None
    new_email = new_email.strip().lower()
    if new_email == user.email.lower():
        raise ValidationError({"new_email": _("This is your address already.")})
    User.objects.select_for_update().get(pk=user.pk)
    rows = EmailChange.objects.filter(user=user)
    if rows.filter(created_at__gt=now - timedelta(days=1)).count() >= MOST_A_DAY:
        raise ValidationError(
            {"new_email": _("You asked several times today. Try again tomorrow.")}
        )
    rows.filter(done_at=None, stopped_at=None).update(stopped_at=now)
    tokens = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    change = EmailChange.objects.create(
        user=user, old_email=user.email, new_email=new_email, old_token_hash=hash_of(tokens[0]),
        new_token_hash=hash_of(tokens[1]), expires_at=now + GOOD_FOR, created_at=now,
    )  # fmt: skip
    _record(Action.CREATE, "email_change.ask", change)
    transaction.on_commit(lambda: _write_to_both(change, *tokens))
    return change


def _record(action: str, verb: str, change: EmailChange) -> None:
    patient = Patient.objects.filter(user=change.user).select_related("clinic").first()
    audit.record(
        action, verb, by=change.user, obj=change, clinic=patient.clinic if patient else None,
        patient_id=patient.pk if patient else None,
        after={"old": change.old_email, "new": change.new_email},
    )  # fmt: skip


def _write_to_both(change: EmailChange, old_token: str, new_token: str) -> None:
    user = change.user
    with translation.override(user.language):
        for to, token, template in (
            (change.old_email, old_token, "email_change_old"),
            (change.new_email, new_token, "email_change_new"),
        ):
            link = settings.BASE_URL + reverse("patients:email_change", args=[token])
            text = render_to_string(
                f"patients/email/{template}.txt", {"link": link, "new": change.new_email}
            )
            answer = mail.send(mail.Mail(to=to, subject=_("Confirm your email address"), text=text))
            if answer.outcome != mail.Outcome.SENT:
                logger.error(
                    "change of address %s: a mail was not sent: %s", change.pk, answer.outcome
                )


def open_email_change(token: str, now: datetime) -> EmailChange | None:
    """The wish that a link belongs to, if it still waits."""
    digest = hash_of(token)
    rows = EmailChange.objects.select_related("user").filter(
        Q(old_token_hash=digest) | Q(new_token_hash=digest),
        done_at=None, stopped_at=None, expires_at__gt=now, user__is_active=True,
    )  # fmt: skip
    return rows.first()


@transaction.atomic
def confirm_email_change(*, token: str, now: datetime) -> EmailChange | None:
    """Say yes at one end; with the second yes the address changes. None for a link that does not work any more.

    Where the new address became somebody else's login meanwhile, the wish is void: `stopped_at` is set.
    """
    found = open_email_change(token, now)
    if found is None:
        return None
    change = (
        EmailChange.objects.select_for_update(of=("self",)).select_related("user").get(pk=found.pk)
    )
    is_old = change.old_token_hash == hash_of(token)
    name = "confirmed_old_at" if is_old else "confirmed_new_at"
    setattr(change, name, getattr(change, name) or now)
    if change.confirmed_old_at and change.confirmed_new_at:
        _take_over(change, now)
    change.save()
    return change


def _take_over(change: EmailChange, now: datetime) -> None:
    user = change.user
    if (
        user.email != change.old_email
        or User.objects.filter(email__iexact=change.new_email).exists()
    ):
        change.stopped_at = now
        return
    user.email = change.new_email
    user.save(update_fields=["email"])
    keep_account_findable(user)
    change.done_at = now
    _record(Action.UPDATE, "email_change.done", change)


@transaction.atomic
def stop_email_change(*, token: str, now: datetime) -> bool:
    """Say no at either end. False for a link that does not work any more."""
    change = open_email_change(token, now)
    if change is None:
        return False
    EmailChange.objects.filter(pk=change.pk, done_at=None).update(stopped_at=now)
    _record(Action.UPDATE, "email_change.stop", change)
    return True
