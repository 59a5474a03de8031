"""The forms of a reader's settings as nobody has touched them yet: what they show hangs on what was chosen alone."""

from __future__ import annotations

from datetime import date, time

from django import template
from django.forms import BoundField

from reminders.actions import Chosen
from reminders.reader_forms import PauseForm, ReminderSettingsForm

register = template.Library()


@register.simple_tag
def choice_fields(wanted: tuple[str, ...], mail_at: str, language: str) -> list[BoundField]:
    """The fields for what is mailed, at what time of day, and in which language."""
    at = time.fromisoformat(mail_at) if mail_at else None
    form = ReminderSettingsForm(chosen=Chosen(frozenset(wanted), language, "", at))
    return [form[name] for name in ("wanted", "mail_at", "language")]


@register.simple_tag
def pause_form(today: date, paused: tuple[date, date] | None) -> PauseForm:
    """The days of a pause; without one it begins today."""
    return PauseForm(today=today, paused=paused)
