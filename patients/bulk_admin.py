"""What staff do to several episodes or visits of a list at once: each is shown first, and done by the usual actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from patients.actions import (
    cancel_appointment,
    close_episode,
    mark_attended,
    mark_missed,
    place_hold,
)
from patients.models import Appointment, Episode
from portal import clock
from portal.bulk_actions import Line, preview_then_act
from portal.permissions import may, within
from portal.staff_forms import ConfirmForm, ReasonForm, StaffForm
from portal.staff_site import staff_of
from procedures.models import Category

Rows = models.QuerySet[Any]
WHOLE_PLAN = "*"


class HoldSeveral(ReasonForm):
    """What is stopped for everybody chosen, and why."""

    what = forms.ChoiceField(label=_("What to stop"))
    field_order = ("what", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        whole = (WHOLE_PLAN, _("The whole plan: pause everything"))
        self.offer("what", [whole, *Category.choices])


def asked(request: HttpRequest, form: type[StaffForm]) -> StaffForm:
    """The form of a bulk page: filled in only once the rows were shown."""
    return form(request.POST if "confirm" in request.POST else None)


class EpisodeBulk:
    """Several episodes at once: hold back their mails, or finish them."""

    actions: tuple[str, ...] = ("hold_chosen", "finish_chosen")

    @action(description=_("Pause the plans of those chosen"), permissions=("hold",))
    def hold_chosen(self, request: HttpRequest, queryset: Rows) -> HttpResponse | None:
        """Stop one kind of message, or the whole plan, with one reason."""
        form, by, now = asked(request, HoldSeveral), staff_of(request), clock.now()

        def hold(row: Episode) -> None:
            what, reason = form.cleaned_data["what"], form.cleaned_data["reason"]
            category = "" if what == WHOLE_PLAN else what
            place_hold(episode=row, category=category, by=by, now=now, reason=reason)

        rows = _episodes(request, queryset, "hold.add")
        return preview_then_act(
            request, lines=[_open_one(row) for row in rows], title=_("Pause several plans"), form=form,
            button=_("Pause"), act=hold,
        )  # fmt: skip

    def has_hold_permission(self, request: HttpRequest) -> bool:
        """As the table says."""
        return may(request.user, "hold.add")

    @action(description=_("Finish those chosen"), permissions=("finish",))
    def finish_chosen(self, request: HttpRequest, queryset: Rows) -> HttpResponse | None:
        """Close episodes that are over; visits that lie ahead are cancelled and told."""
        by, now = staff_of(request), clock.now()

        def finish(row: Episode) -> None:
            close_episode(episode=row, status=Episode.Status.FINISHED, by=by, now=now)

        rows = _episodes(request, queryset, "episode.finish")
        return preview_then_act(
            request, lines=[_over(row) for row in rows], title=_("Finish several episodes"),
            form=asked(request, ConfirmForm), button=_("Finish"), act=finish,
        )  # fmt: skip

    def has_finish_permission(self, request: HttpRequest) -> bool:
        """As the table says."""
        return may(request.user, "episode.finish")


def _episodes(request: HttpRequest, rows: Rows, right: str) -> Rows:
    found = within(rows, request.user, right)
    return found.select_related("patient__clinic", "procedure").prefetch_related("anchor_dates")


def _told(row: Episode) -> str:
    return f"{row.patient.name}, {row.patient.record_number}: {row.procedure}, {row.get_side_display()}"


def _open_one(row: Episode) -> Line:
    return Line(row, _told(row), "" if row.is_open else row.get_status_display())


def _over(row: Episode) -> Line:
    """An episode, and why it is not finished: it is closed, or its operation lies ahead."""
    why_not: Any = "" if row.is_open else row.get_status_display()
    if row.is_open and (row.surgery_on is None or row.surgery_on >= clock.today()):
        why_not = _("surgery has not been yet")
    return Line(row, _told(row), why_not)


class VisitBulk:
    """Several visits at once: who came, who did not, and a day that is called off."""

    actions: tuple[str, ...] = ("attended_chosen", "missed_chosen", "cancel_chosen")

    @action(description=_("Record as attended"), permissions=("record_outcome",))
    def attended_chosen(self, request: HttpRequest, queryset: Rows) -> HttpResponse | None:
        """Record that these visits took place."""
        return _outcomes(
            request, queryset, mark_attended, _("Visits that took place"), _("Attended")
        )

    @action(description=_("Record as missed"), permissions=("record_outcome",))
    def missed_chosen(self, request: HttpRequest, queryset: Rows) -> HttpResponse | None:
        """Record that nobody came to these visits. Nobody is written to."""
        return _outcomes(request, queryset, mark_missed, _("Visits nobody came to"), _("Missed"))

    def has_record_outcome_permission(self, request: HttpRequest) -> bool:
        """As the table says."""
        return may(request.user, "appointment.record_outcome")

    @action(description=_("Cancel those chosen"), permissions=("cancel",))
    def cancel_chosen(self, request: HttpRequest, queryset: Rows) -> HttpResponse | None:
        """Call visits off with one reason; the people who come to them are told."""
        form, by, now = asked(request, ReasonForm), staff_of(request), clock.now()

        def cancel(row: Appointment) -> None:
            cancel_appointment(appointment=row, by=by, now=now, reason=form.cleaned_data["reason"])

        rows = _visits(request, queryset, "appointment.cancel")
        return preview_then_act(
            request, lines=[_visit(row, is_past=False) for row in rows], title=_("Cancel several visits"),
            form=form, button=_("Cancel the visit"), act=cancel,
        )  # fmt: skip

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """As the table says."""
        return may(request.user, "appointment.cancel")


def _outcomes(
    request: HttpRequest, rows: Rows, act: Callable[..., None], title: Any, button: Any
) -> HttpResponse | None:
    by, now = staff_of(request), clock.now()
    visits = _visits(request, rows, "appointment.record_outcome")
    return preview_then_act(
        request, lines=[_visit(row, is_past=True) for row in visits], title=title, button=button,
        form=asked(request, ConfirmForm), act=lambda row: act(appointment=row, by=by, now=now),
    )  # fmt: skip


def _visits(request: HttpRequest, rows: Rows, right: str) -> Rows:
    found = within(rows, request.user, right)
    return found.select_related("episode__patient__clinic", "location").order_by("starts_at", "pk")


def _visit(row: Appointment, *, is_past: bool) -> Line:
    """A visit, and why nothing happens to it: it is not booked any more, or lies on the wrong side of now."""
    why_not: Any = "" if row.status == Appointment.Status.BOOKED else row.get_status_display()
    if not why_not and (row.starts_at <= clock.now()) != is_past:
        why_not = _("lies ahead") if is_past else _("is over")
    return Line(row, f"{row.episode.patient.name}: {row}", why_not)
