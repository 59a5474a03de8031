"""How fast plans are made and written, beside COPY of the same rows; and what one new plan costs.

    python -m benchmarks.bench_plan [--episodes 10000] [--days 120] [--rounds 3]

Every episode gets one reminder a day for so many days: one step, repeated. Planned by the real
planner and written by the real reconciler, the way `plan` does it: an episode is a transaction.
"""

from __future__ import annotations

import argparse
import time
from datetime import timedelta
from statistics import median
from typing import Any

from benchmarks import ground


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ground.settle(database="postgresql")
    print_bulk(options.episodes, options.days, options.rounds)


def print_bulk(episodes: int, days: int, rounds: int) -> None:
    """Plan everything, then write the same rows once more by COPY alone."""
    from benchmarks import clinic
    from patients.models import Episode

    version = make_ground(episodes, days)
    keys = list(Episode.objects.order_by("id").values_list("id", flat=True))
    planned, copied = [], []
    share = len(keys) // rounds
    for number in range(rounds):
        rate, rows = plan_all(keys[number * share : (number + 1) * share], clinic.NOW)
        planned.append(rate)
        copied.append(copy_rate(rows))
        print(
            f"  planned and written {rate:8.0f} rows/s   COPY {copied[-1]:8.0f} rows/s", flush=True
        )
    print(f"planned and written    {median(planned):9.0f} rows/s")
    print(f"COPY of the same rows  {median(copied):9.0f} rows/s")
    print(f"ratio                  {median(planned) / median(copied):9.2f}")
    print_one(keys, version, clinic.NOW)


def make_ground(episodes: int, days: int) -> Any:
    """A clinic, a pathway with one daily step, and the episodes."""
    from benchmarks import clinic
    from tests.factories import make_clinic, make_version

    where = make_clinic()
    daily = {"offset_value": -days - 1, "repeat_every_days": 1, "repeat_count": days}
    version = make_version(where, {"daily": {"anchor": "surgery", **daily, "offset_value": 1}})
    clinic.make_episodes(where, version, episodes)
    return version


def plan_all(keys: list[Any], now: Any) -> tuple[float, list[Any]]:
    """Plan these episodes as `plan` does. Returns rows a second, and the rows."""
    from patients.models import Episode
    from reminders.models import Reminder
    from reminders.reconciler import reconcile

    began_at = time.perf_counter()
    for episode in Episode.objects.filter(id__in=keys).iterator(500):
        reconcile(episode, now=now)
    took = time.perf_counter() - began_at
    rows = list(Reminder.objects.filter(episode__in=keys))
    return len(rows) / took, rows


def copy_rate(rows: list[Any]) -> float:
    """Rows a second that COPY alone takes in, ready made, into the same table with its indexes."""
    from reminders.bulk import insert_all
    from reminders.models import Reminder

    Reminder.objects.filter(id__in=[row.id for row in rows]).delete()
    began_at = time.perf_counter()
    insert_all(Reminder, rows)
    return len(rows) / (time.perf_counter() - began_at)


def print_one(keys: list[Any], version: Any, now: Any) -> None:
    """What it costs to plan one episode again, unchanged and after its surgery moved."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from patients.models import AnchorDate, Episode
    from reminders.reconciler import reconcile

    for what, days in (("unchanged", 0), ("surgery moved by a week", 7)):
        took, queries = [], 0
        for episode in Episode.objects.filter(id__in=keys[:20]):
            dates = AnchorDate.objects.filter(episode=episode, anchor="surgery")
            dates.update(on=dates.get().on + timedelta(days=days))
            began_at = time.perf_counter()
            reconcile(episode, now=now)
            took.append(time.perf_counter() - began_at)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            dates.update(on=dates.get().on + timedelta(days=days))
            reconcile(episode, now=now)
            queries = len(captured) - 2 - 2
        print(f"one episode, {what:24}{1000 * median(took):7.1f} ms  {queries} queries")


if __name__ == "__main__":
    main()
