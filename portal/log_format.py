"""The form of a log line: one JSON object, and nothing in it that names a person."""

import json
import logging
import traceback
from datetime import UTC, datetime

# What a record may carry beside its message: ids, codes and counts, and nothing else.
FIELDS = (
    "clinic", "day", "episode", "gap", "job", "message_row", "outcome", "reminder", "reminders",
    "report", "source",
)  # fmt: skip


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object on one line; `at` is UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. Of an exception it keeps the class and the places, never the text."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
            **{name: getattr(record, name) for name in FIELDS if hasattr(record, name)},
        }
        if record.exc_info and record.exc_info[0]:
            # A database quotes the offending row in the exception's text.
            line["error"] = record.exc_info[0].__qualname__
            line["where"] = " < ".join(
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in reversed(traceback.extract_tb(record.exc_info[2], limit=-8))
            )
        return json.dumps(line, ensure_ascii=False, default=str)


def message_of(record: logging.LogRecord) -> str:
    """Return the message; Celery puts a failed task's exception text there, which is left out."""
    if isinstance(record.args, dict) and "exc" in record.args:
        return record.msg % (record.args | {"exc": "(its text is withheld)"})
    return record.getMessage()
