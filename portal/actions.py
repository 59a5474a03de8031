"""What changes the portal's own records: invitations, roles and the sending switch. `now` is UTC."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Collection
from datetime import date, datetime, time, timedelta

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from portal import audit, clock, mail
from portal.models import (
    AuditEvent,
    Clinic,
    Invitation,
    InvitationRequest,
    Location,
    PractitionerRole,
    SendingSwitch,
    User,
)

INVITATION_IS_GOOD_FOR = timedelta(days=14)
# Who knows on which day the person, or the child they care for, was born. Records belong to apps that
# this one must not import; they add themselves when they are ready.
BIRTH_DATES: list[Callable[[User], Collection[date]]] = []
Action = AuditEvent.Action
logger = logging.getLogger(__name__)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def invite(
    *, user: User, clinic: Clinic, by: User | None, now: datetime, proofs_failed: int = 0
) -> Invitation:
    """Send somebody a link to set up their login. Earlier links stop working.

    The mail leaves after the transaction, so that a link that was not stored is never sent.
    """
    Invitation.objects.filter(user=user, accepted_at__isnull=True).update(withdrawn_at=now)
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        user=user, clinic=clinic, invited_by=by, token_hash=_hash(token),
        expires_at=now + INVITATION_IS_GOOD_FOR, created_at=now, proofs_failed=proofs_failed,
    )  # fmt: skip
    audit.record(Action.CREATE, "invitation.send", by=by, obj=invitation, clinic=clinic)
    transaction.on_commit(lambda: _send_invitation(invitation, token))
    return invitation


def ask_invitation(*, email: str, now: datetime) -> None:
    """Keep the wish for a new link. It is answered by a task, so that asking takes equally long for every address."""
    InvitationRequest.objects.create(email=email, created_at=now)


def answer_invitation_requests(*, now: datetime) -> int:
    """Answer who asked for a new link, each address once however often it asked. Returns how many requests there were.

    A request is taken before it is answered: what a crash cuts short is asked again by the person, never mailed twice.
    """
    asked = InvitationRequest.objects.filter(wish=InvitationRequest.Wish.INVITATION)
    waiting = list(asked.values_list("pk", "email"))
    for email in {email for _pk, email in waiting}:
        if asked.filter(email=email).delete()[0]:
            invite_again(email=email, now=now)
    return len(waiting)


def invite_again(*, email: str, now: datetime) -> bool:
    """Send a new link to somebody who was invited and has not signed in yet; for anyone else do nothing.

    Returns whether a link went out; who asked is not told. A link that was closed after wrong dates of birth is for the
    clinic to replace: asking for another must not buy more tries.
    """
    user = User.objects.filter(email__iexact=email, is_active=True).first()
    last = Invitation.objects.filter(user=user).select_related("clinic").first() if user else None
    if user and last and last.accepted_at is None and not last.is_locked:
        invite(user=user, clinic=last.clinic, by=None, now=now, proofs_failed=last.proofs_failed)
        return True
    return False


def birth_dates_of(user: User) -> set[date]:
    """The dates of birth that prove an invitation: of the person, and of those they care for."""
    return {day for known in BIRTH_DATES for day in known(user)}


@transaction.atomic
def prove_invitation(*, invitation: Invitation, born_on: date, now: datetime) -> bool:
    """Whether the date of birth is right. A try is counted before it is compared, so that tries at once all count.

    After `Invitation.MOST_PROOFS` wrong ones no date is right any more.
    """
    still_open = Invitation.objects.filter(
        pk=invitation.pk, proofs_failed__lt=Invitation.MOST_PROOFS, expires_at__gt=now
    )
    if not still_open.update(proofs_failed=F("proofs_failed") + 1):
        return False
    if born_on in birth_dates_of(invitation.user):
        Invitation.objects.filter(pk=invitation.pk).update(proofs_failed=0)
        return True
    audit.record(
        Action.EXECUTE,
        "invitation.wrong_birth_date",
        by=None,
        obj=invitation,
        clinic=invitation.clinic,
    )
    return False


@transaction.atomic
def set_reading(
    *,
    user: User,
    language: str,
    time_zone: str,
    mail_at: time | None,
    by: User | None,
    reason: str = "",
) -> bool:
    """Choose language, time zone and time of day of somebody's mails. Returns whether their mails move.

    An empty zone means the clinic's, no time the planned one. Whoever calls it has to see to plans.
    """
    chosen = {"language": language, "time_zone": time_zone, "mail_at": mail_at}
    before, after = audit.changes(user, chosen)
    if not after:
        return False
    for name, value in chosen.items():
        setattr(user, name, value)
    user.full_clean(exclude=["password"], validate_unique=False, validate_constraints=False)
    user.save(update_fields=list(chosen))
    audit.record(
        Action.UPDATE, "user.set_reading", by=by, obj=user, before=before, after=after, reason=reason,
    )  # fmt: skip
    return bool({"time_zone", "mail_at"} & after.keys())


def set_language(*, user: User, language: str, by: User) -> None:
    """Choose the language of somebody's pages and mails, and nothing else."""
    set_reading(user=user, language=language, time_zone=user.time_zone, mail_at=user.mail_at, by=by)


