"""Opening a record in an emergency, and the look that somebody has at it afterwards."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record
from patients.models import EmergencyAccess, Patient
from patients.names import words_of
from portal.models import Clinic, User

GOOD_FOR = timedelta(hours=1)
# Emergencies that one person opens in a day; more is browsing, and has to be talked about.
MOST_IN_A_DAY = 10
SHORTEST_REASON = 15


@transaction.atomic
def open_in_emergency(
    *,
    family_name: str,
    birth_date: date,
    record_number: str,
    reason: str,
    from_clinic: Clinic,
    by: User,
    now: datetime,
) -> EmergencyAccess:
    """Open the record of a patient of another clinic for an hour, to somebody who knows whom they mean.

    The family name and the birthday must be exact (accents and case aside); the record number tells twins
    apart. Raises ValidationError where nobody fits, in the same words as where several do.
    """
    if len(reason.strip()) < SHORTEST_REASON:
        raise ValidationError(
            {"reason": _("Say in a sentence why you have to see this record now.")}
        )
    since = now - timedelta(days=1)
    if EmergencyAccess.objects.filter(user=by, created_at__gt=since).count() >= MOST_IN_A_DAY:
        raise ValidationError(
            _("You have opened many records today. Speak with your manager first.")
        )
    patient = _meant(family_name, birth_date, record_number, by)
    access = EmergencyAccess.objects.create(
        user=by, patient=patient, clinic=patient.clinic, from_clinic=from_clinic, reason=reason[:500],
        created_at=now, ends_at=now + GOOD_FOR,
    )  # fmt: skip
    record(
        Action.EXECUTE, "emergency.open", by=by, obj=access, patient=patient,
        after={"from": from_clinic.name, "ends_at": access.ends_at.isoformat()}, reason=reason,
    )  # fmt: skip
    return access


def _meant(family_name: str, birth_date: date, record_number: str, by: User) -> Patient:
    elsewhere = Patient.objects.current().exclude(clinic__in=Clinic.objects.visible_to(by))
    born = elsewhere.filter(birth_date=birth_date).select_related("clinic")
    wanted = words_of(family_name)
    fitting = [row for row in born if wanted and words_of(row.family_name) == wanted]
    if record_number.strip():
        fitting = [row for row in fitting if row.record_number == record_number.strip()]
    if len(fitting) != 1:
        raise ValidationError(
            _(
                "No single patient of another clinic fits. Check the spelling, or add the record number."
            )
        )
    return fitting[0]


@transaction.atomic
def review_emergency(*, access: EmergencyAccess, by: User, now: datetime, note: str) -> bool:
    """Say that one has looked at an emergency, and what came of it. Returns False where somebody was faster.

    Raises ValidationError for one's own.
    """
    if access.user_id == by.pk:
        raise ValidationError(_("Ask another manager to look at an emergency of your own."))
    taken = EmergencyAccess.objects.filter(pk=access.pk, seen_at=None).update(
        seen_by=by, seen_at=now, note=note[:500]
    )
    if taken:
        record(
            Action.UPDATE, "emergency.review", by=by, obj=access, patient=access.patient, after={"note": note}
        )  # fmt: skip
    return bool(taken)
