"""What becomes of an X-ray that was taken: its result in words, and its release to the patient."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record
from patients.models import ImagingRequest
from portal.models import User


@transaction.atomic
def record_result(*, imaging_request: ImagingRequest, result: str, by: User, now: datetime) -> None:
    """Write what an X-ray shows; writing it again corrects it, and takes a release back until it is given anew.

    Raises ValidationError without words, and for an X-ray that was not taken.
    """
    if not result.strip():
        raise ValidationError({"result": _("Write what the X-ray shows.")})
    row = ImagingRequest.objects.select_for_update().get(pk=imaging_request.pk)
    if row.status != ImagingRequest.Status.DONE:
        raise ValidationError(
            _("This X-ray was not taken yet. Record the visit as attended first.")
        )
    before = {"result": row.result_note} if row.result_note else {}
    row.result_note, row.resulted_by, row.resulted_at = result.strip(), by, now
    row.released_at = row.released_by = None
    row.save(
        update_fields=["result_note", "resulted_by", "resulted_at", "released_at", "released_by"]
    )
    record(
        Action.UPDATE, "imaging_request.result", by=by, obj=row, patient=row.episode.patient,
        before=before, after={"result": row.result_note},
    )  # fmt: skip


@transaction.atomic
def release_result(*, imaging_request: ImagingRequest, by: User, now: datetime) -> bool:
    """Let the patient read the result. False where it was released before.

    Raises ValidationError for an X-ray without a result.
    """
    row = ImagingRequest.objects.select_for_update().get(pk=imaging_request.pk)
    if row.resulted_at is None:
        raise ValidationError(_("There is no result to release yet."))
    if row.released_at is not None:
        return False
    row.released_at, row.released_by = now, by
    row.save(update_fields=["released_at", "released_by"])
    record(
        Action.UPDATE, "imaging_request.release", by=by, obj=row, patient=row.episode.patient,
        after={"released_at": now.isoformat()},
    )  # fmt: skip
    return True
