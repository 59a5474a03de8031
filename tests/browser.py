"""Fixtures: Chromium pages at two widths that complain of what the content policy blocked."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.factories import PASSWORD

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
WCAG_22_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Milliseconds an expectation is waited for, on a busy machine.
PATIENCE = 30_000
REPORT_BLOCKED = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP blocked ${event.violatedDirective}: ${event.blockedURI} on ${location.pathname}`));
"""


def chromium_program() -> str | None:
    """Return the browser that the system provides, or CHROMIUM's, or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory) -> Iterator[Browser]:
    """A running Chromium."""
    program = chromium_program()
    if program is None:
        pytest.skip("No Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM.")
    home = str(tmp_path_factory.mktemp("chromium-home"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            env={**os.environ, "HOME": home},
            # Root, in a container, has no user namespaces and little shared memory.
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium, site) -> Iterator[Callable[..., Page]]:
    """`new_page(**options)` opens a page in a browser profile of its own, at the site's address.

    The test fails at its end if a page threw an error or the content policy blocked something.
    """
    yield from complaining_pages(chromium, site.url)


def complaining_pages(chromium: Browser, url: str) -> Iterator[Callable[..., Page]]:
    """Yield what opens pages, then fail if one of them had something to complain of."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        context = chromium.new_context(base_url=url, locale="en-GB", **options)
        context.set_default_timeout(PATIENCE)
        context.add_init_script(REPORT_BLOCKED)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda line: _note(line.text, complaints))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _note(text: str, complaints: list[str]) -> None:
    if "CSP blocked" in text or "Content Security Policy" in text:
        complaints.append(text)


@pytest.fixture
def page(new_page) -> Page:
    """A page as wide as a desktop's."""
    return new_page(**DESKTOP)


@pytest.fixture
def phone(new_page) -> Page:
    """A page as wide as a phone's, touched instead of clicked."""
    return new_page(**PHONE)


@pytest.fixture
def axe() -> Callable[[Page], None]:
    """`axe(page)` fails the test unless the page passes WCAG 2.2 AA, as far as a program can tell."""

    def check(page: Page) -> None:
        options = {"runOnly": {"type": "tag", "values": WCAG_22_AA}}
        found = Axe().run(page, options=options)
        assert found.violations_count == 0, f"{page.url}\n{found.generate_report()}"

    return check


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Sign in by the page for it, as a person does."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "login" not in url)
