"""The catalogue's own walk: a manager previews, approves, books and moves; a parent takes the guide away."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from patients.actions import open_episode
from procedures.actions import approve_version, begin_draft
from procedures.demo import settle_demo_clinic
from procedures.loading import load_catalogue
from procedures.models import PathwayVersion
from reminders.reconciler import reconcile
from tests.factories import make_clinic, make_patient, make_staff, make_user

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def clinic():
    """A clinic that has decided and filled in all; its versions are approved."""
    clinic = make_clinic(is_demo=True)
    load_catalogue()
    manager = make_staff(clinic, "manager", email="manager@example.com")
    settle_demo_clinic(clinic=clinic, by=manager, now=timezone.now())
    clinic.manager = manager
    return clinic


def enter(page: Page, user, path: str) -> None:
    """Open `path` as somebody who has signed in."""
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    page.goto("/health/live")
    site = page.url.removesuffix("health/live")
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
    page.goto(path)


def picture(page: Page, name: str) -> None:
    """Keep a picture of the page, where somebody asked for pictures."""
    if folder := os.environ.get("JOURNEY_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_a_manager_previews_approves_books_and_moves(clinic, page, axe):
    # Given an episode on the first version, and a draft of the second
    first = PathwayVersion.objects.get(pathway__key="pao-adult", status="active")
    surgery_on = timezone.now().date() + timedelta(weeks=8)
    now = timezone.now()
    early = make_patient(clinic, email="e@example.com", given_name="Early", family_name="Bird")
    episode = open_episode(
        patient=early, version=first, side="left", surgery_on=surgery_on, surgeon=None,
        by=clinic.manager, now=now,
    )  # fmt: skip
    reconcile(episode, now=now)
    draft = begin_draft(version=first, by=clinic.manager)
    draft.steps.get(key="stock-food").delete()

    # When the manager looks at what people would get
    enter(page, clinic.manager, f"/admin/procedures/pathwayversion/{draft.pk}/change/")
    page.get_by_role("link", name="See sample plans and every mail").click()

    # Then there are a plan, a mail in a frame, and the words that are missing
    expect(page.get_by_role("heading", name="An adult who smokes")).to_be_visible()
    expect(page.get_by_text("Arabic: no step has words.")).to_be_visible()
    mail = 'iframe[src*="step=pack-your-bag"][src*="language=en-gb"]'
    page.locator("details", has=page.locator(mail)).last.locator("summary").click()
    frame = page.frame_locator(mail)
    expect(frame.get_by_text("Leave rings, watches and money at home.")).to_be_visible()
    axe(page)
    picture(page, "preview")

    # When they approve it
    page.get_by_role("link", name="Back to the version").click()
    page.get_by_role("button", name="Approve this version").click()
    expect(page.get_by_text("Approved. New episodes are booked on it.")).to_be_visible()

    # And move the episode that is on the version before
    page.goto(f"/admin/procedures/pathwayversion/{draft.pk}/change/")
    page.get_by_role("link", name="Move episodes to this version").click()
    expect(page.get_by_role("rowheader", name="Early Bird, left")).to_be_visible()
    axe(page)
    picture(page, "move")
    page.get_by_role("link", name="What changes").click()
    expect(page.get_by_role("heading", name="Dropped")).to_be_visible()
    axe(page)
    picture(page, "diff")
    page.go_back()
    page.get_by_label("Reason").fill("The second version.")
    page.get_by_role("button", name="Move the ticked episodes").click()
    expect(page.get_by_text("1 episode moved.")).to_be_visible()

    # Then it follows the new version, and so does the next booking
    episode.refresh_from_db()
    assert episode.version == draft
    new = make_patient(clinic, email="n@example.com", given_name="Next", family_name="One")
    page.goto(f"/admin/patient/{new.pk}/book/")
    page.get_by_label("Operation and pathway").select_option(str(draft.pk))
    page.get_by_label("Left").check()
    page.get_by_label("Day of surgery").fill(f"{surgery_on:%Y-%m-%d}")
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_role("button", name="Book it").click()
    expect(page.get_by_text("Booked, with")).to_be_visible()
    assert new.episodes.get().version == draft


def test_a_parent_searches_reads_and_takes_the_guide_away(clinic, phone, axe):
    # Given a parent on a phone
    enter(phone, make_user("parent@example.com"), "/guide/")

    # When they search in their own words
    phone.get_by_label("What are you looking for?").fill("hip turning operation child")
    phone.get_by_role("button", name="Search").click()

    # Then the first that is found is about VDRO
    found = phone.locator("section[aria-labelledby=found] a").first
    expect(found).to_contain_text("Varus derotation osteotomy")
    picture(phone, "search")
    found.click()

    # And each statement shows where it comes from
    phone.get_by_text("Where this comes from").first.click()
    expect(phone.locator("details.sw-more li").first).to_contain_text("Westmead")
    axe(phone)
    picture(phone, "source")

    # And the guide can be printed with its sources, or kept
    phone.goto("/guide/varus-derotation-osteotomy/print/")
    expect(phone.locator("details.sw-more").first).to_have_attribute("open", "")
    axe(phone)
    picture(phone, "print")
    with phone.expect_download() as download:
        phone.get_by_role("link", name="Keep it as a PDF").click()
    kept = download.value.path()
    assert kept.read_bytes().startswith(b"%PDF-")
    if folder := os.environ.get("JOURNEY_PICTURES"):
        download.value.save_as(Path(folder) / "guide.pdf")


def test_one_draft_is_approved_at_a_time(clinic):
    """What the walk leans on: the version before is retired, and booking offers the new one alone."""
    first = PathwayVersion.objects.get(pathway__key="pao-adult", status="active")
    draft = begin_draft(version=first, by=clinic.manager)
    approve_version(version=draft, by=clinic.manager, now=timezone.now())
    assert list(PathwayVersion.objects.approved().filter(pathway=first.pathway)) == [draft]
