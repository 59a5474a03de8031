"""Makes visits for which somebody asks for another time."""

from typing import Any

from patients.actions import ask_to_move
from patients.models import Appointment, MoveRequest
from tests.factories import make_appointment
from tests.people import People


def wished(people: People, visit: Appointment | None = None, **fields: Any) -> MoveRequest:
    """The patient's wish for another time of a visit."""
    values = {
        "reason": "I have to work",
        "wishes": "After 3 pm",
        "by": people.patient.user,
    } | fields
    visit = visit or make_appointment(people.episode)
    return ask_to_move(appointment=visit, now=people.now, **values)
