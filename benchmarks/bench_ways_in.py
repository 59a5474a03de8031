"""Whether the time of an answer tells that an address has an account: each way in, for known and unknown addresses.

`make bench-ways-in` prints the medians by the clock and of the processor, their difference and their ratio; it ends
with 1 where a difference by the clock is more than 5 ms. Known and unknown take turns, so that both see the same
machine; on a busy one only the processor's time says something.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.bench_web import timed
from benchmarks.ground import open_site, settle

MOST_APART = 5.0  # milliseconds
Fields = Callable[[str], dict[str, str]]
ASK_CODE = ("/accounts/login/code/", lambda email: {"email": email})
WRONG_CODE = ("/accounts/login/code/confirm/", lambda email: {"code": "XXXX-XXXX"})
# Of each way the last step is timed; the ones before it lead there.
WAYS: dict[str, list[tuple[str, Fields]]] = {
    "sign in, wrong password": [
        ("/accounts/login/", lambda email: {"login": email, "password": "violet staircase 1932"})
    ],
    "forgotten password": [("/accounts/password/reset/", lambda email: {"email": email})],
    "code by mail": [ASK_CODE],
    "code by mail, a wrong code": [ASK_CODE, WRONG_CODE],
    "new invitation": [("/invitation/new/", lambda email: {"email": email})],
}


def main() -> int:
    """Measure each way in."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite", choices=("sqlite", "postgresql"))
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    settle(database=options.database)
    open_site()
    ready(options.rounds)
    columns = f"{'known ms':>10}{'unknown ms':>12}{'apart ms':>10}{'ratio':>8}"
    print(f"{'way in':28}{columns}{columns}  (by the clock, and of the processor)")
    far = [name for name, way in WAYS.items() if not measure(name, way, options.rounds)]
    print(f"target: at most {MOST_APART:.0f} ms apart; missed: {', '.join(far) or 'none'}")
    return 1 if far else 0


def ready(rounds: int) -> None:
    """Accounts, half of them invited and never signed in, and no limit on how often one may try."""
    from django.conf import settings

    from portal import actions, clock
    from tests.factories import make_clinic, make_user

    settings.ACCOUNT_RATE_LIMITS = False
    clinic = make_clinic("Harbour Hip Clinic")
    for number in range(rounds):
        user = make_user(f"known-{number}@example.com")
        if number % 2:
            actions.invite(user=user, clinic=clinic, by=None, now=clock.now())


def measure(name: str, way: list[tuple[str, Fields]], rounds: int) -> bool:
    """Print one way in; whether both kinds of address are answered in nearly the same time, by the clock."""
    taken: dict[str, list[tuple[float, float]]] = {"known": [], "unknown": []}
    for number in range(rounds):
        for kind, times in taken.items():
            times.append(once(way, f"{kind}-{number}@example.com"))
    apart = []
    print(f"{name:28}", end="")
    for one in (0, 1):
        known, unknown = (statistics.median(row[one] for row in taken[kind]) for kind in taken)
        apart.append(abs(known - unknown))
        print(f"{known:>10.2f}{unknown:>12.2f}{apart[-1]:>10.2f}{known / unknown:>8.2f}", end="")
    print()
    return apart[0] <= MOST_APART


def once(way: list[tuple[str, Fields]], email: str) -> tuple[float, float]:
    """Milliseconds of the last step of one try by a stranger's browser, by the clock and of the processor."""
    from django.test import Client

    browser: Any = Client()
    *before, (path, fields) = way
    for earlier, sent in before:
        browser.post(earlier, sent(email))
    return timed(lambda: browser.post(path, fields(email)))


if __name__ == "__main__":
    sys.exit(main())
