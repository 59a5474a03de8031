"""The parts of the pipeline that a measurement puts a clock on: (name, where it is, what it is called)."""

from __future__ import annotations

from typing import Any

from portal import smtp, wire
from reminders import boarding, emails, gates, journal, outcomes, pipeline

PARTS: tuple[tuple[str, Any, str], ...] = (
    ("claim", pipeline, "claim"),
    ("load", pipeline, "load"),
    ("gates: what they read", gates.Surroundings, "of"),
    ("gates: deciding", gates, "decide"),
    ("words", emails.Writer, "draft"),
    ("compose", emails, "compose"),
    ("store", pipeline, "store"),
    ("asking once more", boarding, "board"),
    ("message bytes", smtp, "to_bytes"),
    ("journal", journal.Journal, "_write"),
    ("wire: reading", wire.Line, "read"),
    ("wire: writing", wire.Line, "write"),
    ("wire: waiting", smtp.SmtpSender, "_select"),
    ("record", outcomes, "record"),
    ("objections", outcomes, "settle_objections"),
)
