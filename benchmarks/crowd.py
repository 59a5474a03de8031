"""A clinic of a hundred thousand patients with three million reminders, made in minutes. For measurements only.

    python -m benchmarks.crowd [--patients 100000] [--reminders 3000000]

makes them in a database of its own, says how long it took, and throws them away. Import after
`ground.settle`. PostgreSQL makes the rows itself, with indexes put back afterwards and foreign keys
unchecked, as a restore of a backup does it; only the words of a search come from Python, by COPY, for the
rule of what finds whom stands in `patients.names`. All names are made up.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
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
# One in so many patients has a carer, or a task for staff; each has a visit and an X-ray to book, and was looked at
# so often.
CARERS, TASKS, LOOKS = 10, 50, 10


def main() -> None:
    """Make a crowd and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--reminders", type=int, default=3_000_000)
    options = parser.parse_args()
    ground.settle(database="postgresql")
    from benchmarks import clinic

    where, version = clinic.make_ground()
    with timed("made in all"):
        make(where, version, patients=options.patients, reminders=options.reminders)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something took."""
    began_at = time.perf_counter()
    yield
    print(f"  {what}: {time.perf_counter() - began_at:.0f} s", flush=True)


def make(clinic: Any, version: Any, *, patients: int, reminders: int) -> None:
    """So many patients of a clinic with their episodes, and about as many reminders, spread over three years."""
    from django.db import connection, transaction

    from benchmarks.clinic import NOW

    given = {
        "now": NOW, "today": NOW.date(), "patients": patients, "each": -(-reminders // patients),
        "clinic": clinic.pk, "zone": clinic.time_zone, "version": version.pk, "steps": version.steps.count(),
        "procedure": version.pathway.procedure_id, "xray": version.steps.first().pk,
        "born": date(1950, 1, 1), "given": list(GIVEN), "family": list(FAMILY),
    }  # fmt: skip
    with without_waiting_for_the_disk(), transaction.atomic(), connection.cursor() as cursor:
        with timed("people"):
            _make_people(cursor, given)
        with timed("reminders, with the messages of those that went"):
            _make_reminders(cursor, given)
    with timed("vacuum and statistics"), connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


# --- What each column of a made row is, as SQL; every other column has its model's default -----

_CROWD = f"""
    CREATE TEMPORARY TABLE crowd ON COMMIT DROP AS
    SELECT n, gen_random_uuid() AS user_id, gen_random_uuid() AS patient_id, gen_random_uuid() AS episode_id,
        gen_random_uuid() AS carer_id, (%(given)s::text[])[1 + n %% {len(GIVEN)}] AS given,
        (%(family)s::text[])[1 + n %% {len(FAMILY)}] || CASE WHEN n %% 3 = 0 THEN 'son' ELSE '' END
            AS family,
        'C' || lpad(n::text, 7, '0') AS number, 'crowd' || n || '@example.com' AS email,
        '020 7946 ' || lpad((n %% 10000)::text, 4, '0') AS phone,
        %(born)s::date + n * 37 %% 25000 AS born_on, %(now)s::timestamptz - n * interval '15 minutes' AS joined_at,
        %(today)s::date + n * 7 %% {2 * SPREAD} + 1 - {SPREAD} AS surgery_on
    FROM generate_series(0, %(patients)s - 1) AS n
