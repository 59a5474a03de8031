"""A pathway version as people would get it: plans of invented patients, every mail, and what has no words yet.

Works for drafts, with the clinic's numbers in place of slots. Nothing is written, and nobody is real.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from patients.models import Appointment, AppointmentKind, Episode, ImagingRequest, RelatedPerson
from portal.models import Language, User
from procedures.approval import missing_words, resolved_offset, slot_values
from procedures.models import Audience, PathwayVersion, Step, StepText
from procedures.offsets import Offset
from procedures.wording import Wording, placeholders_in, words_of
from reminders import compiled, emails
from reminders.inputs import rule_of, sample_case
from reminders.models import Reminder
from reminders.planner import Case, Rule, Visit, plan
from reminders.staff_plan import Names, Phase, timeline, title_of
from reminders.whatif import keep_in_memory, sample

WEEKS_AHEAD = timedelta(weeks=8)
IN_HOSPITAL = timedelta(days=4)
# When the invented visits are, in days from surgery.
VISITS: Mapping[str, int] = {
    AppointmentKind.PRE_ASSESSMENT: -14, AppointmentKind.ADMISSION: 0, AppointmentKind.PHYSIOTHERAPY: 21,
    AppointmentKind.CLINIC: 42, AppointmentKind.XRAY: 44,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """What one invented patient would get."""

    title: str
    surgery_on: date
    phases: list[Phase]
    going: int
    left_out: int


@dataclass(frozen=True, slots=True)
class SampleMail:
    """One mail of a version in one language, as it would go out. Square brackets stand for what is not filled in."""

    step: Step
    language: str
    language_name: str
    title: str
    subject: str
    text: str
    html: str
    unfilled: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Gap:
    """A language and the steps that have no words in it; British English is read instead."""

    language_name: str
    titles: list[str]
    is_whole: bool


class _Writer(emails.Writer):
    """Writes with stand-ins for what the clinic has not filled in or settled."""

    def _values(self, row: Reminder) -> dict[str, str]:
        values = super()._values(row)
        return {**{name: _stand_in(name) for name in unfilled(row, values)}, **_known(values)}

    def _step_words(self, row: Reminder, text: StepText) -> Wording:
        return compiled.words(text, self._values(row))


def unfilled(row: Reminder, values: Mapping[str, str]) -> list[str]:
    """The placeholders of a reminder's text that `values` leave empty."""
    assert row.step is not None
    text = words_of(row.step, row.recipient.language)
    names = placeholders_in(text.subject, text.title, text.todo, text.body)
    return sorted(names - _known(values).keys())


def _known(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value.strip()}


def _stand_in(name: str) -> str:
    return f"[{(name.partition(':')[2] or name).replace('_', ' ')}]"


