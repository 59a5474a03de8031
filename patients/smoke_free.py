"""How somebody stays smoke-free, for a page: days, money, milestones, slips. Reads only; days are the clinic's.

A slip starts the count of days again and takes nothing back: a milestone that was reached stays reached.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet, UUIDField
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from patients.actions.smoking import near_surgery
from patients.models import Episode, Slip, SmokeFreePlan
from portal.models import Clinic
from portal.prepared import Blank, prepared
from procedures.models import Fact, SlotValue
from procedures.wording import CLINIC

# Days without nicotine, and their name.
MILESTONES: tuple[tuple[int, str | Promise], ...] = (
    (1, _("1 day")),
    (3, _("3 days")),
    (7, _("1 week")),
    (14, _("2 weeks")),
    (28, _("4 weeks")),
    (42, _("6 weeks")),
    (84, _("12 weeks")),
    (183, _("6 months")),
    (365, _("1 year")),
)
FACTS_ABOUT = "smoking"
EPISODE = Blank("episode", UUIDField())


@dataclass(frozen=True, slots=True)
class Milestone:
    """A number of days, whether it was ever reached, and when it comes if all goes well."""

    label: str | Promise
    is_reached: bool
    on: date | None


@dataclass(frozen=True, slots=True)
class SmokeFree:
    """One episode's way. `slips` are those that stand, the latest first; `episodes` are all of the patient's."""

    episode: Episode
    today: date
    plan: SmokeFreePlan | None = None
    slips: Sequence[Slip] = field(default_factory=tuple)
    episodes: Sequence[Episode] = field(default_factory=tuple)

    @property
    def quit_on(self) -> date | None:
        """The day of stopping, past or ahead."""
        return self.episode.anchors.get("quit")

    @property
    def is_ahead(self) -> bool:
        """Whether the day of stopping is still to come."""
        return self.quit_on is not None and self.quit_on > self.today

    @property
    def days_to_quit(self) -> int:
        """Days until the day of stopping."""
        return (self.quit_on - self.today).days if self.quit_on else 0

    @property
    def is_near_surgery(self) -> bool:
        """Whether a slip of today would be told to the team."""
        return near_surgery(self.episodes or [self.episode], self.today) is not None

    @property
    def since(self) -> date | None:
        """The day that the count starts from: of stopping, or of the last slip."""
        if self.quit_on is None or self.is_ahead:
            return None
        return max([self.quit_on, *(slip.on for slip in self.slips)])

    @property
    def days(self) -> int:
        """Whole days since then."""
        return (self.today - self.since).days if self.since else 0

    @property
    def total(self) -> int:
        """All smoke-free days since the day of stopping; slips took a day each and no more."""
        if self.quit_on is None or self.is_ahead:
            return 0
        lost = {slip.on for slip in self.slips if slip.on < self.today}
        return (self.today - self.quit_on).days - len(lost)

    @property
    def saved(self) -> str:
        """The money not spent, with its sign; empty where nobody wished to count it."""
        if self.plan is None or not self.plan.spent_a_day:
            return ""
        amount = (self.plan.spent_a_day * self.total).quantize(Decimal("0.01"))
        return f"{self.plan.get_currency_display()}{number_format(amount, use_l10n=True, force_grouping=True)}"

    @property
    def best(self) -> int:
        """The longest run of days so far."""
        if self.quit_on is None or self.is_ahead:
            return 0
        days = sorted({self.quit_on, self.today, *(slip.on for slip in self.slips)})
        return max(((b - a).days for a, b in pairwise(days)), default=0)

    @property
    def milestones(self) -> list[Milestone]:
        """All that were reached, and the next that was not."""
        shown: list[Milestone] = []
        for days, label in MILESTONES:
            if days <= self.best:
                shown.append(Milestone(label, True, None))
            elif self.since is not None:
                return [*shown, Milestone(label, False, self.since + timedelta(days=days))]
        return shown


def smoke_free_of(episode: Episode, today: date, episodes: Sequence[Episode] = ()) -> SmokeFree:
    """Read what is known. Two queries, and the episode's anchors where they are not at hand."""
    plan = next(iter(_plan(episode=episode.pk)), None)
    return SmokeFree(episode, today, plan, _slips(episode=episode.pk), episodes)


@prepared
def _plan() -> QuerySet[Any, SmokeFreePlan]:
    return SmokeFreePlan.objects.filter(episode=EPISODE)


@prepared
def _slips() -> QuerySet[Any, Slip]:
    return Slip.objects.standing().filter(episode=EPISODE).select_related("by")


class Said(NamedTuple):
    """What the sources say, and who published it."""

    statement: str
    publishers: tuple[str, ...]


def facts_about_smoking() -> tuple[Said, ...]:
    """What the catalogue's sources say about nicotine, bone and wound. Two queries."""
    facts = _facts()
    published: dict[UUID, tuple[str, ...]] = defaultdict(tuple)
    for fact, publisher in _publishers() if facts else ():
        published[fact] += (publisher,)
    return tuple(Said(statement, published[fact]) for fact, statement in facts)


@prepared
def _facts() -> QuerySet[Any, tuple[UUID, str]]:
    rows = Fact.objects.filter(topic=FACTS_ABOUT).order_by("key")
    return rows.values_list("pk", "statement")


@prepared
def _publishers() -> QuerySet[Any, tuple[UUID, str]]:
    rows = Fact.sources.through.objects.filter(fact__topic=FACTS_ABOUT)
    return rows.order_by("source__key").values_list("fact_id", "source__publisher")


def help_with_stopping(clinic: Clinic) -> str:
    """Where the clinic's area offers help to stop; empty where it has not said. One query."""
    return next(iter(_help(clinic=clinic.pk)), "")


@prepared
def _help() -> QuerySet[Any, str]:
    rows = SlotValue.objects.filter(clinic=CLINIC, slot__key="smoking_help")
    return rows.values_list("value", flat=True)
