"""How long a list of 10,000 rows takes: reading, comparing, entering by the actions, taking back.

    python -m benchmarks.bench_import [--rows 10000] [--database postgresql]

Every other row books an operation, every tenth is about somebody whose phone number has changed. Nothing is
planned meanwhile: that is `bench_plan`'s.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from benchmarks import ground

# One in so many rows is about a patient who is recorded already.
KNOWN = 10
HEAD = "MRN;Surname;First name;DOB;Email;Phone;Procedure;Side;Surgery date"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    options = parser.parse_args()
    ground.settle(database=options.database)
    measure(options.rows)


def measure(rows: int) -> None:
    """Bring a list in, enter it and take it back, and print the seconds of each."""
    from django.utils import timezone

    from patients.actions import imports

    clinic, clerk, name = _clinic()
    now = timezone.now()
    _record(range(0, rows, KNOWN), clinic, clerk)
    content = _list(rows, name)
    batch = timed(
        "read and staged",
        lambda: imports.stage(
            clinic=clinic, content=content, file_name="list.csv", date_order="dmy", by=clerk, now=now
        ),
    )  # fmt: skip
    imports.settle_columns(batch=batch, mapping=batch.mapping, date_order="dmy", by=clerk)
    timed("compared", lambda: imports.work(batch=batch, now=now, until=lambda: False))
    imports.start_entering(batch=batch, by=clerk, now=now)
    timed("entered", lambda: imports.work(batch=batch, now=now, until=lambda: False))
    imports.start_undoing(batch=batch, by=clerk, now=now, reason="measured")
    timed("taken back", lambda: imports.work(batch=batch, now=now, until=lambda: False))
    batch.refresh_from_db()
    print(imports.counted(batch))


def timed(what: str, act: Callable[[], Any]) -> Any:
    """Print how long `act` took, and return what it returned."""
    start = time.perf_counter()
    result = act()
    print(f"{what:20} {time.perf_counter() - start:8.1f} s", flush=True)
    return result


def _list(rows: int, operation: str) -> bytes:
    """Rows of invented people, no two of them alike."""
    lines = [HEAD]
    for n in range(rows):
        given, family, born = _person(n)
        books = n % 2 and born.day <= 28
        booked = f"{operation};left;{born:%d/%m}/2027" if books else ";;"
        who = f"N{n};{family};{given};{born:%d/%m/%Y}"
        lines.append(f"{who};n{n}@example.com;020 7946 {n:05};{booked}")
    return "\n".join(lines).encode()


def _person(n: int) -> tuple[str, str, date]:
    family = "".join(chr(97 + int(digit)) for digit in f"{n:05}")
    return f"Wren{family[::-1]}", f"Okafor{family}", date(1940, 1, 1) + timedelta(days=n * 2)


def _record(numbers: range, clinic: Any, clerk: Any) -> None:
    """Add these people beforehand, with a phone number that they have no more."""
    from patients.actions.people import register_patients
    from patients.models import Patient
    from portal.models import User

    patients = [
        Patient(
            clinic=clinic, record_number=f"N{n}", given_name=given, family_name=family, birth_date=born,
            phone="020 7946", user=User.objects.build_user(f"n{n}@example.com", name=given),
        )
        for n in numbers
        for given, family, born in [_person(n)]
    ]  # fmt: skip
    register_patients(clinic=clinic, patients=patients, by=clerk)


def _clinic() -> tuple[Any, Any, str]:
    from tests.factories import make_clinic, make_staff, make_version

    clinic = make_clinic()
    version = make_version(clinic, {"pack-bag": {"offset_value": -2}}, audience="any")
    return clinic, make_staff(clinic, "clerk"), version.pathway.procedure.name


if __name__ == "__main__":
    main()
