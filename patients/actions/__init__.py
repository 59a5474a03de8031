"""What changes a patient's record. Each action is atomic, writes its audit row, and asks for a new plan.

Callers check who may (`permissions`); actions check what makes sense and raise ValidationError in
words for people. `now` is UTC.
"""

from patients.actions.access import (
    ask_to_end,
    plan_access_notices,
    renew_access,
    send_access_notices,
    withdraw_asking,
)
from patients.actions.alerts import acknowledge_alert, escalate_alerts, resolve_alert
from patients.actions.answers import (
    answer_step,
    reply_to_question,
    withdraw_answer,
    word_question,
)
from patients.actions.check_ins import submit_check_in
from patients.actions.episodes import close_episode, follow_version, open_episode, set_anchor
from patients.actions.exercises import (
    audiences_of,
    copy_programme,
    end_prescription,
    log_exercise,
    prescribe,
    undo_exercise,
)
from patients.actions.feeds import end_feed, note_fetch, reset_feed
from patients.actions.holds import lift_hold, place_hold
from patients.actions.imaging import record_result, release_result
from patients.actions.notes import (
    request_plan,
    request_plans_of_clinic,
    request_plans_of_person,
    request_plans_of_the_grown_up,
)
from patients.actions.people import (
    account_for,
    birth_dates_of,
    end_carer,
    link_carer,
    mark_deceased,
    register_patient,
    set_email,
    update_patient,
)
from patients.actions.smoking import log_slip, save_smoke_free_plan, withdraw_slip
from patients.actions.staff_notes import write_note
from patients.actions.tasks import (
    claim_task,
    count_tasks,
    give_back_task,
    resolve_task,
    sync_tasks,
)
from patients.actions.visits import (
    book_appointment,
    cancel_appointment,
    mark_attended,
    mark_missed,
    move_appointment,
)
from patients.actions.wishes import (
    answer_move_request,
    ask_to_move,
    confirm_appointment,
    withdraw_move_request,
)

__all__ = [
    "account_for",
    "acknowledge_alert",
    "answer_move_request",
    "answer_step",
    "ask_to_end",
    "ask_to_move",
    "audiences_of",
    "birth_dates_of",
    "book_appointment",
    "cancel_appointment",
    "claim_task",
    "close_episode",
    "confirm_appointment",
    "copy_programme",
    "count_tasks",
    "end_carer",
    "end_feed",
    "end_prescription",
    "escalate_alerts",
    "follow_version",
    "give_back_task",
    "lift_hold",
    "link_carer",
    "log_exercise",
    "log_slip",
    "mark_attended",
    "mark_deceased",
    "mark_missed",
    "move_appointment",
    "note_fetch",
    "open_episode",
    "place_hold",
    "plan_access_notices",
    "prescribe",
    "record_result",
    "register_patient",
    "release_result",
    "renew_access",
    "reply_to_question",
    "request_plan",
    "request_plans_of_clinic",
    "request_plans_of_person",
    "request_plans_of_the_grown_up",
    "reset_feed",
    "resolve_alert",
    "resolve_task",
    "save_smoke_free_plan",
    "send_access_notices",
    "set_anchor",
    "set_email",
    "submit_check_in",
    "sync_tasks",
    "undo_exercise",
    "update_patient",
    "withdraw_answer",
    "withdraw_asking",
    "withdraw_move_request",
    "withdraw_slip",
    "word_question",
    "write_note",
]
