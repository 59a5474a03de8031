"""Who was refused a record: whose it is, noted in the audit trail of the clinic that keeps it.

To who asks, a row of somebody else and a key that names nothing are the same 404, and the same work.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.apps import apps
from django.db import models
from django.db.models import F, Value
from django.http import HttpRequest

from patients.models import Patient
from portal import audit
from portal.models import Clinic, User
from portal.permissions import is_member_of_staff, roles_of

# Under which names addresses carry the key of a row: ours, and the admin's.
KEYS = ("pk", "object_id")


class Owned(NamedTuple):
    """A row with this key: its model, and the patient and clinic that it belongs to."""

    label: str
    patient_id: UUID
    clinic_id: UUID


def note(request: HttpRequest, *, is_forbidden: bool) -> None:
    """Note a refusal: of the row that the address names, of a page that a carer's access or a role does not reach.

    A page that names no row, and is missing for everybody, is nobody's record and leaves no event.
    """
    by = request.user
    if not isinstance(by, User):
        return
    key, care = _key_of(request), request.__dict__.get("care")
    if key is not None:
        audit.take_back_reads(request)
        _note_key(request, by, key)
    elif care and care.patient and not care.has_full_view:
        audit.take_back_reads(request)
        patient = care.patient
        audit.note_denial(
            request, obj=patient, clinic=patient.clinic, patient_id=patient.pk, key=str(patient.pk)
        )
    elif is_forbidden and is_member_of_staff(by):
        _note_page(request, by)


def _note_page(request: HttpRequest, by: User) -> None:
    """A list or a deed of the staff admin that nobody with this person's roles may open: with where they work."""
    audit.take_back_reads(request)
    clinic = Clinic.objects.filter(pk__in=roles_of(by)).order_by("name").first()
    audit.note_denial(request, obj=by, clinic=clinic, patient_id=None, key="")


def _note_key(request: HttpRequest, by: User, key: UUID) -> None:
    found = owners_of(key)
    clinics = Clinic.objects.in_bulk([row.clinic_id for row in found])
    for row in found:
        asked = apps.get_model(row.label)(pk=key)
        audit.note_denial(
            request,
            obj=asked,
            clinic=clinics[row.clinic_id],
            patient_id=row.patient_id,
            key=str(key),
        )
    if not found:
        audit.note_denial(request, obj=by, clinic=None, patient_id=None, key=str(key))


def _key_of(request: HttpRequest) -> UUID | None:
    """The key that the address names; None where it names none, or what cannot be one."""
    given: dict[str, Any] = request.resolver_match.kwargs if request.resolver_match else {}
    for name in KEYS:
        try:
            return UUID(str(given[name]))
        except (KeyError, ValueError):
            continue
    return None


def owners_of(key: UUID) -> list[Owned]:
    """Whose row has this key, in any table that belongs to patients; a mail may speak of several. One query."""
    first, *others = (_row_of(model, path, key) for model, path in _tables().items())
    return [Owned(*values) for values in first.union(*others, all=True)]


def _row_of(model: type[models.Model], path: str, key: UUID) -> models.QuerySet[Any, Any]:
    of = f"{path}__" if path else ""
    rows = model._base_manager.filter(pk=key, **{f"{of}id__isnull": False}).order_by()
    label = Value(model._meta.label_lower, models.CharField())
    return rows.values_list(label, F(f"{of}id"), F(f"{of}clinic_id")).distinct()


@cache
def _tables() -> dict[type[models.Model], str]:
    """The models of patients' rows with keys like ours, and the way from each to its patient."""
    paths: dict[type[models.Model], str] = {Patient: ""}
    for model in apps.get_models():
        path = getattr(model._default_manager.none(), "patient_path", None)
        if path and isinstance(model._meta.pk, models.UUIDField):
            paths[model] = path
    return paths
