"""How tasks come and go: opened and closed as their causes do, and claimed, given back and resolved by people."""

from __future__ import annotations

import logging
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, F
from django.utils.translation import gettext as _

from patients.models import Patient, Task, WorklistDay
from patients.worklist import KINDS, Cause, Kind, Scope
from portal import audit
from portal.models import AuditEvent, User

T = TypeVar("T")

logger = logging.getLogger(__name__)

BATCH = 500
TALLIES_ARE_KEPT = timedelta(days=400)
_FOLLOWING = ("patient", "clinic", "due_on", "is_pressing", "facts", "stamp", "is_gone")


def sync_tasks(
    *, now: datetime, kinds: Collection[str] = (), patient: Patient | None = None
) -> int:
    """Open tasks for causes that are there and close those whose cause is gone. `now` is UTC.

    Of the given kinds, or of all; about one patient, or about everybody. Each kind is a transaction of its own,
    and one that fails is logged and holds up no other. Safe to repeat, and to run twice at once. Returns how many
    tasks were opened, opened again, or closed.
    """
    scope, changed = Scope(now, patient), 0
    for kind in [kind for kind in KINDS.values() if not kinds or kind.key in kinds]:
        if patient is not None and not kind.is_about_patients:
            continue
        try:
            with transaction.atomic():
                changed += _sync(kind, scope)
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            # A worklist must never undo the change that it follows; the next run mends it.
            logger.exception("tasks of the kind %s cannot be brought up to date", kind.key)
    return changed


def _sync(kind: Kind, scope: Scope) -> int:
    causes = {str(cause.subject): cause for cause in kind.find(scope)}
    watched = {row.subject: row for row in scope.of(_rows(kind).watched())}
    settled = _settled(kind, causes.keys() - watched.keys())
    known = watched | {row.subject: row for row in settled}
    changed = _open(kind, _without(causes, known), scope.now)
    changed += _reopen([row for row in known.values() if _is_back(row, causes)], scope.now)
    changed += _close(_without(watched, causes), scope.now)
    _follow(kind, [row for key, row in known.items() if key in causes], causes)
    return changed


def _without(rows: Mapping[str, T], others: Container[str]) -> list[T]:
    """Those of `rows` whose key is none of `others`, in their order."""
    return [row for key, row in rows.items() if key not in others]


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    """Few enough at a time for one statement of any database."""
    rest = iter(values)
    while some := list(islice(rest, BATCH)):
        yield some


def _rows(kind: Kind) -> Any:
    return Task.objects.filter(kind=kind.key)


def _settled(kind: Kind, subjects: Iterable[str]) -> Iterator[Task]:
    for some in _batches(subjects):
        yield from _rows(kind).settled().filter(subject__in=some)


def _open(kind: Kind, causes: Collection[Cause], now: datetime) -> int:
    """A task for each cause that never had one."""
    rows = [_new(kind, cause, now) for cause in causes]
    # Somebody else may have opened it this very moment.
    Task.objects.bulk_create(rows, ignore_conflicts=True, batch_size=BATCH)
    return len(rows)


def _new(kind: Kind, cause: Cause, now: datetime) -> Task:
    return Task(
        kind=kind.key, subject=str(cause.subject), clinic_id=cause.clinic_id, patient_id=cause.patient_id,
        due_on=cause.due_on, is_pressing=cause.is_pressing, facts=cause.facts, stamp=cause.stamp,
        opened_at=now, created_at=now,
    )  # fmt: skip


def _is_back(row: Task, causes: Mapping[str, Cause]) -> bool:
    """Whether a settled task has to be seen to again: its cause went and came, or came anew."""
    cause = causes.get(row.subject)
    if cause is None or row.is_open:
        return False
    return row.status == Task.Status.CANCELLED or row.is_gone or row.stamp != cause.stamp


def _reopen(rows: Collection[Task], now: datetime) -> int:
    for some in _batches([row.pk for row in rows]):
        Task.objects.settled().filter(pk__in=some).update(
            status=Task.Status.REQUESTED, owner=None, times=F("times") + 1, opened_at=now, settled_at=None
        )  # fmt: skip
    return len(rows)


def _close(rows: Collection[Task], now: datetime) -> int:
    """End what nobody need see to; of what somebody resolved, remember that its cause went away."""
    for some in _batches([row.pk for row in rows]):
        Task.objects.filter(pk__in=some, status=Task.Status.COMPLETED).update(is_gone=True)
        Task.objects.open().filter(pk__in=some).update(
            status=Task.Status.CANCELLED, owner=None, settled_at=now
        )
    return sum(row.is_open for row in rows)


