"""Lists of reminders, messages and closed addresses for staff. Rows change through the staff pages alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from patients.bulk_admin import asked
from patients.models import Episode, Patient, RelatedPerson
from patients.record_admin import RecordAdmin, WindowFilter, patients_meant
from portal import clock
from portal.bulk_actions import Line, preview_then_act
from portal.permissions import within
from portal.staff_admin import ClinicFilter, LeadingAdmin, StaffAdmin, link
from portal.staff_forms import ConfirmForm, ReasonForm
from portal.staff_site import staff_of
from reminders import actions, reasons, staff_views
from reminders.models import Message, Reminder, Suppression
from reminders.staff_plan import title_of

staff_views.add_pages(admin.site)


class DueWhen(WindowFilter):
    """By when it is due, and by what needs a look."""

    title = _("due")
    spans = {
        "overdue": (
            _("overdue, not sent"),
            lambda: Q(state__in=("planned", "retrying"), due_at__lt=clock.now()),
        ),
        "ahead": (_("from now on"), lambda: _due_from(clock.now())),
        "week": (_("in the next 7 days"), lambda: _due_within(timedelta(days=7))),
        "failed": (
            _("failed or missed in the last 14 days"),
            lambda: _ended_badly(timedelta(days=14)),
        ),
    }


# A mail is tried again for a time, and goes later than its day; no step of the catalogue is valid for longer.
LONGEST_LATE = timedelta(days=35)


def _due_from(moment: datetime) -> Q:
    """What is due from a moment on. The day, which has an index, leaves out the years before."""
    return Q(due_at__gte=moment, local_date__gte=(moment - LONGEST_LATE).date())


def _due_within(span: timedelta) -> Q:
    now = clock.now()
    until = now + span
    return _due_from(now) & Q(due_at__lt=until)


def _ended_badly(span: timedelta) -> Q:
    return Q(state__in=("failed", "missed"), settled_at__gte=clock.now() - span)


@admin.register(Reminder)
class ReminderAdmin(RecordAdmin):
    """What is planned for whom, and what became of it."""

    patient_path = "episode__patient"
    list_display = (
        "when",
        "patient_link",
        "what",
        "recipient",
        "category",
        "state_label",
        "why",
        "to_do",
    )
    list_display_links = None
    list_filter = (DueWhen, "state", "category", ClinicFilter)
    list_select_related = ("episode__patient__clinic", "recipient", "step")
    # The day comes first because it has an index over all rows, and the moment must have none.
    ordering = ("local_date", "due_at", "id")
    fields = readonly_fields = (
        "what", "patient_link", "goes_to", "category", "when", "due_at", "valid_until", "state_in_words", "why",
        "attempts", "message_link", "log",
    )  # fmt: skip

    actions = ("send_now_chosen", "stop_chosen")

    @action(description=_("Send those chosen now"), permissions=("send_now",))
    def send_now_chosen(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> HttpResponse | None:
        """Let reminders go with the next tick instead of at their times; what speaks against one still counts."""
        by, now = staff_of(request), clock.now()

        def send_now(row: Reminder) -> None:
            actions.send_now(reminder=row, by=by, now=now)

        return preview_then_act(
            request, title=_("Send several reminders now"), form=asked(request, ConfirmForm),
            lines=self._open_ones(request, queryset, "reminder.send_now"), button=_("Send now"), act=send_now,
        )  # fmt: skip

    def has_send_now_permission(self, request: HttpRequest) -> bool:
        """As the table says."""
        return self.may(request, "send_now")

    @action(description=_("Stop those chosen"), permissions=("stop",))
    def stop_chosen(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> HttpResponse | None:
        """Take reminders out of their plans for good, with one reason."""
        form = asked(request, ReasonForm)
        by, now = staff_of(request), clock.now()

        def stop(row: Reminder) -> None:
            actions.stop(reminder=row, by=by, now=now, reason=form.cleaned_data["reason"])

        return preview_then_act(
            request, lines=self._open_ones(request, queryset, "reminder.stop"), title=_("Stop several reminders"),
            form=form, button=_("Stop"), act=stop,
        )  # fmt: skip

    def has_stop_permission(self, request: HttpRequest) -> bool:
        """As the table says."""
        return self.may(request, "stop")

    def _open_ones(
        self, request: HttpRequest, rows: models.QuerySet[Any], right: str
    ) -> list[Line]:
        """The chosen reminders of clinics where the right is held, and why nothing happens to some."""
        found = within(rows, request.user, right).select_related("episode__patient__clinic")
        return [self._line(row) for row in found]

    def _line(self, row: Reminder) -> Line:
        can_be = row.state in {Reminder.State.PLANNED, Reminder.State.RETRYING}
        text = f"{self.when(row)}, {row.episode.patient.name}: {self.what(row)}"
        return Line(row, text, "" if can_be else row.get_state_display())

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """By the day; what is overdue by the moment, which has an index over what is still open."""
        is_overdue = request.GET.get("when") == "overdue"
        return ["due_at", "id"] if is_overdue else list(self.ordering)

    def about(self, patients: Any) -> Q:
        """By the keys of their episodes where they are few; what many have is soon found day by day."""
        if not isinstance(patients, list):
            return Q(episode__patient__in=patients)
        episodes = Episode.objects.filter(patient__in=patients)
        return Q(episode__id__listed=episodes.order_by().values("pk"))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """With what the columns say."""
        return super().get_queryset(request).prefetch_related("step__texts")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One reminder with its log; unlike other rows it has a page of its own."""
        row = self.get_object(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        self.note_read(request, row)
        title = {"title": str(self.what(row)), "subtitle": None}
        return StaffAdmin.change_view(
            self, request, object_id, form_url, {**title, **(extra_context or {})}
        )

    @display(description=_("when"), ordering="local_date")
    def when(self, row: Reminder) -> str:
        """The local moment it is meant for."""
        return f"{row.local_date:%a %d %b %Y} {row.local_time:%H:%M}"

    @display(description=_("what"))
    def what(self, row: Reminder) -> Any:
        """The step's title."""
        if row.step is None:
            return row.get_kind_display()
        return title_of(row.step, row.episode.patient.clinic.language)

    @display(
        description=_("state"), ordering="state",
        label={"planned": "info", "claimed": "info", "retrying": "warning", "sent": "success",
               "failed": "danger", "missed": "danger"},
    )  # fmt: skip
    def state_label(self, row: Reminder) -> Any:
        """Where it stands."""
        return row.state, row.get_state_display()

    @display(description=_("state"))
    def state_in_words(self, row: Reminder) -> str:
        """Where it stands, on its own page."""
        return row.get_state_display()

    @display(description=_("recipient"))
    def goes_to(self, row: Reminder) -> str:
        """Whom it goes to, and where."""
        return f"{row.recipient}, {row.recipient.email}"

    @display(description=_("why"))
    def why(self, row: Reminder) -> str:
        """The reason, in words, where it did not simply go."""
        return reasons.reason(row.reason) if row.reason else ""

    @display(description=_("to do"))
    def to_do(self, row: Reminder) -> Any:
        """Its log, and what can be done while it is open."""
        links = [link("reminders_reminder_change", row.pk, _("Log"))]
        if row.state in {Reminder.State.PLANNED, Reminder.State.RETRYING}:
            links += [link("reminder_send_now", row.pk, _("Send now"))]
            links += [link("reminder_stop", row.pk, _("Stop"))]
        return format_html_join(" · ", "{}", ((one,) for one in links))

    @display(description=_("message"))
    def message_link(self, row: Reminder) -> Any:
        """The mail that carried it."""
        return link("message_page", row.message_id, _("As it was sent")) if row.message_id else ""

    @display(description=_("log"))
    def log(self, row: Reminder) -> Any:
        """Every decision about it, in words."""
        rows = ((f"{timezone.localtime(entry.decided_at):%d %b %Y %H:%M}", reasons.decision(entry), entry.value)
                for entry in row.decisions.all())  # fmt: skip
        return format_html_join("", "<p>{}: {} {}</p>", rows) or _(
            "Nothing was decided about it yet."
        )


@admin.register(Message)
class MessageAdmin(LeadingAdmin):
    """Mails as they were sent, newest first."""

    list_display = (
        "subject_link", "goes_to", "category", "state_label", "attempts", "sent_at",
    )  # fmt: skip
    list_display_links = None
    list_filter = ("state", "category", ClinicFilter)
    list_select_related = ("recipient", "clinic")
    search_fields = ("recipient",)
    search_help_text = _("Patient or recipient: name, record number, email; or Message-ID")
    ordering = ("-created_at", "id")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Without the long parts, which a list does not show."""
        return (
            super()
            .get_queryset(request)
            .defer("own", "whole_html", "whole_text", "calendar", "headers")
        )

    def search(
        self, request: HttpRequest, rows: models.QuerySet[Any], words: str
    ) -> models.QuerySet[Any]:
        """Mails to the patients whom the words can mean, and to their carers; or the one with this Message-ID."""
        if not words.strip():
            return rows
        if words.strip().startswith("<"):
            return rows.filter(message_id=words.strip())
        patients = patients_meant(request, words, "message.view")
        own = Patient.objects.filter(pk__in=patients, user__isnull=False).order_by()
        carers = RelatedPerson.objects.filter(patient__in=patients).order_by()
        people = own.values("user").union(carers.values("user"), all=True)
        return rows.filter(recipient__id__listed=people)

    def page_of(self, row: Message) -> tuple[str, Any]:
        """The message as it was sent."""
        return "message_page", row.pk

    @display(description=_("recipient"), ordering="recipient")
    def goes_to(self, row: Message) -> Any:
        """Who it was for, and the address it went to."""
        return format_html('{} <br><span class="sw-small">{}</span>', row.recipient, row.to_address)

    @display(description=_("subject"), ordering="subject")
    def subject_link(self, row: Message) -> Any:
        """The subject, leading to the message."""
        return link("message_page", row.pk, row.subject)

    @display(
        description=_("state"), ordering="state",
        label={"sent": "success", "failed": "danger", "retrying": "warning", "sending": "info"},
    )  # fmt: skip
    def state_label(self, row: Message) -> Any:
        """Where it stands."""
        return row.state, row.get_state_display()


@admin.register(Suppression)
class SuppressionAdmin(StaffAdmin):
    """Addresses that mail does not go to any more, of the people of one's own clinics."""

    list_display = ("address", "why", "response", "created_at", "lifted_at", "lift")
    list_display_links = None
    search_fields = ("address",)
    ordering = ("-created_at",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Addresses that the person's own clinics wrote to."""
        own = within(Message.objects.visible_to(request.user), request.user, "suppression.view")
        return super().get_queryset(request).filter(address__in=own.values("to_address"))

    @display(description=_("to do"))
    def lift(self, row: Suppression) -> Any:
        """The way to let mail go again, for an address that is closed."""
        return "" if row.lifted_at else link("suppression_lift", row.pk, _("Let mail go again"))

    @display(description=_("why"))
    def why(self, row: Suppression) -> str:
        """The reason, in words."""
        return reasons.reason(row.reason)
