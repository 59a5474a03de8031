"""A manager decides, approves, books and moves, and a parent finds, reads and prints."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from patients.actions import open_episode
from procedures.actions import approve_version, begin_draft
from procedures.demo import settle_demo_clinic
from procedures.guide import guides
from procedures.loading import load_catalogue
from procedures.models import Disagreement, PathwayVersion, Resolution, Slot
from procedures.models import Page as GuidePage
from reminders.reconciler import reconcile
from tests.browser import PHONE
from tests.factories import NOW, make_clinic, make_patient, make_staff, make_user

pytestmark = [
    pytest.mark.journey,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def clinic():
    clinic = make_clinic(is_demo=True)
    load_catalogue()
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


def test_a_manager_settles_driving_fills_the_x_ray_previews_approves_and_books(clinic, page, axe):
    # Given a draft in which all is decided but two things
    manager = make_staff(clinic, "manager")
    settle_all_but(clinic, manager, point="D3", slot="xray_first_weeks")
    version = PathwayVersion.objects.get(pathway__key="pao-adult", status="draft")

    # When the manager opens it
    enter(page, manager, f"/admin/procedures/pathwayversion/{version.pk}/change/")

    # Then it names the two, and cannot be approved
    expect(page.get_by_role("link", name="D3: Driving")).to_be_visible()
    expect(page.get_by_role("link", name="First X-ray after adult surgery")).to_be_visible()
    expect(page.get_by_role("button", name="Approve this version")).to_have_count(0)
    axe(page)

    # When they settle the one
    page.get_by_role("link", name="D3: Driving").click()
    page.get_by_label("No driving for at least eight weeks.").check()
    page.get_by_label("Reason").fill("The careful value.")
    axe(page)
    page.get_by_role("button", name="Settle").click()
    expect(page.get_by_text("The careful value.")).to_be_visible()

    # And fill in the other
    slot = Slot.objects.get(key="xray_first_weeks")
    page.goto(f"/admin/procedures/slot/{slot.pk}/change/")
    page.get_by_label("Weeks after the anchor").fill("6")
    axe(page)
    page.get_by_role("button", name="Save").click()

    # Then the plan of a sample patient has the window, and the mails say what was settled
    page.goto(f"/admin/procedures/pathwayversion/{version.pk}/change/")
    moment = "6 weeks after surgery, 09:30, open for 14 days"
    expect(page.get_by_role("cell", name=moment, exact=True)).to_be_visible()
    page.get_by_role("link", name="See sample plans and every mail").click()
    expect(page.get_by_role("heading", name="An adult who smokes")).to_be_visible()
    expect(page.get_by_text("Arabic: no step has words.")).to_be_visible()
    frame = 'iframe[src*="step=driving-ask"][src*="language=en-gb"]'
    page.locator("details", has=page.locator(frame)).last.locator("summary").click()
    mail = page.frame_locator(frame)
    expect(mail.get_by_text("No driving for at least eight weeks.")).to_be_visible()
    axe(page)

    # When they approve it
    page.get_by_role("link", name="Back to the version").click()
    page.get_by_role("button", name="Approve this version").click()
    expect(page.get_by_text("Approved. New episodes are booked on it.")).to_be_visible()
    version.refresh_from_db()
    assert (version.status, version.approved_by) == ("active", manager)
    assert version.steps.get(key="xray-first").offset_value == 6

    # And book an operation
    patient = make_patient(clinic, email="new@example.com", given_name="Next", family_name="One")
    page.goto(f"/admin/patient/{patient.pk}/book/")
    page.get_by_label("Operation and pathway").select_option(str(version.pk))
    page.get_by_label("Left").check()
    day = timezone.now().date() + timedelta(weeks=8)
    page.get_by_label("Day of surgery").fill(f"{day:%Y-%m-%d}")
    page.get_by_role("button", name="Show the plan").click()
    axe(page)
    page.get_by_role("button", name="Book it").click()

    # Then the episode follows the new version
    expect(page.get_by_text("Booked, with")).to_be_visible()
    assert patient.episodes.get().version == version


def test_a_manager_moves_an_episode_to_a_new_version(clinic, page, axe):
    # Given an episode on the first version, and a second that is approved
    manager, now = make_staff(clinic, "manager"), timezone.now()
    settle_demo_clinic(clinic=clinic, by=manager, now=NOW)
    first = PathwayVersion.objects.get(pathway__key="pao-adult", status="active")
    early = make_patient(clinic, email="e@example.com", given_name="Early", family_name="Bird")
    episode = open_episode(
        patient=early, version=first, side="left", surgery_on=now.date() + timedelta(weeks=8),
        surgeon=None, by=manager, now=now,
    )  # fmt: skip
    reconcile(episode, now=now)
    second = begin_draft(version=first, by=manager)
    second.steps.get(key="stock-food").delete()
    approve_version(version=second, by=manager, now=now)

    # When the manager looks at what moving there changes
    enter(page, manager, f"/admin/procedures/pathwayversion/{second.pk}/change/")
    page.get_by_role("link", name="Move episodes to this version").click()
    expect(page.get_by_role("rowheader", name="Early Bird, left")).to_be_visible()
    axe(page)
    page.get_by_role("link", name="What changes").click()
    expect(page.get_by_role("heading", name="Dropped")).to_be_visible()
    axe(page)

    # And moves it
    page.go_back()
    page.get_by_label("Reason").fill("The second version.")
    page.get_by_role("button", name="Move the ticked episodes").click()

    # Then it follows the second
    expect(page.get_by_text("1 episode moved.")).to_be_visible()
    episode.refresh_from_db()
    assert episode.version == second


def settle_all_but(clinic, manager, *, point: str, slot: str) -> None:
    """Settle the demo clinic on a copy of its drafts, then take back one decision and one value."""
    settle_demo_clinic(clinic=clinic, by=manager, now=NOW)
    Resolution.objects.filter(disagreement=Disagreement.objects.get(key=point)).delete()
    Slot.objects.get(key=slot).values.all().delete()
    for version in PathwayVersion.objects.filter(clinic=clinic):
        begin_draft(version=version, by=manager)


def test_a_parent_finds_reads_and_prints_on_a_phone(clinic, new_page, axe):
    # Given a parent whose clinic has decided
    settle_demo_clinic(clinic=clinic, by=make_staff(clinic, "manager"), now=NOW)
    page = new_page(**PHONE)
    enter(page, make_user(), "/guide/")
    axe(page)

    # When they search in their own words
    page.get_by_label("What are you looking for?").fill("hip turning operation child")
    page.get_by_role("button", name="Search").click()
    axe(page)

    # Then the first hit is the right one, and each statement says where it comes from
    found = page.locator("section[aria-labelledby=found] a").first
    expect(found).to_contain_text("Varus derotation osteotomy")
    found.click()
    expect(page.get_by_role("heading", name="What it is and why it is done")).to_be_visible()
    page.get_by_text("Where this comes from").first.click()
    expect(page.get_by_text("The Children's Hospital at Westmead").first).to_be_visible()
    axe(page)

    # And the plan is a picture, and a table
    page.goto("/guide/varus-derotation-osteotomy/")
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("cell", name="2 years after surgery, 11:00")).to_be_visible()
    axe(page)

    # And the whole guide stands on one page with its sources, and prints on paper
    page.get_by_role("link", name="All on one page, to print").click()
    expect(page.get_by_role("heading", name="When to call us")).to_be_visible()
    expect(page.get_by_text("The Children's Hospital at Westmead").first).to_be_visible()
    axe(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Keep it as a PDF").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation")).to_have_count(0)
    assert page.pdf().startswith(b"%PDF-")


@pytest.mark.once
def test_every_page_of_every_guide_is_accessible_on_a_phone(clinic, new_page, axe):
    settle_demo_clinic(clinic=clinic, by=make_staff(clinic, "manager"), now=NOW)
    page = new_page(**PHONE)
    enter(page, make_user(), "/guide/")

    seen = set()
    for guide in guides("en-gb"):
        page.goto(f"/guide/{guide.procedure.key}/")
        axe(page)
        for row in guide.pages:
            words = tuple(row.sections.values_list("heading", "body"))
            if words in seen:  # The same page in another guide: shared words, one template.
                continue
            seen.add(words)
            page.goto(f"/guide/{guide.procedure.key}/{row.key}/", wait_until="domcontentloaded")
            expect(page.get_by_role("heading", level=1, name=row.title, exact=True)).to_be_visible()
            axe(page)


def test_a_manager_writes_own_words(clinic, page, axe):
    # Given a page of the guide
    manager = make_staff(clinic, "manager")
    row = GuidePage.objects.get(key="pao-warning", language="en-gb")
    enter(page, manager, f"/admin/procedures/page/{row.pk}/change/")
    axe(page)

    # When the manager writes other words and looks at them
    page.get_by_role("link", name="Change these words: Being sick").click()
    page.get_by_label("Words", exact=True).fill("Call us if you are sick **three times** in a day.")
    page.get_by_role("button", name="Show it as readers would get it").click()
    expect(page.get_by_role("heading", name="not saved yet")).to_be_visible()
    axe(page)

    # And saves them
    page.get_by_role("button", name="Save these words").click()

    # Then readers get them, and the history has them
    expect(page.get_by_text("Saved. Your readers get these words from now on.")).to_be_visible()
    expect(page.get_by_text("your clinic's own words")).to_be_visible()
    page.get_by_role("link", name="Change these words: Being sick").click()
    page.get_by_text("the clinic's own words").last.click()
    expect(page.get_by_text("Call us if you cannot stop being sick.").first).to_be_visible()
    axe(page)
