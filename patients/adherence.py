"""How a patient's exercises go, for staff: how much of what was asked was done, and how the pain is. No markup."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from patients.exercise_days import DAYS, Month, month_of, span_of
from patients.models import ExerciseLog, Patient, Prescription
from procedures.question_wording import in_language

LATELY = 7
BAD_PAIN = 6
# Who needs a look stands first.
TONES = ("bad", "warn", "good")


@dataclass(frozen=True, slots=True)
class Course:
    """One prescription: rounds done and asked for in the last seven days, the last day, the last pain."""

    prescription: Prescription
    name: str
    done: int
    asked: int
    last: ExerciseLog | None
    pain: ExerciseLog | None
    is_running: bool

    @property
    def tone(self) -> str:
        """“bad” where little is done or the pain is high, “good” where most is done, else “warn”."""
        after = self.pain.pain_after if self.pain else None
        if after is not None and after >= BAD_PAIN:
            return "bad"
        if not self.asked or self.done >= 0.8 * self.asked:
            return "good"
        return "warn" if self.done >= 0.4 * self.asked else "bad"


@dataclass(frozen=True, slots=True)
class Adherence:
    """All of a patient's exercises at a glance. Those that are over stand last."""

    courses: list[Course]
    month: Month

    @property
    def running(self) -> list[Course]:
        """What is prescribed now, or will be."""
        return [course for course in self.courses if course.is_running]

    @property
    def over(self) -> list[Course]:
        """What was prescribed before."""
        return [course for course in self.courses if not course.is_running]


@dataclass(frozen=True, slots=True)
class Caseload:
    """One patient's week: how many exercises, the rounds done and asked for, the last day, the last pain after one."""

    patient: Patient
    exercises: int
    done: int
    asked: int
    last_on: date | None
    pain: int | None
    tone: str

    @property
    def percent(self) -> int:
        """How much of what was asked for was done, at most 100."""
        return min(100, round(100 * self.done / self.asked)) if self.asked else 0

    @property
    def is_bad(self) -> bool:
        """Whether the pain wants a look."""
        return self.pain is not None and self.pain >= BAD_PAIN


def caseload_of(
    rows: Sequence[Prescription], logs: Sequence[ExerciseLog], today: date
) -> list[Caseload]:
    """The week of each patient with prescriptions in `rows`; who needs a look comes first. No query."""
    by_patient: dict[Any, list[Prescription]] = defaultdict(list)
    for row in rows:
        by_patient[row.episode.patient_id].append(row)
    found = [_week(theirs, logs, today) for theirs in by_patient.values()]
    return sorted(
        found, key=lambda row: (TONES.index(row.tone), row.percent, row.patient.family_name)
    )


def _week(rows: Sequence[Prescription], logs: Sequence[ExerciseLog], today: date) -> Caseload:
    theirs = _in_order(rows, logs)
    courses = [_course(row, _logs_of(row, theirs), today, "") for row in rows]
    return Caseload(
        patient=rows[0].episode.patient, exercises=len(rows), done=sum(course.done for course in courses),
        asked=sum(course.asked for course in courses), last_on=theirs[-1].on if theirs else None,
        pain=_last_pain(theirs), tone=min((course.tone for course in courses), key=TONES.index),
    )  # fmt: skip


def _in_order(rows: Sequence[Prescription], logs: Sequence[ExerciseLog]) -> list[ExerciseLog]:
    """The rounds of these prescriptions, the earliest first."""
    keys = {row.pk for row in rows}
    found = [log for log in logs if log.prescription_id in keys]
    return sorted(found, key=lambda log: (log.on, log.logged_at))


def _logs_of(row: Prescription, logs: Sequence[ExerciseLog]) -> list[ExerciseLog]:
    return [log for log in logs if log.prescription_id == row.pk]


def _last_pain(logs: Sequence[ExerciseLog]) -> int | None:
    pains = [log.pain_after for log in logs if log.pain_after is not None]
    return pains[-1] if pains else None


def adherence_of(patient: Patient, today: date, language: str) -> Adherence:
    """What the patient's page shows. `today` is the clinic's local day. Two queries."""
    rows = list(
        Prescription.objects.filter(episode__patient=patient).select_related(
            "exercise", "episode", "prescribed_by"
        )
    )
    for row in rows:
        row.episode.patient = patient
    since = today - timedelta(days=DAYS - 1)
    logs = list(ExerciseLog.objects.filter(prescription__episode__patient=patient, on__gte=since))
    courses = [_course(row, _logs_of(row, logs), today, language) for row in rows]
    spans = [span_of(row, patient.clinic.zone) for row in rows]
    return Adherence(courses, month_of(spans, logs, today))


def _course(row: Prescription, logs: Sequence[ExerciseLog], today: date, language: str) -> Course:
    week = [today - timedelta(days=number) for number in range(LATELY)]
    has_days_left = row.last_on is None or row.last_on >= today
    return Course(
        prescription=row,
        name=str(in_language(row.exercise.words, language)[1]["name"]) if language else "",
        done=sum(log.on in week for log in logs),
        asked=row.times_a_day * sum(map(row.is_for, week)),
        last=logs[-1] if logs else None,
        pain=next((log for log in reversed(logs) if log.pain_after is not None), None),
        is_running=row.ended_at is None and has_days_left,
    )
