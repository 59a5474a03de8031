"""The closed lists of words the catalogue uses: audiences, categories, units, anchors and policies."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

ANCHOR_PATTERN = (
    r"^(decision|admission|surgery|discharge|quit|appointment|milestone:[a-z][a-z0-9_]*)$"
)
validate_anchor = RegexValidator(
    ANCHOR_PATTERN, _("An anchor is one of the known events, or “milestone:” and its name.")
)


class Audience(models.TextChoices):
    """Whom a fact, a procedure or a pathway is about."""

    ADULT = "adult", _("Adults")
    CHILD = "child", _("Children")
    ANY = "any", _("Adults and children")


class Category(models.TextChoices):
    """What a step is about; people can opt out of a category, and each has its own mail."""

    SMOKING_CESSATION = "smoking_cessation", _("Stopping smoking")
    PHYSIOTHERAPY = "physiotherapy", _("Physiotherapy")
    XRAY = "xray", _("X-rays")
    PREPARATION = "preparation", _("Getting ready")
    APPOINTMENT = "appointment", _("Appointments")
    RECOVERY = "recovery", _("Recovery")
    CHECK_IN = "check_in", _("Check-ins")


# What only those fill in who may see everything; nobody else is asked to.
NEEDS_FULL_VIEW = frozenset({Category.CHECK_IN})


class Unit(models.TextChoices):
    """Units of an offset. Months and years are calendar ones: the day is cut to the month's last."""

    DAYS = "days", _("days")
    WEEKS = "weeks", _("weeks")
    MONTHS = "months", _("months")
    YEARS = "years", _("years")


class LatePolicy(models.TextChoices):
    """What becomes of a step whose moment is already past when it is planned."""

    SKIP = "skip", _("leave it out")
    SEND_NOW = "send_now", _("send it now")
    CATCH_UP = "catch_up", _("fold it into one catch-up mail")
    PORTAL_ONLY = "portal_only", _("show it in the portal only")


class RepeatPolicy(models.TextChoices):
    """What becomes of a step that was already sent when its anchor moves."""

    NEVER = "never", _("never send it again")
    CORRECT = "correct", _("send it again, saying that the date changed")
    ASK = "ask", _("staff decide")


class Recipients(models.TextChoices):
    """Who gets a step's mail. `default` is the patient, or the carers while the patient is a child."""

    DEFAULT = "default", _("the patient, or a child's carers")
    PATIENT = "patient", _("the patient")
    CARERS = "carers", _("the carers")
    BOTH = "both", _("the patient and the carers")
