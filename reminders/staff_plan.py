"""Plans and diffs as staff read them: lines with titles, dates and people, grouped by week and by change.

Presentation only. What is planned comes from `planner`, what changes from `diff`.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from patients.models import Hold
from portal.models import User
from procedures.conditions import holds
from procedures.models import Category, PathwayVersion, StepText
from procedures.wording import NoWords, words_of
from reminders import reasons
from reminders.diff import Change, Diff, Item
from reminders.overrides import Choice, offered
from reminders.planner import Desired, Intent, Rule

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
SIX_WEEKS, SIX_MONTHS = 6, 26


@dataclass(slots=True)
class Line:
    """One step on one or more days, as one line of a plan."""

    title: str
    category: str
    at: time
    zone: str
    days: list[date] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    skipped: str = ""
    is_essential: bool = False

    @property
    def category_label(self) -> str:
        """The category in words."""
        return str(Category(self.category).label)


@dataclass(slots=True)
class Week:
    """The lines of one week, counted from the day of surgery."""

    title: str
    first: date
    lines: list[Line]

    @property
    def last(self) -> date:
        """Its last day."""
        return self.first + timedelta(days=6)

    @property
    def count(self) -> int:
        """How many reminders go out in it, each person's counted."""
        return sum(len(line.days) * len(line.people) for line in self.lines if not line.skipped)


@dataclass(slots=True)
class Phase:
    """A stretch of a plan with a name of its own."""

    title: str
    weeks: list[Week] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Names:
    """What rows refer to, by id: the titles of steps and the names of people."""

    steps: Mapping[UUID, str]
    people: Mapping[UUID, str]

    @classmethod
    def of(cls, version: PathwayVersion, people: Iterable[UUID]) -> Names:
        """Read for one pathway version and some people. Three queries."""
        steps = version.steps.prefetch_related("texts")
        titles = {step.pk: title_of(step, version.clinic.language) for step in steps}
        users = User.objects.filter(pk__in=set(people))
        return cls(titles, {user.pk: user.name for user in users})

    def title(self, step_id: UUID) -> str:
        """The title of a step; for one of an earlier version, the category has to do."""
        return self.steps.get(step_id, _("A step of an earlier version"))


def title_of(step: Any, language: str) -> str:
    """A step's title for staff: what is only known when it is sent stands as dots. Prefetch `texts`."""
    try:
        text: StepText = words_of(step, language)
    except NoWords:
        return str(step.key)
    return _PLACEHOLDER.sub("…", text.title)


def held_words(hold: Hold, steps: Mapping[str, str]) -> str:
    """What a hold is about, in words; `steps` gives the titles of steps by their keys."""
    if hold.step_key:
        return steps.get(hold.step_key, _("A step of an earlier version"))
    return str(Category(hold.category).label) if hold.category else _("The whole plan")


