"""Worklists: what waits for a person, who has it in hand, and what was done about it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from patients import actions
from patients.forms import ResolveAlert
from patients.models import StepResponse, Task
from patients.work_forms import ReplyForm
from patients.worklist import KINDS, kinds_seen_by, seen_by
from portal import audit, clock
from portal.permissions import within
from portal.staff_site import page, staff_of
from reminders import actions as plans
from reminders.dashboard import told
from reminders.staff_plan import title_of
from reminders.staff_views.records import attempted, done, is_sent, patient_url

A_PAGE = 50


@require_safe
def worklist(request: HttpRequest) -> HttpResponse:
    """The open tasks of one kind, or of all, the most pressing first; everybody's, one's own, or nobody's."""
    user, kinds = staff_of(request), kinds_seen_by(request.user)
    kind = next((each for each in kinds if each.key == request.GET.get("kind")), None)
    whose = request.GET.get("whose", "")
    rows = Task.objects.open().visible_to(user).filter(seen_by(user))
    rows = rows.filter(kind=kind.key) if kind else rows
    rows = rows.filter(owner=user) if whose == "mine" else rows
    rows = rows.filter(owner=None) if whose == "free" else rows
    rows = rows.alerts_first().select_related("patient__clinic", "owner")
    shown = Paginator(rows, A_PAGE).get_page(request.GET.get("page"))
    listed = [(task.patient.clinic, task.patient.pk) for task in shown if task.patient]
    audit.note_list(request, "task.list", by=user, rows=listed)
    return page(
        request, "admin/reminders/worklist.html", str(kind.title) if kind else _("Worklists"),
        entries=[told(task, KINDS[task.kind]) | {"kind": KINDS[task.kind]} for task in shown],
        shown=shown, kinds=kinds, chosen=kind, whose=whose, today=clock.today(), me=user,
    )  # fmt: skip


def _task_or_404(request: HttpRequest, pk: UUID, right: str) -> Task:
    """A task of a kind that the person sees, at a clinic where they hold `right`; the read is noted."""
    rows = within(Task.objects.visible_to(request.user), request.user, right)
    rows = rows.filter(seen_by(request.user)).select_related("patient__clinic", "owner", "clinic")
    task: Task = get_object_or_404(rows, pk=pk)
    if task.patient:
        audit.note_read(
            request, "task.view", obj=task, clinic=task.clinic, patient_id=task.patient_id
        )
    return task


def _back(request: HttpRequest, task: Task, *, is_first: bool, words: str) -> HttpResponse:
    if is_first:
        messages.success(request, words)
    else:
        messages.info(request, _("Somebody was faster: the list is as you see it now."))
    return redirect(f"{reverse('admin:worklist')}?kind={task.kind}")


@require_POST
def claim(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that one sees to it."""
    task = _task_or_404(request, pk, "task.claim")
    is_first = actions.claim_task(task=task, by=staff_of(request), now=clock.now())
    return _back(request, task, is_first=is_first, words=_("It is yours now."))


@require_POST
def give_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let somebody else see to it."""
    task = _task_or_404(request, pk, "task.give_back")
    is_first = actions.give_back_task(task=task, by=staff_of(request), now=clock.now())
    return _back(request, task, is_first=is_first, words=_("It is free for others now."))


@require_http_methods(["GET", "POST"])
def resolve(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Settle a task, saying what was done."""
    task = _task_or_404(request, pk, "task.resolve")
    form = ResolveAlert(request.POST or None)
    if is_sent(request, form) and (
        answer := attempted(form, lambda: _resolve(request, task, form))
    ):
        return answer
    kind = KINDS[task.kind]
    entry = told(task, kind)
    return page(
        request, "admin/reminders/task.html", _("Resolve: %(what)s") % {"what": kind.title},
        form=form, button=_("Resolve"), entry=entry, task=task, kind=kind,
        back_url=f"{reverse('admin:worklist')}?kind={task.kind}",
    )  # fmt: skip


def _resolve(request: HttpRequest, task: Task, form: ResolveAlert) -> HttpResponse:
    is_first = actions.resolve_task(
        task=task, by=staff_of(request), now=clock.now(), note=form.cleaned_data["note"]
    )
    return _back(request, task, is_first=is_first, words=_("It is resolved."))


@require_http_methods(["GET", "POST"])
def question_answer(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Answer a patient's question about a step; whoever asked is told that there is an answer."""
    row = _question_or_404(request, pk)
    patient, form = row.episode.patient, ReplyForm(request.POST or None)
    if is_sent(request, form):
        try:
            with transaction.atomic():
                is_first = plans.reply_to_question(
                    response=row, reply=form.cleaned_data["reply"], by=staff_of(request), now=clock.now()
                )  # fmt: skip
            words = _("The answer is saved, and whoever asked is told.")
            return done(request, patient, words, is_first=is_first, part="answers")
        except ValidationError as error:
            form.refuse(error)
    return page(
        request, "admin/reminders/question.html", _("Answer a question"), question=row, form=form,
        patient=patient, step_title=title_of(row.step, patient.clinic.language),
        button=_("Save the answer"), back_url=patient_url(patient, "answers"),
    )  # fmt: skip


def _question_or_404(request: HttpRequest, pk: UUID) -> StepResponse:
    rows = within(
        StepResponse.objects.visible_to(request.user), request.user, "stepresponse.reply"
    ).filter(answer=StepResponse.Answer.QUESTION)
    rows = rows.select_related(
        "episode__patient__clinic", "episode__procedure", "step", "by", "replied_by"
    )
    row: StepResponse = get_object_or_404(rows.prefetch_related("step__texts"), pk=pk)
    patient = row.episode.patient
    audit.note_read(
        request, "stepresponse.view", obj=row, clinic=patient.clinic, patient_id=patient.pk
    )
    return row


PAGES = (
    ("worklist/", worklist, "worklist"),
    ("task/<uuid:pk>/claim/", claim, "task_claim"),
    ("task/<uuid:pk>/give-back/", give_back, "task_give_back"),
    ("task/<uuid:pk>/resolve/", resolve, "task_resolve"),
    ("question/<uuid:pk>/", question_answer, "question_answer"),
)
