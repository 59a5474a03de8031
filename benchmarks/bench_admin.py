"""What staff wait for in a clinic of a hundred thousand patients: every list, a search in each, and the patient page.

    python -m benchmarks.bench_admin [--patients 100000] [--reminders 3000000] [--times 7]

For each page: the queries with 100 patients stored and with all of them, which must be the same number,
and with all of them the median time from request to rendered page by the clock, and the processor time of
this process and of its database session. On a busy machine the clock says little; both processor times together
are what the clock would say on an idle one. The reader is a manager with a second factor. What
passes a limit is marked, and the run ends with an error.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from benchmarks import ground

# As many as fill two pages of a list, and hold every name that is searched for.
FEW = 100
MOST_QUERIES, LONGEST_MS = 30, 300
# What somebody types: a name, two in the wrong order, a number, a phone, an address, what nothing matches.
SEARCHES = (
    "løvstad",
    "eastlake ewan",
    "C0000042",
    "020 7946 0077",
    "crowd77@example.com",
    "nobody at all",
)


@dataclass(frozen=True)
class Figure:
    """What one page cost."""

    queries: int
    median_ms: float
    cpu_ms: float
    database_ms: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--reminders", type=int, default=3_000_000)
    parser.add_argument("--times", type=int, default=7)
    options = parser.parse_args()
    ground.settle(database="postgresql")
    staff = make_ground()
    ground.copy_database("few")
    fill(options.patients, options.reminders)
    ground.use_database("few")
    fill(FEW, 30 * FEW)
    few = measured(staff, 1)
    ground.use_database("postgres")
    many = measured(staff, options.times)
    if print_table(few, many):
        raise SystemExit("Some pages pass a limit.")


def make_ground() -> Any:
    """A clinic, another one, and a manager of the first with a second factor; returns the manager's key."""
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    from benchmarks import clinic
    from tests.factories import make_clinic, make_staff

    where, _version = clinic.make_ground()
    make_clinic("Far Away Clinic")
    manager = make_staff(where, "manager")
    TOTP.activate(manager, generate_totp_secret())
    return manager.pk


def fill(patients: int, reminders: int) -> None:
    """Add a crowd to the first clinic."""
    from benchmarks import crowd
    from procedures.models import PathwayVersion

    version = PathwayVersion.objects.get()
    crowd.make(version.clinic, version, patients=patients, reminders=reminders)


def measured(staff: Any, times: int) -> dict[str, Figure]:
    """What each page costs in the database in use."""
    import time_machine

    from benchmarks.clinic import NOW

    with time_machine.travel(NOW, tick=True):
        browser = signed_in(staff)
        return {name: figure(browser, address, times) for name, address in pages()}


def signed_in(staff: Any) -> Callable[[str], Any]:
    """A browser in which somebody has signed in with a second factor: address in, response out."""
    from allauth.account.internal.flows.login import record_authentication
    from django.conf import settings
    from django.test import Client, RequestFactory

    from portal.models import User

    # Names without digests: nobody has collected the files here.
    settings.STORAGES["staticfiles"]["BACKEND"] = (
        "django.contrib.staticfiles.storage.StaticFilesStorage"
    )
    client = Client(headers={"host": "portal.clinic.example"})
    client.force_login(User.objects.get(pk=staff))
    request = RequestFactory().get("/")
    request.session = client.session
    record_authentication(request, User.objects.get(pk=staff), method="mfa", type="totp")
    request.session.save()
    return lambda address: client.get(address, secure=True)


def pages() -> Iterator[tuple[str, str]]:
    """Each page's name and address: lists with what can be asked of them, other pages, and a patient's page."""
    from django.contrib import admin
    from django.urls import NoReverseMatch, reverse

    from patients.models import Patient
    from portal.permissions import PAGES

    yield "dashboard", reverse("admin:index")
    for model_admin in sorted(admin.site._registry.values(), key=lambda each: str(each.opts)):
        yield from of_list(model_admin)
    patients = reverse("admin:patients_patient_changelist")
    for words in SEARCHES:
        yield f"patients called “{words}”", f"{patients}?{urlencode({'q': words})}"
    for name in PAGES:
        with suppress(NoReverseMatch):
            yield f"page {name}", reverse(f"admin:{name}")
    some = Patient.objects.get(record_number="C0000042")
    yield "patient page", reverse("admin:patient_page", args=[some.pk])


def of_list(model_admin: Any) -> Iterator[tuple[str, str]]:
    """A list, its second page, a search in it, and each span of days that it can be narrowed down to."""
    from django.urls import reverse

    from portal.models import User
    from portal.permissions import may

    label, name = model_admin.opts.app_label, model_admin.opts.model_name
    address = reverse(f"admin:{label}_{name}_changelist")
    if not may(User.objects.get(roles__role="manager"), f"{model_admin.noun}.view"):
        return
    yield f"{label}.{name}", address
    if label == "procedures":
        return
    yield f"{label}.{name}, second page", f"{address}?p=2"
    if model_admin.search_fields:
        yield f"{label}.{name}, search", f"{address}?{urlencode({'q': SEARCHES[0]})}"
    for each in model_admin.list_filter:
        for span in getattr(each, "spans", ()):
            yield f"{label}.{name}, {span}", f"{address}?when={span}"
        if each == "state":
            yield f"{label}.{name}, failed", f"{address}?state__exact=failed"


def figure(browser: Callable[[str], Any], address: str, times: int) -> Figure:
    """Ask for a page so often, after once to warm up."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser(address)
    asked = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            answer = browser(address)
        asked.append(len(captured))
    if answer.status_code != 200:
        raise SystemExit(f"{address} answered {answer.status_code}.")
    # Once in a while a request notes that its session is alive; that is no question of the page.
    queries = min(asked)
    took, used = [], []
    database_before = database_seconds()
    for _ in range(times):
        began_at, cpu = time.perf_counter(), time.process_time()
        browser(address)
        took.append(1000 * (time.perf_counter() - began_at))
        used.append(1000 * (time.process_time() - cpu))
    database_ms = 1000 * (database_seconds() - database_before) / times
    return Figure(queries, median(took), median(used), database_ms)


def database_seconds() -> float:
    """The processor time that the database session has used up to now, in user and in system mode."""
    from django.db import connection

    with connection.cursor() as cursor:
        # What a second process did for a query would not be counted here.
        cursor.execute("SET max_parallel_workers_per_gather = 0; SELECT pg_backend_pid()")
        cursor.nextset()
        (process,) = cursor.fetchone()
    # The fields after the program's name in brackets: proc_pid_stat(5), 14 and 15.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def print_table(few: dict[str, Figure], many: dict[str, Figure]) -> int:
    """One line a page; returns how many pass a limit."""
    load = os.getloadavg()[0]
    print(
        f"{'page':44}{'queries':>8}{'of few':>8}{'median':>10}{'processor':>11}{'database':>11}   load {load:.0f}"
    )
    passed = 0
    for name, now in many.items():
        before = few[name]
        marks = [
            mark
            for mark, is_so in (
                ("slow", now.median_ms > LONGEST_MS),
                ("many queries", now.queries > MOST_QUERIES),
                ("not the same", now.queries != before.queries),
            )
            if is_so
        ]
        passed += bool(marks)
        print(
            f"{name:44}{now.queries:8}{before.queries:8}{now.median_ms:7.0f} ms{now.cpu_ms:8.0f} ms"
            f"{now.database_ms:8.0f} ms"
            f"  {', '.join(marks)}"
        )
    return passed


if __name__ == "__main__":
    main()