@transaction.atomic
def pause_mail(
    *, user: User, starts_on: date | None, ends_on: date | None, by: User | None, reason: str = ""
) -> None:
    """Hold back, on these local days of the reader and those between, all mail that can wait; without days, nothing."""
    before, after = audit.changes(user, {"paused_from": starts_on, "paused_until": ends_on})
    if not after:
        return
    user.paused_from, user.paused_until = starts_on, ends_on
    user.save(update_fields=["paused_from", "paused_until"])
    audit.record(
        Action.UPDATE, "user.pause_mail", by=by, obj=user, before=before, after=after, reason=reason,
    )  # fmt: skip


def _send_invitation(invitation: Invitation, token: str) -> None:
    link = settings.BASE_URL + reverse("portal:accept_invitation", args=[token])
    user = invitation.user
    with translation.override(user.language):
        context = {
            "reader_name": user.get_short_name(),
            "clinic": invitation.clinic,
            "link": link,
            "expires_at": invitation.expires_at.astimezone(invitation.clinic.zone),
            "language": user.language,
        }
        letter = mail.Mail(
            to=user.email,
            subject=render_to_string("reminders/email/invitation.subject.txt", context).strip(),
            text=render_to_string("reminders/email/invitation.txt", context),
            html=render_to_string("reminders/email/invitation.html", context),
        )
    # Before it leaves: it may be back before we hear that it went.
    Invitation.objects.filter(pk=invitation.pk).update(message_id=letter.message_id)
    answer = mail.send(letter)
    if answer.outcome != mail.Outcome.SENT:
        # Not tried again by itself: staff have it among those nobody can reach, and can send another.
        Invitation.objects.filter(pk=invitation.pk).update(refused_at=clock.now())
        logger.error("invitation %s was not sent: %s", invitation.pk, answer.outcome)


def return_invitation(*, message_id: str, addresses: Collection[str], now: datetime) -> bool | None:
    """Note that the mail of an invitation came back from one of these addresses, in lower case.

    It is then one that its reader did not get, as if the mail server had refused it at once. Returns
    whether that was news; None where there is no such invitation.
    """
    sent = Invitation.objects.exclude(message_id="").filter(message_id=message_id)
    found = [row.pk for row in sent.select_related("user") if row.user.email.lower() in addresses]
    if not found:
        return None
    waiting = Invitation.objects.filter(pk__in=found, refused_at=None, accepted_at=None)
    return bool(waiting.update(refused_at=now))


def open_invitation(token: str, now: datetime) -> Invitation | None:
    """The invitation a link belongs to, if it can still be accepted."""
    return (
        Invitation.objects.select_related("user", "clinic")
        .filter(
            token_hash=_hash(token),
            accepted_at__isnull=True,
            withdrawn_at__isnull=True,
            expires_at__gt=now,
            user__is_active=True,
        )
        .first()
    )


@transaction.atomic
def accept_invitation(*, invitation: Invitation, password: str | None, now: datetime) -> User:
    """Set the password of an invited account. Raises ValidationError when the link was used meanwhile.

    Without a password they sign in with a passkey, or with a code by mail each time.
    """
    waiting = Invitation.objects.filter(
        pk=invitation.pk, accepted_at__isnull=True, withdrawn_at__isnull=True, expires_at__gt=now
    )
    taken = waiting.filter(proofs_failed__lt=Invitation.MOST_PROOFS).update(accepted_at=now)
    if not taken:
        raise ValidationError(_("This invitation has been used already. Please sign in."))
    user = invitation.user
    user.set_password(password)
    user.save(update_fields=["password"])
    audit.record(
        Action.EXECUTE, "invitation.accept", by=user, obj=invitation, clinic=invitation.clinic
    )
    return user


@transaction.atomic
def set_sending(*, is_on: bool, by: User, now: datetime, reason: str = "") -> None:
    """Stop all sending at once, or let it go on. Raises ValidationError for a stop without a reason."""
    if not is_on and not reason.strip():
        raise ValidationError({"reason": _("Say why sending is stopped.")})
    switch = SendingSwitch.current()
    before = switch.is_on
    SendingSwitch.objects.update_or_create(
        pk=1, defaults={"is_on": is_on, "reason": reason[:200], "changed_at": now, "changed_by": by}
    )
    audit.record(
        Action.EXECUTE, "sending.on" if is_on else "sending.off", by=by, obj=switch,
        before={"is_on": before}, after={"is_on": is_on}, reason=reason,
    )  # fmt: skip


