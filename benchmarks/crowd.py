"""A clinic of a hundred thousand patients with three million reminders, made in minutes. For measurements only.

    python -m benchmarks.crowd [--patients 100000] [--reminders 3000000]

makes them in a database of its own, says how long it took, and throws them away. Import after
`ground.settle`. People go in by COPY; reminders, messages and decisions are made by PostgreSQL itself,
with the indexes put back afterwards and foreign keys unchecked, as a restore of a backup does it.
All names are made up.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from benchmarks import ground

GIVEN = (
    "Ada", "Björn", "Chloé", "Dilek", "Ewan", "Fatima", "Gwen", "Håkon", "Inés", "Jokūbas", "Kezia", "Leif",
    "Máire", "Nikolaj", "Oluwaseun", "Petra", "Quentin", "Ruža", "Siân", "Tomasz", "Ursula", "Viktor", "Wren",
    "Xanthe", "Yusuf", "Zoë", "Anouk", "Bram", "Ceri", "Dmitri", "Eilidh",
)  # fmt: skip
FAMILY = (
    "Ashgrove", "Børresen", "Castañeda", "Drummle", "Eastlake", "Færøvik", "Grzybek", "Hollowell", "Ibbotson",
    "Jankūnas", "Kestrel", "Løvstad", "Marchbank", "Nightingale-Roe", "O’Dunmore", "Pemberwick", "Quillfeather",
    "Rønne", "Süßkind", "Thistlewood", "Underhay", "Vantongeren", "Wolstencroft", "Yarrowby", "Ziółek",
)  # fmt: skip
# How far from now, in days, the days of surgery lie; reminders run from before to long after each.
SPREAD = 540
FIRST_DAY, EVERY_DAYS = -60, 16
AT_ONCE = 10_000
# One in so many patients has a visit, an X-ray to book, a carer, a task of staff.
VISITS, XRAYS, CARERS, TASKS = 3, 2, 10, 50


def main() -> None:
    """Make a crowd and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--reminders", type=int, default=3_000_000)
    options = parser.parse_args()
    ground.settle(database="postgresql")
    from benchmarks import clinic

    where, version = clinic.make_ground()
    began_at = time.perf_counter()
    make(where, version, patients=options.patients, reminders=options.reminders)
    print(f"made in {time.perf_counter() - began_at:.0f} s")


