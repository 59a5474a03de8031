"""Worker processes that start together and report what they used: time, statements, memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from portal.processes import die_with_parent

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Report:
    """What one process did. Seconds of wall and processor, memory in MiB, moments on the common clock.

    `parts` are seconds of processor, `served` the database's, `waits` the same parts by the clock; `busy` is
    the sum of the seconds that each of its connections had a mail on its way.
    """

    done: int
    began_at: float
    ended_at: float
    cpu: float
    peak_mib: float
    statements: int = 0
    parts: dict[str, float] = field(default_factory=dict)
    served: dict[str, float] = field(default_factory=dict)
    waits: dict[str, float] = field(default_factory=dict)
    busy: float = 0


@dataclass(frozen=True)
class Result:
    """What all processes of one run did together."""

    reports: Sequence[Report]

    @property
    def done(self) -> int:
        """How many mails."""
        return sum(report.done for report in self.reports)

    @property
    def seconds(self) -> float:
        """From the first start to the last end."""
        return max(r.ended_at for r in self.reports) - min(r.began_at for r in self.reports)

    @property
    def rate(self) -> float:
        """Mails a second."""
        return self.done / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the workers' processor time a mail."""
        return 1e6 * sum(r.cpu for r in self.reports) / max(self.done, 1)

    @property
    def statements(self) -> float:
        """Statements a mail."""
        return sum(r.statements for r in self.reports) / max(self.done, 1)

    @property
    def busy(self) -> float:
        """How many connections of a worker had a mail on its way, on the average of its time."""
        return sum(r.busy for r in self.reports) / sum(
            r.ended_at - r.began_at for r in self.reports
        )

    @property
    def peak_mib(self) -> float:
        """The largest worker's peak resident memory."""
        return max(r.peak_mib for r in self.reports)


def run_together(module: str, arguments: Sequence[Sequence[str]]) -> Result:
    """Run `python -m module` once for each list of arguments, all starting at one moment."""
    crew = [
        subprocess.Popen(
            [sys.executable, "-m", module, *own],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(os.getpid()),
        )
        for own in arguments
    ]
    for process in crew:
        assert process.stdout is not None
        process.stdout.readline()
    for process in crew:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in crew]
    return Result([Report(**json.loads(output.splitlines()[-1])) for output in outputs])


def work(
    job: Callable[[], int],
    *,
    statements: Callable[[], int] = lambda: 0,
    parts: Callable[[], dict[str, float]] = dict,
    served: Callable[[], dict[str, float]] = dict,
    waits: Callable[[], dict[str, float]] = dict,
    busy: Callable[[], float] = lambda: 0,
) -> None:
    """Be one of the crew: say that all is ready, wait for the start, do the job, report."""
    print("ready", flush=True)
    sys.stdin.readline()
    cpu, began_at = time.process_time(), time.monotonic()
    done = job()
    report = Report(
        done=done,
        began_at=began_at,
        ended_at=time.monotonic(),
        cpu=time.process_time() - cpu,
        peak_mib=peak_mib(),
        statements=statements(),
        parts=parts(),
        served=served(),
        waits=waits(),
        busy=busy(),
    )
    print(json.dumps(asdict(report)), flush=True)


def peak_mib() -> float:
    """The most memory (RSS) this process held since its program began.

    Not `ru_maxrss`: Linux counts in it what the process was copied from, which here is whoever made the rows.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024
