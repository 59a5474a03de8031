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
from datetime import timedelta
from http import HTTPStatus
from typing import Any, NamedTuple

from benchmarks.ground import open_site, settle

MOST_QUERIES, MOST_BYTES, MOST_TIMES = 15, 60_000, 6.0
PAGES = (
    "reminders:today", "reminders:plan", "patients:appointments", "patients:calendar_feed", "reminders:messages",
    "patients:check_in", "patients:check_in_history", "patients:exercises", "patients:smoke_free",
    "patients:smoke_free_plan", "patients:xrays", "patients:consents", "reminders:my_data", "patients:contact_phone",
    "patients:contact_email", "procedures:guide_list", "reminders:reminder_settings", "patients:who_can_see",
)  # fmt: skip
# Files to keep: everything there is, made when somebody asks for it, and so held to no time.
FILE, FORMS = "reminders:my_data_file", ("html", "pdf", "json", "fhir")
HOME_SINCE = 4
BARE = "/bare/"
# What begins and ends a transaction is no question: Django lists it among the queries all the same.
AROUND = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


class Cost(NamedTuple):
    """One page: its queries, bytes of HTML, and median milliseconds by the clock and of the processor.

    `bare` and `bare_processor` are those of the bare view, asked in turn with this page.
    """

    queries: int
    size: int
    milliseconds: float
    processor: float
    bare: float
    bare_processor: float

    @property
    def times(self) -> float:
        """How many times the bare view the page takes, by the clock."""
        return self.milliseconds / self.bare

    @property
    def work(self) -> float:
        """The same, of the processor."""
        return self.processor / self.bare_processor


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
    browser, pages = reader(options.items)
    with bare_view():
        costs = {name: measure(browser, path, options.rounds) for name, path in pages.items()}
    return report(costs)


def reader(items: int) -> tuple[Any, dict[str, str]]:
    """A patient's browser, some days after going home, and the addresses of what can be looked at, by name.

    There are as many mails, visits, exercises, consents and carers as asked for.
    """
    from django.test import Client
    from django.utils import timezone

    from procedures.loading import load_catalogue
    from reminders.reconciler import reconcile
    from tests.patients.check_ins import send_home
    from tests.people import make_people

    now = timezone.now()
    load_catalogue()
    people = make_people(now)
    send_home(people.episode, days_ago=HOME_SINCE, now=now)
    reconcile(people.episode, now=now)
    for number in range(items):
        live(people, number)
    browser = Client(headers={"Sec-Fetch-Dest": "document"})
    browser.force_login(people.patient.user)
    return browser, addresses(people, browser)


def live(people: Any, number: int) -> None:
    """One more of everything that a reader's pages list."""
    from tests.factories import make_appointment, make_carer, make_message, make_reminder
    from tests.patients.consents import published
    from tests.patients.exercises import prescribed

    now, episode = people.now, people.episode
    step = people.adult_version.steps.get(key="anniversary")
    make_appointment(episode, on=now.date() + timedelta(days=number + 1), location=people.location)
    planned = {"occurrence": number + 2, "local_date": now.date(), "due_at": now}
    row = make_reminder(episode, step, valid_until=now + timedelta(days=2), **planned)
    make_message(people.patient.user, people.clinic, [row], sent_at=now)
    prescribed(people, f"exercise-{number}", starts_on=now.date())
    published(people, f"consent-{number}")
    make_carer(people.patient)


def addresses(people: Any, browser: Any) -> dict[str, str]:
    """Every list, one row of each, and the files, by name."""
    from django.urls import reverse

    from reminders.models import Message
    from tests.patients.check_ins import send

    visit, mail = people.episode.appointments.last(), Message.objects.latest("sent_at")
    told = send(browser, people.episode).redirect_chain[-1][0]
    rows = {
        "patients:appointment": [visit.pk],
        "patients:appointment_ask_move": [visit.pk],
        "patients:appointment_calendar": [visit.pk],
        "patients:consent": [people.episode.pk, "consent-0"],
        "reminders:message": [mail.pk],
        "reminders:message_html": [mail.pk],
        "reminders:why": [mail.reminders.get().pk],
        "procedures:guide": ["periacetabular-osteotomy"],
        "procedures:guide_page": ["periacetabular-osteotomy", "pao-about"],
    }
    lists = {name: reverse(name) for name in PAGES}
    files = {f"{FILE} {form}": reverse(FILE, args=[form]) for form in FORMS}
    return {
        **lists,
        "patients:check_in_result": told,
        **{name: reverse(name, args=args) for name, args in rows.items()},
        **files,
    }


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
    """The queries of one request, its size, and the median times of many and of as many of the bare view.

    Raises ValueError for no page.
    """
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    if browser.get(path).status_code != HTTPStatus.OK:
        raise ValueError(f"{path} answers no page")
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(path)
    asked = sum(not row["sql"].startswith(AROUND) for row in queries)
    taken = [
        (*timed(lambda: browser.get(path)), *timed(lambda: browser.get(BARE)))
        for _ in range(rounds)
    ]
    medians = (statistics.median(times) for times in zip(*taken, strict=True))
    return Cost(asked, len(answer.content), *medians)


def timed(job: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds that a job takes: by the clock, and of the processor."""
    began, worked = time.perf_counter(), time.process_time()
    job()
    return (time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000


def report(costs: dict[str, Cost]) -> int:
    """Print the table; 1 where a target is missed."""
    print(
        f"{'page':34}{'queries':>8}{'KB':>7}{'ms':>9}{'bare':>7}{'times':>7}{'cpu ms':>9}{'bare':>7}{'times':>7}"
    )
    missed = 0
    for path, cost in costs.items():
        is_page = not path.startswith(FILE)
        is_over = is_page and (
            cost.queries > MOST_QUERIES or cost.size > MOST_BYTES or cost.times > MOST_TIMES
        )
        missed += is_over
        mark = "  over" if is_over else ""
        print(f"{line(path, cost)}{mark}")
    print(
        f"targets: {MOST_QUERIES} queries, {MOST_BYTES // 1000} KB, {MOST_TIMES:.0f} times; pages over: {missed}"
    )
    return 1 if missed else 0


def line(name: str, cost: Cost) -> str:
    """One line of the table."""
    return (
        f"{name:34}{cost.queries:>8}{cost.size / 1000:>7.1f}"
        f"{cost.milliseconds:>9.2f}{cost.bare:>7.2f}{cost.times:>7.1f}"
        f"{cost.processor:>9.2f}{cost.bare_processor:>7.2f}{cost.work:>7.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
