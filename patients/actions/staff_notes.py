"""Notes that staff write about a patient."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record
from patients.models import Note, Patient
from portal.models import User


@transaction.atomic
def write_note(*, patient: Patient, text: str, by: User, now: datetime) -> Note:
    """Keep a note about a patient, for staff. Raises ValidationError without words."""
    if not text.strip():
        raise ValidationError({"text": _("Write something.")})
    note = Note.objects.create(
        patient=patient, text=text.strip(), by=by, written_at=now, created_at=now
    )
    record(Action.CREATE, "note.write", by=by, obj=note, patient=patient)
    return note
