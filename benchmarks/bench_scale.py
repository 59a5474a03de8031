"""Whether claiming and sending stay as fast with millions of reminders stored, and what an idle tick costs.

    python -m benchmarks.bench_scale [--patients 100000] [--stored 3000000] [--reminders 2000]

The same due reminders are sent twice: with 10,000 others stored, and with all of them.
"""

from __future__ import annotations

import argparse
import time
from datetime import timedelta
from statistics import median

from benchmarks import bench_dispatch, crew, ground, sink

FEW = 10_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--stored", type=int, default=3_000_000)
    parser.add_argument("--reminders", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with sink.running() as server:
        ground.settle(database="postgresql", email_url=f"smtp://127.0.0.1:{server.port}")
        bench_dispatch.prepare(options.reminders)
        store_others(FEW)
        few = measure(options.reminders, options.rounds)
        add_patients(options.patients - options.reminders)
        store_others(options.stored - FEW)
        many = measure(options.reminders, options.rounds)
    print(f"with {FEW:,} stored         {few:8.0f} mails/s")
    print(f"with {options.stored:,} stored      {many:8.0f} mails/s")
    print(f"kept                       {100 * many / few:8.0f} %")
    print(f"idle tick                  {1000 * idle_tick():8.1f} ms")


def add_patients(many: int) -> None:
    """So many more patients with an episode each, ten thousand at a time."""
    from benchmarks import clinic
    from portal.models import Clinic
    from procedures.models import PathwayVersion

    where, version = Clinic.objects.get(), PathwayVersion.objects.get()
    for first in range(0, many, 10_000):
        clinic.make_episodes(where, version, min(10_000, many - first), first=1_000_000 + first)


def store_others(many: int) -> None:
    """Reminders that are not due, past and to come, spread over all episodes: half sent, half planned."""
    from django.db import connection

    from benchmarks.clinic import NOW

    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO reminders_reminder
            SELECT (jsonb_populate_record(model, jsonb_build_object(
                'id', gen_random_uuid(), 'state', CASE WHEN n %% 2 = 0 THEN 'planned' ELSE 'skipped' END,
                'occurrence', 100 + n / people.number, 'episode_id', people.ids[1 + n %% people.number],
                'due_at', CASE WHEN n %% 2 = 0 THEN %s + n * interval '40 second' ELSE %s - n * interval '20 second' END
            ))).*
            FROM generate_series(1, %s) AS n,
                 (SELECT array_agg(id) AS ids, count(*) AS number FROM patients_episode) AS people,
                 (SELECT * FROM reminders_reminder LIMIT 1) AS model
            ON CONFLICT DO NOTHING
            """,
            [NOW + timedelta(hours=2), NOW - timedelta(hours=2), many],
        )


def measure(reminders: int, rounds: int) -> float:
    """Mails a second of two workers, the median of the rounds."""
    from benchmarks import clinic

    rates = []
    for _round in range(rounds):
        clinic.make_all_due_again()
        result: crew.Result = bench_dispatch.dispatch(reminders, 2)
        rates.append(result.rate)
        print(f"  {result.rate:8.0f} mails/s", flush=True)
    return median(rates)


def idle_tick() -> float:
    """Seconds that `dispatch` takes when nothing is due, the median of twenty."""
    from benchmarks.clinic import NOW
    from reminders import pipeline

    took = []
    for _ in range(20):
        began_at = time.perf_counter()
        pipeline.dispatch(now=NOW)
        took.append(time.perf_counter() - began_at)
    return median(took)


if __name__ == "__main__":
    main()