@transaction.atomic
def give_role(*, user: User, clinic: Clinic, role: str, by: User | None) -> PractitionerRole:
    """Make somebody a member of a clinic's staff in one role. Giving it twice changes nothing."""
    if not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    membership, is_new = PractitionerRole.objects.get_or_create(user=user, clinic=clinic, role=role)
    if is_new:
        audit.record(
            Action.CREATE, "role.give", by=by, obj=membership, clinic=clinic,
            after={"role": role, "user": str(user.pk)},
        )  # fmt: skip
        start_new_round(user)
    return membership


def start_new_round(user: User) -> None:
    """End every session of an account: what it may do has changed, or nobody may use it any more."""
    User.objects.filter(pk=user.pk).update(session_round=F("session_round") + 1)
    user.refresh_from_db(fields=["session_round"])


@transaction.atomic
def end_sessions(*, user: User, clinic: Clinic | None, by: User, reason: str = "") -> None:
    """Sign an account out everywhere."""
    start_new_round(user)
    audit.record(Action.EXECUTE, "user.end_sessions", by=by, obj=user, clinic=clinic, reason=reason)


@transaction.atomic
def reset_second_factor(*, user: User, clinic: Clinic, by: User, reason: str) -> None:
    """Take away somebody's second factors, who lost them; they set up a new one when they sign in next.

    Raises ValidationError for one's own: whoever holds a stolen session must not get rid of it that way.
    """
    if user == by:
        raise ValidationError(_("Ask another manager to reset your own second factor."))
    Authenticator.objects.filter(user=user).delete()
    start_new_round(user)
    audit.record(
        Action.EXECUTE, "user.reset_second_factor", by=by, obj=user, clinic=clinic, reason=reason
    )


@transaction.atomic
def take_role(*, membership: PractitionerRole, by: User, reason: str = "") -> None:
    """End one role of a member of staff; without any role left, they are staff no more.

    Raises ValidationError for one's own role: nobody locks themselves out by mistake.
    """
    user = membership.user
    if user == by:
        raise ValidationError(_("Ask another manager to end a role of your own."))
    audit.record(
        Action.DELETE, "role.take", by=by, obj=membership, clinic=membership.clinic,
        before={"role": membership.role, "user": str(user.pk)}, reason=reason,
    )  # fmt: skip
    membership.delete()
    start_new_round(user)
    if not user.roles.exists() and not user.is_superuser:
        user.is_staff = False
        user.save(update_fields=["is_staff"])


@transaction.atomic
def invite_staff(
    *, email: str, name: str, clinic: Clinic, role: str, by: User, now: datetime
) -> Invitation | None:
    """Make somebody a member of a clinic's staff, with an account and an invitation where they have none."""
    user = User.objects.filter(email__iexact=email.strip()).first()
    user = user or User.objects.create_user(email, name=name, language=clinic.language)
    give_role(user=user, clinic=clinic, role=role, by=by)
    if user.has_usable_password():
        return None
    return invite(user=user, clinic=clinic, by=by, now=now)


# What has to be done when an account was closed or opened. Plans belong to apps that this one must not
# import; they add themselves when they are ready.
AFTER_CLOSING: list[Callable[[User, datetime], None]] = []


@transaction.atomic
def set_active(*, user: User, is_active: bool, clinic: Clinic, by: User, reason: str = "") -> None:
    """Close an account, so that nobody can sign in with it, or open it again. Raises ValidationError."""
    if user == by:
        raise ValidationError(_("Ask another manager to close your own account."))
    before, user.is_active = user.is_active, is_active
    user.save(update_fields=["is_active"])
    start_new_round(user)
    for plan_again in AFTER_CLOSING:
        plan_again(user, clock.now())
    audit.record(
        Action.UPDATE, "user.set_active", by=by, obj=user, clinic=clinic,
        before={"is_active": before}, after={"is_active": is_active}, reason=reason,
    )  # fmt: skip


# The same where a clinic's zone or sending window changed.
AFTER_TIMING: list[Callable[[Clinic, datetime], None]] = []
_TIMING = frozenset({"time_zone", "sending_from", "sending_until"})


@transaction.atomic
def save_setting(*, row: Clinic | Location, by: User, changed: list[str]) -> None:
    """Store a clinic or one of its places as a form filled it in. `changed` names the fields that are new."""
    is_new = row._state.adding
    stored = None if is_new else type(row).objects.get(pk=row.pk)
    before, after = (
        audit.changes(stored, {name: getattr(row, name) for name in changed})
        if stored
        else ({}, {})
    )
    row.full_clean()
    row.save()
    clinic = row if isinstance(row, Clinic) else row.clinic
    if stored is not None and _TIMING & after.keys():
        for plan_again in AFTER_TIMING:
            plan_again(clinic, clock.now())
    audit.record(
        Action.CREATE if is_new else Action.UPDATE, f"{row._meta.model_name}.save", by=by, obj=row,
        clinic=clinic, before=before, after=after,
    )  # fmt: skip
