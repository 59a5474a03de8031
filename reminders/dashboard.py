"""Today: what needs a person at the clinics of whoever asks, for the first page of the staff admin.

The worklists are those of `patients.worklist` that the person's roles see, read in a constant number of queries
however long they are; each shows its first rows and leads to the whole list.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from patients.models import EmergencyAccess, Episode, Merge, Patient, Task, WorklistDay
from patients.worklist import Kind, kinds_seen_by, seen_by
from portal import audit, clock, heartbeat
from portal.models import AuditCheck, AuditHead, Clinic, User
from portal.permissions import may, within
from reminders import balance, pacing
from reminders.models import DailyBalance, Reminder
from reminders.pictures import Bars, Line, bars, line
from reminders.readiness import ITEMS, lacking, operations
from reminders.staff_record import countdown

SHOWN = 8
SURGERIES_SHOWN = 12
PICTURED = timedelta(days=30)
MAILS_PICTURED = timedelta(days=13)
MERGES_PICTURED = timedelta(days=30)


@dataclass(slots=True)
class Worklist:
    """One card of the page: the most pressing tasks of a kind, how many there are, and how that went of late."""

    kind: Kind
    tasks: list[Task] = field(default_factory=list)
    count: int = 0
    overdue: int = 0
    mine: int = 0
    picture: Line | None = None

    @property
    def title(self) -> str:
        """What the list is about."""
        return str(self.kind.title)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The shown tasks in words."""
        return [told(task, self.kind) for task in self.tasks]


@dataclass(frozen=True, slots=True)
class Operation:
    """Surgery within the next 14 days, with what is seen to and what is not."""

    episode: Episode
    on: date
    countdown: str
    items: list[tuple[str, bool]]


def told(task: Task, kind: Kind) -> dict[str, Any]:
    """One task as the pages show it."""
    return {
        "task": task,
        "who": task.patient.name if task.patient else str(task.facts.get("name", kind.title)),
        "words": kind.words(task),
        "url": kind.url(task),
    }


def today(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the admin's first page what waits for somebody at the clinics of whoever asks."""
    if not isinstance(request.user, User):
        return context
    user, now = request.user, clock.now()
    lists = worklists(user, now.date())
    soon = _surgery_soon(user, now.date())
    patients = [task.patient for each in lists for task in each.tasks]
    _note(request, user, [*patients, *(row.episode.patient for row in soon)])
    return {
        **context,
        "title": _("Today"),
        "worklists": lists,
        "busy": [each for each in lists if each.count],
        "quiet": [each for each in lists if not each.count],
        "operations": soon,
        "may_see_operations": may(user, "appointment.view"),
        "mine": sum(each.mine for each in lists),
        "machine": machine(user, now),
        "trail": None if lists or not may(user, "auditevent.view") else trail(user, now),
    }


def _note(request: HttpRequest, user: User, patients: list[Patient | None]) -> None:
    rows = {(patient.clinic, patient.pk) for patient in patients if patient is not None}
    audit.note_list(request, "today.list", by=user, rows=rows)


def worklists(user: User, today: date) -> list[Worklist]:
    """The lists that the person sees, each with its first tasks. Three queries."""
    lists = {kind.key: Worklist(kind) for kind in kinds_seen_by(user)}
    open_tasks = Task.objects.open().filter(seen_by(user)).order_by()
    counts = open_tasks.values("kind").annotate(
        n=Count("pk"), overdue=Count("pk", filter=Q(due_on__lt=today)), mine=Count("pk", filter=Q(owner=user))
    )  # fmt: skip
    for row in counts:
        one = lists[row["kind"]]
        one.count, one.overdue, one.mine = row["n"], row["overdue"], row["mine"]
    for task in _first_of_each(open_tasks):
        lists[task.kind].tasks.append(task)
    for key, days in _courses(user, list(lists), today).items():
        lists[key].picture = line(days, today - PICTURED, today)
    return list(lists.values())


def _first_of_each(rows: QuerySet[Task]) -> QuerySet[Task]:
    place = Window(
        RowNumber(), partition_by="kind", order_by=[F("is_pressing").desc(), "due_on", "pk"]
    )
    first = rows.annotate(place=place).filter(place__lte=SHOWN)
    return first.select_related("patient__clinic", "owner").order_by("kind", "place")


def _courses(user: User, keys: list[str], today: date) -> dict[str, dict[date, int]]:
    """How many tasks of each kind were open on each of the last days, at the person's clinics."""
    rows = WorklistDay.objects.filter(
        kind__in=keys, day__gte=today - PICTURED, clinic__in=Clinic.objects.visible_to(user)
    )
    found: dict[str, dict[date, int]] = defaultdict(dict)
    for key, day, n in (
        rows.values("kind", "day").annotate(n=Sum("open")).values_list("kind", "day", "n")
    ):
        found[key][day] = n
    return found


def _surgery_soon(user: User, today: date) -> list[Operation]:
    """The next operations, with how ready everybody is. One query."""
    episodes = within(Episode.objects.open().visible_to(user), user, "appointment.view")
    rows = operations(episodes, today).order_by("on", "id")[:SURGERIES_SHOWN]
    return [_operation(row, today) for row in rows] if may(user, "appointment.view") else []


def _operation(row: Any, today: date) -> Operation:
    missing = lacking(row)
    items = [(str(item.label), item.key not in missing) for item in ITEMS]
    return Operation(row.episode, row.on, countdown(row.on, today), items)


def trail(user: User, now: datetime) -> dict[str, Any]:
    """What waits for somebody who audits: whether the trail is whole, emergencies nobody looked at, late merges."""
    emergencies = within(EmergencyAccess.objects.unseen(), user, "emergencyaccess.view")
    merges = within(Merge.objects.all(), user, "merge.view").filter(
        created_at__gte=now - MERGES_PICTURED
    )
    return {
        "head": AuditHead.objects.filter(pk=1).first(),
        "check": AuditCheck.objects.filter(finished_at__isnull=False).first(),
        "emergencies": emergencies.count(),
        "merges": merges.count(),
    }


def machine(user: User, now: datetime) -> dict[str, Any]:
    """How the machine is: how late the oldest reminder is, when it last ran, what it sent, who refuses us."""
    oldest = Reminder.objects.due(now).values_list("due_at", flat=True).first()
    age = heartbeat.age("dispatch")
    return {
        "overdue_since": timesince(oldest, now) if oldest else "",
        "is_late": bool(oldest and now - oldest > timedelta(minutes=15)),
        "beat": _("never") if age is None else _("%(n)d s ago") % {"n": age.total_seconds()},
        "is_still": age is None or age > timedelta(minutes=5),
        "channel": pacing.stopped(),
        "gaps": len(list(balance.gaps(now=now))),
        "mails": _mails(user, now.date()),
        "worklists": reverse("admin:worklist"),
    }


def _mails(user: User, today: date) -> Bars:
    """What was sent, and what did not go, on each of the last 14 days at the person's clinics."""
    rows = DailyBalance.objects.filter(
        day__range=(today - MAILS_PICTURED, today), clinic__in=Clinic.objects.visible_to(user)
    )
    counted = rows.values("day").annotate(good=Sum("sent"), bad=Sum("missed") + Sum("failed"))
    days = {row["day"]: (row["good"], row["bad"]) for row in counted.order_by("day")}
    return bars(days, today - MAILS_PICTURED, today)
