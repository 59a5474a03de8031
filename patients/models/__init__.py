"""Records of people and their care, one module for each kind.

Who may see a row is in `querysets`; what changes a row is in `actions`. Plans and mails are in `reminders`.
"""

from patients.models.access import AccessNotice
from patients.models.check_ins import Alert, CheckIn, CheckInIsFinal
from patients.models.consents import ConsentDecision, ConsentIsFinal
from patients.models.contacts import EmailChange
from patients.models.episodes import AnchorDate, Episode, PlanRequest, StepResponse
from patients.models.exercises import ExerciseLog, Prescription
from patients.models.finding import PatientWord
from patients.models.imports import DateOrder, ImportBatch, ImportRow
from patients.models.notes import Hold, Note
from patients.models.oversight import EmergencyAccess, Merge
from patients.models.people import ADULT_AT, Patient, RelatedPerson
from patients.models.smoking import Slip, SmokeFreePlan
from patients.models.tasks import Task, WorklistDay
from patients.models.visits import Appointment, AppointmentKind, ImagingRequest
from patients.models.wishes import CalendarFeed, MoveRequest

__all__ = [
    "ADULT_AT",
    "AccessNotice",
    "Alert",
    "AnchorDate",
    "Appointment",
    "AppointmentKind",
    "CalendarFeed",
    "CheckIn",
    "CheckInIsFinal",
    "ConsentDecision",
    "ConsentIsFinal",
    "DateOrder",
    "EmailChange",
    "EmergencyAccess",
    "Episode",
    "ExerciseLog",
    "Hold",
    "ImagingRequest",
    "ImportBatch",
    "ImportRow",
    "Merge",
    "MoveRequest",
    "Note",
    "Patient",
    "PatientWord",
    "PlanRequest",
    "Prescription",
    "RelatedPerson",
    "Slip",
    "SmokeFreePlan",
    "StepResponse",
    "Task",
    "WorklistDay",
]
