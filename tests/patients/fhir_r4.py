"""What FHIR R4 (hl7.org/fhir/R4) asks of the resources that a download holds: elements, codes and invariants."""

import base64
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

# Elements with a cardinality of at least one, and the codes of required bindings.
REQUIRED = {
    "Appointment": {"status", "participant"},
    "Communication": {"status"},
    "CommunicationRequest": {"status"},
    "Consent": {"status", "scope", "category"},
    "EpisodeOfCare": {"status", "patient"},
    "Flag": {"status", "code", "subject"},
    "Patient": set(),
    "QuestionnaireResponse": {"status"},
    "RelatedPerson": {"patient"},
    "ServiceRequest": {"status", "intent", "subject"},
}
_REQUESTS = {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
CODES = {
    "Appointment": {
        "proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow", "entered-in-error",
        "checked-in", "waitlist",
    },
    "Communication": {
        "preparation", "in-progress", "not-done", "on-hold", "stopped", "completed", "entered-in-error", "unknown",
    },
    "CommunicationRequest": _REQUESTS,
    "Consent": {"draft", "proposed", "active", "rejected", "inactive", "entered-in-error"},
    "EpisodeOfCare": {
        "planned", "waitlist", "active", "onhold", "finished", "cancelled", "entered-in-error",
    },
    "Flag": {"active", "inactive", "entered-in-error"},
    "QuestionnaireResponse": {"in-progress", "completed", "amended", "entered-in-error", "stopped"},
    "ServiceRequest": _REQUESTS,
}  # fmt: skip
INSTANTS = {"start", "end", "sent", "authored", "dateTime", "occurrenceDateTime"}


def faults(bundle: dict[str, Any]) -> list[str]:
    """What is wrong with a Bundle; empty where nothing is."""
    resources = [entry["resource"] for entry in bundle["entry"]]
    return [f"{row['resourceType']}: {fault}" for row in resources for fault in _faults(row)]


def _faults(row: dict[str, Any]) -> Iterator[str]:
    kind = row["resourceType"]
    if missing := REQUIRED[kind] - row.keys():
        yield f"lacks {sorted(missing)}"
    if kind in CODES and row["status"] not in CODES[kind]:
        yield f"status {row['status']}"
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,64}", row["id"]):
        yield "id"
    yield from _empty(row)
    yield from _invariants(row)


def _empty(value: Any, path: str = "") -> Iterator[str]:
    """Whatever is there says something (ele-1, and strings are not blank); moments have a zone."""
    if value in ("", None, [], {}) or (isinstance(value, str) and not value.strip()):
        yield f"{path} is empty"
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, one in pairs:
        yield from _empty(one, f"{path}.{key}")
        if (
            key in INSTANTS
            and isinstance(one, str)
            and "T" in one
            and datetime.fromisoformat(one).tzinfo is None
        ):
            yield f"{path}.{key} has no zone"


def _invariants(row: dict[str, Any]) -> Iterator[str]:
    holds = {words: rule for kind, words, rule in INVARIANTS if row["resourceType"] in kind.split()}
    yield from (words for words, rule in holds.items() if not rule(row))


def _has_text(row: dict[str, Any]) -> bool:
    return bool(base64.b64decode(row["sourceAttachment"].get("data", ""), validate=True))


def _are_persons(row: dict[str, Any]) -> bool:
    return all("actor" in one and "status" in one for one in row["participant"])


def _are_answered(row: dict[str, Any]) -> bool:
    return all(one.get("linkId") and one.get("answer") for one in row["item"])


def _has_content(row: dict[str, Any]) -> bool:
    return all("contentString" in one for one in row["payload"])


INVARIANTS: list[tuple[str, str, Callable[[dict[str, Any]], bool]]] = [
    ("Appointment", "app-1: a participant is somebody", _are_persons),
    (
        "Appointment",
        "app-2: start and end, or neither",
        lambda row: ("start" in row) == ("end" in row),
    ),
    ("Consent", "ppc-1: a policy", lambda row: bool({"policy", "policyRule"} & row.keys())),
    ("Consent", "ppc-2, ppc-5: whose consent it is", lambda row: "patient" in row),
    ("Consent", "the text that was read", _has_text),
    ("QuestionnaireResponse", "an item has a linkId, and here an answer", _are_answered),
    ("Communication CommunicationRequest", "a payload has content", _has_content),
]
