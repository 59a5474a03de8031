"""The page “My plan”: the months as phases, each with its steps, visits and X-rays, past, now and next."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property, lru_cache
from itertools import groupby, takewhile
from typing import Any
from uuid import UUID

from django.db.models import CharField, Q, QuerySet, UUIDField
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from patients.care import Care
from patients.models import Appointment, AppointmentKind, Episode, ImagingRequest, StepResponse
from patients.visit_lines import kind_in_words
from portal.day_words import date_format, day_and_time
from portal.prepared import Blank, Listed, prepared
from portal.row_addresses import address
from procedures.conditions import holds
from procedures.models import Category, Step
from procedures.offsets import Offset
from procedures.wording import NoWords, words_of
from reminders.emails import Writer
from reminders.models import Reminder
from reminders.news import Changes, changes_of
from reminders.reading import (
    STEPS,
    Answer,
    AnswerKey,
    answer_to,
    answers_of,
    asked_for,
    attach,
    bring_texts,
    is_shown,
    own_rows,
    title,
)
from reminders.reasons import SILENT, reason, rule

# What comes within this time is shown in full, what comes later in a line each.
IN_FULL = timedelta(days=7)
VERSION, ANCHORS = Blank("version", UUIDField()), Listed("anchors", CharField())

# Days from surgery at which a phase ends, and its name.
AFTER: tuple[tuple[int, str | Promise], ...] = (
    (42, gettext_lazy("Weeks 1 to 6")),
    (84, gettext_lazy("Weeks 7 to 12")),
    (183, gettext_lazy("Months 4 to 6")),
    (365, gettext_lazy("Months 7 to 12")),
    (730, gettext_lazy("The second year")),
)
LATER = gettext_lazy("Later")
BEFORE = gettext_lazy("Before surgery")
IN_HOSPITAL = gettext_lazy("In hospital")
AT_HOME = gettext_lazy("After going home")
WAITING = gettext_lazy("When the time is right")
# The phases in their order, and the days on which those after surgery end.
NAMES = (BEFORE, IN_HOSPITAL, *(name for _end, name in AFTER), LATER)
ENDS = tuple(end for end, _name in AFTER)


@dataclass(frozen=True, slots=True)
class Entry:
    """One stone of the path (portal.templatetags.path.Stone); `on` sorts and is not shown."""

    on: date
    category: str
    category_label: str
    title: str
    when: str
    state: str
    detail: str = ""
    url: str = ""
    language: str = ""
    # What people look for: shown in full however far it is.
    is_landmark: bool = False


@dataclass
class Phase:
    """A stretch of the months."""

    title: str
    note: str = ""
    entries: list[Entry] = field(default_factory=list)
    # The last day of what is shown in full.
    soon: date = date.max

    @cached_property
    def behind(self) -> list[Entry]:
        """What lies behind, up to the first that does not; it has a page of its own."""
        return list(takewhile(lambda entry: entry.state in {"past", "done"}, self.entries))

    @cached_property
    def ahead(self) -> list[Entry]:
        """The others. Without any, the phase is over."""
        return self.entries[len(self.behind) :]

    @cached_property
    def near(self) -> list[Entry]:
        """What lies ahead and comes soon, or waits for somebody's word: shown in full, as surgery is always."""
        return [entry for entry in self.ahead if entry.on <= self.soon or entry.is_landmark]

    @cached_property
    def far(self) -> list[Entry]:
        """What comes later: a line each."""
        return [entry for entry in self.ahead if entry.on > self.soon and not entry.is_landmark]


@dataclass(slots=True)
class Plan:
    """What the page shows."""

    episode: Episode
    phases: list[Phase]
    changes: list[Changes]

    @property
    def now(self) -> Phase | None:
        """The phase that people are in: the first in which something lies ahead."""
        return next((phase for phase in self.phases if phase.ahead), None)

    @property
    def behind(self) -> int:
        """How many steps lie behind."""
        return sum(len(phase.behind) for phase in self.phases)

    @property
    def entries(self) -> list[Entry]:
        """Every stone of the path ahead."""
        return [entry for phase in self.phases for entry in phase.ahead]

    @property
    def entries_behind(self) -> list[Entry]:
        """Every stone of the path behind."""
        return [entry for phase in self.phases for entry in phase.behind]


