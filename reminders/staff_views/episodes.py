"""Booking an operation, moving its dates, ending it: each shows what will happen before it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from patients import actions as records
from patients.models import Episode, Patient
from portal import clock
from portal.staff_forms import ConfirmForm, ReasonForm
from portal.staff_site import page, staff_of
from reminders import actions, foreseen
from reminders.diff import Change, Diff
from reminders.inputs import rules_of
from reminders.models import Reminder
from reminders.planner import Desired
from reminders.reconciler import reconcile
from reminders.staff_forms import DATES, Booking, DateForm, PostponeForm, SurgeryDone
from reminders.staff_plan import Names, choices_in, digest, sections, timeline, waiting
from reminders.staff_views import deeds
from reminders.staff_views.deeds import Deed
from reminders.staff_views.records import (
    attempted,
    done,
    episode_or_404,
    is_sent,
    patient_or_404,
    patient_url,
    today_at,
)

AnyDate = DateForm | PostponeForm


@require_http_methods(["GET", "POST"])
def book(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Book an operation: the form, then the whole plan as it would be, then the booking."""
    patient = patient_or_404(request, pk, "episode.add")
    form = Booking(request.POST or None, patient=patient, today=today_at(patient))
    if form.was_sent_before:
        return done(request, patient, "", is_first=False)
    act = _book if "confirm" in request.POST else _booking_preview
    if is_sent(request, form) and (answer := attempted(form, lambda: act(request, patient, form))):
        return answer
    return page(
        request, "admin/reminders/book.html", _("Book an operation for %(name)s") % {"name": patient.name},
        patient=patient, form=form, button=_("Show the plan"), back_url=patient_url(patient),
    )  # fmt: skip


def _booking_preview(request: HttpRequest, patient: Patient, form: Booking) -> HttpResponse:
    values = form.booking
    rows = actions.preview_booking(
        patient=patient, version=values["version"], surgery_on=values["surgery_on"],
        decision_on=values["decision_on"], now=clock.now(),
    )  # fmt: skip
    names = Names.of(values["version"], {row.key.recipient_id for row in rows})
    return page(
        request, "admin/reminders/booking_preview.html", _("The plan for %(name)s") % {"name": patient.name},
        patient=patient, form=form, booking=values, phases=timeline(rows, names, values["surgery_on"]),
        going=sum(1 for row in rows if not row.skipped), left_out=_left_out(rows),
        waiting=waiting(
            rules_of(values["version"]), {"decision", "surgery"}, patient.attributes(values["surgery_on"]), names
        ),
        side=dict(Episode.Side.choices)[values["side"]], has_readers=bool(names.people),
    )  # fmt: skip


def _left_out(rows: list[Desired]) -> int:
    return sum(1 for row in rows if row.skipped)


def _book(request: HttpRequest, patient: Patient, form: Booking) -> HttpResponse:
    Patient.objects.select_for_update().get(pk=patient.pk)
    if not form.act_once():
        return done(request, patient, "", is_first=False)
    _episode, diff = actions.book(
        patient=patient, by=staff_of(request), now=clock.now(), **form.booking
    )
    count = len(diff.of(Change.NEW))
    words = ngettext("Booked, with %(n)d reminder.", "Booked, with %(n)d reminders.", count)
    return done(request, patient, words % {"n": count}, part="plan")


