"""What each page of a reader costs: queries, size, and time beside a bare Django view of the same run.

`make bench-web` prints a line for each page and each target that is missed, and ends with 1 where one is.
The bare view reads its session and one row, through the same middleware, and renders nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

from benchmarks.ground import open_site, settle

MOST_QUERIES, MOST_BYTES, MOST_TIMES = 15, 60_000, 6.0
PAGES = (
    "/today/", "/plan/", "/appointments/", "/appointments/calendar/", "/messages/", "/check-in/", "/check-in/history/",
    "/exercises/", "/smoke-free/", "/smoke-free/plan/", "/x-rays/", "/consents/", "/my-data/", "/my-data/phone/",
    "/my-data/email/", "/guide/", "/settings/reminders/", "/who-can-see/",
)  # fmt: skip
# What begins and ends a transaction is no question: Django lists it among the queries all the same.
AROUND = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


class Cost(NamedTuple):
    """One page: its queries, bytes of HTML, and median milliseconds by the clock and of the processor."""

    queries: int
    size: int
    milliseconds: float
    processor: float


def main() -> int:
    """Measure every page, and the bare view in turn with them, so that both see the same machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite", choices=("sqlite", "postgresql"))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument(
        "--items", type=int, default=30, help="mails, visits and logs of the reader"
    )
    options = parser.parse_args()
    settle(database=options.database)
    open_site()
    browser = reader(options.items)
    with bare_view():
        bare = measure(browser, "/bare/", options.rounds)
        costs = {path: measure(browser, path, options.rounds) for path in PAGES}
    return report(bare, costs)


def reader(items: int) -> Any:
    """A patient's browser, with a plan and as many mails, visits and exercise rounds as asked for."""
    from django.test import Client
    from django.utils import timezone

    from reminders.reconciler import reconcile
    from tests.factories import make_appointment, make_message, make_reminder
    from tests.people import build_people

    now = timezone.now()
    people = build_people(now)
    reconcile(people.episode, now=now)
    step = people.adult_version.steps.get(key="anniversary")
    for number in range(items):
        make_appointment(people.episode)
        row = make_reminder(people.episode, step, occurrence=number + 1)
        make_message(people.patient.user, people.clinic, [row], sent_at=now)
    browser = Client(headers={"Sec-Fetch-Dest": "document"})
    browser.force_login(people.patient.user)
    return browser


def bare_view() -> Any:
    """Put the bare view among the addresses, for as long as the `with` lasts."""
    from django.http import HttpRequest, HttpResponse
    from django.test import override_settings
    from django.urls import path

    from portal import urls
    from portal.models import Clinic

    def bare(request: HttpRequest) -> HttpResponse:
        return HttpResponse(Clinic.objects.values_list("name", flat=True).first() or "")

    urls.urlpatterns.append(path("bare/", bare))
    return override_settings(ROOT_URLCONF="portal.urls")


def measure(browser: Any, path: str, rounds: int) -> Cost:
    """The queries of one request, its size, and the median times of many. Raises ValueError for no page."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    if browser.get(path).status_code != HTTPStatus.OK:
        raise ValueError(f"{path} answers no page")
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(path)
    asked = sum(not row["sql"].startswith(AROUND) for row in queries)
    taken = [timed(lambda: browser.get(path)) for _ in range(rounds)]
    by_clock, by_processor = (statistics.median(times) for times in zip(*taken, strict=True))
    return Cost(asked, len(answer.content), by_clock, by_processor)


def timed(job: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds that a job takes: by the clock, and of the processor."""
    began, worked = time.perf_counter(), time.process_time()
    job()
    return (time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000


def report(bare: Cost, costs: dict[str, Cost]) -> int:
    """Print the table; 1 where a target is missed."""
    print(
        f"{'page':26}{'queries':>8}{'KB':>7}{'ms':>9}{'times bare':>12}{'cpu ms':>9}{'times bare':>12}"
    )
    print(line("(bare view)", bare, bare))
    missed = 0
    for path, cost in costs.items():
        times = cost.milliseconds / bare.milliseconds
        is_over = cost.queries > MOST_QUERIES or cost.size > MOST_BYTES or times > MOST_TIMES
        missed += is_over
        mark = "  over" if is_over else ""
        print(f"{line(path, cost, bare)}{mark}")
    print(
        f"targets: {MOST_QUERIES} queries, {MOST_BYTES // 1000} KB, {MOST_TIMES:.0f} times; pages over: {missed}"
    )
    return 1 if missed else 0


def line(name: str, cost: Cost, bare: Cost) -> str:
    """One line of the table."""
    times, work = cost.milliseconds / bare.milliseconds, cost.processor / bare.processor
    return (
        f"{name:26}{cost.queries:>8}{cost.size / 1000:>7.1f}{cost.milliseconds:>9.2f}{times:>12.1f}"
        f"{cost.processor:>9.2f}{work:>12.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
