"""Makes two records of one person one: the rows of the ended record go over, and a log says which.

What belongs to plans and mails goes over in `reminders.merging`, which calls this.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models.fields.reverse_related import ForeignObjectRel
from django.utils.translation import gettext as _

from patients.actions.episodes import close_episode
from patients.actions.finding import keep_findable
from patients.actions.notes import Action, record, request_plan
from patients.actions.tasks import join_tasks
from patients.models import Episode, Merge, Patient, PatientWord, RelatedPerson
from portal import audit
from portal.actions import start_new_round
from portal.models import Invitation, User

# Rows of a patient that do not simply go over, each with its reason.
STAYS: dict[str, str] = {
    "patients.patient": "former records are pointed at the kept one",
    "patients.patientword": "words are worked out anew",
    "patients.relatedperson": "one live link a person",
    "patients.merge": "the log says what was, when it was",
}
# Rows of an episode that was booked twice: dates and requests of the kept one stand.
STAYS_WITH_EPISODE: dict[str, str] = {
    "patients.anchordate": "the kept episode has its own",
    "patients.planrequest": "asked for anew",
    "patients.importrow": "says what a list entered",
    "reminders.reminder": "reminders.merging",
}


def booked_twice(kept: Patient, ended: Patient) -> list[tuple[Episode, Episode]]:
    """Open episodes of the same operation on the same side, as (of the kept record, of the ended one)."""
    mine = {(row.procedure_id, row.side): row for row in kept.episodes.open()}
    pairs = ((mine.get((row.procedure_id, row.side)), row) for row in ended.episodes.open())
    return [(keep, double) for keep, double in pairs if keep is not None]


def refuse_impossible(kept: Patient, ended: Patient) -> None:
    """Raise ValidationError for two records that cannot be one person's, or of which one is merged already."""
    if kept.pk == ended.pk:
        raise ValidationError(_("These are not two records."))
    if kept.clinic_id != ended.clinic_id:
        raise ValidationError(_("Records of two clinics are not made one."))
    if kept.merged_into_id or ended.merged_into_id:
        raise ValidationError(_("One of the records was merged already."))
    if ended.deceased_on and not kept.deceased_on:
        raise ValidationError(
            _("One record says that the patient has died. Record it on the other first.")
        )
    for one, other in ((kept, ended), (ended, kept)):
        if one.user and other.related_people.filter(user=one.user, ended_at=None).exists():
            raise ValidationError(
                _("%(name)s is a parent or carer in the other record. End that access first.")
                % {"name": one.user}
            )


@transaction.atomic
def merge_records(
    *, kept: Patient, ended: Patient, login: User | None, by: User, now: datetime, reason: str,
    moved: dict[str, list[str]],
) -> Merge:  # fmt: skip
    """Let everything of `ended` go over to `kept`, whose login is `login` from now on. `moved` is added to.

    Raises ValidationError as `refuse_impossible` does.
    """
    kept, ended = _locked(kept, ended)
    refuse_impossible(kept, ended)
    doubles = booked_twice(kept, ended)
    same = {
        str(ended.pk): str(kept.pk),
        **{str(double.pk): str(keep.pk) for keep, double in doubles},
    }
    moved["patients.task.subject"] = join_tasks(subjects=same, patient=kept, now=now)
    for keep, double in doubles:
        _move_rows(double, keep, STAYS_WITH_EPISODE, moved)
        close_episode(
            episode=double,
            status=Episode.Status.CANCELLED,
            by=by,
            now=now,
            reason=_("booked twice"),
        )
    _move_links(ended, kept, now, moved)
    _move_rows(ended, kept, STAYS, moved)
    Patient.objects.filter(merged_into=ended).update(merged_into=kept)
    _settle_logins(kept, ended, login, by, now, moved)
    _settle_details(kept, ended)
    merge = Merge.objects.create(
        clinic=kept.clinic, kept=kept, ended=ended, by=by, reason=reason[:200], moved=moved, created_at=now
    )  # fmt: skip
    for patient in (kept, ended):
        record(
            Action.UPDATE, "patient.merge", by=by, obj=merge, patient=patient, reason=reason,
            before={"ended": str(ended.pk), "record_number": ended.record_number}, after={"kept": str(kept.pk)},
        )  # fmt: skip
    PatientWord.objects.filter(patient=ended).delete()
    keep_findable(kept)
    request_plan(*kept.episodes.open(), reason="patient.merge", now=now)
    return merge


