"""The guide to one's own operation: which, and where it is opened."""

from datetime import timedelta

import pytest

from patients.models import RelatedPerson
from procedures.models import Page, Pathway
from tests.factories import NOW, make_episode, make_procedure, make_version

TODAY = NOW.date()
DAY = timedelta(days=1)


def pages(procedure, *keys: str, language: str = "en-gb") -> None:
    for position, key in enumerate(keys):
        Page.objects.create(
            key=key, language=language, procedure=procedure, audience="any", position=position,
            title=f"Page {key}", summary=f"About {key}.",
        )  # fmt: skip


@pytest.fixture
def guide(people):
    """The guide to the patient's operation."""
    pages(
        people.episode.procedure,
        *(f"pao-{one}" for one in ("about", "ready", "hospital", "home", "weeks")),
    )
    return people.episode


def opened(sign_in, user) -> str:
    """What stands before the contents."""
    return sign_in(user).get("/my-guide/").text.partition('id="contents')[0]


def put(episode, **dates) -> None:
    for anchor, on in dates.items():
        episode.anchor_dates.update_or_create(anchor=anchor, defaults={"on": on})


class TestStage:
    @pytest.mark.parametrize(
        ("surgery", "discharge", "page"),
        [
            (20, None, "ready"),
            (0, None, "hospital"),
            (-3, 2, "hospital"),
            (-3, 0, "home"),
            (-13, None, "hospital"),
            (-14, None, "home"),
            (-20, -17, "weeks"),
            (-400, -395, "weeks"),
        ],
    )
    def test_the_guide_opens_where_one_is_on_the_way(
        self, people, guide, sign_in, surgery, discharge, page
    ):
        put(guide, surgery=TODAY + surgery * DAY)
        if discharge is not None:
            put(guide, discharge=TODAY + discharge * DAY)
        assert f"/pao-{page}/" in opened(sign_in, people.patient.user)

    def test_without_a_date_it_is_about_getting_ready(self, people, guide, sign_in):
        guide.anchor_dates.filter(anchor="surgery").delete()
        assert "/pao-ready/" in opened(sign_in, people.patient.user)

    def test_a_guide_without_such_a_page_opens_with_its_contents(self, people, sign_in):
        pages(people.episode.procedure, "x-about")
        text = sign_in(people.patient.user).get("/my-guide/").text
        assert "For you now" not in text
        assert "Page x-about" in text


class TestWhose:
    def test_a_parent_reads_the_pages_for_children_alone(self, people, sign_in):
        pages(people.child_episode.procedure, "both-about", "both-adult-ready", "both-child-ready")
        text = sign_in(people.mother).get("/my-guide/").text
        assert "Page both-child-ready" in text
        assert "Page both-about" in text
        assert "both-adult-ready" not in text

    def test_two_operations_have_two_guides_and_what_is_over_has_none(self, people, guide, sign_in):
        other = make_procedure("Removal of metalwork")
        pages(other, "metalwork-ready")
        pathway = Pathway.objects.create(
            key="metalwork", procedure=other, name="Metal", audience="adult"
        )
        version = make_version(people.clinic, {"step": {}}, pathway=pathway)
        second = make_episode(people.patient, version)
        text = sign_in(people.patient.user).get("/my-guide/").text
        assert "Page metalwork-ready" in text
        assert "Page pao-ready" in text
        type(second).objects.filter(pk=second.pk).update(status="finished")
        assert "Page metalwork-ready" not in sign_in(people.patient.user).get("/my-guide/").text

    def test_after_all_is_over_the_guide_stays(self, people, guide, sign_in):
        type(guide).objects.filter(pk=guide.pk).update(status="finished")
        assert "Page pao-ready" in sign_in(people.patient.user).get("/my-guide/").text

    def test_a_carer_for_visits_alone_is_not_told_which_operation_it_is(
        self, people, guide, sign_in
    ):
        RelatedPerson.objects.filter(user=people.carer).update(scope="appointments")
        assert sign_in(people.carer).get("/my-guide/").headers["Location"] == "/guide/"

    def test_who_has_no_patient_finds_all_guides(self, people, sign_in):
        assert sign_in(people.nobody).get("/my-guide/").headers["Location"] == "/guide/"


class TestLanguage:
    def test_a_page_that_is_not_translated_says_so(self, people, guide, sign_in):
        people.patient.user.language = "es"
        people.patient.user.save()
        pages(people.episode.procedure, "pao-ready", language="es")
        text = sign_in(people.patient.user).get("/my-guide/").text
        assert 'lang="en-gb"' in text
        assert "aún no está" in text or "todavía no está" in text


@pytest.mark.parametrize("count", [1, 30])
def test_it_costs_the_same_for_one_page_and_for_thirty(
    people, sign_in, count, django_assert_num_queries
):
    pages(people.episode.procedure, *(f"pao-{number}-ready" for number in range(count)))
    browser = sign_in(people.patient.user)
    browser.get("/my-guide/")
    with django_assert_num_queries(9):
        browser.get("/my-guide/")