@prepared
def _rows() -> QuerySet[Any, Reminder]:
    rows = own_rows().order_by("local_date", "local_time", "id")
    return rows.only(
        "episode_id", "appointment_id", "step_id", "step_key", "occurrence", "category", "local_date", "state",
        "reason",
    )  # fmt: skip


def build(care: Care, episode: Episode) -> Plan:
    """Lay out one episode as its reader sees it. A constant number of queries."""
    rows = _rows(**asked_for(care, [episode]))
    steps = _steps_of(episode, rows)
    applying = _applying(care, episode, steps)
    phase_of = _Phases(episode)
    entries = [
        *_steps(care, episode, [row for row in rows if _belongs(row, applying)], steps, phase_of),
        *_visits(care, episode, phase_of),
        *_windows(care, episode),
        *_surgery(care, episode),
    ]
    phases = _phases(phase_of, sorted(entries, key=lambda entry: entry.on), care.today)
    _add_undated(phases, _undated(care, _steps_without_date(episode, applying.values())))
    return Plan(episode, phases, _changes(care, episode, rows, steps))


def _changes(
    care: Care, episode: Episode, rows: Iterable[Reminder], steps: Mapping[UUID, Step]
) -> list[Changes]:
    """What changed lately. Of a plan that is over or called off nothing is news."""
    if not episode.is_open:
        return []
    latest = {row.step_key: row for row in rows}
    return changes_of(care, episode, (_whole(care, episode, row, steps) for row in latest.values()))


def _whole(care: Care, episode: Episode, row: Reminder, steps: Mapping[UUID, Step]) -> Reminder:
    """A row with what its words need, all of it at hand: of a step's many rows only one or two are put into words."""
    row.step = steps[row.step_id] if row.step_id else None
    if row.appointment_id:
        visits = (visit for visit in episode.appointments.all() if visit.pk == row.appointment_id)
        row.appointment = next(visits, None)
    return attach(care, [episode], [row])[0]


def _applying(care: Care, episode: Episode, steps: Mapping[UUID, Step]) -> dict[UUID, Step]:
    """The steps whose condition holds for the patient."""
    attributes = episode.patient.attributes(_on(episode, care))
    return {key: step for key, step in steps.items() if holds(step.condition, attributes)}


def _belongs(row: Reminder, applying: Mapping[UUID, Step]) -> bool:
    """Whether a row is a stone of its own: visits and X-ray windows have theirs already."""
    step = applying.get(row.step_id) if row.step_id else None
    if step is None or row.appointment_id or step.window_days is not None:
        return False
    return row.state != Reminder.State.CANCELLED or row.reason not in SILENT


def _on(episode: Episode, care: Care) -> date:
    return episode.surgery_on or care.today


def _steps(
    care: Care,
    episode: Episode,
    rows: Iterable[Reminder],
    steps: Mapping[UUID, Step],
    phase_of: _Phases,
) -> Iterator[Entry]:
    """One entry for each step and phase: what comes every day is one stone and not forty."""
    answers, writer = answers_of([episode]), Writer()
    groups: dict[tuple[str, str], list[Reminder]] = defaultdict(list)
    today = care.today
    for row in rows:
        groups[row.step_key, phase_of(row.local_date)].append(row)
    for together in groups.values():
        shown = next((row for row in together if row.local_date >= today), together[-1])
        yield _entry(care, _whole(care, episode, shown, steps), together, answers, writer)


def _entry(
    care: Care,
    shown: Reminder,
    rows: list[Reminder],
    answers: dict[AnswerKey, Answer],
    writer: Writer,
) -> Entry:
    first, last = rows[0].local_date, rows[-1].local_date
    is_done = all(answer_to(row, answers) == StepResponse.Answer.DONE for row in rows)
    left_out = shown.state == Reminder.State.CANCELLED or not is_shown(shown, care)
    return Entry(
        on=first,
        category=shown.category,
        category_label=_label(shown.category, get_language()),
        title=title(shown, writer),
        when=_when(first, last, len(rows)),
        state="done" if is_done else _state(care.today, first, last),
        detail=reason(shown.reason) if left_out else "",
        url=address("reminders:why", shown.pk),
        language=writer.language(shown),
    )


