"""What readers do about a visit: confirm it, ask for another time, take that back; and the clinic's answer.

Each action is atomic and audited. Callers check who may (`permissions`); `now` is UTC.
"""

from __future__ import annotations

from datetime import date, datetime, time

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record
from patients.actions.visits import close_wishes, move_appointment
from patients.models import Appointment, MoveRequest
from portal.models import User


def _lock_ahead(appointment: Appointment, now: datetime) -> Appointment:
    """The visit, locked. Raises ValidationError where it was called off meanwhile, or is over."""
    rows = Appointment.objects.select_related("episode__patient__clinic")
    stored = rows.select_for_update(of=("self",)).get(pk=appointment.pk)
    if stored.status != Appointment.Status.BOOKED:
        raise ValidationError(_("This visit was cancelled meanwhile. You need not come."))
    if stored.starts_at <= now:
        raise ValidationError(_("This visit has begun already. Please call the clinic."))
    return stored


@transaction.atomic
def confirm_appointment(
    *, appointment: Appointment, seen_at: datetime, by: User, now: datetime
) -> bool:
    """Say that one comes. False where that was said before.

    `seen_at` is the visit's moment (UTC) on the page that was confirmed. Raises ValidationError where the
    visit was moved or called off since, so that nobody confirms a time they have not read.
    """
    stored = _lock_ahead(appointment, now)
    if stored.starts_at != seen_at:
        raise ValidationError(_("The time of this visit has changed. Please look at it again."))
    if stored.confirmed_at is not None:
        return False
    stored.confirmed_at, stored.confirmed_by = now, by
    stored.save(update_fields=["confirmed_at", "confirmed_by"])
    record(Action.UPDATE, "appointment.confirm", by=by, obj=stored, patient=stored.episode.patient)
    return True


@transaction.atomic
def ask_to_move(
    *, appointment: Appointment, reason: str, wishes: str, by: User, now: datetime
) -> MoveRequest:
    """Ask the clinic for another time; the visit stands until it answers. Asked twice, it is one request.

    Raises ValidationError where the visit was called off meanwhile, or is over.
    """
    stored = _lock_ahead(appointment, now)
    wish, is_new = MoveRequest.objects.get_or_create(
        appointment=stored, status=MoveRequest.Status.OPEN,
        defaults={
            "reason": reason.strip(), "wishes": wishes.strip(), "by": by, "asked_at": now,
            "asked_from": stored.starts_at,
        },
    )  # fmt: skip
    if is_new:
        record(Action.CREATE, "move_request.ask", by=by, obj=wish, patient=stored.episode.patient)
    return wish


@transaction.atomic
def withdraw_move_request(*, wish: MoveRequest, by: User, now: datetime) -> bool:
    """Keep the time after all. False where the clinic has answered already."""
    closed = close_wishes(wish.appointment, MoveRequest.Status.WITHDRAWN, by=by, now=now)
    if closed:
        patient = wish.appointment.episode.patient
        record(Action.UPDATE, "move_request.withdraw", by=by, obj=wish, patient=patient)
    return closed


@transaction.atomic
def answer_move_request(
    *,
    wish: MoveRequest,
    reply: str,
    by: User,
    now: datetime,
    on: date | None = None,
    at: time | None = None,
) -> bool:
    """Move the visit to a local date and time, or without them keep it; and say so. False where it is answered.

    Raises ValidationError for a visit that is not booked any more, and for keeping without a word of reply.
    """
    wish = (
        MoveRequest.objects.select_for_update(of=("self",))
        .select_related("appointment")
        .get(pk=wish.pk)
    )
    if not wish.is_open:
        return False
    visit = wish.appointment
    if on and at:
        move_appointment(
            appointment=visit, on=on, at=at, by=by, now=now, reason=wish.reason, reply=reply
        )
    elif not reply.strip():
        raise ValidationError({"reply": _("Say why the time has to stay.")})
    else:
        close_wishes(visit, MoveRequest.Status.KEPT, by=by, now=now, reply=reply)
    record(
        Action.UPDATE, "move_request.answer", by=by, obj=wish, patient=visit.episode.patient,
        after={"moved": bool(on and at)},
    )  # fmt: skip
    return True
