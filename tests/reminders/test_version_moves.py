"""Episodes move to the next version of their pathway: what is shown, what is written, and that it is written once."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from patients.models import Episode
from portal import clock
from portal.models import AuditEvent
from reminders import actions
from reminders.diff import Change
from reminders.inputs import rules_of
from reminders.models import Reminder
from reminders.reconciler import preview
from tests.factories import make_message, make_version

# Beside the first version: the bag is packed a day earlier, the day before is gone, a walk is new.
STEPS: dict[str, dict[str, Any]] = {
    "pack-bag": {"offset_value": -3, "late_policy": "send_now", "repeat_policy": "correct"},
    "walk": {"offset_value": 10, "category": "recovery"},
    "xray-window": {
        "category": "xray", "offset_value": 8, "offset_unit": "weeks", "window_days": 7,
        "ends_when": "xray_booked",
    },
}  # fmt: skip


@pytest.fixture
def newer(planned) -> Any:
    """The next version of the adults' pathway, approved."""
    return make_version(planned.clinic, STEPS, pathway=planned.adult_version.pathway, number=2)


def _loaded(*episodes: Episode) -> list[Episode]:
    rows = Episode.objects.for_planning().filter(pk__in=[row.pk for row in episodes])
    return list(rows)


def _rows() -> list[str]:
    models = (Reminder, Episode, AuditEvent.objects.exclude(action="R").model)
    return [str(row) for model in models[:2] for row in model.objects.values_list().order_by("pk")]


def _states(episode: Episode) -> dict[tuple[str, int], str]:
    rows = Reminder.objects.filter(episode=episode, kind="step")
    return {(row.step_key, row.occurrence): row.state for row in rows}


def test_the_preview_of_many_is_that_of_each_and_writes_nothing(planned, newer) -> None:
    episodes, before = _loaded(planned.episode, planned.other_episode), _rows()

    found = actions.preview_version(episodes=episodes, version=newer, now=planned.now)

    rules = rules_of(newer)
    each = {row.pk: preview(row, now=planned.now, rules=rules) for row in episodes}
    assert found == each
    assert _rows() == before
    counts = found[planned.episode.pk].counts
    assert (counts["moved"], counts["new"]) == (2, 1)
    assert counts["dropped"] > 5


@pytest.mark.parametrize("count", [1, 3])
def test_previewing_takes_the_same_queries_for_one_and_for_three(
    planned, newer, django_assert_num_queries, count
) -> None:
    episodes = _loaded(planned.episode, planned.other_episode, planned.child_episode)[:count]
    with django_assert_num_queries(2):
        actions.preview_version(episodes=episodes, version=newer, now=planned.now)


def test_what_was_shown_is_what_is_written(planned, newer) -> None:
    episodes = _loaded(planned.episode, planned.other_episode)
    shown = actions.preview_version(episodes=episodes, version=newer, now=planned.now)

    done = actions.move_version(
        episodes=episodes, version=newer, by=planned.manager, now=planned.now, reason="Newer."
    )

    assert {key: diff.counts for key, diff in done.items()} == {
        key: diff.counts for key, diff in shown.items()
    }
    again = actions.preview_version(episodes=_loaded(*episodes), version=newer, now=planned.now)
    assert all(diff.is_empty for diff in again.values())


def test_what_was_sent_is_known_by_its_key_and_never_repeated(planned, newer) -> None:
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    message = make_message(planned.patient.user, planned.clinic, [row])
    Reminder.objects.filter(pk=row.pk).update(state="sent", message=message)

    actions.move_version(
        episodes=_loaded(planned.episode), version=newer, by=planned.manager, now=planned.now
    )

    [kept] = Reminder.objects.filter(episode=planned.episode, step_key="pack-bag")
    assert kept.step
    assert (kept.pk, kept.state, kept.step.version) == (row.pk, "sent", planned.adult_version)
    assert _states(planned.episode)["day-before", 0] == "cancelled"
    assert _states(planned.episode)["walk", 0] == "planned"


def test_imaging_requests_and_the_audit_trail_follow(planned, newer) -> None:
    actions.move_version(
        episodes=_loaded(planned.episode), version=newer, by=planned.manager, now=planned.now,
        reason="The second version.",
    )  # fmt: skip

    [request] = planned.episode.imaging_requests.all()
    assert (request.step.version, request.window_from) == (
        newer, planned.surgery_on + timedelta(weeks=8),
    )  # fmt: skip
    events = AuditEvent.objects.filter(verb="episode.follow_version")
    assert [(str(row.object_id), row.reason) for row in events] == [
        (str(planned.episode.pk), "The second version.")
    ]
    whole = AuditEvent.objects.get(verb="pathway_version.move_episodes")
    assert (str(whole.object_id), whole.after) == (str(newer.pk), {"episodes": 1, "version": 2})


