"""Moving episodes to the approved version of their pathway: what changes for each and in full, then the move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from patients.models import Episode
from portal import audit, clock
from portal.permissions import within
from portal.staff_forms import ReasonForm
from portal.staff_site import page, staff_of
from procedures.models import PathwayVersion
from reminders import actions
from reminders.diff import Change, Diff
from reminders.models import Reminder
from reminders.staff_plan import Names, digest, sections
from reminders.staff_views.records import attempted, episode_or_404

RIGHT = "episode.follow_version"
MOST = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One episode of the table: what moving it would change, and whether it is ticked."""

    episode: Episode
    diff: Diff
    is_chosen: bool = True

    @property
    def counts(self) -> list[int]:
        """How many reminders there are of each kind of change, in the order of the table's columns."""
        return list(self.diff.counts.values())

    @property
    def digest(self) -> str:
        """What the diff says, to know whether it is still the one that was shown."""
        return digest(self.diff)


@require_http_methods(["GET", "POST"])
def move(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what the move changes for each episode and in total; then move those that are ticked."""
    version = _version_or_404(request, pk)
    form = ReasonForm(request.POST or None)
    if form.was_sent_before:
        messages.info(request, _("This was done already; nothing was done twice."))
        return redirect(_version_url(version))
    chosen = set(request.POST.getlist("episode"))
    if request.method == "POST" and not chosen:
        form.add_error(None, _("Choose at least one episode."))
    if request.method == "POST" and form.is_valid():
        answer = attempted(form, lambda: _move(request, version, form, chosen))
        if answer:
            return answer
    return _show(request, version, form, chosen if request.method == "POST" else None)


def _version_or_404(request: HttpRequest, pk: UUID) -> PathwayVersion:
    rows = within(PathwayVersion.objects.visible_to(request.user), request.user, RIGHT)
    rows = rows.select_related("pathway__procedure", "clinic")
    version: PathwayVersion = get_object_or_404(rows, pk=pk)
    return version


def _version_url(version: PathwayVersion) -> str:
    return reverse("admin:procedures_pathwayversion_change", args=[version.pk])


def _candidates(request: HttpRequest, version: PathwayVersion) -> Any:
    """The open episodes of the same pathway and clinic that follow another version, in order of surgery."""
    rows = within(Episode.objects.visible_to(request.user), request.user, RIGHT)
    rows = rows.open().filter(
        version__pathway=version.pathway_id, patient__clinic=version.clinic_id
    )
    rows = rows.exclude(version=version.pk).for_planning().select_related("procedure")
    return rows.order_by("patient__family_name", "patient__given_name", "pk")


def _show(
    request: HttpRequest,
    version: PathwayVersion,
    form: ReasonForm,
    chosen: set[str] | None = None,
    *,
    changed: bool = False,
) -> HttpResponse:
    lines, is_longer = _lines(request, version, chosen)
    _note(request, version, [line.episode for line in lines])
    total: Counter[str] = Counter()
    for line in lines:
        total.update(line.diff.counts)
    return page(
        request, "admin/reminders/version_move.html", _("Move episodes to %(version)s") % {"version": version},
        version=version, form=form, lines=lines, is_longer=is_longer, most=MOST, changed=changed,
        columns=_columns(), total=[total[change] for change in Change], asked=_asked(version, lines),
    )  # fmt: skip


def _lines(
    request: HttpRequest, version: PathwayVersion, chosen: set[str] | None
) -> tuple[list[Line], bool]:
    if version.status != PathwayVersion.Status.ACTIVE:
        return [], False
    found = list(_candidates(request, version)[: MOST + 1])
    episodes = found[:MOST]
    diffs = actions.preview_version(episodes=episodes, version=version, now=clock.now())
    lines = [Line(row, diffs[row.pk], chosen is None or str(row.pk) in chosen) for row in episodes]
    return lines, len(found) > MOST


def _columns() -> list[str]:
    """The kinds of change in words, in the order of `Change`."""
    words = {
        Change.KEPT: _("Kept"), Change.MOVED: _("Moved"), Change.NEW: _("New"), Change.DROPPED: _("Dropped"),
        Change.ALREADY_SENT: _("Already sent"), Change.TOO_LATE: _("Now too late"),
    }  # fmt: skip
    return [words[change] for change in Change]


def _asked(version: PathwayVersion, lines: Iterable[Line]) -> list[tuple[str, str]]:
    """The steps, by key and title, about which staff decide whether they are sent again."""
    rules = {
        item.key.step: item.desired.rule.id
        for line in lines
        for item in line.diff.items
        if item.asks and item.desired
    }
    names = Names.of(version, []) if rules else Names({}, {})
    return [(key, names.title(step_id)) for key, step_id in sorted(rules.items())]


def _note(request: HttpRequest, version: PathwayVersion, episodes: Iterable[Episode]) -> None:
    rows = [(version.clinic, episode.patient_id) for episode in episodes]
    audit.note_list(request, "episode.list", by=staff_of(request), rows=rows)


def _move(
    request: HttpRequest, version: PathwayVersion, form: ReasonForm, chosen: set[str]
) -> HttpResponse:
    """Write what was shown. Where a plan changed meanwhile, show it all anew and write nothing."""
    rows = _candidates(request, version).filter(pk__in=_keys(chosen))[:MOST]
    keys = sorted(row.pk for row in rows)
    list(Episode.objects.select_for_update().filter(pk__in=keys).order_by("pk"))
    episodes = list(rows.all())
    diffs = actions.preview_version(episodes=episodes, version=version, now=clock.now())
    if not _is_as_shown(request.POST, chosen, diffs):
        return _show(request, version, form, chosen, changed=True)
    if form.act_once():
        actions.move_version(
            episodes=episodes, version=version, by=staff_of(request), now=clock.now(),
            reason=form.cleaned_data["reason"], resend=_resend(request, diffs.values()),
        )  # fmt: skip
        words = ngettext("%(n)d episode moved.", "%(n)d episodes moved.", len(episodes))
        messages.success(request, words % {"n": len(episodes)})
    return redirect(_version_url(version))


def _keys(chosen: Iterable[str]) -> list[UUID]:
    """What is a key among what was sent."""
    found = []
    for text in chosen:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def _is_as_shown(sent: Mapping[str, Any], chosen: set[str], diffs: Mapping[UUID, Diff]) -> bool:
    """Whether every chosen episode is still to be moved and would change exactly as it was shown."""
    if {str(key) for key in diffs} != chosen:
        return False
    return all(sent.get(f"digest-{key}") == digest(diff) for key, diff in diffs.items())


def _resend(request: HttpRequest, diffs: Iterable[Diff]) -> frozenset[str]:
    asked = {item.key.step for diff in diffs for item in diff.items if item.asks}
    return frozenset(asked & set(request.POST.getlist("resend")))


@require_safe
def episode_version(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What following the approved version of its pathway would change for one episode, in full."""
    episode = episode_or_404(request, pk, RIGHT)
    stored = PathwayVersion.objects.visible_to(request.user).approved()
    version = stored.filter(pathway=episode.version.pathway_id, clinic=episode.patient.clinic_id)
    newer = version.exclude(pk=episode.version_id).select_related("pathway", "clinic").first()
    if newer is None or not episode.is_open:
        return page(
            request, "admin/reminders/version_diff.html", _("Versions of the plan"),
            episode=episode, patient=episode.patient, version=None,
        )  # fmt: skip
    diff = actions.preview_version(episodes=[episode], version=newer, now=clock.now())[episode.pk]
    return page(
        request, "admin/reminders/version_diff.html", _("From version %(old)d to version %(new)d") % {
            "old": episode.version.number, "new": newer.number,
        },
        episode=episode, patient=episode.patient, version=newer, counts=diff.counts,
        sections=sections(diff, _names(episode, newer, diff), _categories(episode, diff)),
    )  # fmt: skip


def _names(episode: Episode, newer: PathwayVersion, diff: Diff) -> Names:
    """Titles of both versions' steps: what is dropped stands only in the older one."""
    new = Names.of(newer, {item.key.recipient_id for item in diff.items})
    old = Names.of(episode.version, [])
    return Names({**old.steps, **new.steps}, new.people)


def _categories(episode: Episode, diff: Diff) -> dict[str, str]:
    stored = Reminder.objects.filter(episode=episode).values_list("step_key", "category")
    wanted = {item.key.step: item.desired.rule.category for item in diff.items if item.desired}
    return dict(stored) | wanted


PAGES = (
    ("version/<uuid:pk>/episodes/", move, "version_move"),
    ("episode/<uuid:pk>/version/", episode_version, "episode_version"),
)