def timeline(rows: Sequence[Desired], names: Names, surgery_on: date | None) -> list[Phase]:
    """A plan by phase and week, counted from surgery; without a date of surgery, from the first reminder."""
    if not rows:
        return []
    start = surgery_on or min(row.intent.local_date for row in rows)
    by_week: dict[int, list[Desired]] = defaultdict(list)
    for row in rows:
        by_week[(row.intent.local_date - start).days // 7].append(row)
    phases: dict[str, Phase] = {}
    for number, of_week in sorted(by_week.items()):
        name = _phase(number)
        week = Week(_week(number), start + timedelta(weeks=number), _lines(of_week, names))
        phases.setdefault(name, Phase(name)).weeks.append(week)
    return list(phases.values())


def waiting(
    rules: Iterable[Rule], anchors: Collection[str], attributes: Mapping[str, Any], names: Names
) -> list[tuple[str, list[str]]]:
    """The titles of the steps for this patient that count from a day that is not known yet, by that event."""
    found: dict[str, list[str]] = defaultdict(list)
    for rule in rules:
        if rule.anchor not in anchors and holds(rule.condition, attributes):
            _add(found[reasons.event(rule.anchor)], names.title(rule.id))
    return list(found.items())


def _phase(week: int) -> str:
    if week < 0:
        return _("Before surgery")
    if week < SIX_WEEKS:
        return _("The first six weeks")
    return _("Up to half a year") if week < SIX_MONTHS else _("After half a year")


def _week(number: int) -> str:
    if number == 0:
        return _("The week of surgery")
    if number < 0:
        return ngettext("%(n)d week before", "%(n)d weeks before", -number) % {"n": -number}
    return ngettext("%(n)d week after", "%(n)d weeks after", number) % {"n": number}


def _lines(rows: Iterable[Desired], names: Names) -> list[Line]:
    lines: dict[tuple[Any, ...], Line] = {}
    for row in rows:
        intent, rule = row.intent, row.rule
        key = (rule.key, intent.local_time, intent.zone, row.skipped, row.key.appointment_id)
        line = lines.setdefault(
            key,
            Line(
                names.title(rule.id), rule.category, intent.local_time, intent.zone,
                skipped=reasons.reason(row.skipped) if row.skipped else "", is_essential=rule.is_essential,
            ),
        )  # fmt: skip
        _add(line.days, intent.local_date)
        _add(line.people, names.people.get(row.key.recipient_id, "?"))
    return list(lines.values())


def _add(values: list[Any], value: Any) -> None:
    if value not in values:
        values.append(value)


@dataclass(slots=True)
class Changed:
    """One step of a diff: what happens to it, how often, and from when to when."""

    key: str
    title: str
    category: str
    people: list[str] = field(default_factory=list)
    moves: list[tuple[Intent | None, Intent | None]] = field(default_factory=list)
    asks: bool = False
    proposal: str = ""
    menu: str = ""
    choices: list[tuple[str, str]] = field(default_factory=list)

    @property
    def category_label(self) -> str:
        """The category in words."""
        return str(Category(self.category).label)

    @property
    def before(self) -> Intent | None:
        """The first moment as it was."""
        return self.moves[0][0]

    @property
    def after(self) -> Intent | None:
        """The first moment as it will be."""
        return self.moves[0][1]

    @property
    def count(self) -> int:
        """How many times the step comes."""
        return len(self.moves)

    @property
    def is_as_it_was(self) -> bool:
        """Whether neither a day of it changes, nor anybody is asked about it."""
        return not self.asks and all(new is None or new == old for old, new in self.moves)


@dataclass(frozen=True, slots=True)
class Section:
    """All of a diff's lines of one kind, under a heading that says what happens to them."""

    change: str
    title: str
    note: str
    lines: list[Changed]
    count: int

    @property
    def is_quiet(self) -> bool:
        """Whether nothing happens to these, so that they need not be read."""
        is_sent = self.change == Change.ALREADY_SENT
        return self.change == Change.KEPT or (
            is_sent and all(line.is_as_it_was for line in self.lines)
        )


def sections(
    diff: Diff, names: Names, categories: Mapping[str, str], *, with_choices: bool = False
) -> list[Section]:
    """A diff under one heading for each kind of change, the weightiest first; what is empty is left out.

    What needs no reading stands last.

    `categories` gives the category of a step by its key, for rows that the new plan drops. With choices, each
    line says what staff can have instead.
    """
    found = []
    for change, title, note in _headings():
        items = diff.of(change)
        if items:
            lines = _changed(items, diff, names, categories)
            if with_choices:
                _offer(lines, change, items, diff)
            found.append(Section(change.value, title, note, lines, len(items)))
    return sorted(found, key=lambda section: section.is_quiet)


def _headings() -> list[tuple[Change, str, str]]:
    return [
        (Change.ALREADY_SENT, _("Already sent"), _("These stay as they are.")),
        (Change.MOVED, _("Moved"), _("These go out on another day.")),
        (Change.NEW, _("New"), _("These are added to the plan.")),
        (Change.DROPPED, _("Dropped"), _("These are not sent any more.")),
        (
            Change.TOO_LATE,
            _("Now too late"),
            _("Their day is already past with the new date; they are not sent."),
        ),
        (Change.KEPT, _("Kept"), _("Nothing changes for these.")),
    ]


def _changed(
    items: Iterable[Item], diff: Diff, names: Names, categories: Mapping[str, str]
) -> list[Changed]:
    corrected = {item.key for item in diff.of(Change.NEW) if item.correction}
    lines: dict[tuple[str, bool], Changed] = {}
    for item in items:
        row = item.desired or item.existing
        step_id = (
            item.desired.rule.id
            if item.desired
            else item.existing.step_id
            if item.existing
            else None
        )
        if row is None or step_id is None:
            continue
        line = lines.setdefault(
            (item.key.step, item.asks),
            Changed(
                item.key.step,
                names.title(step_id),
                categories.get(item.key.step, Category.RECOVERY),
            ),
        )
        line.asks = item.asks
        line.proposal = _proposal(item, is_corrected=item.key in corrected)
        line.moves.append(
            (
                item.existing.intent if item.existing else None,
                item.desired.intent if item.desired else None,
            )
        )
        _add(line.people, names.people.get(item.key.recipient_id, "?"))
    return list(lines.values())


def _offer(lines: Iterable[Changed], change: Change, items: Iterable[Item], diff: Diff) -> None:
    """Give each line its menu: what happens, and what else can."""
    by_step = {item.key.step: chosen for item in items if (chosen := offered(item, diff))}
    for line in lines:
        if line.key in by_step:
            line.menu = _menu(change, line.key)
            words = [(str(choice), _choice_words(change, choice)) for choice in by_step[line.key]]
            line.choices = [("", _as_proposed(change)), *words]


def _menu(change: Change, step: str) -> str:
    return f"choice-{change}-{step}"


def _as_proposed(change: Change) -> str:
    return {
        Change.MOVED: _("Move it"),
        Change.NEW: _("Add it"),
        Change.DROPPED: _("Drop it"),
        Change.KEPT: _("Keep it"),
        Change.TOO_LATE: _("Leave it out"),
        Change.ALREADY_SENT: _("Do not send it again"),
    }[change]


def _choice_words(change: Change, choice: Choice) -> str:
    if choice is Choice.KEEP:
        return _("Keep it on its old day")
    if choice is Choice.DROP:
        return _("Do not send it")
    if change is Change.ALREADY_SENT:
        return _("Send it again with the new date")
    return _("Send it now all the same")


def choices_in(posted: Mapping[str, Any], diff: Diff) -> dict[tuple[Change, str], Choice]:
    """What was chosen in the menus of a diff; what is not offered is left out."""
    found = {}
    for item in diff.items:
        wanted = posted.get(_menu(item.change, item.key.step), "")
        if wanted in offered(item, diff):
            found[item.change, item.key.step] = Choice(wanted)
    return found


def _proposal(item: Item, *, is_corrected: bool) -> str:
    if item.change is Change.NEW and item.correction:
        return _("Sent again, saying that the date changed.")
    if item.change is not Change.ALREADY_SENT or item.desired is None or item.existing is None:
        return ""
    if item.existing.intent == item.desired.intent:
        return _("Its date does not change.")
    if is_corrected:
        return _("It is sent again with the new date; see “New”.")
    return "" if item.asks else _("It is not sent again.")


def digest(diff: Diff) -> str:
    """What a diff says, as a short text to compare: the same for the same changes, whatever the minute."""
    lines = [
        "|".join(
            str(part)
            for part in (item.change, item.key, item.correction, item.asks, *_intents(item))
        )
        for item in diff.items
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _intents(item: Item) -> tuple[Any, Any]:
    return (
        item.existing.intent if item.existing else None,
        item.desired.intent if item.desired else None,
    )