"""
_USER = {
    "id": "user_id", "created_at": "joined_at", "email": "email", "name": "given || ' ' || family", "password": "'!'",
}  # fmt: skip
_PATIENT = {
    "id": "patient_id", "created_at": "joined_at", "clinic_id": "%(clinic)s", "record_number": "number",
    "given_name": "given", "family_name": "family", "user_id": "user_id", "birth_date": "born_on", "phone": "phone",
}  # fmt: skip
_EPISODE = {
    "id": "episode_id", "created_at": "joined_at", "patient_id": "patient_id", "procedure_id": "%(procedure)s",
    "version_id": "%(version)s", "side": "'left'",
    "status": "CASE WHEN n %% 2 = 1 THEN 'active' ELSE 'planned' END",
}  # fmt: skip
_ANCHOR = {
    "id": "gen_random_uuid()", "episode_id": "episode_id", "anchor": "'surgery'", "on": "surgery_on",
}  # fmt: skip
_XRAY = {
    "id": "gen_random_uuid()", "episode_id": "episode_id", "step_id": "%(xray)s", "window_from": "surgery_on + 42",
    "window_until": "surgery_on + 56",
}  # fmt: skip
_VISIT = {
    "id": "gen_random_uuid()", "episode_id": "episode_id", "kind": "'clinic'", "local_date": "surgery_on + 14",
    "local_time": "make_time(9 + n %% 8, 0, 0)", "time_zone": "%(zone)s",
    "starts_at": "(surgery_on + 14 + make_time(9 + n %% 8, 0, 0)) AT TIME ZONE %(zone)s",
}  # fmt: skip
_CARER = {
    "id": "carer_id", "created_at": "joined_at", "email": "'carer' || n || '@example.com'",
    "name": f"(%(given)s::text[])[1 + (n + 7) %% {len(GIVEN)}] || ' ' || family", "password": "'!'",
}  # fmt: skip
_LINK = {
    "id": "gen_random_uuid()", "patient_id": "patient_id", "user_id": "carer_id", "relationship": "'parent'",
    "starts_on": "%(today)s",
}  # fmt: skip
_TASK = {
    "id": "gen_random_uuid()", "clinic_id": "%(clinic)s", "patient_id": "patient_id", "kind": "'xray_overdue'",
    "subject": "episode_id::text", "due_on": "surgery_on",
}  # fmt: skip
_LOOK = {
    "recorded_at": "joined_at + look * interval '1 day'", "action": "'R'", "verb": "'patient.view'",
    "actor_label": "'A member of staff'", "clinic_id": "%(clinic)s", "patient_id": "patient_id",
    "object_type": "'patients.patient'", "object_id": "patient_id::text",
}  # fmt: skip
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
    "id": "message_id", "created_at": "due_at", "clinic_id": "%(clinic)s", "recipient_id": "recipient_id",
    "category": "category", "message_id": "'<' || message_id || '@portal.clinic.example>'",
    "to_address": "email", "subject": "'Your next step is ready'",
    "whole_text": "'Pick one healthy habit and start it today. If it is hard, call us.'",
    "whole_html": "'<p>Pick one healthy habit and start it today. If it is hard, call us.</p>'",
    "state": "'sent'", "attempts": "1", "sent_at": "due_at", "last_response": "'250 2.0.0 OK'",
}  # fmt: skip
_DECISION = {
    "reminder_id": "id", "decided_at": "due_at", "outcome": "'send'", "gate": "'all_gates'",
}  # fmt: skip

_DRAWN = f"""(
    SELECT *, CASE WHEN due_at > %(now)s THEN 'planned' WHEN chance < 30 THEN 'sent' WHEN chance < 85 THEN 'skipped'
        WHEN chance < 95 THEN 'cancelled' ELSE 'missed' END AS state
    FROM (
        SELECT episode_id, user_id, step.id AS step_id, step.key AS step_key, step.category,
            at.n, surgery_on, (random() * 100)::int AS chance,
            -- None is due within a day of now: what is measured is what else is due.
            due + CASE WHEN abs(extract(epoch FROM due - %(now)s)) < 86400 THEN interval '2 days'
                ELSE interval '0' END AS due_at
        FROM crowd
        CROSS JOIN generate_series(0, %(each)s - 1) AS at(n)
        JOIN (SELECT *, row_number() OVER (ORDER BY key) - 1 AS place FROM procedures_step
            WHERE version_id = %(version)s) AS step ON step.place = at.n %% %(steps)s
        CROSS JOIN LATERAL (SELECT (surgery_on + {FIRST_DAY} + {EVERY_DAYS} * at.n)::timestamp AT TIME ZONE 'UTC'
            + interval '8 hours' + random() * interval '8 hours' AS due) AS moment
    ) AS moments
) AS drawn"""
_SENT = """reminders_reminder AS reminder
    JOIN (SELECT user_id, email FROM crowd) AS reader ON reader.user_id = reminder.recipient_id
    WHERE reminder.occurrence >= 1000 AND reminder.state = 'sent'"""


def _make_people(cursor: Any, given: Mapping[str, Any]) -> None:
    """People with an episode and a day of surgery each, and what some of them have."""
    from patients.models import (
        AnchorDate,
        Appointment,
        Episode,
        ImagingRequest,
        Patient,
        PatientWord,
        RelatedPerson,
        Task,
    )
    from portal.models import AuditEvent, User

    made = (
        (User, _USER, "crowd"),
        (Patient, _PATIENT, "crowd"),
        (Episode, _EPISODE, "crowd"),
        (AnchorDate, _ANCHOR, "crowd"),
        (ImagingRequest, _XRAY, "crowd"),
        (Appointment, _VISIT, "crowd"),
        (User, _CARER, _one_in(CARERS)),
        (RelatedPerson, _LINK, _one_in(CARERS)),
        (Task, _TASK, _one_in(TASKS)),
        (AuditEvent, _LOOK, f"crowd CROSS JOIN generate_series(1, {LOOKS}) AS look"),
    )
    cursor.execute(_CROWD, given)
    with without_indexes(cursor, PatientWord, *(model for model, _columns, _source in made)):
        for model, columns, source in made:
            cursor.execute(_insert(model, columns, source), given)
        _make_words(cursor)
    cursor.execute("ANALYZE crowd")


def _one_in(many: int) -> str:
    return f"crowd WHERE n %% {many} = 0"


def _make_words(cursor: Any) -> None:
    """The words under which a search finds each of the crowd."""
    from patients.models import PatientWord
    from patients.names import findable_under
    from reminders.bulk import insert_rows

    cursor.execute("SELECT patient_id, given, family, number, phone, email FROM crowd")
    rows = [
        (key, word)
        for key, given, family, number, phone, email in cursor.fetchall()
        for word in findable_under(
            names=[given, family], numbers=[number], phone=phone, addresses=[email]
        )
    ]
    insert_rows(PatientWord, ("patient", "word"), rows)


def _make_reminders(cursor: Any, given: Mapping[str, Any]) -> None:
    """Reminders of everybody; of those that went, the messages and the decisions."""
    from reminders.models import Decision, Message, Reminder

    with without_indexes(cursor, Reminder, Message, Decision):
        cursor.execute(_insert(Reminder, _REMINDER, _DRAWN), given)
        cursor.execute(_insert(Message, _MESSAGE, _SENT), given)
        cursor.execute(_insert(Decision, _DECISION, _SENT), given)


def _insert(model: Any, columns: Mapping[str, str], source: str) -> str:
    """An INSERT of a row for each of `source`; what `columns` leaves out has the model's default."""
    fields = [
        field
        for field in model._meta.concrete_fields
        if field.attname in columns or not field.primary_key
    ]
    names = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(columns.get(field.attname) or _default(field) for field in fields)
    return f'INSERT INTO "{model._meta.db_table}" ({names}) SELECT {values} FROM {source}'