def _follow(kind: Kind, rows: Iterable[Task], causes: Mapping[str, Cause]) -> None:
    """Let tasks say what their causes say now."""
    changed = []
    for row in rows:
        cause = causes[row.subject]
        if kind.keeps_due and row.is_open:
            cause = cause._replace(due_on=row.due_on)
        wanted = {
            "patient_id": cause.patient_id, "clinic_id": cause.clinic_id, "due_on": cause.due_on,
            "is_pressing": cause.is_pressing, "facts": cause.facts, "stamp": cause.stamp, "is_gone": False,
        }  # fmt: skip
        if any(getattr(row, name) != value for name, value in wanted.items()):
            for name, value in wanted.items():
                setattr(row, name, value)
            changed.append(row)
    Task.objects.bulk_update(changed, _FOLLOWING, batch_size=BATCH)


def join_tasks(*, subjects: Mapping[str, str], patient: Patient, now: datetime) -> list[str]:
    """Let tasks about the first subject of each pair be about the second, and the patient's: both were one all along.

    Where both have a task of a kind, the second one's stays, with whoever had the first in hand. Returns the keys
    of the tasks that changed. Call it inside the transaction of the change.
    """
    rows = list(Task.objects.select_for_update().filter(subject__in=subjects).order_by("pk"))
    others = {
        (row.kind, row.subject): row
        for row in Task.objects.select_for_update().filter(subject__in=subjects.values())
    }
    for row in rows:
        other = others.get((row.kind, subjects[row.subject]))
        row.patient = patient
        if other is None:
            row.subject = subjects[row.subject]
        elif row.is_open:
            _hand_over(row, other, now)
        row.save(update_fields=["patient", "subject", "owner", "status", "settled_at"])
    return [str(row.pk) for row in rows]


def _hand_over(row: Task, other: Task, now: datetime) -> None:
    """End a task whose work goes on in another one."""
    if row.owner_id and other.status == Task.Status.REQUESTED:
        other.owner_id, other.status = row.owner_id, Task.Status.IN_PROGRESS
        other.save(update_fields=["owner", "status"])
    row.owner, row.status, row.settled_at = None, Task.Status.CANCELLED, now


def count_tasks(*, now: datetime) -> None:
    """Keep how many tasks of each kind are open today (UTC), at each clinic; the last count of a day stands."""
    today = now.date()
    rows = Task.objects.open().order_by().values_list("clinic_id", "kind").annotate(n=Count("id"))
    found = {(clinic, kind): n for clinic, kind, n in rows}
    with transaction.atomic():
        # What was counted earlier today and is down to nothing is nothing now.
        for row in WorklistDay.objects.filter(day=today):
            found.setdefault((row.clinic_id, row.kind), 0)
        WorklistDay.objects.bulk_create(
            [WorklistDay(clinic_id=c, kind=k, day=today, open=n) for (c, k), n in found.items()],
            update_conflicts=True,
            unique_fields=["clinic", "day", "kind"],
            update_fields=["open"],
        )
        WorklistDay.objects.filter(day__lt=today - TALLIES_ARE_KEPT).delete()


@transaction.atomic
def claim_task(*, task: Task, by: User, now: datetime) -> bool:
    """Say that one sees to it. False where somebody was faster, or it is done."""
    taken = Task.objects.filter(pk=task.pk, status=Task.Status.REQUESTED).update(
        status=Task.Status.IN_PROGRESS, owner=by
    )
    if taken:
        _record("task.claim", task, by)
    return bool(taken)


@transaction.atomic
def give_back_task(*, task: Task, by: User, now: datetime) -> bool:
    """Let somebody else see to it. False where nobody has it in hand."""
    given = Task.objects.filter(pk=task.pk, status=Task.Status.IN_PROGRESS).update(
        status=Task.Status.REQUESTED, owner=None
    )
    if given:
        _record("task.give_back", task, by)
    return bool(given)


@transaction.atomic
def resolve_task(*, task: Task, by: User, now: datetime, note: str) -> bool:
    """Settle it, saying what was done; it stays settled until its cause comes anew. False where it is settled.

    Raises ValidationError without a note, and for a kind that is settled on a page of its own.
    """
    if not note.strip():
        raise ValidationError({"note": _("Say what was done.")})
    if task.kind in KINDS and KINDS[task.kind].closes_elsewhere:
        raise ValidationError(_("This closes by itself once it is seen to on its own page."))
    done = Task.objects.open().filter(pk=task.pk).update(
        status=Task.Status.COMPLETED, settled_at=now, settled_by=by, note=note.strip(), is_gone=False
    )  # fmt: skip
    if done:
        _record("task.resolve", task, by, {"note": note.strip()})
    return bool(done)


def _record(verb: str, task: Task, by: User, after: dict[str, str] | None = None) -> None:
    audit.record(
        AuditEvent.Action.UPDATE, verb, by=by, obj=task, clinic=task.clinic, patient_id=task.patient_id,
        after={"kind": task.kind, **(after or {})},
    )  # fmt: skip
