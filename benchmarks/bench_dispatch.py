"""How fast due reminders go out, beside a bare `smtplib` loop over the same mails made beforehand.

    python -m benchmarks.bench_dispatch [--reminders 5000] [--rounds 3] [--workers 2]
                                        [--delay-ms 0] [--database postgresql] [--parts]

Gates, rendering, stored messages, decision log and durable outcomes included. The reference and the
pipeline take turns; the medians are compared.
"""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from statistics import median

from benchmarks import crew, ground, sink


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reminders", type=int, default=5_000)
    parser.add_argument("--reference", type=int, default=0, help="mails of the reference")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--delay-ms", type=float, default=0, help="what the server takes a reply")
    parser.add_argument("--database", default="postgresql", choices=("postgresql", "sqlite"))
    parser.add_argument("--parts", action="store_true", help="one more round, with clocks")
    options = parser.parse_args()
    with sink.running(options.delay_ms) as server:
        folder = ground.settle(
            database=options.database, email_url=f"smtp://127.0.0.1:{server.port}"
        )
        prepare(options.reminders)
        measure(options, server, folder)


def prepare(reminders: int) -> None:
    """Make the rows."""
    from benchmarks import clinic

    where, version = clinic.make_ground()
    clinic.make_episodes(where, version, reminders)
    clinic.make_due(version, reminders)


def measure(options: argparse.Namespace, server: sink.Sink, folder: Path) -> None:
    """Let the pipeline and the reference take turns, and print what came of it."""
    from benchmarks import clinic

    bare: list[crew.Result] = []
    real: list[crew.Result] = []
    per_loop = (options.reference or options.reminders) // 2
    for _round in range(options.rounds):
        clinic.make_all_due_again()
        server.clear()
        real.append(dispatch(options.reminders, options.workers))
        check(real[-1], server.figures(), options.reminders)
        bare.append(reference(server, folder, per_loop))
        print_round(real[-1], bare[-1])
    print_table(real, bare, server)
    if options.parts:
        clinic.make_all_due_again()
        print_parts(dispatch(options.reminders, 1, "parts"))


def dispatch(reminders: int, workers: int, *more: str) -> crew.Result:
    """Send what is due with so many processes."""
    return crew.run_together("benchmarks.dispatcher", [[str(reminders), *more]] * workers)


def reference(server: sink.Sink, folder: Path, mails: int) -> crew.Result:
    """Send the mails that the pipeline has just stored with two bare loops."""
    file = folder / "mails.pickle"
    if not file.exists():
        file.write_bytes(pickle.dumps(ready_made(mails)))
    return crew.run_together("benchmarks.bare_loop", [[str(server.port), str(file)]] * 2)


def ready_made(most: int) -> list[tuple[str, bytes]]:
    """Stored messages as finished mails."""
    from django.core.mail import get_connection

    from portal import mail
    from reminders import emails
    from reminders.models import Message

    backend = get_connection()
    return [
        (row.to_address, mail._message(emails.outgoing(row), backend).message().as_bytes())
        for row in Message.objects.prefetch_related("sheet").order_by("id")[:most].iterator(500)
    ]


def check(result: crew.Result, came: dict[str, int], reminders: int) -> None:
    """Stop at a figure that would not mean what it says."""
    from benchmarks import clinic

    states = clinic.count_states()
    if states != {"sent": reminders} or came["mails"] != reminders or came["ids"] != reminders:
        raise SystemExit(f"Not everything went: {states}, the server got {came}.")


def print_round(real: crew.Result, bare: crew.Result) -> None:
    """One line a round, so that a busy machine shows."""
    print(
        f"  pipeline {real.rate:7.0f}/s with {real.busy:4.1f} connections busy a worker"
        f"   bare loop {bare.rate:7.0f}/s",
        flush=True,
    )


def print_table(real: list[crew.Result], bare: list[crew.Result], server: sink.Sink) -> None:
    """The medians."""
    pace, limit = median(r.rate for r in real), median(r.rate for r in bare)
    figures = server.figures()
    print(f"mail of {figures['bytes'] / max(figures['mails'], 1) / 1024:.1f} KiB")
    print(f"bare loop, two processes   {limit:8.0f} mails/s")
    print(f"pipeline, {len(real[0].reports)} process(es)   {pace:8.0f} mails/s")
    print(f"ratio                      {pace / limit:8.2f}")
    print(f"processor a mail           {median(r.cpu_us for r in real):8.0f} µs in the workers")
    print(f"processor of the bare loop {median(r.cpu_us for r in bare):8.0f} µs a mail")
    print(f"connections busy a worker  {median(r.busy for r in real):8.1f} on average")
    print(f"statements a mail          {median(r.statements for r in real):8.2f}")
    print(f"peak memory of a worker    {max(r.peak_mib for r in real):8.0f} MiB")


def print_parts(result: crew.Result) -> None:
    """What time each part took in one process: of the processor, which a busy machine blurs less, and by the clock."""
    report = result.reports[0]
    parts, served, waits = dict(report.parts), dict(report.served), dict(report.waits)
    parts["rest"] = report.cpu - sum(parts.values())
    served["rest"] = 0
    waits["rest"] = report.ended_at - report.began_at - sum(waits.values())
    print(
        f"µs a mail, one process ({result.rate:.0f} mails/s, {result.busy:.1f} connections busy):"
    )
    print(f"  {'part':24}{'processor':>12}{'PostgreSQL':>14}{'by the clock':>14}")
    for name in sorted(parts, key=lambda part: -parts[part]):
        own, theirs, lasted = (1e6 * each[name] / report.done for each in (parts, served, waits))
        print(f"  {name:24}{own:12.0f}{theirs:14.0f}{lasted:14.0f}")


if __name__ == "__main__":
    main()