def _default(field: Any) -> str:
    from django.db import connection
    from psycopg import sql

    value = field.get_db_prep_save(field.get_default(), connection)
    # Percent signs would be taken for placeholders.
    return sql.Literal(value).as_string().replace("%", "%%")


# --- What makes it fast ----------------------------------------------------------------------


@contextmanager
def without_waiting_for_the_disk() -> Iterator[None]:
    """Nobody misses these rows if the power fails. Afterwards the server is as careful as before."""
    settings = ("fsync", "full_page_writes")
    _run(*(f"ALTER SYSTEM SET {name} = off" for name in settings), "SELECT pg_reload_conf()")
    yield
    _run(
        *(f"ALTER SYSTEM RESET {name}" for name in settings),
        "SELECT pg_reload_conf()",
        "CHECKPOINT",
    )


def _run(*statements: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def without_indexes(cursor: Any, *models: Any) -> Iterator[None]:
    """Take indexes, unique constraints and the checking of foreign keys away, and put the first two back."""
    tables = sorted({model._meta.db_table for model in models})
    cursor.execute(
        "SET LOCAL session_replication_role = replica; SET LOCAL maintenance_work_mem = '512MB'; "
        "SET LOCAL work_mem = '256MB'; SET LOCAL jit = off"
    )
    found = [*_constraints(cursor, tables), *_indexes(cursor, tables)]
    for away, _back in found:
        cursor.execute(away)
    yield
    for _away, back in found:
        cursor.execute(back)


def _constraints(cursor: Any, tables: Sequence[str]) -> list[tuple[str, str]]:
    """How to take each unique constraint of these tables away, and back."""
    cursor.execute(
        "SELECT conrelid::regclass, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint AS mine "
        "WHERE contype = 'u' AND conrelid = ANY(%s::regclass[]) AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint AS other WHERE other.contype = 'f' AND other.conindid = mine.conindid)",
        [list(tables)],
    )
    return [
        (f"ALTER TABLE {table} DROP CONSTRAINT {name}", f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        for table, name, definition in cursor.fetchall()
    ]  # fmt: skip


def _indexes(cursor: Any, tables: Sequence[str]) -> list[tuple[str, str]]:
    """How to take each index of these tables away, and back, but for those of constraints."""
    cursor.execute(
        "SELECT quote_ident(indexname), indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint WHERE conindid = quote_ident(indexname)::regclass)",
        [list(tables)],
    )
    return [(f"DROP INDEX {name}", definition) for name, definition in cursor.fetchall()]


if __name__ == "__main__":
    main()
