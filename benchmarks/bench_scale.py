"""Whether claiming and sending stay as fast with millions of reminders stored, and what an idle tick costs.

    python -m benchmarks.bench_scale [--patients 100000] [--stored 3000000] [--reminders 5000] [--rounds 5]

The same due reminders are sent in two databases of one server that take turns: one stores 10,000 other
reminders, the other all of them. On a busy machine the processor time a mail says more than the clock.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

from benchmarks import bench_dispatch, crew, ground, sink

FEW = 10_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--stored", type=int, default=3_000_000)
    parser.add_argument("--reminders", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with sink.running() as server:
        ground.settle(database="postgresql", email_url=f"smtp://127.0.0.1:{server.port}")
        bench_dispatch.prepare(options.reminders)
        ground.copy_database("few")
        fill(options.patients, options.stored)
        ground.use_database("few")
        fill(FEW // 30, FEW)
        measure(options.reminders, options.rounds, options.stored)


def fill(patients: int, reminders: int) -> None:
    """Add a crowd."""
    from benchmarks import crowd
    from portal.models import Clinic
    from procedures.models import PathwayVersion

    crowd.make(
        Clinic.objects.get(), PathwayVersion.objects.get(), patients=patients, reminders=reminders
    )


def measure(reminders: int, rounds: int, stored: int) -> None:
    """Send the same in both databases, taking turns, and print the medians.

    Before it counts, what filling left to be written is written, and a round is sent in each.
    """
    sent: dict[str, list[crew.Result]] = {"few": [], "postgres": []}
    for name in sent:
        ground.use_database(name)
        settle_down()
        send(reminders)
    for _round in range(rounds):
        for name, results in sent.items():
            ground.use_database(name)
            results.append(send(reminders))
            print(f"  {name:9}{results[-1].rate:8.0f} mails/s", flush=True)
    few, many = (median(each.rate for each in results) for results in sent.values())
    few_us, many_us = (median(each.cpu_us for each in results) for results in sent.values())
    print(
        f"with {FEW:,} stored       {few:8.0f} mails/s {few_us:8.0f} µs of processor a mail in the workers"
    )
    print(f"with {stored:,} stored    {many:8.0f} mails/s {many_us:8.0f} µs")
    kept = median(
        100 * after.rate / before.rate for before, after in zip(*sent.values(), strict=True)
    )
    print(f"kept                     {kept:8.0f} % (median of the rounds)")
    print_single()


def settle_down() -> None:
    """Have the server write down what it holds: the sending that follows is not to pay for the filling."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def send(reminders: int) -> crew.Result:
    """Make all due again and send it with two workers."""
    from benchmarks import clinic

    clinic.make_all_due_again()
    result = bench_dispatch.dispatch(reminders, 2)
    if clinic.count_states() != {"sent": reminders}:
        raise SystemExit(f"Not everything went: {clinic.count_states()}.")
    return result


def print_single() -> None:
    """What single things cost with everything stored, by the clock."""
    from benchmarks.clinic import NOW
    from reminders import balance, health, pipeline
    from reminders.models import Reminder

    def look() -> None:
        list(Reminder.objects.due(NOW).values_list("id", flat=True)[:200])

    jobs: dict[str, Callable[[], object]] = {
        "idle tick": lambda: pipeline.dispatch(now=NOW),
        "looking for the oldest due": look,
        "taking back and marking missed, nothing to do": lambda: pipeline.recover(now=NOW),
        "checking the balance of eight days": lambda: balance.check(now=NOW),
        "what /health/ready asks": lambda: [check() for check in health.CHECKS],
    }
    for what, job in jobs.items():
        took = []
        for _ in range(15):
            began_at = time.perf_counter()
            job()
            took.append(time.perf_counter() - began_at)
        print(f"{what:48}{1000 * median(took):8.1f} ms (fastest {1000 * min(took):.1f})")


if __name__ == "__main__":
    main()