@require_http_methods(["GET", "POST"])
def move(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Move the day of surgery."""
    episode = episode_or_404(request, pk, "episode.move")
    return _set_date(request, episode, [("surgery", _("Surgery"))], _("Move surgery"))


@require_http_methods(["GET", "POST"])
def set_date(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Enter the day of coming in, of going home, or of stopping smoking."""
    episode = episode_or_404(request, pk, "episode.set_date")
    return _set_date(request, episode, DATES, _("Enter a date"))


@require_http_methods(["GET", "POST"])
def surgery_done(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Enter that the operation took place, on the day that was planned or on another."""
    episode = episode_or_404(request, pk, "episode.set_date")
    form = SurgeryDone(
        request.POST or None, episode=episode, today=today_at(episode.patient),
        anchors=[("surgery", _("Surgery"))], initial={"on": episode.surgery_on},
    )  # fmt: skip
    return _entered(request, episode, form, _("Surgery took place"))


@require_http_methods(["GET", "POST"])
def milestone(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Confirm that a milestone of the pathway is reached."""
    episode = episode_or_404(request, pk, "episode.confirm_milestone")
    anchors = sorted({step.anchor for step in episode.version.steps.all() if ":" in step.anchor})
    named = [(name, milestone_name(name)) for name in anchors]
    # Where there is one alone, it is not asked for, and the title says which.
    title = _("Confirm: %(what)s") % {"what": named[0][1]} if len(named) == 1 else ""
    return _set_date(request, episode, named, title or _("Confirm a milestone"))


@require_http_methods(["GET", "POST"])
def postpone(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the day of surgery away without a new one: what counts from it is dropped, and people are told once."""
    episode = episode_or_404(request, pk, "episode.move")
    form = PostponeForm(request.POST or None)
    has_a_day = episode.surgery_on is not None
    return _entered(request, episode, form, _("Postpone surgery"), is_possible=has_a_day)


def milestone_name(anchor: str) -> str:
    """A milestone in words: its own name without the underscores."""
    return anchor.partition(":")[2].replace("_", " ").capitalize()


def _set_date(request: HttpRequest, episode: Episode, anchors: Any, title: str) -> HttpResponse:
    form = DateForm(
        request.POST or None, episode=episode, today=today_at(episode.patient), anchors=anchors
    )
    return _entered(request, episode, form, title, is_possible=bool(anchors))


def _entered(
    request: HttpRequest, episode: Episode, form: AnyDate, title: str, *, is_possible: bool = True
) -> HttpResponse:
    """A date of an episode: the form, then what changes, then the date is written."""
    if form.was_sent_before:
        return done(request, episode.patient, "", is_first=False)
    if is_sent(request, form) and (
        answer := attempted(form, lambda: _previewed(request, episode, form, title))
    ):
        return answer
    return page(
        request, "admin/reminders/date.html", title, episode=episode, patient=episode.patient, form=form,
        button=_("Show what changes"), back_url=patient_url(episode.patient),
        dates=[(_anchor_name(name), day) for name, day in episode.anchors.items()],
        is_possible=is_possible and episode.is_open,
    )  # fmt: skip


def _previewed(request: HttpRequest, episode: Episode, form: AnyDate, title: str) -> HttpResponse:
    if "digest" in request.POST:
        return _confirm_date(request, episode, form, title)
    return _show_diff(request, episode, form, title, _preview(episode, form))


def _anchor_name(anchor: str) -> str:
    known = {
        "decision": _("Decided on"),
        "surgery": _("Surgery"),
        **{key: str(name) for key, name in DATES},
    }
    return known.get(anchor) or milestone_name(anchor)


def _preview(episode: Episode, form: AnyDate) -> Diff:
    values = form.cleaned_data
    return actions.preview_anchor(
        episode=episode, anchor=values["anchor"], on=values["on"], now=clock.now()
    )


def _show_diff(
    request: HttpRequest,
    episode: Episode,
    form: AnyDate,
    title: str,
    diff: Diff,
    *,
    changed: bool = False,
) -> HttpResponse:
    anchor = form.cleaned_data["anchor"]
    names = Names.of(episode.version, {item.key.recipient_id for item in diff.items})
    categories = dict(Reminder.objects.filter(episode=episode).values_list("step_key", "category"))
    categories |= {item.key.step: item.desired.rule.category for item in diff.items if item.desired}
    return page(
        request, "admin/reminders/diff.html", title, episode=episode, patient=episode.patient, form=form,
        sections=sections(diff, names, categories, with_choices=True), counts=diff.counts, digest=digest(diff),
        changed=changed, may_change=True, event=_anchor_name(anchor), heading="",
        before=episode.anchors.get(anchor), after=form.cleaned_data["on"],
        tells=_tells(episode, form),
    )  # fmt: skip


def _tells(episode: Episode, form: AnyDate) -> bool:
    """Whether the people who get the mail are told: of another day of surgery that they know of, not of a past one."""
    before, on = episode.surgery_on, form.cleaned_data["on"]
    is_news = form.cleaned_data["anchor"] == "surgery" and before is not None and on != before
    return is_news and (on is None or on > today_at(episode.patient))


def _confirm_date(
    request: HttpRequest, episode: Episode, form: AnyDate, title: str
) -> HttpResponse:
    """Write what was shown. Where the plan changed meanwhile, show it anew and write nothing."""
    Episode.objects.select_for_update().get(pk=episode.pk)
    diff = _preview(episode, form)
    if digest(diff) != request.POST["digest"]:
        return _show_diff(request, episode, form, title, diff, changed=True)
    if not form.act_once():
        return done(request, episode.patient, "", is_first=False)
    actions.move_anchor(
        episode=episode, by=staff_of(request), now=clock.now(), choices=choices_in(request.POST, diff),
        **{name: form.cleaned_data[name] for name in ("anchor", "on", "reason")},
    )  # fmt: skip
    return done(
        request, episode.patient, _("The date is entered and the plan follows it."), part="plan"
    )


@require_http_methods(["GET", "POST"])
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Call an operation off: why, then what is dropped, then the deed."""
    episode = episode_or_404(request, pk, "episode.cancel")
    form, by, now = ReasonForm(request.POST or None), staff_of(request), clock.now()
    deed = _ending(
        episode, form, _("Cancel surgery"),
        lambda: actions.cancel_surgery(episode=episode, by=by, now=now, reason=form.cleaned_data["reason"]),
        _("The operation is cancelled and its plan has stopped."),
        _("The people who get the mail are told once."),
    )  # fmt: skip
    answered = deeds.answer(request, deed) if episode.is_open else None
    return answered or _ask_why(request, deed)


@require_http_methods(["GET", "POST"])
def finish(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Close an episode that is over."""
    episode = episode_or_404(request, pk, "episode.finish")
    by, now = staff_of(request), clock.now()

    def act() -> None:
        records.close_episode(episode=episode, status=Episode.Status.FINISHED, by=by, now=now)
        reconcile(episode, now=now)

    deed = _ending(
        episode, ConfirmForm(request.POST or None), _("Finish this episode"), act,
        _("The episode is finished; nothing more is sent for it."),
        _("What was sent stays in the record."),
    )  # fmt: skip
    answered = deeds.answer(request, deed) if episode.is_open else None
    return answered or _ask_why(request, deed)


def _ending(
    episode: Episode, form: Any, title: str, act: Callable[[], Any], said: str, note: str
) -> Deed:
    """Closing an episode, with the visits that are called off by it."""
    now = clock.now()
    visits = [
        _("Called off and told: %(visit)s") % {"visit": row}
        for row in foreseen.booked(episode, now)
    ]
    return Deed(
        episode, form, title, lambda: foreseen.closed(episode=episode, now=now), act, said,
        notes=[note, *visits],
    )  # fmt: skip


def _ask_why(request: HttpRequest, deed: Deed) -> HttpResponse:
    """The first page of an ending that asks for a reason; for an episode that is closed, a word about that."""
    episode = deed.episode
    open_rows = Reminder.objects.filter(episode=episode).open().count()
    words = ngettext(
        "%(n)d reminder is still planned.", "%(n)d reminders are still planned.", open_rows
    )
    return page(
        request, "admin/reminders/ending.html", deed.title, episode=episode, patient=episode.patient,
        form=deed.form, planned=words % {"n": open_rows}, button=_("Show what changes"), notes=deed.notes,
        back_url=patient_url(episode.patient), is_possible=episode.is_open,
    )  # fmt: skip


PAGES = (
    ("patient/<uuid:pk>/book/", book, "episode_book"),
    ("episode/<uuid:pk>/move/", move, "episode_move"),
    ("episode/<uuid:pk>/postpone/", postpone, "episode_postpone"),
    ("episode/<uuid:pk>/date/", set_date, "episode_date"),
    ("episode/<uuid:pk>/done/", surgery_done, "episode_done"),
    ("episode/<uuid:pk>/milestone/", milestone, "episode_milestone"),
    ("episode/<uuid:pk>/cancel/", cancel, "episode_cancel"),
    ("episode/<uuid:pk>/finish/", finish, "episode_finish"),
)