def make(clinic: Any, version: Any, *, patients: int, reminders: int) -> None:
    """So many patients of a clinic with their episodes, and about as many reminders, spread over three years."""
    with timed(f"{patients:,} patients"):
        for first in range(0, patients, AT_ONCE):
            _make_people(clinic, version, range(first, min(first + AT_ONCE, patients)))
    with timed(f"{reminders:,} reminders, with the messages of those that went"):
        _make_reminders(version, -(-reminders // patients))


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something took."""
    began_at = time.perf_counter()
    yield
    print(f"  {what}: {time.perf_counter() - began_at:.0f} s", flush=True)


def _make_people(clinic: Any, version: Any, numbers: Sequence[int]) -> None:
    from patients.models import AnchorDate, Episode, Patient, PatientWord
    from portal.models import User
    from reminders.bulk import insert_all, insert_rows

    users = [
        User(email=f"crowd{n}@example.com", name=f"{_given(n)} {_family(n)}", password="!")
        for n in numbers
    ]
    patients = [
        Patient(
            clinic=clinic, record_number=f"C{n:07}", given_name=_given(n), family_name=_family(n), user=user,
            birth_date=date(1950, 1, 1) + timedelta(days=n * 37 % 25_000), phone=f"020 7946 {n % 10_000:04}",
        )
        for n, user in zip(numbers, users, strict=True)
    ]  # fmt: skip
    episodes = [
        Episode(
            patient=patient, procedure=version.pathway.procedure, version=version, side="left",
            status="active" if n % 2 else "planned",
        )
        for n, patient in zip(numbers, patients, strict=True)
    ]  # fmt: skip
    dates = [
        AnchorDate(episode=episode, anchor="surgery", on=_surgery_on(n))
        for n, episode in zip(numbers, episodes, strict=True)
    ]
    insert_all(User, users)
    insert_all(Patient, patients)
    insert_all(Episode, episodes)
    insert_all(AnchorDate, dates)
    _make_what_belongs_to_them(clinic, version, dict(zip(numbers, episodes, strict=True)))
    insert_rows(
        PatientWord,
        ("patient", "word"),
        [(row.pk, word) for row in patients for word in _words(row)],
    )


def _words(patient: Any) -> set[str]:
    from patients.names import findable_under

    return findable_under(
        names=[patient.given_name, patient.family_name], numbers=[patient.record_number],
        phone=patient.phone, addresses=[patient.user.email],
    )  # fmt: skip


def _make_what_belongs_to_them(clinic: Any, version: Any, episodes: Mapping[int, Any]) -> None:
    """Visits, X-rays to book, carers and tasks of some."""
    from benchmarks.clinic import NOW
    from patients.models import ImagingRequest, RelatedPerson, Task
    from portal.models import User
    from reminders.bulk import insert_all

    xray = version.steps.first()
    insert_all(
        ImagingRequest,
        [
            ImagingRequest(
                episode=episode, step=xray, window_from=_surgery_on(n) + timedelta(days=42),
                window_until=_surgery_on(n) + timedelta(days=56),
            )
            for n, episode in episodes.items()
            if n % XRAYS == 0
        ],
    )  # fmt: skip
    _make_visits(clinic, {n: each for n, each in episodes.items() if n % VISITS == 0})
    carers = {n: User(email=f"carer{n}@example.com", name=f"{_given(n + 7)} {_family(n)}", password="!")
              for n in episodes if n % CARERS == 0}  # fmt: skip
    insert_all(User, list(carers.values()))
    insert_all(
        RelatedPerson,
        [
            RelatedPerson(patient=episodes[n].patient, user=user, relationship="parent", starts_on=NOW.date())
            for n, user in carers.items()
        ],
    )  # fmt: skip
    insert_all(
        Task,
        [
            Task(
                clinic=clinic, patient=episode.patient, kind="xray_overdue", subject=str(episode.pk),
                due_on=_surgery_on(n),
            )
            for n, episode in episodes.items()
            if n % TASKS == 0
        ],
    )  # fmt: skip


def _make_visits(clinic: Any, episodes: Mapping[int, Any]) -> None:
    from datetime import time as time_of_day

    from patients.models import Appointment
    from reminders.bulk import insert_all

    visits = [
        Appointment(
            episode=episode, kind="clinic", local_date=_surgery_on(n) + timedelta(days=14),
            local_time=time_of_day(9 + n % 8), time_zone=clinic.time_zone,
        )
        for n, episode in episodes.items()
    ]  # fmt: skip
    for visit in visits:
        visit.starts_at = visit.derive_starts_at()
    insert_all(Appointment, visits)


def _given(number: int) -> str:
    return GIVEN[number % len(GIVEN)]


def _family(number: int) -> str:
    return f"{FAMILY[number // len(GIVEN) % len(FAMILY)]}{'' if number % 3 else 'son'}"


def _surgery_on(number: int) -> date:
    from benchmarks.clinic import NOW

    return NOW.date() + timedelta(days=number * 7 % (2 * SPREAD) - SPREAD)


# What each column of a made row is, as SQL over `base`; every other column has its model's default.
_REMINDER = {
    "id": "gen_random_uuid()", "created_at": "'2024-01-01Z'", "episode_id": "episode_id", "step_id": "step_id",
    "step_key": "step_key", "occurrence": "1000 + n", "recipient_id": "user_id", "category": "category",
    "local_date": "(due_at AT TIME ZONE 'Europe/London')::date", "local_time": "'09:00'",
    "time_zone": "'Europe/London'", "counted_from": "surgery_on::text", "due_at": "due_at",
    "valid_until": "due_at + interval '2 days'", "state": "state",
    "reason": "CASE WHEN state IN ('planned', 'sent') THEN '' ELSE 'switched_off' END",
    "settled_at": "CASE WHEN state <> 'planned' THEN due_at END",
    "message_id": "CASE WHEN state = 'sent' THEN gen_random_uuid() END",
}  # fmt: skip
_MESSAGE = {
    "id": "message_id", "created_at": "due_at", "clinic_id": "clinic_id", "recipient_id": "recipient_id",
    "category": "category", "message_id": "'<' || message_id || '@portal.clinic.example>'",
    "to_address": "email", "subject": "'Your next step is ready'",
    "text": "'Pick one healthy habit and start it today. If it is hard, call us.'",
    "html": "'<p>Pick one healthy habit and start it today. If it is hard, call us.</p>'",
    "state": "'sent'", "attempts": "1", "sent_at": "due_at", "last_response": "'250 2.0.0 OK'",
}  # fmt: skip
_DECISION = {
    "reminder_id": "id", "decided_at": "due_at", "outcome": "'send'", "gate": "'all_gates'",
}  # fmt: skip

_BASE = f"""
    SELECT *, CASE WHEN due_at > %(now)s THEN 'planned' WHEN chance < 30 THEN 'sent' WHEN chance < 85 THEN 'skipped'
        WHEN chance < 95 THEN 'cancelled' ELSE 'missed' END AS state
    FROM (
        SELECT episode.id AS episode_id, patient.user_id, step.id AS step_id, step.key AS step_key, step.category,
            n, dated.on AS surgery_on, (random() * 100)::int AS chance,
            -- None is due within a day of now: what is measured is what else is due.
            due + CASE WHEN abs(extract(epoch FROM due - %(now)s)) < 86400 THEN interval '2 days'
                ELSE interval '0' END AS due_at
        FROM patients_episode AS episode
        JOIN patients_patient AS patient ON patient.id = episode.patient_id AND patient.record_number LIKE 'C%%'
        JOIN patients_anchordate AS dated ON dated.episode_id = episode.id AND dated.anchor = 'surgery'
        CROSS JOIN generate_series(0, %(each)s - 1) AS n
        JOIN (SELECT *, row_number() OVER (ORDER BY key) - 1 AS place FROM procedures_step
            WHERE version_id = %(version)s) AS step ON step.place = n %% %(steps)s
        CROSS JOIN LATERAL (SELECT (dated.on + {FIRST_DAY} + {EVERY_DAYS} * n)::timestamp AT TIME ZONE 'UTC'
            + interval '8 hours' + random() * interval '8 hours' AS due) AS moment
    ) AS drawn
"""
_SENT = """
    SELECT reminder.*, patient.clinic_id, reader.email FROM reminders_reminder AS reminder
    JOIN patients_episode AS episode ON episode.id = reminder.episode_id
    JOIN patients_patient AS patient ON patient.id = episode.patient_id
    JOIN portal_user AS reader ON reader.id = reminder.recipient_id
    WHERE reminder.occurrence >= 1000 AND reminder.state = 'sent'
"""


def _make_reminders(version: Any, each: int) -> None:
    from django.db import connection, transaction

    from benchmarks.clinic import NOW
    from reminders.models import Decision, Message, Reminder

    given = {"now": NOW, "each": each, "version": version.pk, "steps": version.steps.count()}
    with (
        transaction.atomic(),
        connection.cursor() as cursor,
        without_indexes(cursor, Reminder, Message, Decision),
    ):
        cursor.execute(_insert(Reminder, _REMINDER, _BASE), given)
        cursor.execute(_insert(Message, _MESSAGE, _SENT))
        cursor.execute(_insert(Decision, _DECISION, _SENT))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _insert(model: Any, columns: Mapping[str, str], base: str) -> str:
    """An INSERT of a row for each of `base`; what `columns` leaves out has the model's default."""
    fields = [
        field
        for field in model._meta.concrete_fields
        if field.attname in columns or not field.primary_key
    ]
    names = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(columns.get(field.attname) or _default(field) for field in fields)
    return f'INSERT INTO "{model._meta.db_table}" ({names}) SELECT {values} FROM ({base}) AS base'


def _default(field: Any) -> str:
    from django.db import connection
    from psycopg import sql

    value = field.get_db_prep_save(field.get_default(), connection)
    # Percent signs would be taken for placeholders.
    return sql.Literal(value).as_string().replace("%", "%%")


@contextmanager
def without_indexes(cursor: Any, *models: Any) -> Iterator[None]:
    """Take indexes and the checking of foreign keys away, and put the indexes back."""
    tables = [model._meta.db_table for model in models]
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint WHERE conindid = quote_ident(indexname)::regclass)",
        [tables],
    )
    found = cursor.fetchall()
    cursor.execute(
        "SET LOCAL session_replication_role = replica; SET LOCAL maintenance_work_mem = '512MB'"
    )
    for name, _definition in found:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    for _name, definition in found:
        cursor.execute(definition)


if __name__ == "__main__":
    main()