class Draft:
    """A version with its steps, each at its moment; those whose slot is empty cannot be placed."""

    def __init__(self, version: PathwayVersion, now: datetime) -> None:
        self.version, self.now = version, now
        self.today = now.astimezone(version.clinic.zone).date()
        self.surgery_on = self.today + WEEKS_AHEAD
        rows = version.steps.select_related("offset_slot").prefetch_related("texts")
        self.steps = list(rows)
        self.slots = slot_values(version)
        self.offsets = {step.pk: self._offset(step) for step in self.steps}

    def _offset(self, step: Step) -> Offset | None:
        if not self.version.is_draft:
            return Offset(step.offset_value, step.offset_unit)
        try:
            return resolved_offset(step, self.slots)
        except (KeyError, ValueError):
            return None

    @property
    def rules(self) -> list[Rule]:
        """The steps that have a moment, as the planner wants them."""
        found = [(rule_of(step), self.offsets[step.pk]) for step in self.steps]
        return [replace(rule, offset=offset) for rule, offset in found if offset is not None]

    @property
    def not_placed(self) -> list[str]:
        """The titles of the steps that wait for a slot."""
        return [self.title(step) for step in self.steps if self.offsets[step.pk] is None]

    def title(self, step: Step) -> str:
        """A step's title in the clinic's language."""
        return title_of(step, self.version.clinic.language)

    @cached_property
    def anchors(self) -> dict[str, date]:
        """A day for every event that a step counts from; milestones are reached three months on."""
        home = self.surgery_on + IN_HOSPITAL
        reached = {step.anchor for step in self.steps if step.anchor.startswith("milestone:")}
        return {
            "decision": self.today, "admission": self.surgery_on, "surgery": self.surgery_on, "discharge": home,
            "quit": self.surgery_on - timedelta(weeks=6),
            **dict.fromkeys(reached, self.surgery_on + timedelta(weeks=12)),
        }  # fmt: skip

    def plans(self) -> list[SamplePlan]:
        """The plan of an adult who smokes, and that of a child: of those whom the pathway is for."""
        audience = self.version.pathway.audience
        found = [_adult(self)] if audience != Audience.CHILD else []
        found += [_child(self)] if audience != Audience.ADULT else []
        return [self._plan(title, episode) for title, episode in found]

    def _plan(self, title: str, episode: Episode) -> SamplePlan:
        rows = plan(self.rules, self._case(episode), self.now)
        names = Names(
            {step.pk: self.title(step) for step in self.steps},
            {user.pk: user.name for user in _readers(episode)},
        )
        left_out = sum(1 for row in rows if row.skipped)
        phases = timeline(rows, names, self.surgery_on)
        return SamplePlan(title, self.surgery_on, phases, len(rows) - left_out, left_out)

    def _case(self, episode: Episode) -> Case:
        case = sample_case(episode.patient, self.anchors, self.now)
        visits = [
            Visit(row.id, row.kind, row.local_date, row.starts_at)
            for row in episode.appointments.all()
        ]
        return replace(case, visits=visits)

    def mails(self) -> list[SampleMail]:
        """Every text of every step as the mail it would be."""
        _title, episode = _child(self) if self._is_for_children else _adult(self)
        writer = _Writer()
        found = [self.mail(step, text.language, episode, writer) for step, text in self._texts()]
        return sorted(found, key=lambda mail: (mail.step.position, mail.language))

    @property
    def _is_for_children(self) -> bool:
        return self.version.pathway.audience == Audience.CHILD

    def _texts(self) -> Iterable[tuple[Step, Any]]:
        return [(step, text) for step in self.steps for text in step.texts.all()]

    def mail(
        self, step: Step, language: str, episode: Episode, writer: emails.Writer
    ) -> SampleMail:
        """One step as a mail of its own, to a reader of `language`."""
        row = self._reminder(step, language, episode)
        fields = emails.compose([row], [writer.draft(row)])
        return SampleMail(
            step, language, str(Language(language).label), self.title(step), fields["subject"],
            fields["printed"].text, fields["printed"].html, unfilled(row, emails.Writer._values(writer, row)),
        )  # fmt: skip

    def _reminder(self, step: Step, language: str, episode: Episode) -> Reminder:
        reader = next(iter(_readers(episode)))
        reader.language = language
        visits = {row.kind: row for row in episode.appointments.all()}
        day = self.anchors.get(step.anchor, self.surgery_on)
        return Reminder(
            episode=episode, appointment=visits.get(step.appointment_kind), step=step, step_key=step.key,
            recipient=reader, category=step.category, is_essential=step.is_essential,
            local_date=day, local_time=step.at, time_zone=self.version.clinic.time_zone,
            due_at=self.now, valid_until=self.now,
        )  # fmt: skip

    def gaps(self) -> list[Gap]:
        """The languages with steps that have no words of their own. American English is made from British."""
        return [
            Gap(name, [self.title(step) for step in lacking], len(lacking) == len(self.steps))
            for name, lacking in missing_words(self.steps)
        ]


def _adult(draft: Draft) -> tuple[str, Episode]:
    born = draft.today.replace(year=draft.today.year - 34, day=1)
    episode = sample(
        draft.version, draft.anchors, birth_date=born, uses_nicotine=True, drives=True, job="desk",
        lives_alone=True,
    )  # fmt: skip
    return _("An adult who smokes, drives, works at a desk and lives alone"), _furnished(
        draft, episode
    )


def _child(draft: Draft) -> tuple[str, Episode]:
    born = draft.today.replace(year=draft.today.year - 7, day=1)
    episode = sample(draft.version, draft.anchors, birth_date=born, uses_wheelchair=True)
    patient = episode.patient
    carer, patient.user = patient.user, None
    link = RelatedPerson(patient=patient, user=carer, relationship="mother", starts_on=draft.today)
    keep_in_memory(patient, "related_people", [link])
    return _("A child of seven who uses a wheelchair; a parent reads"), _furnished(draft, episode)


def _furnished(draft: Draft, episode: Episode) -> Episode:
    """The episode with a visit of each kind, and the windows of its X-rays."""
    keep_in_memory(episode, "appointments", [_visit(draft, episode, kind) for kind in VISITS])
    requests = [
        _request(episode, step, offset.added_to(draft.anchors[step.anchor]))
        for step in draft.steps
        if step.window_days and (offset := draft.offsets[step.pk]) and step.anchor in draft.anchors
    ]
    keep_in_memory(episode, "imaging_requests", requests)
    return episode


def _visit(draft: Draft, episode: Episode, kind: str) -> Appointment:
    zone = draft.version.clinic.zone
    day = draft.surgery_on + timedelta(days=VISITS[kind])
    return Appointment(
        id=uuid.uuid4(), episode=episode, kind=kind, local_date=day, local_time=time(10, 30),
        time_zone=str(zone), starts_at=datetime.combine(day, time(10, 30), zone),
    )  # fmt: skip


def _request(episode: Episode, step: Step, first: date) -> ImagingRequest:
    last = first + timedelta(days=step.window_days or 0)
    return ImagingRequest(episode=episode, step=step, window_from=first, window_until=last)


def _readers(episode: Episode) -> Iterable[User]:
    patient = episode.patient
    return [patient.user] if patient.user else [row.user for row in patient.related_people.all()]
