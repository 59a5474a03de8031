"""The page “My plan”: the months as phases, each with its steps, visits and X-rays, past, now and next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby, takewhile
from typing import Any
from uuid import UUID

from django.db.models import CharField, Q, QuerySet, UUIDField
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.care import Care
from patients.models import Appointment, AppointmentKind, Episode, ImagingRequest, StepResponse
from portal.day_words import date_format, time_format
from portal.prepared import Blank, Listed, prepared
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


@dataclass(frozen=True, slots=True)
class Entry:
    """One stone of the path, as components/timeline.html shows it; `on` sorts and is not shown."""

    on: date
    category: str
    category_label: str
    title: str
    when: str
    state: str
    detail: str = ""
    url: str = ""
    language: str = ""


@dataclass(slots=True)
class Phase:
    """A stretch of the months."""

    title: str
    note: str = ""
    entries: list[Entry] = field(default_factory=list)

    @property
    def behind(self) -> list[Entry]:
        """What lies behind, up to the first that does not; a page folds it away."""
        return list(takewhile(lambda entry: entry.state in {"past", "done"}, self.entries))

    @property
    def ahead(self) -> list[Entry]:
        """The others. Without any, the phase is over."""
        return self.entries[len(self.behind) :]


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
    def entries(self) -> list[Entry]:
        """Every stone of the path."""
        return [entry for phase in self.phases for entry in phase.entries]


@prepared
def _rows() -> QuerySet[Any, Reminder]:
    return own_rows().order_by("local_date", "local_time", "id")


def build(care: Care, episode: Episode) -> Plan:
    """Lay out one episode as its reader sees it. A constant number of queries."""
    rows = _rows(**asked_for(care, [episode]))
    steps = _steps_of(episode, rows)
    visits = {visit.pk: visit for visit in episode.appointments.all()}
    for row in rows:
        # At hand already: a step has many rows, and joined to each it came as often.
        row.step = steps[row.step_id] if row.step_id else None
        if row.appointment_id in visits:
            row.appointment = visits[row.appointment_id]
    attach(care, [episode], rows)
    without_date = _steps_without_date(care, episode, steps.values())
    entries = [
        *_steps(care, [row for row in rows if _belongs(row, care)]),
        *_visits(care, episode),
        *_windows(care, episode),
        *_surgery(care, episode),
    ]
    phases = _phases(episode, sorted(entries, key=lambda entry: entry.on))
    _add_undated(phases, _undated(care, without_date))
    # Of a plan that is over or called off nothing is news.
    changes = changes_of(care, episode, rows) if episode.is_open else []
    return Plan(episode, phases, changes)


def _belongs(row: Reminder, care: Care) -> bool:
    """Whether a row is a stone of its own: visits and X-ray windows have theirs already."""
    if row.step is None or row.appointment_id or row.step.window_days is not None:
        return False
    if row.state == Reminder.State.CANCELLED and row.reason in SILENT:
        return False
    return holds(row.step.condition, row.episode.patient.attributes(_on(row.episode, care)))


def _on(episode: Episode, care: Care) -> date:
    return episode.surgery_on or care.today


def _steps(care: Care, rows: Iterable[Reminder]) -> Iterator[Entry]:
    """One entry for each step and phase: what comes every day is one stone and not forty."""
    answers, writer = (
        answers_of([*{row.episode_id: row.episode for row in rows}.values()]),
        Writer(),
    )
    groups: dict[tuple[str, str], list[Reminder]] = defaultdict(list)
    for row in rows:
        groups[row.step_key, _phase_of(row.episode, row.local_date)].append(row)
    for together in groups.values():
        yield _entry(care, together, answers, writer)


def _entry(
    care: Care, rows: list[Reminder], answers: dict[AnswerKey, Answer], writer: Writer
) -> Entry:
    shown = next((row for row in rows if row.local_date >= care.today), rows[-1])
    first, last = rows[0].local_date, rows[-1].local_date
    is_done = all(answer_to(row, answers) == StepResponse.Answer.DONE for row in rows)
    left_out = shown.state == Reminder.State.CANCELLED or not is_shown(shown, care)
    return Entry(
        on=first,
        category=shown.category,
        category_label=str(Category(shown.category).label),
        title=title(shown, writer),
        when=_when(first, last, len(rows)),
        state="done" if is_done else _state(care.today, first, last),
        detail=reason(shown.reason) if left_out else "",
        url=reverse("reminders:why", args=[shown.pk]),
        language=writer.language(shown),
    )


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


def _visits(care: Care, episode: Episode) -> Iterator[Entry]:
    url = reverse("patients:appointments")
    for row in episode.appointments.all():
        if row.status == Appointment.Status.CANCELLED:
            continue
        is_done = row.status == Appointment.Status.FULFILLED
        yield Entry(
            on=row.local_date,
            category=Category.XRAY if row.kind == AppointmentKind.XRAY else Category.APPOINTMENT,
            category_label=str(Category.APPOINTMENT.label),
            title=str(AppointmentKind(row.kind).label),
            when=f"{_day(row.local_date)}, {time_format(row.local_time, 'H:i')}",
            state="done" if is_done else _state(care.today, row.local_date, row.local_date),
            detail=row.location.name if row.location else "",
            url=url,
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
    return Step.objects.filter(without_date | Q(id__in=STEPS))


def _steps_of(episode: Episode, rows: Iterable[Reminder]) -> dict[UUID, Step]:
    """The steps of the rows, and those without a date, by key and with their words. Two queries."""
    wanted = {row.step_id for row in rows if row.step_id}
    anchors = ["appointment", *episode.anchors]
    found = _steps_with(version=episode.version_id, anchors=anchors, steps=wanted)
    bring_texts(found)
    return {step.pk: step for step in found}


def _steps_without_date(care: Care, episode: Episode, steps: Iterable[Step]) -> list[Step]:
    """The steps that hang on an event without a date; none once the episode is closed."""
    if not episode.is_open:
        return []
    dated = {"appointment", *episode.anchors}
    attributes = episode.patient.attributes(_on(episode, care))
    return [
        step
        for step in steps
        if step.version_id == episode.version_id
        and step.anchor not in dated
        and holds(step.condition, attributes)
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


def _phase_of(episode: Episode, day: date) -> str:
    surgery_on = episode.surgery_on
    anchors = episode.anchors
    if surgery_on is None:
        return str(BEFORE)
    if day < min(anchors.get("admission", surgery_on), surgery_on):
        return str(BEFORE)
    if day <= surgery_on or day < anchors.get("discharge", surgery_on):
        return str(IN_HOSPITAL)
    distance = (day - surgery_on).days
    return str(next((name for end, name in AFTER if distance < end), LATER))


def _phases(episode: Episode, entries: Iterable[Entry]) -> list[Phase]:
    grouped = groupby(entries, key=lambda entry: _phase_of(episode, entry.on))
    return [Phase(name, _span(episode, name), list(rows)) for name, rows in grouped]


def _span(episode: Episode, phase: str) -> str:
    """From when to when a phase after surgery runs."""
    surgery_on, begins = episode.surgery_on, 0
    for ends, name in AFTER:
        if surgery_on is not None and str(name) == phase:
            first = surgery_on + timedelta(days=max(begins, 1))
            last = surgery_on + timedelta(days=ends - 1)
            return _("%(first)s to %(last)s") % {"first": _day(first), "last": _day(last)}
        begins = ends
    return ""
