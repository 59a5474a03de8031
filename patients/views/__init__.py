"""A reader's pages about the record: visits, check-ins, exercises, and the choice of whose pages to see."""

from patients.views.access import who_can_see
from patients.views.check_ins import check_in, check_in_history, check_in_result
from patients.views.exercises import exercise_log, exercises
from patients.views.visits import appointment_calendar, appointments, own_path, switch_patient

__all__ = [
    "appointment_calendar",
    "appointments",
    "check_in",
    "check_in_history",
    "check_in_result",
    "exercise_log",
    "exercises",
    "own_path",
    "switch_patient",
    "who_can_see",
]
