"""The catalogue: what the clinic's documents say, what the clinic decided, and the pathways made of it.

Definitions only (FHIR ActivityDefinition, PlanDefinition): nothing here knows a patient.
"""

from procedures.models.catalogue import CatalogueRow, Fact, Procedure, Source
from procedures.models.consents import ConsentForm, ConsentFormIsFinal
from procedures.models.decisions import Disagreement, DisagreementValue, Resolution, Slot, SlotValue
from procedures.models.exercises import Exercise
from procedures.models.pages import ClinicWords, Page, PageSection
from procedures.models.pathways import Pathway, PathwayVersion, Step, StepText
from procedures.models.questionnaires import Question, Questionnaire, RedFlagRule, Severity
from procedures.models.vocabulary import (
    ANCHOR_PATTERN,
    NEEDS_FULL_VIEW,
    Audience,
    Category,
    LatePolicy,
    Recipients,
    RepeatPolicy,
    Unit,
    validate_anchor,
)

__all__ = [
    "ANCHOR_PATTERN",
    "NEEDS_FULL_VIEW",
    "Audience",
    "CatalogueRow",
    "Category",
    "ClinicWords",
    "ConsentForm",
    "ConsentFormIsFinal",
    "Disagreement",
    "DisagreementValue",
    "Exercise",
    "Fact",
    "LatePolicy",
    "Page",
    "PageSection",
    "Pathway",
    "PathwayVersion",
    "Procedure",
    "Question",
    "Questionnaire",
    "Recipients",
    "RedFlagRule",
    "RepeatPolicy",
    "Resolution",
    "Severity",
    "Slot",
    "SlotValue",
    "Source",
    "Step",
    "StepText",
    "Unit",
    "validate_anchor",
]
