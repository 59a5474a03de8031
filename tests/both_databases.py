"""Runs the whole suite on SQLite and on PostgreSQL at once, one core each, and adds up the counts.

    python tests/both_databases.py [--no-skips] [pytest's own arguments]

The last line is "N passed, N failed, N skipped"; the exit code is 0 only if nothing failed.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

REPOSITORY = Path(__file__).resolve().parent.parent
DATABASES = ("sqlite", "postgresql")
# pytest's exit codes for "all passed" and "some failed"; anything else means it did not finish.
FINISHED = {0, 1}
# Seconds after which a suite that hangs is ended.
LIMIT = 2400


@dataclass(frozen=True)
class Counts:
    """How many tests ended how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read_report(file: Path) -> Counts:
    """Return the counts of a JUnit report. A report that is missing counts as one failure."""
    if not file.exists():
        return Counts(failed=1)
    counts = Counts()
    for case in ElementTree.parse(file).iter("testcase"):
        found = {child.tag for child in case}
        is_failed = bool(found & {"failure", "error"})
        is_skipped = not is_failed and "skipped" in found
        is_passed = not is_failed and not is_skipped
        counts += Counts(int(is_passed), int(is_failed), int(is_skipped))
    return counts


def environment(database: str) -> dict[str, str]:
    """Return what a run on one database is told. It keeps compiled code, whatever is usual here: the suite starts a
    hundred processes, and each would compile the whole product again.
    """
    wanted = {"TEST_DATABASE": database, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}
    return os.environ | wanted


def run_suite(database: str, arguments: list[str], folder: Path) -> Counts:
    """Run the suite on one database; its output comes with the database's name before each line."""
    report = folder / f"{database}.xml"
    chosen = "not benchmark" if database == DATABASES[0] else "not benchmark and not once"
    # Two processes each: half of the time a test waits, for a worker, a browser or a server.
    options = ["-n", "2", "-m", chosen, f"--junitxml={report}", "-p", "no:cacheprovider"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", *options, *arguments],
        cwd=REPOSITORY,
        env=environment(database),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watchdog = threading.Timer(LIMIT, process.kill)
    watchdog.start()
    for line in process.stdout or ():
        print(f"[{database}] {line}", end="", flush=True)
    code = process.wait()
    watchdog.cancel()
    counts = read_report(report)
    if code not in FINISHED or (code == 1 and not counts.failed):
        print(f"[{database}] pytest did not finish (exit code {code}).", flush=True)
        counts += Counts(failed=1)
    return counts


def main(arguments: list[str]) -> int:
    """Run both suites, print the sum, and return the exit code."""
    is_strict = "--no-skips" in arguments
    arguments = [each for each in arguments if each != "--no-skips"]
    started = time.monotonic()
    found: dict[str, Counts] = {}
    with tempfile.TemporaryDirectory(prefix="stepwise-reports-") as folder:

        def run(database: str) -> None:
            found[database] = run_suite(database, arguments, Path(folder))

        threads = [threading.Thread(target=run, args=(each,)) for each in DATABASES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    total = sum(found.values(), Counts())
    print(f"\nBoth suites took {time.monotonic() - started:.0f} s.")
    for database, counts in found.items():
        print(f"On {database}: {counts}.")
    if is_strict and total.skipped:
        print("Something was skipped; each line that begins with SKIPPED says what to install.")
    print(total, flush=True)
    return 1 if total.failed or not total.passed or (is_strict and total.skipped) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
