"""What a reader chooses about mail: signed in, or by the link in a mail, each time with a way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages as notes
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from patients.care import care_of
from portal import clock, languages
from portal.models import User
from procedures.models import Category
from reminders import actions, history
from reminders import unsubscribe as links
from reminders.actions import Chosen
from reminders.reader_forms import PauseForm, ReminderSettingsForm

BY_LINK = "link in a mail"
# How long a change can be undone (seconds), and what its signature is for.
UNDO_WITHIN = 24 * 60 * 60
_UNDO_SALT = "reminders.undo_settings"
# In the session: the settings before the last change.
BEFORE = "settings_before"


@dataclass(frozen=True, slots=True)
class Desk:
    """The forms as they stand, and whether what was sent was done."""

    form: ReminderSettingsForm
    pause: PauseForm
    chosen: Chosen
    is_done: bool = False


def _desk(request: HttpRequest, reader: User, before: Chosen, reason: str = "") -> Desk:
    """Do what was sent: save, pause, end the pause, or undo. `reason` is empty for somebody signed in."""
    do = request.POST.get("do", "save") if request.method == "POST" else ""
    today = clock.now().astimezone(reader.zone_or_utc).date()
    form = ReminderSettingsForm(request.POST if do == "save" else None, chosen=before)
    pause = PauseForm(request.POST if do == "pause" else None, today=today, paused=before.paused)
    wanted = _wanted(do, Desk(form, pause, before), before, request.POST.get("undo", ""), reader.pk)
    if wanted is None:
        return Desk(form, pause, before)
    by = None if reason else reader
    actions.save_settings(user=reader, chosen=wanted, by=by, now=clock.now(), reason=reason)
    again = PauseForm(today=today, paused=wanted.paused)
    return Desk(ReminderSettingsForm(chosen=wanted), again, wanted, is_done=True)


def _wanted(do: str, desk: Desk, before: Chosen, undo: str, reader_id: UUID) -> Chosen | None:
    """The settings that were asked for; None where nothing was, or not in a way that we understand."""
    if do == "save" and desk.form.is_valid():
        return desk.form.chosen(before)
    if do == "pause" and desk.pause.is_valid():
        return before._replace(paused=desk.pause.days)
    if do == "go_on":
        return before._replace(paused=None)
    return _undone(undo, reader_id) if do == "undo" else None


def _signed(chosen: Chosen, reader_id: UUID) -> str:
    """Settings to come back to, as text that nobody can make but us."""
    paused = [str(day) for day in chosen.paused] if chosen.paused else None
    at = chosen.mail_at.isoformat() if chosen.mail_at else None
    kept = [sorted(chosen.wanted), chosen.language, chosen.time_zone, at, paused]
    return signing.dumps([str(reader_id), kept], salt=_UNDO_SALT)


def _undone(signed: str, reader_id: UUID) -> Chosen | None:
    """The settings that `_signed` kept for this reader; None where it was somebody else, or too long ago."""
    try:
        whose, kept = signing.loads(signed, salt=_UNDO_SALT, max_age=UNDO_WITHIN)
    except signing.BadSignature:
        return None
    if whose != str(reader_id):
        return None
    wanted, language, zone, at, paused = kept
    days = (date.fromisoformat(paused[0]), date.fromisoformat(paused[1])) if paused else None
    return Chosen(frozenset(wanted), language, zone, time.fromisoformat(at) if at else None, days)


def _context(reader: User, desk: Desk, undo: str) -> Mapping[str, Any]:
    return {
        "form": desk.form,
        "pause": desk.pause,
        "page_has_errors": bool(desk.form.errors or desk.pause.errors),
        "paused": desk.chosen.paused,
        "held_back": history.held_back(reader),
        "undo": undo,
    }


@require_http_methods(["GET", "POST"])
def reminder_settings(request: HttpRequest) -> HttpResponse:
    """Which mails, at what time, in which language, by which clock; and a pause."""
    care = care_of(request, "settings.read")
    before = actions.chosen_by(care.reader)
    desk = _desk(request, care.reader, before)
    if desk.is_done:
        if request.POST.get("do") == "undo":
            request.session[BEFORE] = ""
        elif desk.chosen != before:
            # The same form sent twice changes nothing the second time, and leads back to before the first.
            request.session[BEFORE] = _signed(before, care.reader.pk)
        notes.success(request, _("Your settings are saved."))
        return redirect("reminders:reminder_settings")
    undo = request.session.pop(BEFORE, "")
    context = {**_context(care.reader, desk, undo), "care": care}
    return render(request, "reminders/reminder_settings.html", context)


def _holder(token: str) -> tuple[User, str] | None:
    """Whose link in a mail this is, and the category of that mail; None for a link that we did not make."""
    try:
        choice = links.read(token)
        return User.objects.get(pk=choice.user_id, is_active=True), choice.category
    except (ValueError, User.DoesNotExist):
        return None


def _invalid_link(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/unsubscribe_invalid.html", status=HTTPStatus.NOT_FOUND)


@login_not_required
@require_http_methods(["GET", "POST"])
def mail_settings(request: HttpRequest, token: str) -> HttpResponse:
    """All settings by the link in a mail, without signing in. It shows the reader's own choices, and no patient."""
    holder = _holder(token)
    if holder is None:
        return _invalid_link(request)
    reader, _category = holder
    before = actions.chosen_by(reader)
    languages.speak(request, reader.language)
    desk = _desk(request, reader, before, BY_LINK)
    # It may be another one now.
    languages.speak(request, reader.language)
    may_undo = desk.is_done and request.POST.get("do") != "undo"
    undo = _signed(before, reader.pk) if may_undo else ""
    context = {**_context(reader, desk, undo), "is_done": desk.is_done, "token": token}
    return render(request, "portal/mail_settings.html", context)


@login_not_required
@csrf_exempt
@require_http_methods(["GET", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Stop, or start again, one category of mail by the link in a mail, without signing in (RFC 8058).

    GET changes nothing, for programs open links. A mail program posts `List-Unsubscribe=One-Click`,
    and has neither a cookie nor a form token.
    """
    holder = _holder(token)
    if holder is None:
        return _invalid_link(request)
    user, category = holder
    languages.speak(request, user.language)
    context = {
        "category": category,
        "category_label": Category(category).label,
        "is_stopped": user.preferences.filter(category=category, is_on=False).exists(),
        "token": token,
    }
    if request.method != "POST":
        return render(request, "portal/unsubscribe.html", context)
    is_on = request.POST.get("choice") == "start"
    actions.choose(
        user=user, category=category, is_on=is_on, by=None, now=clock.now(), reason=BY_LINK
    )
    return render(request, "portal/unsubscribe_done.html", {**context, "is_stopped": not is_on})
