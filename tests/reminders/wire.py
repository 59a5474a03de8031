"""The mail server's side of the state machine: a backend that answers as it is told to."""

import smtplib

from django.core.mail.backends.base import BaseEmailBackend


class Crash(BaseException):
    """The worker's end, at the worst of moments."""


class Wire(BaseEmailBackend):
    """The mail server's side: what it took, and what it answers next."""

    taken: list[tuple[str, str, str, bool]] = []
    answers: list[str] = []

    def send_messages(self, messages):
        (mail,) = messages
        answer = self.answers.pop(0) if self.answers else "take"
        if answer == "later":
            raise smtplib.SMTPDataError(451, b"4.3.0 later")
        if answer == "never":
            raise smtplib.SMTPDataError(554, b"5.6.0 no")
        self.taken.append(
            (mail.extra_headers["Message-ID"], mail.to[0], mail.body, answer == "crash")
        )
        if answer == "crash":
            raise Crash
        return 1
