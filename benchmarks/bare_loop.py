"""The reference: a bare `smtplib` loop over mails made beforehand, on one kept connection.

    python -m benchmarks.bare_loop PORT FILE

FILE holds a pickled list of (recipient, bytes).
"""

from __future__ import annotations

import pickle
import smtplib
import sys
from pathlib import Path

from benchmarks import crew

SENDER = "no-reply@portal.clinic.example"


def main(port: str, file: str) -> None:
    """Wait for the start, send every mail, report."""
    # The file was written by the process that started this one.
    mails: list[tuple[str, bytes]] = pickle.loads(Path(file).read_bytes())

    def send_all() -> int:
        with smtplib.SMTP("127.0.0.1", int(port), timeout=30) as client:
            for recipient, content in mails:
                client.sendmail(SENDER, [recipient], content)
        return len(mails)

    crew.work(send_all)


if __name__ == "__main__":
    main(*sys.argv[1:])
