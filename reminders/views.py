"""A reader's pages: today, the plan, the mails and why. What they choose about mail is in `settings_views`."""

from __future__ import annotations

from functools import partial
from typing import cast
from uuid import UUID

from csp.decorators import csp
from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRedirect

from patients.actions import answer_step, withdraw_answer, word_question
from patients.care import Care, care_of
from patients.models import Episode, StepResponse
from patients.views import no_record, own_path
from portal import audit
from portal.models import User
from portal.pages import page_of
from portal.views import MAIL_POLICY, mail_page
from reminders import history, timeline
from reminders.emails import Writer
from reminders.models import Message, Reminder
from reminders.reader_forms import QuestionForm
from reminders.reading import (
    answer_to,
    answers_of,
    attach,
    bring_texts,
    can_be_answered,
    card,
    day_in_words,
    episodes_of,
)
from reminders.today import build as build_today


@require_safe
def today(request: HttpRequest) -> HttpResponse:
    """What to do today, what is still open, what comes next, and whom to call."""
    care = care_of(request, "today.read")
    if care.patient is None:
        return no_record(request)
    return render(request, "reminders/today.html", {"page": build_today(care), "care": care})


@require_safe
def plan(request: HttpRequest) -> HttpResponse:
    """The months as a path. Raises Http404 for a carer who may see visits and reminders alone."""
    care = care_of(request, "plan.read")
    if care.patient is None:
        return no_record(request)
    episodes, shown = _episodes(request, care)
    context = {
        "care": care,
        "episodes": episodes,
        "plan": timeline.build(care, shown) if shown else None,
        "behind_url": f"{reverse('reminders:plan_behind')}?episode={shown.pk}" if shown else "",
    }
    return render(request, "reminders/plan.html", context)


def _episodes(request: HttpRequest, care: Care) -> tuple[list[Episode], Episode | None]:
    """The patient's episodes, and the one that is asked for, or goes on. Raises Http404 for a limited view."""
    if not care.has_full_view:
        raise Http404
    episodes = episodes_of(care)
    wanted = request.GET.get("episode", "")
    going = [row for row in episodes if row.is_open]
    first = next(iter(going or episodes), None)
    return episodes, next((row for row in episodes if str(row.pk) == wanted), first)


@require_safe
def plan_behind(request: HttpRequest) -> HttpResponse:
    """What lies behind in the plan; for htmx the list alone. Raises Http404 as the plan does, and without one."""
    care = care_of(request, "plan.read")
    if care.patient is None:
        return no_record(request)
    _all, shown = _episodes(request, care)
    if shown is None:
        return redirect("reminders:plan")
    is_part = bool(request.headers.get("HX-Request"))
    context = {
        "care": care, "plan": timeline.build(care, shown), "active": "plan", "is_part": is_part,
    }  # fmt: skip
    template = "reminders/_plan_behind.html" if is_part else "reminders/plan_behind.html"
    return render(request, template, context)


@require_safe
def messages(request: HttpRequest) -> HttpResponse:
    """What was sent, what will be, and what was not, each with its reason."""
    care = care_of(request, "messages.read")
    if care.patient is None:
        return no_record(request)
    page = page_of(request, partial(history.mails_of, care), history.MAILS_A_PAGE)
    coming, not_sent = history.lines(care, episodes_of(care, with_visits=False))
    context = {
        "care": care,
        "sent": page.rows,
        "newer_url": page.newer_url,
        "older_url": page.older_url,
        "coming": coming,
        "not_sent": not_sent,
        "all_lines": [*coming, *not_sent],
    }
    return render(request, "reminders/messages.html", context)


def _own_message(request: HttpRequest, pk: UUID, verb: str) -> Message:
    """One mail of the reader's own, its reading noted for each patient it is about. Raises Http404."""
    row = history.mail_of(cast("User", request.user), pk)
    if row is None:
        raise Http404
    for patient_id in history.patients_of(row):
        audit.note_read(request, verb, obj=row, clinic=row.clinic, patient_id=patient_id)
    return row


