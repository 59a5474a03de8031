"""What a reader chooses about mail: the time of day, a pause, and all of it by the link in a mail, with a way back."""

import re
from datetime import date, time, timedelta
from urllib.parse import urlsplit

import pytest

from patients.models import PlanRequest
from portal.actions import pause_mail
from portal.models import AuditEvent
from reminders import unsubscribe
from reminders.models import Preference, Reminder
from reminders.reconciler import reconcile
from tests.factories import NOW, make_reminder

PATH = "/settings/reminders/"
EVERYTHING = [
    "smoking_cessation", "physiotherapy", "xray", "preparation", "appointment", "recovery", "check_in",
]  # fmt: skip
AS_IT_WAS = {
    "do": "save",
    "wanted": EVERYTHING,
    "language": "en-gb",
    "time_zone": "",
    "mail_at": "",
}


def days(first: date, last: date) -> dict[str, object]:
    return {
        f"{name}_{part}": getattr(day, part)
        for name, day in (("starts_on", first), ("ends_on", last))
        for part in ("day", "month", "year")
    }


@pytest.fixture
def by_link(people) -> str:
    """The address of all settings, from the link in a mail to the patient."""
    return urlsplit(unsubscribe.link(people.patient.user.pk, "preparation")).path + "more/"


def test_a_double_press_can_still_be_undone(people, sign_in):
    browser = sign_in(people.patient.user)
    for _press in range(2):
        browser.post(PATH, AS_IT_WAS | {"wanted": ["xray"]})
    undo = re.search(r'name="undo" value="([^"]+)"', browser.get(PATH).text)
    assert undo is not None
    browser.post(PATH, {"do": "undo", "undo": undo[1]})
    assert not Preference.objects.filter(user=people.patient.user, is_on=False).exists()


class TestTimeOfDay:
    def test_it_moves_what_can_come_at_any_time_and_nothing_else(self, planned, sign_in):
        user = planned.patient.user
        answer = sign_in(user).post(PATH, AS_IT_WAS | {"mail_at": "18:00"})
        assert answer.headers["Location"] == PATH
        assert set(PlanRequest.objects.values_list("episode_id", flat=True)) == {planned.episode.pk}
        reconcile(planned.episode, now=NOW)
        at = dict(
            Reminder.objects.filter(recipient=user, state="planned").values_list("step_key", "local_time")
        )  # fmt: skip
        assert at["pack-bag"] == time(18)
        # Essential: it says what to do from an hour on.
        assert at["day-before"] == time(12)

    def test_it_is_the_readers_alone(self, planned, sign_in):
        sign_in(planned.mother).post(PATH, AS_IT_WAS | {"mail_at": "18:00"})
        reconcile(planned.child_episode, now=NOW)
        toys = Reminder.objects.filter(episode=planned.child_episode, step_key="pack-toys")
        at = dict(toys.values_list("recipient__name", "local_time"))
        assert at["Maya Kidd"] == time(18) != at["Finn Kidd"]


class TestWhatIsShown:
    """Forms that nobody touched are kept by what was chosen: each reader sees their own choices."""

    def chosen(self, text):
        checked = re.findall(r'name="wanted"[^>]*value="(\w+)"[^>]*checked', text)
        selected = re.findall(r'<option value="([^"]*)" selected', text)
        return checked, selected

    def test_each_reader_sees_their_own_choices(self, people, sign_in):
        mine, others = sign_in(people.patient.user), sign_in(people.carer)
        before = self.chosen(others.get(PATH).text)
        mine.get(PATH)
        mine.post(PATH, AS_IT_WAS | {"wanted": ["xray"], "mail_at": "18:00"})

        checked, selected = self.chosen(mine.get(PATH).text)
        assert (checked, selected[:3]) == (["xray"], ["18:00", "en-gb", ""])
        assert self.chosen(others.get(PATH).text) == before
        assert before[0] == EVERYTHING

    def test_what_was_typed_and_refused_is_nobody_elses(self, people, sign_in):
        first, last = NOW.date() + timedelta(days=3), NOW.date() + timedelta(days=2)
        sent = days(first, last)
        refused = sign_in(people.patient.user).post(PATH, {"do": "pause", **sent}).text
        opened = sign_in(people.carer).get(PATH).text

        assert "lies before the first" in refused
        assert "lies before the first" not in opened
        assert 'name="ends_on_day" value=' not in opened


