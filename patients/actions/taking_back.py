"""Taking back what a list entered, while nothing was sent about it: a handful together, or alone where one stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError

from patients.actions.notes import Action
from patients.actions.people import set_email, update_patient
from patients.models import Episode, ImagingRequest, ImportBatch, ImportRow, Patient
from portal import audit
from portal.models import Invitation, User

AT_ONCE = 100
S = ImportRow.State

# What else can say that something was sent about an episode. Mails belong to an app that this one
# must not import; it adds itself when it is ready.
# Given the keys of episodes, each answers with those of which something left.
WAS_SENT: list[Callable[[Collection[UUID]], set[UUID]]] = []


def sent_about(rows: Iterable[ImportRow]) -> list[ImportRow]:
    """The rows about which anything left: a mail of the plan, or an invitation to the login that the row made."""
    rows = list(rows)
    told, invited = _told(rows), _invited(rows)
    return [row for row in rows if row.episode_id in told or _account_of(row) in invited]


def _told(rows: Sequence[ImportRow]) -> set[UUID | None]:
    """The episodes about which a mail left."""
    episodes = {row.episode_id for row in rows if row.episode_id}
    return {key for asked in WAS_SENT for key in asked(episodes)}


def _invited(rows: Sequence[ImportRow]) -> set[UUID | None]:
    """The logins that rows made, and to which an invitation left."""
    made = {_account_of(row) for row in rows} - {None}
    return set(Invitation.objects.filter(user__in=made).values_list("user_id", flat=True))


def _account_of(row: ImportRow) -> UUID | None:
    """The login that a row made, if it made one."""
    return row.patient.user_id if row.patient and row.is_new_account else None


def undo_some(batch: ImportBatch, now: datetime) -> int:
    """Take the next handful back, and note of each row what became of it. Returns how many there were."""
    done = batch.rows.filter(state=S.DONE).order_by("-number")
    rows = list(done.select_related("patient__user", "patient__clinic")[:AT_ONCE])
    try:
        _take_back(rows, batch, now)
    except (ValidationError, ProtectedError):
        for row in rows:
            _take_back_alone(row, batch, now)
    return len(rows)


def _take_back_alone(row: ImportRow, batch: ImportBatch, now: datetime) -> None:
    """Take one row back, or note why it stays."""
    try:
        _take_back([row], batch, now)
    except ValidationError as error:
        _keep(row, " ".join(error.messages))
    except ProtectedError:
        _keep(row, "in_use")


def _keep(row: ImportRow, problem: str) -> None:
    ImportRow.objects.filter(pk=row.pk).update(state=S.KEPT, problems={"": problem})


@transaction.atomic
def _take_back(rows: Sequence[ImportRow], batch: ImportBatch, now: datetime) -> None:
    """Undo what these rows did. Raises ValidationError or ProtectedError where one of them has to stay."""
    if sent_about(rows):
        raise ValidationError("sent_already")
    changes = [audit.Change(row, row.patient_id, before=_what_was(row)) for row in rows]
    audit.record_all(
        Action.DELETE, "import.take_back", changes, by=batch.acted_by, clinic=batch.clinic
    )
    _remove_episodes(rows)
    _remove_patients(rows)
    _put_all_back(rows, batch.acted_by, now)
    ImportRow.objects.filter(pk__in=[row.pk for row in rows]).update(state=S.UNDONE)


def _what_was(row: ImportRow) -> dict[str, Any]:
    return {"line": row.number, "episode": str(row.episode_id or "")}


def _remove_episodes(rows: Iterable[ImportRow]) -> None:
    episodes = Episode.objects.filter(pk__in=[row.episode_id for row in rows if row.episode_id])
    ImagingRequest.objects.filter(episode__in=episodes, appointment=None).delete()
    episodes.delete()


def _remove_patients(rows: Iterable[ImportRow]) -> None:
    """Remove the patients whom rows added, with the logins that the rows made for them."""
    new = [row for row in rows if row.is_new_patient]
    accounts = [_account_of(row) for row in new]
    Patient.objects.filter(pk__in=[row.patient_id for row in new if row.patient_id]).delete()
    _forget_accounts(accounts)


def _put_all_back(rows: Iterable[ImportRow], by: User | None, now: datetime) -> None:
    # One instance for each patient: rows about the same one must see what the others have set back.
    patients: dict[UUID, Patient] = {}
    for row in rows:
        if row.patient is not None and not row.is_new_patient:
            _put_back(row, patients.setdefault(row.patient.pk, row.patient), by, now)


def _put_back(row: ImportRow, patient: Patient, by: User | None, now: datetime) -> None:
    """Set back what the row changed, where nobody has changed it again since."""
    before = {**row.before}
    has_email, email = "email" in before, before.pop("email", None)
    new = {name: pair[1] for name, pair in row.changes.items()}
    old = {name: value for name, value in before.items() if getattr(patient, name) == new[name]}
    if old:
        update_patient(patient=patient, by=by, now=now, tasks_wait=True, **old)
    if email and patient.user and patient.user.email == new["email"]:
        set_email(patient=patient, email=email, by=by, now=now, tasks_wait=True)
    elif has_email and not email and row.is_new_account:
        _take_account_away(patient)


def _take_account_away(patient: Patient) -> None:
    made, patient.user = patient.user_id, None
    patient.save(update_fields=["user"])
    _forget_accounts([made])


def _forget_accounts(keys: Collection[Any]) -> None:
    """Remove logins that rows made, and that nobody has used."""
    unused = User.objects.filter(pk__in=keys, last_login=None, is_staff=False)
    unused.filter(cares_for=None, patient=None).delete()
