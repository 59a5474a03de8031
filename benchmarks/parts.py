"""The parts of the pipeline that a measurement puts a clock on: (name, where it is, what it is called)."""

from __future__ import annotations

from typing import Any

from portal import mail
from reminders import emails, gates, pipeline

PARTS: tuple[tuple[str, Any, str], ...] = (
    ("claim", pipeline, "claim"),
    ("load", pipeline, "load"),
    ("gates", pipeline.gates.Surroundings, "of"),
    ("gates", gates, "decide"),
    ("words", emails.Writer, "item"),
    ("compose", emails, "compose"),
    ("store", pipeline, "_store_messages"),
    ("send", mail, "send"),
    ("message class", mail, "_message"),
    ("record", pipeline, "_record_sent"),
    ("objections", pipeline, "_settle_objections"),
)
