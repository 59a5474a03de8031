"""How fast one worker sends with SQLite, beside the same with PostgreSQL.

    python -m benchmarks.bench_databases [--reminders 1000] [--rounds 3]

The two take turns, each round in a process and on ground of its own; the medians are compared.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from statistics import median

from benchmarks.crew import ROOT

DATABASES = ("postgresql", "sqlite")
_RATE = re.compile(r"^pipeline, 1 process\(es\) +(\d+)", re.MULTILINE)
_CPU = re.compile(r"^processor a mail +(\d+)", re.MULTILINE)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reminders", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in DATABASES}
    for _round in range(options.rounds):
        for name in DATABASES:
            found[name].append(one_round(name, options.reminders))
        print(
            "  " + "   ".join(f"{name} {found[name][-1][0]:6}/s" for name in DATABASES), flush=True
        )
    for name, figures in found.items():
        rates, cpu = zip(*figures, strict=True)
        print(
            f"{name:12}{median(rates):8.0f} mails/s{median(cpu):8.0f} µs of the worker's processor a mail"
        )
    rates = [median(rate for rate, _ in found[name]) for name in DATABASES]
    print(f"ratio       {rates[1] / rates[0]:8.2f}")


def one_round(database: str, reminders: int) -> tuple[int, int]:
    """Mails a second, and microseconds of the worker's processor a mail."""
    command = [
        sys.executable, "-m", "benchmarks.bench_dispatch", "--workers", "1", "--rounds", "1",
        "--reminders", str(reminders), "--reference", "200", "--database", database,
    ]  # fmt: skip
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rate, cpu = _RATE.search(said), _CPU.search(said)
    if rate is None or cpu is None:
        raise SystemExit(f"The measurement on {database} said:\n{said}")
    return int(rate[1]), int(cpu[1])


if __name__ == "__main__":
    main()