@lru_cache(maxsize=64)
def _label(category: str, _language: str | None) -> str:
    """The name of a category in the language in force, which is the second value."""
    return str(Category(category).label)


def _when(first: date, last: date, times: int) -> str:
    if times == 1:
        return _day(first)
    values = {"first": _day(first), "last": _day(last), "times": times}
    return _("%(first)s to %(last)s, %(times)d times") % values


def _state(today: date, first: date, last: date) -> str:
    if last < today:
        return "past"
    return "now" if first <= today else "next"


def _day(day: date) -> str:
    return date_format(day, "D j M Y")


def _visits(care: Care, episode: Episode, phase_of: _Phases) -> Iterator[Entry]:
    """Each visit of the next weeks and of the past; those that come later together, by kind and phase."""
    later: dict[tuple[str, str], list[Appointment]] = defaultdict(list)
    soon = care.today + IN_FULL
    for row in episode.appointments.all():
        if row.status == Appointment.Status.CANCELLED:
            continue
        if row.local_date > soon:
            later[row.kind, phase_of(row.local_date)].append(row)
        else:
            yield _visit(care, [row])
    for together in later.values():
        yield _visit(care, together)


def _visit(care: Care, rows: list[Appointment]) -> Entry:
    """One visit, or several of one kind, the earliest first."""
    one, first, last = rows[0], rows[0].local_date, rows[-1].local_date
    is_one = len(rows) == 1
    is_done = one.status == Appointment.Status.FULFILLED
    return Entry(
        on=first,
        category=Category.XRAY if one.kind == AppointmentKind.XRAY else Category.APPOINTMENT,
        category_label=_label(Category.APPOINTMENT, get_language()),
        title=kind_in_words(one.kind),
        when=day_and_time(first, one.local_time, "D j M Y")
        if is_one
        else _when(first, last, len(rows)),
        state="done" if is_done else _state(care.today, first, last),
        detail=one.location.name if one.location and is_one else "",
        url=address("patients:appointment", one.pk) if is_one else reverse("patients:appointments"),
    )


def _windows(care: Care, episode: Episode) -> Iterator[Entry]:
    """X-rays that nobody has booked yet; once booked, the visit stands in their place."""
    for row in episode.imaging_requests.all():
        if row.status != ImagingRequest.Status.DUE:
            continue
        values = {"first": _day(row.window_from), "last": _day(row.window_until)}
        yield Entry(
            on=row.window_from,
            category=Category.XRAY,
            category_label=str(Category.XRAY.label),
            title=str(AppointmentKind.XRAY.label),
            when=_("Between %(first)s and %(last)s") % values,
            state=_state(care.today, row.window_from, row.window_until),
            detail=_("The clinic books it with you."),
        )


def _surgery(care: Care, episode: Episode) -> Iterator[Entry]:
    on = episode.surgery_on
    if on is None:
        return
    is_off = episode.status == Episode.Status.CANCELLED
    yield Entry(
        on=on,
        category=Category.APPOINTMENT,
        category_label=episode.procedure.name,
        title=_("Your surgery") if care.is_own else _("The day of surgery"),
        when=_day(on),
        state=_state_of_surgery(care.today, on, is_off=is_off),
        detail=_("Called off") if is_off else str(episode.get_side_display()),
        is_landmark=True,
    )


def _state_of_surgery(today: date, on: date, *, is_off: bool) -> str:
    """What was called off lies behind, whatever its day; what took place is done."""
    if is_off:
        return "past"
    return "done" if on < today else _state(today, on, on)


@prepared
def _steps_with() -> QuerySet[Any, Step]:
    """The steps of a version that do not count from these events, and these others."""
    without_date = Q(version=VERSION) & ~Q(anchor__in=ANCHORS)
    rows = Step.objects.filter(without_date | Q(id__in=STEPS))
    return rows.only(
        "version_id", "key", "position", "category", "anchor", "offset_value", "offset_unit", "condition",
        "window_days", "ends_when",
    )  # fmt: skip


def _steps_of(episode: Episode, rows: Iterable[Reminder]) -> dict[UUID, Step]:
    """The steps of the rows, and those without a date, by key and with their words. Two queries."""
    wanted = {row.step_id for row in rows if row.step_id}
    anchors = ["appointment", *episode.anchors]
    found = _steps_with(version=episode.version_id, anchors=anchors, steps=wanted)
    bring_texts(found)
    return {step.pk: step for step in found}


