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
from typing import Any, NamedTuple

from benchmarks.ground import open_site, settle

MOST_QUERIES, MOST_BYTES, MOST_TIMES = 15, 60_000, 6.0
PAGES = (
    "/today/", "/plan/", "/appointments/", "/messages/", "/check-in/", "/check-in/history/", "/exercises/",
    "/smoke-free/", "/x-rays/", "/consent/", "/my-data/", "/guide/", "/settings/reminders/", "/who-can-see/",
)  # fmt: skip


class Cost(NamedTuple):
    """One page: its queries, bytes of HTML, and median milliseconds."""

    queries: int
    size: int
    milliseconds: float


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
        pages = [path for path in PAGES if browser.get(path).status_code == 200]
        bare = measure(browser, "/bare/", options.rounds)
        costs = {path: measure(browser, path, options.rounds) for path in pages}
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
    """The queries of one request, its size, and the median time of many."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser.get(path)
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(path)
    asked = len(queries)
    taken = [timed(lambda: browser.get(path)) for _ in range(rounds)]
    return Cost(asked, len(answer.content), statistics.median(taken))


def timed(job: Callable[[], Any]) -> float:
    """Milliseconds that a job takes."""
    began = time.perf_counter()
    job()
    return (time.perf_counter() - began) * 1000


def report(bare: Cost, costs: dict[str, Cost]) -> int:
    """Print the table; 1 where a target is missed."""
    print(f"{'page':24}{'queries':>9}{'KB':>8}{'ms':>9}{'times bare':>12}")
    print(
        f"{'(bare view)':24}{bare.queries:>9}{bare.size / 1000:>8.1f}{bare.milliseconds:>9.2f}{1:>12.1f}"
    )
    missed = 0
    for path, cost in costs.items():
        times = cost.milliseconds / bare.milliseconds
        is_over = cost.queries > MOST_QUERIES or cost.size > MOST_BYTES or times > MOST_TIMES
        missed += is_over
        mark = "  over" if is_over else ""
        print(
            f"{path:24}{cost.queries:>9}{cost.size / 1000:>8.1f}{cost.milliseconds:>9.2f}{times:>12.1f}{mark}"
        )
    print(
        f"targets: {MOST_QUERIES} queries, {MOST_BYTES // 1000} KB, {MOST_TIMES:.0f} times; pages over: {missed}"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
