"""Changes to what a clinic decides: disagreements settled, slots filled, versions approved and begun."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from portal import audit
from portal.models import AuditEvent, Clinic
from procedures.approval import blockers, resolved_offset, slot_values
from procedures.loading.rows import Keys
from procedures.loading.steps import new_step, stored_content, write_step
from procedures.models import (
    Disagreement,
    DisagreementValue,
    PathwayVersion,
    Resolution,
    Slot,
    SlotValue,
    StepText,
)
from procedures.offsets import Offset

if TYPE_CHECKING:
    from portal.models import User

# A version is read again after this long, unless the approver says another day.
REVIEW_AFTER = Offset(1, "years")
LONGEST_OFFSET = {Slot.Kind.WEEKS: 520, Slot.Kind.DAYS: 3650}
_PHONE = re.compile(r"^\+?[0-9][0-9 ()\-]{2,30}$")


class ApprovalRefused(ValidationError):
    """A draft cannot be approved. `messages` names every unsettled point, empty slot and missing text."""


class DecisionRefused(ValidationError):
    """A resolution or a slot value cannot be taken; the message says why."""


@transaction.atomic
def approve_version(
    *, version: PathwayVersion, by: User, now: datetime, review_on: date | None = None
) -> PathwayVersion:
    """Approve a draft: its offsets take the clinic's numbers, and from then on it never changes.

    The version that was in force is retired; its episodes stay on it. `now` is an aware moment.
    Without `review_on` the version is to be read again one year on, counted at the clinic.
    Raises ApprovalRefused.
    """
    draft = PathwayVersion.objects.select_for_update().select_related("clinic").get(pk=version.pk)
    _refuse_unless_ready(draft)
    _settle_offsets(draft)
    _retire_predecessor(draft, by=by)
    draft.status = PathwayVersion.Status.ACTIVE
    draft.approved_by, draft.approved_at = by, now
    draft.review_on = review_on or REVIEW_AFTER.added_to(now.astimezone(draft.clinic.zone).date())
    draft.save()
    audit.record(
        AuditEvent.Action.EXECUTE,
        "pathway_version.approve",
        by=by,
        obj=draft,
        clinic=draft.clinic,
        before={"status": PathwayVersion.Status.DRAFT.value},
        after={"status": draft.status, "digest": draft.digest, "review_on": str(draft.review_on)},
    )
    version.refresh_from_db()
    return version


def _refuse_unless_ready(draft: PathwayVersion) -> None:
    if not draft.is_draft:
        raise ApprovalRefused([f"{draft} is approved already."])
    found = blockers(draft)
    if found:
        raise ApprovalRefused(found.messages())


def _settle_offsets(draft: PathwayVersion) -> None:
    values = slot_values(draft)
    for step in draft.steps.filter(offset_slot__isnull=False).select_related("offset_slot"):
        offset = resolved_offset(step, values)
        step.offset_value, step.offset_unit = offset.value, offset.unit
        step.save(update_fields=["offset_value", "offset_unit"])


def _retire_predecessor(draft: PathwayVersion, *, by: User) -> None:
    for old in PathwayVersion.objects.filter(pathway=draft.pathway, clinic=draft.clinic).approved():
        old.status = PathwayVersion.Status.RETIRED
        old.save()
        audit.record(
            AuditEvent.Action.UPDATE,
            "pathway_version.retire",
            by=by,
            obj=old,
            clinic=old.clinic,
            before={"status": PathwayVersion.Status.ACTIVE.value},
            after={"status": old.status},
            reason=f"{draft} was approved.",
        )


@transaction.atomic
def begin_draft(*, version: PathwayVersion, by: User) -> PathwayVersion:
    """Copy an approved version into a new draft, to change it or to take up new slot values.

    Raises DecisionRefused where the pathway has a draft already, or where `version` is one.
    """
    others = PathwayVersion.objects.filter(pathway=version.pathway, clinic=version.clinic)
    if others.drafts().exists():
        raise DecisionRefused("There is a draft of this pathway already.")
    number = max(others.values_list("number", flat=True)) + 1
    draft = PathwayVersion.objects.create(
        pathway=version.pathway, clinic=version.clinic, number=number, digest=version.digest
    )
    keys = Keys()
    for step in version.steps.select_related("offset_slot"):
        copy = new_step(draft, step.key)
        copy.loaded = step.loaded
        write_step(copy, stored_content(step), keys)
    keys.flush()
    audit.record(
        AuditEvent.Action.CREATE, "pathway_version.draft", by=by, obj=draft, clinic=draft.clinic
    )
    return draft


@transaction.atomic
def edit_text(*, text: StepText, by: User, **parts: str) -> StepText:
    """Change the subject, title, todo or body of a draft's step in one language.

    Raises ApprovedVersionIsFinal for an approved version, ValidationError for words that do not fit.
    """
    before, after = audit.changes(text, parts)
    for name, words in parts.items():
        setattr(text, name, words)
    text.full_clean()
    text.save()
    audit.record(
        AuditEvent.Action.UPDATE,
        "step_text.edit",
        by=by,
        obj=text,
        clinic=text.step.version.clinic,
        before=before,
        after=after,
    )
    return text


@transaction.atomic
def resolve_disagreement(
    *,
    disagreement: Disagreement,
    clinic: Clinic,
    reason: str,
    by: User,
    now: datetime,
    value: DisagreementValue | None = None,
    own_value: str = "",
    is_demo_value: bool = False,
) -> Resolution:
    """Settle a point for one clinic: one of the sources' values, or the clinic's own, with a reason.

    Settling it again replaces what was settled before; the audit keeps both. Raises DecisionRefused.
    """
    own_value, reason = own_value.strip(), reason.strip()
    _refuse_unfit_resolution(disagreement, clinic, value, own_value, reason, is_demo_value)
    old = Resolution.objects.filter(disagreement=disagreement, clinic=clinic).first()
    resolution, _ = Resolution.objects.update_or_create(
        disagreement=disagreement,
        clinic=clinic,
        defaults={
            "value": value,
            "own_value": own_value,
            "reason": reason,
            "resolved_by": by,
            "resolved_at": now,
            "is_demo_value": is_demo_value,
        },
    )
    audit.record(
        AuditEvent.Action.UPDATE if old else AuditEvent.Action.CREATE,
        "disagreement.resolve",
        by=by,
        obj=resolution,
        clinic=clinic,
        before={"value": str(old)} if old else {},
        after={"disagreement": disagreement.key, "value": str(resolution)},
        reason=reason[:500],
    )
    return resolution


def _refuse_unfit_resolution(
    disagreement: Disagreement,
    clinic: Clinic,
    value: DisagreementValue | None,
    own_value: str,
    reason: str,
    is_demo_value: bool,
) -> None:
    if bool(value) == bool(own_value):
        raise DecisionRefused("Choose one of the values, or write the clinic's own: not both.")
    if value and value.disagreement_id != disagreement.pk:
        raise DecisionRefused(f"That value does not belong to {disagreement}.")
    if not reason:
        raise DecisionRefused("Say why.")
    _refuse_demo_elsewhere(clinic, is_demo_value)


@transaction.atomic
def fill_slot(
    *, slot: Slot, clinic: Clinic, value: str, by: User, now: datetime, is_demo_value: bool = False
) -> SlotValue:
    """Put a clinic's value into a slot: text, a phone number, or a whole number of weeks or days.

    A new number reaches an approved version only through a new draft. Raises DecisionRefused.
    """
    value = " ".join(value.split())
    _refuse_unfit_value(slot, value)
    _refuse_demo_elsewhere(clinic, is_demo_value)
    old = SlotValue.objects.filter(slot=slot, clinic=clinic).first()
    filled, _ = SlotValue.objects.update_or_create(
        slot=slot,
        clinic=clinic,
        defaults={
            "value": value,
            "filled_by": by,
            "filled_at": now,
            "is_demo_value": is_demo_value,
        },
    )
    audit.record(
        AuditEvent.Action.UPDATE if old else AuditEvent.Action.CREATE,
        "slot.fill",
        by=by,
        obj=filled,
        clinic=clinic,
        before={"value": old.value} if old else {},
        after={"slot": slot.key, "value": value},
    )
    return filled


def _refuse_unfit_value(slot: Slot, value: str) -> None:
    if not value or len(value) > 500:
        raise DecisionRefused(f"{slot.name}: write between 1 and 500 characters.")
    if slot.kind == Slot.Kind.PHONE and not _PHONE.match(value):
        raise DecisionRefused(f"{slot.name}: “{value}” is not a phone number.")
    longest = LONGEST_OFFSET.get(Slot.Kind(slot.kind))
    if longest is not None and not (
        value.isascii() and value.isdecimal() and int(value) <= longest
    ):
        raise DecisionRefused(
            f"{slot.name}: write a whole number of {slot.kind}, at most {longest}."
        )


def _refuse_demo_elsewhere(clinic: Clinic, is_demo_value: bool) -> None:
    if is_demo_value and not clinic.is_demo:
        raise DecisionRefused("Demo values are for the demo clinic only.")