def _locked(kept: Patient, ended: Patient) -> tuple[Patient, Patient]:
    """Both records, held in the order of their keys, so that two merges of the same pair cannot wait for each other."""
    keys = sorted((kept.pk, ended.pk))
    rows = {
        row.pk: row
        for row in Patient.objects.select_for_update().filter(pk__in=keys).order_by("pk")
    }
    return rows[kept.pk], rows[ended.pk]


def _move_rows(
    source: models.Model, target: models.Model, stays: dict[str, str], moved: dict[str, list[str]]
) -> None:
    """Let every row that points at `source` point at `target`; one that the database refuses to have twice stays."""
    for relation in source._meta.get_fields(include_hidden=True):
        if not (relation.auto_created and (relation.one_to_many or relation.one_to_one)):
            continue
        # Created by itself, and to one or many: a foreign key of another model, seen from here.
        reverse = cast("ForeignObjectRel", relation)
        model, name = reverse.related_model, reverse.field.name
        if model._meta.label_lower in stays:
            continue
        # Past the guards of what never changes: whose it is changes, not what it says.
        rows = model._base_manager.filter(**{name: source})
        for row in rows:
            label = f"{row._meta.label_lower}.{name}"
            try:
                with transaction.atomic():
                    type(row)._base_manager.filter(pk=row.pk).update(**{name: target})
                moved.setdefault(label, []).append(str(row.pk))
            except IntegrityError:
                moved.setdefault(f"{label} (stays)", []).append(str(row.pk))


def _move_links(ended: Patient, kept: Patient, now: datetime, moved: dict[str, list[str]]) -> None:
    live = set(kept.related_people.filter(ended_at=None).values_list("user_id", flat=True))
    for link in RelatedPerson.objects.filter(patient=ended):
        if link.ended_at is None and link.user_id in live:
            link.ended_at = now
        link.patient = kept
        link.save(update_fields=["patient", "ended_at"])
        moved.setdefault("patients.relatedperson.patient", []).append(str(link.pk))


def _settle_logins(
    kept: Patient, ended: Patient, login: User | None, by: User, now: datetime, moved: dict[str, list[str]]
) -> None:  # fmt: skip
    """The kept record has the login that was chosen; the other is closed where nobody else needs it."""
    logins = {user.pk: user for user in (kept.user, ended.user) if user is not None}
    if login is None and logins:
        login = kept.user or ended.user
    if login is not None and login.pk not in logins:
        raise ValidationError(_("This login belongs to neither record."))
    ended.user, ended.merged_into = None, kept
    ended.save(update_fields=["user", "merged_into"])
    kept.user = login
    kept.save(update_fields=["user"])
    for user in logins.values():
        if login is not None and user.pk != login.pk:
            _close_login(user, kept, by, now, moved)


def _close_login(
    user: User, kept: Patient, by: User, now: datetime, moved: dict[str, list[str]]
) -> None:
    Invitation.objects.filter(user=user, accepted_at=None).update(withdrawn_at=now)
    start_new_round(user)
    if user.is_staff or user.cares_for.filter(ended_at=None).exists():
        return
    user.is_active = False
    user.save(update_fields=["is_active"])
    moved.setdefault("portal.user (closed)", []).append(str(user.pk))
    audit.record(
        Action.UPDATE, "user.set_active", by=by, obj=user, clinic=kept.clinic, patient_id=kept.pk,
        before={"is_active": True}, after={"is_active": False},
    )  # fmt: skip


def _settle_details(kept: Patient, ended: Patient) -> None:
    """What the kept record lacks comes from the ended one; who must not be written to in one must not in both."""
    kept.phone = kept.phone or ended.phone
    kept.is_restricted = kept.is_restricted or ended.is_restricted
    kept.save(update_fields=["phone", "is_restricted"])