def _steps_without_date(episode: Episode, steps: Iterable[Step]) -> list[Step]:
    """The steps that hang on an event without a date; none once the episode is closed."""
    if not episode.is_open:
        return []
    dated = {"appointment", *episode.anchors}
    return [
        step for step in steps if step.version_id == episode.version_id and step.anchor not in dated
    ]


def _undated(care: Care, steps: Iterable[Step]) -> Iterator[tuple[str, Entry]]:
    """An entry for each of these steps, with the event that it hangs on."""
    for step in steps:
        # As if the event were today: near steps before far ones.
        on = Offset(step.offset_value, step.offset_unit).added_to(care.today)
        yield step.anchor, _undated_entry(step, care.reader.language, on)


def _undated_entry(step: Step, language: str, on: date) -> Entry:
    is_milestone = step.anchor.startswith("milestone:")
    category = str(Category(step.category).label)
    try:
        text = words_of(step, language)
        title, spoken = text.title, text.language
    except NoWords:
        title, spoken = category, language
    return Entry(
        on=on,
        category=step.category,
        category_label=category,
        # A title that needs a value is for the day that the value is known.
        title=category if "{" in title else title,
        language=language if "{" in title else spoken,
        when=_("No date yet") if is_milestone else _sentence(rule(step)),
        state="waiting" if is_milestone else "next",
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _add_undated(phases: list[Phase], undated: Iterable[tuple[str, Entry]]) -> None:
    """What has no date yet: what counts from going home after the hospital, a clinician's word at the end."""
    at_home, waiting = Phase(str(AT_HOME)), Phase(str(WAITING))
    at_home.note = _("These get their dates when the day of going home is known.")
    waiting.note = _("These come when your surgeon or physiotherapist says so.")
    for anchor, entry in sorted(undated, key=lambda pair: pair[1].on):
        (at_home if anchor == "discharge" else waiting).entries.append(entry)
    if at_home.entries:
        early = {str(BEFORE), str(IN_HOSPITAL)}
        phases.insert(sum(phase.title in early for phase in phases), at_home)
    if waiting.entries:
        phases.append(waiting)


@lru_cache(maxsize=128)
def _said(place: int, _language: str | None) -> str:
    """The name of a phase, by its place among `NAMES`, in the language in force, which is the second value."""
    return str(NAMES[place])


class _Phases:
    """Which phase of one episode a day belongs to, by the phase's name in the language in force."""

    def __init__(self, episode: Episode) -> None:
        self.episode = episode
        self._names: dict[date, str] = {}
        self._language = get_language()

    def __call__(self, day: date) -> str:
        """The name; a plan asks for the same days again and again."""
        name = self._names.get(day)
        if name is None:
            name = self._names[day] = _said(self._of(day), self._language)
        return name

    def _of(self, day: date) -> int:
        """The place of the phase's name among `NAMES`."""
        anchors, surgery_on = self.episode.anchors, self.episode.surgery_on
        if surgery_on is None or day < min(anchors.get("admission", surgery_on), surgery_on):
            return 0
        if day <= surgery_on or day < anchors.get("discharge", surgery_on):
            return 1
        return 2 + bisect_right(ENDS, (day - surgery_on).days)


def _phases(phase_of: _Phases, entries: Iterable[Entry], today: date) -> list[Phase]:
    grouped = groupby(entries, key=lambda entry: phase_of(entry.on))
    episode, soon = phase_of.episode, today + IN_FULL
    return [Phase(name, _span(episode, name), list(rows), soon) for name, rows in grouped]


def _span(episode: Episode, phase: str) -> str:
    """From when to when a phase after surgery runs."""
    surgery_on, begins, language = episode.surgery_on, 0, get_language()
    for place, ends in enumerate(ENDS, start=2):
        if surgery_on is not None and _said(place, language) == phase:
            first = surgery_on + timedelta(days=max(begins, 1))
            last = surgery_on + timedelta(days=ends - 1)
            return _("%(first)s to %(last)s") % {"first": _day(first), "last": _day(last)}
        begins = ends
    return ""