class TestPause:
    def test_it_is_kept_shown_and_ended(self, people, sign_in):
        browser = sign_in(people.patient.user)
        first = NOW.date() + timedelta(days=2)
        browser.post(PATH, {"do": "pause", **days(first, first + timedelta(days=6))})
        assert "held back from 4 Mar 2026 to 10 Mar 2026" in browser.get(PATH).text
        browser.post(PATH, {"do": "go_on"})
        people.patient.user.refresh_from_db()
        assert people.patient.user.paused_from is None

    @pytest.mark.parametrize(
        ("first", "last", "says"),
        [
            (3, 2, "lies before the first"),
            (-9, -2, "over already"),
            (0, 60, "At most eight weeks"),
        ],
    )
    def test_one_that_makes_no_sense_is_refused_and_what_was_typed_stays(
        self, people, sign_in, first, last, says
    ):
        sent = days(NOW.date() + timedelta(days=first), NOW.date() + timedelta(days=last))
        text = sign_in(people.patient.user).post(PATH, {"do": "pause", **sent}).text
        assert says in text
        assert "Error: " in text
        assert f'name="ends_on_day" value="{sent["ends_on_day"]}"' in text
        people.patient.user.refresh_from_db()
        assert people.patient.user.paused_from is None

    def test_what_it_held_back_is_said(self, people, sign_in):
        step = people.adult_version.steps.get(key="pack-bag")
        make_reminder(people.episode, step, state="skipped", reason="paused")
        browser = sign_in(people.patient.user)
        assert "1 mail was held back" in browser.get(PATH).text
        assert "You had paused your mails." in browser.get("/messages/").text


class TestByLink:
    def test_opening_it_changes_nothing_and_names_no_patient(self, client, people, by_link):
        text = client.get(by_link).text
        assert 'value="preparation"' in text
        assert not [
            name for name in ("Patricia", "O&#x27;Neill", "pat@example.com") if name in text
        ]
        assert Preference.objects.count() == 0

    def test_a_change_can_be_undone_without_signing_in(self, client, people, by_link):
        user = people.patient.user
        changed = {**AS_IT_WAS, "wanted": ["xray"], "language": "es", "time_zone": "Asia/Tokyo"}
        text = client.post(by_link, changed).text
        user.refresh_from_db()
        assert (user.language, user.time_zone) == ("es", "Asia/Tokyo")
        undo = re.search(r'name="undo" value="([^"]+)"', text)
        assert undo is not None
        client.post(by_link, {"do": "undo", "undo": undo[1]})
        user.refresh_from_db()
        assert (user.language, user.time_zone) == ("en-gb", "")
        assert not Preference.objects.filter(is_on=False).exists()
        changes = AuditEvent.objects.filter(verb__in=("preference.choose", "user.set_reading"))
        assert set(changes.values_list("actor", "reason")) == {(None, "link in a mail")}

    def test_nobody_undoes_anothers_change(self, client, people, by_link):
        text = client.post(by_link, AS_IT_WAS | {"language": "es"}).text
        undo = re.search(r'name="undo" value="([^"]+)"', text)
        assert undo is not None
        others = urlsplit(unsubscribe.link(people.mother.pk, "xray")).path + "more/"
        people.mother.language = "ar"
        people.mother.save()
        client.post(others, {"do": "undo", "undo": undo[1]})
        people.mother.refresh_from_db()
        assert people.mother.language == "ar"

    def test_an_undo_is_good_for_a_day(self, client, people, by_link, stopped_clock):
        text = client.post(by_link, AS_IT_WAS | {"language": "es"}).text
        undo = re.search(r'name="undo" value="([^"]+)"', text)
        assert undo is not None
        stopped_clock.shift(timedelta(hours=25))
        client.post(by_link, {"do": "undo", "undo": undo[1]})
        people.patient.user.refresh_from_db()
        assert people.patient.user.language == "es"

    def test_a_pause_by_link(self, client, people, by_link):
        client.post(by_link, {"do": "pause", **days(NOW.date(), NOW.date() + timedelta(days=7))})
        people.patient.user.refresh_from_db()
        assert people.patient.user.is_paused(NOW.date())

    def test_a_forged_link(self, client, people, by_link):
        assert client.get(by_link.replace("/more/", "x/more/")).status_code == 404


def test_signed_in_a_change_can_be_undone_once(people, sign_in):
    browser = sign_in(people.patient.user)
    browser.post(PATH, AS_IT_WAS | {"language": "es"})
    undo = re.search(r'name="undo" value="([^"]+)"', browser.get(PATH).text)
    assert undo is not None
    assert 'name="undo"' not in browser.get(PATH).text
    browser.post(PATH, {"do": "undo", "undo": undo[1]})
    people.patient.user.refresh_from_db()
    assert people.patient.user.language == "en-gb"


def test_pausing_twice_is_one_event(people):
    user = people.patient.user
    for _ in range(2):
        pause_mail(user=user, starts_on=NOW.date(), ends_on=NOW.date(), by=user)
    assert AuditEvent.objects.filter(verb="user.pause_mail").count() == 1
