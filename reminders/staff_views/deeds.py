"""What every deed on a plan has in common: its diff is shown, and it is done only if that is still the same diff."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

from patients.models import Episode
from portal.staff_forms import StaffForm
from portal.staff_site import page
from reminders.diff import Diff, Item
from reminders.staff_plan import Names, digest, sections
from reminders.staff_views.records import attempted, done, is_sent


@dataclass(frozen=True, slots=True)
class Deed:
    """Something staff mean to do: how it is foreseen, how it is done, and what is said afterwards.

    `notes` say what else happens, beside the plan. A deed whose form asks for nothing `is_bare`: it is shown at once.
    """

    episode: Episode
    form: StaffForm
    title: str
    foresee: Callable[[], Diff]
    act: Callable[[], Any]
    said: str
    part: str = "plan"
    notes: Sequence[str] = ()

    @property
    def is_bare(self) -> bool:
        """Whether there is nothing to go back to and change."""
        return not self.form.rows


def answer(request: HttpRequest, deed: Deed) -> HttpResponse | None:
    """Show what the deed changes, or do it once that was confirmed; None where its form has to be filled in first."""
    if deed.form.was_sent_before:
        return done(request, deed.episode.patient, "", is_first=False, part=deed.part)
    if is_sent(request, deed.form):
        return attempted(deed.form, lambda: shown_or_done(request, deed))
    return show(request, deed) if deed.is_bare and request.method == "GET" else None


def shown_or_done(request: HttpRequest, deed: Deed) -> HttpResponse:
    """Show the diff; once it is confirmed, and still the one that was shown, act. Call it in a transaction."""
    if "digest" not in request.POST:
        return show(request, deed)
    Episode.objects.select_for_update().get(pk=deed.episode.pk)
    if digest(deed.foresee()) != request.POST["digest"]:
        return show(request, deed, changed=True)
    is_first = deed.form.act_once()
    if is_first:
        deed.act()
    return done(request, deed.episode.patient, deed.said, is_first=is_first, part=deed.part)


def show(request: HttpRequest, deed: Deed, *, changed: bool = False) -> HttpResponse:
    """The diff, with the button that confirms it."""
    diff, episode = deed.foresee(), deed.episode
    names = Names.of(episode.version, {item.key.recipient_id for item in diff.items})
    categories = {item.key.step: _category(item) for item in diff.items}
    return page(
        request, "admin/reminders/diff.html", deed.title, episode=episode, patient=episode.patient, form=deed.form,
        sections=sections(diff, names, categories), counts=diff.counts, digest=digest(diff), changed=changed,
        heading=deed.title, may_change=not deed.is_bare, notes=deed.notes,
    )  # fmt: skip


def _category(item: Item) -> str:
    row: Any = item.desired.rule if item.desired else item.existing
    return str(row.category)
