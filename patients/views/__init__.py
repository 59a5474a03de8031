"""A reader's pages about the record: visits, check-ins, exercises, and the choice of whose pages to see."""

from patients.views.access import ask_access_end, no_record, who_can_see
from patients.views.check_ins import check_in, check_in_history, check_in_result
from patients.views.consents import consent, consents
from patients.views.contacts import contact_email, contact_phone, email_change
from patients.views.exercises import exercise, exercise_log, exercises
from patients.views.feeds import calendar_feed, calendar_feed_file
from patients.views.guides import my_guide
from patients.views.smoke_free import slip_log, slip_withdraw, smoke_free, smoke_free_plan
from patients.views.visits import (
    appointment,
    appointment_ask_move,
    appointment_calendar,
    appointment_confirm,
    appointments,
    move_request_withdraw,
    own_path,
    switch_patient,
)
from patients.views.xrays import xrays

__all__ = [
    "appointment",
    "appointment_ask_move",
    "appointment_calendar",
    "appointment_confirm",
    "appointments",
    "ask_access_end",
    "calendar_feed",
    "calendar_feed_file",
    "check_in",
    "check_in_history",
    "check_in_result",
    "consent",
    "consents",
    "contact_email",
    "contact_phone",
    "email_change",
    "exercise",
    "exercise_log",
    "exercises",
    "move_request_withdraw",
    "my_guide",
    "no_record",
    "own_path",
    "slip_log",
    "slip_withdraw",
    "smoke_free",
    "smoke_free_plan",
    "switch_patient",
    "who_can_see",
    "xrays",
]