@require_safe
def message(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One mail as it was sent, and why."""
    row = _own_message(request, pk, "message.read")
    carried = history.rows_of(row, cast("User", request.user))
    patient_id = carried[0].episode.patient_id if carried else None
    care = care_of(request, "message.read", patient_id)
    context = {
        "care": care,
        "message": row,
        "carried": history.carried_by(carried, care),
        "active": "messages",
    }
    return render(request, "reminders/message.html", context)


@require_safe
@xframe_options_sameorigin
@csp(MAIL_POLICY)  # type: ignore[arg-type]  # django-csp types views without arguments
def message_html(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The HTML of one mail alone, for a frame that runs no script."""
    return mail_page(_own_message(request, pk, "message.read").html)


def _own_reminder(request: HttpRequest, pk: UUID, verb: str) -> tuple[Reminder, Care]:
    """One reminder of the reader's own, with its words and its episode's dates. Raises Http404."""
    row = history.one_of(cast("User", request.user), pk)
    if row is None:
        raise Http404
    care = care_of(request, verb, row.patient_id)  # type: ignore[attr-defined]  # annotated
    episodes = [one for one in episodes_of(care, with_visits=False) if one.pk == row.episode_id]
    if not episodes:
        raise Http404
    attach(care, episodes, [row])
    bring_texts([row.step])
    return row, care


@require_safe
def why(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Why did I get this? The step, its dates, the rule that put it there, and what was decided since."""
    row, care = _own_reminder(request, pk, "why.read")
    history.bring_decisions(row)
    context = {
        "care": care,
        "row": row,
        "card": _card(row, care),
        "why": history.why(row, care),
        "counted_from": history.counted_from(row),
        "question": history.question_about(row, care.reader),
        "active": "messages",
    }
    return render(request, "reminders/why.html", context)


def _card(row: Reminder, care: Care) -> object:
    given = answer_to(row, answers_of([row.episode]))
    return card(row, Writer(), given, day_in_words(row.local_date, care.today))


@require_http_methods(["GET", "POST"])
def answer(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Keep or take back an answer to a step. A GET, after signing in again, leads to the step."""
    row, care = _own_reminder(request, pk, "step.answer")
    given = request.POST.get("answer", "")
    if request.method == "GET" or row.step is None or not can_be_answered(row):
        return redirect("reminders:why", pk=pk)
    if not row.episode.is_open:
        return _closed_meanwhile(request)
    if given == "words":
        return _word(request, row, care)
    if given == "undo":
        _undo(row, care)
    elif given in StepResponse.Answer:
        answer_step(
            episode=row.episode, step=row.step, occurrence=row.occurrence, answer=given,
            by=care.reader, now=care.now,
        )  # fmt: skip
    if request.headers.get("HX-Request"):
        return render(request, "reminders/_step.html", {"card": _card(row, care)})
    return redirect(own_path(request, "reminders:today"))


def _word(request: HttpRequest, row: Reminder, care: Care) -> HttpResponse:
    """Keep what the question is, and come back to the step."""
    form = QuestionForm(request.POST)
    if not form.is_valid() or row.step is None:
        notes.error(request, _("Write your question, in at most 500 letters."))
    elif word_question(
        episode=row.episode, step=row.step, occurrence=row.occurrence, by=care.reader, now=care.now,
        **form.cleaned_data,
    ):  # fmt: skip
        notes.success(request, _("Your question is with the clinic. The answer comes by email."))
    else:
        notes.info(request, _("This question was answered already, or somebody else asked it."))
    return redirect(f"{reverse('reminders:why', args=[row.pk])}#question")


def _closed_meanwhile(request: HttpRequest) -> HttpResponse:
    """The plan was closed while its page was open: say so, and show how things stand now."""
    notes.warning(request, _("This plan was closed meanwhile. There is nothing more to do for it."))
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(reverse("reminders:today"))
    return redirect("reminders:today")


def _undo(row: Reminder, care: Care) -> None:
    if row.step is None:
        return
    for given in StepResponse.Answer:
        withdraw_answer(
            episode=row.episode,
            step=row.step,
            occurrence=row.occurrence,
            answer=given,
            by=care.reader,
        )
