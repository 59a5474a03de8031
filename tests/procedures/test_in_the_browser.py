"""A manager decides and approves, and a parent finds and reads, each in a real browser."""

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from procedures.actions import begin_draft
from procedures.demo import settle_demo_clinic
from procedures.loading import load_catalogue
from procedures.models import Disagreement, PathwayVersion, Resolution, Slot
from tests.browser import PHONE
from tests.factories import NOW, make_clinic, make_staff, make_user

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


def test_a_manager_settles_driving_fills_the_x_ray_and_approves(clinic, page, axe):
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

    # Then the version can be approved
    page.goto(f"/admin/procedures/pathwayversion/{version.pk}/change/")
    moment = "6 weeks after surgery, 09:30, open for 14 days"
    expect(page.get_by_role("cell", name=moment, exact=True)).to_be_visible()
    page.get_by_role("button", name="Approve this version").click()
    expect(page.get_by_text("Approved. New episodes are booked on it.")).to_be_visible()
    version.refresh_from_db()
    assert (version.status, version.approved_by) == ("active", manager)
    assert version.steps.get(key="xray-first").offset_value == 6


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
    page.locator("main .sw-list-link").first.click()
    expect(page.get_by_role("heading", name="What it is and why it is done")).to_be_visible()
    page.get_by_text("Where this comes from").first.click()
    expect(page.get_by_text("The Children's Hospital at Westmead").first).to_be_visible()
    axe(page)

    # And the plan is a picture, and a table
    page.goto("/guide/varus-derotation-osteotomy/")
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("cell", name="2 years after surgery, 11:00")).to_be_visible()
    axe(page)

    # And the whole guide stands on one page, to print
    page.goto("/guide/varus-derotation-osteotomy/print/")
    expect(page.get_by_role("heading", name="When to call us")).to_be_visible()
    axe(page)
