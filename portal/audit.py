"""The one door to the audit trail: who read or changed what, written in the transaction of the change."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.http import HttpRequest

from portal.models import AuditEvent, Clinic

if TYPE_CHECKING:
    from portal.models import User

SYSTEM = "Stepwise"
DENIED = "access.denied"


def record(
    action: str,
    verb: str,
    *,
    by: User | None,
    obj: models.Model,
    clinic: Clinic | None = None,
    patient_id: UUID | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    request: HttpRequest | None = None,
) -> AuditEvent:
    """Add one event. `action` is a letter of AuditEvent.Action, `verb` a word like "episode.reschedule".

    `by` is None when the machine itself acted. `before` and `after` hold only what changed, as
    values that JSON can hold. Call it inside the transaction of the change: if it cannot be
    written, neither can the change.
    """
    change = Change(obj, patient_id, before or {}, after or {})
    event = _event(action, verb, by, clinic, change)
    # Cut to what the row holds: a long reason must not undo the change it explains.
    event.reason = reason[:500]
    event.address = client_address(request) if request else None
    event.save()
    return event


class Change(NamedTuple):
    """One of many changes that are recorded together; the words are those of `record`."""

    obj: models.Model
    patient_id: UUID | None
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}


def record_all(
    action: str, verb: str, changes: Iterable[Change], *, by: User | None, clinic: Clinic | None
) -> None:
    """Add one event for each of many changes of one kind, in their order, as `record` would. One statement."""
    AuditEvent.objects.bulk_create(_event(action, verb, by, clinic, change) for change in changes)


def _event(
    action: str, verb: str, by: User | None, clinic: Clinic | None, change: Change
) -> AuditEvent:
    return AuditEvent(
        action=action,
        verb=verb,
        actor=by,
        actor_label=(str(by) if by else SYSTEM)[:200],
        clinic=clinic,
        patient_id=change.patient_id,
        object_type=change.obj._meta.label_lower,
        object_id=str(change.obj.pk),
        before=change.before,
        after=change.after,
    )


def note_read(
    request: HttpRequest,
    verb: str,
    *,
    obj: models.Model,
    clinic: Clinic | None,
    patient_id: UUID | None,
) -> None:
    """Note that the answer to `request` will hold a patient's data.

    `portal.middleware.ReadAudit` writes what was noted before the answer leaves; if it cannot, the
    answer is 503 and holds no data. Noting the same thing twice is one event.
    """
    noted = request.__dict__.setdefault("_reads", {})
    noted[verb, obj._meta.label_lower, str(obj.pk), patient_id] = (obj, clinic, patient_id, {})


def note_denial(
    request: HttpRequest,
    *,
    obj: models.Model,
    clinic: Clinic | None,
    patient_id: UUID | None,
    key: str,
) -> None:
    """Note that `request` was refused: for `obj`, of this patient, or for a `key` that names nothing.

    Only the page's name, the method and the key are kept: an address may hold a name that somebody searched for.
    """
    noted = request.__dict__.setdefault("_reads", {})
    asked = {"page": _page(request), "method": request.method, "key": key}
    noted[DENIED, obj._meta.label_lower, str(obj.pk), patient_id] = (obj, clinic, patient_id, asked)


def take_back_reads(request: HttpRequest) -> None:
    """Forget what was noted so far for `request`: its page was not made, so nothing of it was read."""
    request.__dict__.pop("_reads", None)


def _page(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def note_list(
    request: HttpRequest, verb: str, *, by: User, rows: Iterable[tuple[Clinic, UUID]]
) -> None:
    """Note that the answer to `request` lists patients: one event for each clinic, with their ids.

    One event for each patient would bury, in a busy clinic, the reads that mean something.
    """
    noted = request.__dict__.setdefault("_reads", {})
    listed: dict[Clinic, set[str]] = defaultdict(set)
    for clinic, patient_id in rows:
        listed[clinic].add(str(patient_id))
    for clinic, ids in listed.items():
        noted[verb, "list", str(clinic.pk), None] = (by, clinic, None, {"patients": sorted(ids)})


def write_reads(request: HttpRequest) -> None:
    """Add a READ event for everything noted for `request`, each once. Raises DatabaseError."""
    noted = request.__dict__.pop("_reads", {})
    if not noted:
        return
    by = request.user if request.user.is_authenticated else None
    with transaction.atomic():
        for (verb, *_rest), (obj, clinic, patient_id, after) in noted.items():
            record(
                AuditEvent.Action.READ, verb, by=by, obj=obj, clinic=clinic, patient_id=patient_id,
                after=after, request=request,
            )  # fmt: skip


def client_address(request: HttpRequest) -> str | None:
    """The address of who asked, looking past as many proxies as `TRUSTED_PROXIES` says, and no further."""
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    trusted = settings.TRUSTED_PROXIES
    forwarded = hops[-trusted].strip() if trusted and len(hops) >= trusted else ""
    return _address_in(forwarded) or _address_in(request.META.get("REMOTE_ADDR", ""))


def _address_in(text: str) -> str | None:
    """The IP address if the text is one. What else a proxy writes, the database would refuse with the whole row."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def changes(obj: models.Model, new: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What setting the fields of `new` would change on `obj`, as (before, after) fit for JSON."""
    before = {
        name: getattr(obj, name) for name, value in new.items() if getattr(obj, name) != value
    }
    after = {name: new[name] for name in before}
    return _plain(before), _plain(after)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    plain = (str, int, float, bool, type(None))
    return {
        name: value if isinstance(value, plain) else str(getattr(value, "pk", value))
        for name, value in values.items()
    }
