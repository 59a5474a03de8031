"""What managers do to consents: write a draft, publish it in place of the one before. Atomic and audited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from portal import audit
from portal.models import AuditEvent, Clinic, User
from procedures.markdown import faults
from procedures.models import ConsentForm

Action = AuditEvent.Action
Words = Mapping[str, Mapping[str, str]]


@transaction.atomic
def save_consent_draft(
    *, clinic: Clinic, key: str, audience: str, words: Words, by: User, now: datetime
) -> ConsentForm:
    """Keep the draft of a clinic's consent: the next version of what is published under `key`, or the first.

    Raises ValidationError without a text in the clinic's language, and for a text with HTML or unsafe links.
    """
    _refuse_unfit(clinic, words)
    rows = ConsentForm.objects.select_for_update().filter(clinic=clinic, key=key)
    draft = rows.filter(status=ConsentForm.Status.DRAFT).first()
    is_new = draft is None
    if draft is None:
        last = rows.order_by("-number").first()
        draft = ConsentForm(
            clinic=clinic, key=key, number=last.number + 1 if last else 1, created_at=now
        )
    draft.audience, draft.words = audience, {name: dict(one) for name, one in words.items()}
    draft.save()
    audit.record(
        Action.CREATE if is_new else Action.UPDATE, "consent_form.draft", by=by, obj=draft,
        clinic=clinic, after={"key": key, "version": draft.number},
    )  # fmt: skip
    return draft


def _refuse_unfit(clinic: Clinic, words: Words) -> None:
    if clinic.language not in words:
        raise ValidationError(_("Write the text in the clinic's own language at least."))
    for language, one in words.items():
        if not (one["title"].strip() and one["body"].strip()):
            raise ValidationError(_("A language needs both a title and a text."))
        if found := faults(one["body"]):
            raise ValidationError(f"{language}: {'; '.join(found)}")


@transaction.atomic
def publish_consent(*, form: ConsentForm, by: User, now: datetime) -> bool:
    """Put a draft in place of the version before; from now on its words never change. False where it is published."""
    form = (
        ConsentForm.objects.select_for_update(of=("self",)).select_related("clinic").get(pk=form.pk)
    )
    if form.status != ConsentForm.Status.DRAFT:
        return False
    for old in ConsentForm.objects.filter(
        clinic=form.clinic, key=form.key, status=ConsentForm.Status.ACTIVE
    ):
        old.status = ConsentForm.Status.RETIRED
        old.save()
    form.status, form.published_at, form.published_by = ConsentForm.Status.ACTIVE, now, by
    form.save()
    audit.record(
        Action.EXECUTE, "consent_form.publish", by=by, obj=form, clinic=form.clinic,
        after={"key": form.key, "version": form.number},
    )  # fmt: skip
    return True
