"""The kinds of things that wait for a person, and who sees them: one table, to which `reminders` adds its own.

To add a kind: a function that yields its causes, one `Kind`, and its line in `patients.causes.KINDS` (or in
`reminders.causes.KINDS` where plans or mails must be read). Today, the lists, the counts over time, claiming and
resolving come with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.utils.functional import Promise

from portal.permissions import RIGHTS, is_operator, roles_of

if TYPE_CHECKING:
    from patients.models import Patient, Task
    from portal.models import User


class Cause(NamedTuple):
    """What is the case at this moment and wants a person. `due_on` is a local day of the clinic.

    `facts` hold what the words are made of, as JSON can hold it. Another `stamp` than before opens a task again
    that somebody had resolved.
    """

    subject: UUID
    clinic_id: UUID
    patient_id: UUID | None
    due_on: date
    facts: dict[str, Any]
    is_pressing: bool = False
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """At which moment (UTC) causes are looked for, and whether about one patient alone."""

    now: datetime
    patient: Patient | None = None

    @property
    def today(self) -> date:
        """The day, in UTC; it is the clinic's own for all but a few hours of the night."""
        return self.now.date()

    def of(self, rows: Any, path: str = "patient") -> Any:
        """The rows about the patient, if it is about one; `path` leads from a row to its patient."""
        return rows if self.patient is None else rows.filter(**{path: self.patient})


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of task. `right` is what sees it; `words` say what it is about, `url` where it is seen to.

    One that `closes_elsewhere` is done by its cause going away alone, such as an alert that is acknowledged on its
    own page; nobody claims or resolves it here. With `keeps_due` a task stays due on the day it was first due.
    """

    key: str
    title: str | Promise
    quiet: str | Promise
    right: str
    find: Callable[[Scope], Iterable[Cause]]
    words: Callable[[Task], str]
    url: Callable[[Task], str]
    is_about_patients: bool = True
    closes_elsewhere: bool = False
    keeps_due: bool = False


KINDS: dict[str, Kind] = {}


def register(kinds: Iterable[Kind]) -> None:
    """Add kinds to the table, in the order in which Today shows them. Raises KeyError for an unknown right."""
    for kind in kinds:
        _ = RIGHTS[kind.right]
        KINDS[kind.key] = kind


def kinds_seen_by(user: User | AnonymousUser) -> list[Kind]:
    """The kinds that `user` sees at one clinic at least."""
    seen = {key for keys, _clinics in _seen(user) for key in keys}
    return [kind for kind in KINDS.values() if kind.key in seen]


def seen_by(user: User | AnonymousUser) -> Q:
    """The condition for the tasks that `user` sees: of each clinic the kinds that the role there sees."""
    found = Q(pk__in=[])
    for keys, clinics in _seen(user):
        found |= Q(kind__in=keys) if clinics is None else Q(kind__in=keys, clinic__in=clinics)
    return found


def _seen(user: User | AnonymousUser) -> Iterator[tuple[list[str], list[UUID] | None]]:
    """Sets of kinds with the clinics at which they are seen; None for all clinics."""
    if is_operator(user):
        yield [kind.key for kind in KINDS.values() if RIGHTS[kind.right]], None
        return
    clinics: dict[tuple[str, ...], list[UUID]] = defaultdict(list)
    for clinic, roles in roles_of(user).items():
        keys = tuple(kind.key for kind in KINDS.values() if RIGHTS[kind.right] & roles)
        clinics[keys].append(clinic)
    for kinds, where in clinics.items():
        yield list(kinds), where