def test_one_that_cannot_move_keeps_all_where_they_are(planned, newer) -> None:
    before = _rows()
    with pytest.raises(ValidationError, match="same pathway"):
        actions.move_version(
            episodes=_loaded(planned.episode, planned.child_episode), version=newer,
            by=planned.manager, now=planned.now,
        )  # fmt: skip
    assert _rows() == before


def _url(version: Any) -> str:
    return reverse("admin:version_move", args=[version.pk])


def _form(page: str, *episodes: Episode) -> dict[str, Any]:
    """What the page sends when these episodes are ticked."""
    digests = {}
    for line in page.split("<input"):
        if 'name="digest-' in line:
            name, value = (line.split(f'{part}="')[1].split('"')[0] for part in ("name", "value"))
            digests[name] = value
    return digests | {
        "episode": [str(row.pk) for row in episodes], "reason": "Newer.", "ticket": "b" * 32,
    }  # fmt: skip


def test_the_table_shows_each_episode_of_the_pathway_and_the_total(planned, newer, sign_in) -> None:
    before = _rows()
    page = sign_in(planned.manager).get(_url(newer)).content.decode()
    assert page.count('name="episode"') == 2
    assert "Secret" in page
    assert "Kidd" not in page
    assert "Faraway" not in page
    assert "In total" in page
    assert _rows() == before


def test_confirming_moves_the_ticked_ones_once(planned, newer, sign_in) -> None:
    client = sign_in(planned.surgeon)
    sent = _form(client.get(_url(newer)).content.decode(), planned.episode)

    answer = client.post(_url(newer), sent, follow=True)
    assert "1 episode moved." in answer.content.decode()
    after = _rows()
    again = client.post(_url(newer), sent, follow=True)

    assert "nothing was done twice" in again.content.decode()
    assert _rows() == after
    versions = [Episode.objects.get(pk=row.pk).version for row in planned.episodes[:2]]
    assert versions == [newer, planned.adult_version]


def test_a_plan_that_changed_meanwhile_is_shown_anew(planned, newer, sign_in) -> None:
    client = sign_in(planned.manager)
    sent = _form(client.get(_url(newer)).content.decode(), planned.episode)
    actions.move_anchor(
        episode=planned.episode, anchor="surgery", on=planned.surgery_on + timedelta(days=3),
        by=planned.clerk, now=clock.now(),
    )  # fmt: skip
    before = _rows()

    answer = client.post(_url(newer), sent)

    assert "A plan has changed since you looked" in answer.content.decode()
    assert _rows() == before


@pytest.mark.parametrize("chosen", [[], ["nonsense"]])
def test_nothing_chosen_moves_nothing(planned, newer, sign_in, chosen) -> None:
    before = _rows()
    sent = {"episode": chosen, "reason": "x", "ticket": "c" * 32}
    assert sign_in(planned.manager).post(_url(newer), sent).status_code == 200
    assert _rows() == before


def test_another_clinics_episode_is_not_moved(planned, newer, sign_in) -> None:
    client = sign_in(planned.manager)
    sent = _form(client.get(_url(newer)).content.decode(), planned.far_episode)
    assert client.post(_url(newer), sent).status_code == 200
    assert Episode.objects.get(pk=planned.far_episode.pk).version == planned.far_version


def test_a_draft_takes_no_episode(planned, sign_in) -> None:
    pathway = planned.adult_version.pathway
    draft = make_version(planned.clinic, STEPS, pathway=pathway, number=3, is_approved=False)
    page = sign_in(planned.manager).get(_url(draft)).content.decode()
    assert "No open episode follows another version" in page


def test_one_episode_opens_in_full_with_the_words_of_what_is_dropped(
    planned, newer, sign_in
) -> None:
    url = reverse("admin:episode_version", args=[planned.episode.pk])
    page = sign_in(planned.manager).get(url).content.decode()
    for words in ("Moved", "Pack bag", "New", "Walk", "Dropped", "Day before"):
        assert words in page
    assert "A step of an earlier version" not in page
    assert "version 2" in page


def test_one_on_the_approved_version_says_so(planned, sign_in) -> None:
    url = reverse("admin:episode_version", args=[planned.child_episode.pk])
    page = sign_in(planned.manager).get(url).content.decode()
    assert "follows the approved version already" in page


@pytest.mark.parametrize("change", list(Change))
def test_every_kind_of_change_has_its_column(planned, newer, sign_in, change) -> None:
    page = sign_in(planned.manager).get(_url(newer)).content.decode()
    words = {"kept": "Kept", "moved": "Moved", "new": "New", "dropped": "Dropped",
             "already_sent": "Already sent", "too_late": "Now too late"}  # fmt: skip
    assert f'<th scope="col">{words[change]}</th>' in page
