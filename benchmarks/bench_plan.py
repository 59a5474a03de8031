"""How fast plans are made and written, beside COPY of the same rows; and what one new plan costs.

    python -m benchmarks.bench_plan [--episodes 10000] [--days 120] [--rounds 5] [--database postgresql]

Every episode gets one reminder a day for so many days: one step, repeated. Planned by the real
planner and written by the real reconciler, as the tick `plan` does it: requests in, plans out. The
reference takes the same rows out and puts them back with COPY alone, no Python touching them, into
the same table with its indexes and foreign keys.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Any
from uuid import UUID

from benchmarks import ground

# Plans made again for a figure, after a few that are not counted: a process that runs has made some before.
FEW, FIRST = 100, 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", default="postgresql", choices=("postgresql", "sqlite"))
    options = parser.parse_args()
    ground.settle(database=options.database)
    keys = make_ground(options.episodes, options.days)
    print_bulk(keys, options.rounds, has_copy=options.database == "postgresql")
    print_one(keys[:FEW])


def make_ground(episodes: int, days: int) -> list[UUID]:
    """A clinic, a pathway with one daily step, and the episodes, whose keys are returned."""
    from benchmarks import clinic
    from patients.models import Episode
    from tests.factories import make_clinic, make_version

    where = make_clinic()
    daily = {"offset_value": 1, "repeat_every_days": 1, "repeat_count": days}
    version = make_version(where, {"daily": {"anchor": "surgery", **daily}})
    clinic.make_episodes(where, version, episodes)
    return list(Episode.objects.order_by("id").values_list("id", flat=True))


def print_bulk(keys: Sequence[UUID], rounds: int, *, has_copy: bool) -> None:
    """Plan everything, a share a round, and write each share's rows once more by COPY alone."""
    planned, copied, used = [], [], []
    share = len(keys) // rounds
    for number in range(rounds):
        some = keys[number * share : (number + 1) * share]
        rows, seconds, cpu = plan_all(some)
        planned.append(rows / seconds)
        used.append(1e6 * cpu / rows)
        copied.append(copy_rate(some) if has_copy else 0)
        print(
            f"  planned and written {planned[-1]:8.0f} rows/s   COPY {copied[-1]:8.0f} rows/s",
            flush=True,
        )
    print(f"planned and written    {median(planned):9.0f} rows/s")
    print(f"processor in Python    {median(used):9.0f} µs a row")
    if has_copy:
        print(f"COPY of the same rows  {median(copied):9.0f} rows/s")
        ratio = median(each / limit for each, limit in zip(planned, copied, strict=True))
        print(f"ratio                  {ratio:9.2f}")


def plan_all(keys: Sequence[UUID]) -> tuple[int, float, float]:
    """Plan these episodes as `plan` does. Returns how many rows, in how many seconds, of which of this process."""
    from benchmarks.clinic import NOW
    from patients.models import PlanRequest
    from reminders.models import Reminder
    from reminders.planning import plan_requested

    PlanRequest.objects.bulk_create(PlanRequest(episode_id=key, reason="measured") for key in keys)
    seconds, cpu = spent(lambda: plan_requested(now=NOW, most=len(keys)))
    assert not PlanRequest.objects.exists()
    return Reminder.objects.filter(episode__in=keys).count(), seconds, cpu


def spent(job: Callable[[], Any]) -> tuple[float, float]:
    """The seconds that a job takes, by the clock and of this process's processor time."""
    began_at, cpu = time.perf_counter(), time.process_time()
    job()
    return time.perf_counter() - began_at, time.process_time() - cpu


def copy_rate(keys: Sequence[UUID]) -> float:
    """Rows a second that COPY alone takes in: what these episodes' rows are, out and in again."""
    from django.db import connection

    from reminders.models import Reminder

    rows = Reminder.objects.filter(episode__in=keys)
    number = rows.count()
    with connection.cursor() as cursor:
        out = "COPY (SELECT * FROM reminders_reminder WHERE episode_id = ANY(%s)) TO STDOUT"
        with cursor.copy(out, [list(keys)]) as copy:
            blocks = list(copy)
        rows._raw_delete(rows.db)

        def put_back() -> None:
            with cursor.copy("COPY reminders_reminder FROM STDIN") as copy:
                for block in blocks:
                    copy.write(block)

        return number / spent(put_back)[0]


def print_one(keys: Sequence[UUID]) -> None:
    """What it costs to plan one episode again: unchanged, after its surgery moved, and after its step was dropped."""
    from patients.models import AnchorDate

    def move() -> None:
        for row in AnchorDate.objects.filter(episode__in=keys, anchor="surgery"):
            AnchorDate.objects.filter(pk=row.pk).update(on=row.on + timedelta(days=7))

    print_replanning("unchanged", keys)
    move()
    print_replanning("surgery moved by a week", keys)
    AnchorDate.objects.filter(episode__in=keys, anchor="surgery").delete()
    print_replanning("surgery has no date any more", keys)


def print_replanning(what: str, keys: Sequence[UUID]) -> None:
    """Plan each of these again, and print the medians."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from benchmarks.clinic import NOW
    from patients.models import Episode
    from reminders.reconciler import reconcile

    took, used = [], []
    *most, last = Episode.objects.filter(id__in=keys)
    for episode in most[:FIRST]:
        reconcile(episode, now=NOW)
    for episode in most[FIRST:]:
        seconds, cpu = spent(partial(reconcile, episode, now=NOW))
        took.append(seconds)
        used.append(cpu)
    with CaptureQueriesContext(connection) as captured:
        reconcile(last, now=NOW)
    queries = [each for each in captured if each["sql"].split()[0] not in {"BEGIN", "COMMIT"}]
    print(
        f"one episode, {what:29}{1000 * median(took):7.1f} ms "
        f"({1000 * median(used):5.1f} ms processor in Python)  {len(queries)} queries"
    )


if __name__ == "__main__":
    main()
