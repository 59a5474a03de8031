"""Takes pictures of every page of a running demo, at each width, light, dark and right to left: `make screenshots`.

Needs `make run` in another terminal. Pictures go to var/screenshots/, one folder for each person. Says which
pages are wider than the screen, and ends with 1 where one is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

PASSWORD = "walk-with-stepwise"  # noqa: S105 - published on purpose, as portal/demo.py says
WIDTHS = (320, 390, 768, 1280)
# Name, colour scheme, language: the last one is read from right to left.
KINDS = (("light", "light", "en-gb"), ("dark", "dark", "en-gb"), ("rtl", "light", "ar"))
ANYBODY = (
    "/", "/accounts/login/", "/accounts/login/code/", "/accounts/password/reset/", "/invitation/new/",
    "/invitation/asked/", "/invitation/no-such-link/", "/unsubscribe/no-such-link/", "/offline/", "/nothing-here/",
    "/outbox/",
)  # fmt: skip
PATIENT = (
    "/today/", "/plan/", "/appointments/", "/appointments/calendar/", "/messages/", "/check-in/",
    "/check-in/history/", "/exercises/", "/smoke-free/", "/smoke-free/plan/", "/x-rays/", "/consents/", "/guide/",
    "/settings/reminders/", "/who-can-see/", "/accounts/2fa/", "/accounts/password/change/",
)  # fmt: skip
STAFF = (
    "/admin/", "/admin/patients/patient/", "/admin/patients/patient/add/", "/admin/patients/episode/",
    "/admin/patients/appointment/", "/admin/reminders/reminder/", "/admin/reminders/message/",
    "/admin/sending/", "/admin/procedures/pathwayversion/", "/admin/procedures/disagreement/",
    "/admin/procedures/slot/",
)  # fmt: skip
PEOPLE: dict[str, tuple[str, tuple[str, ...]]] = {
    "nobody": ("", ANYBODY),
    "patient": ("alex@patients.example", PATIENT),
    "parent": ("sam@patients.example", PATIENT),
    "clerk": ("clerk@brackenfield.example", STAFF),
    "manager": ("manager@brackenfield.example", STAFF),
}


def main() -> None:
    """Take all the pictures, saying which."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the demo runs")
    parser.add_argument("--to", type=Path, default=Path("var/screenshots"))
    parser.add_argument("--only", action="append", default=[], choices=PEOPLE, help="one person")
    options = parser.parse_args()
    program = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    if program is None:
        parser.error("No Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM.")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        too_wide = 0
        for picture, is_too_wide in take_all(browser, options.url, options.to, options.only):
            too_wide += is_too_wide
            print(picture, "WIDER THAN THE SCREEN" if is_too_wide else "")  # noqa: T201 - progress on the terminal
        browser.close()
    sys.exit(1 if too_wide else 0)


def take_all(
    browser: Browser, url: str, folder: Path, only: list[str]
) -> Iterator[tuple[Path, bool]]:
    """Sign in as each person once for each kind, and picture every page at each width."""
    for person, (email, paths) in PEOPLE.items():
        if only and person not in only:
            continue
        for name, scheme, language in KINDS:
            context = browser.new_context(
                base_url=url, color_scheme=scheme, locale=language, service_workers="block"
            )
            page = context.new_page()
            if email:
                sign_in(page, email)
            choose_language(page, language)
            yield from take(page, paths, folder / person, name)
            choose_language(page, "en-gb")
            context.close()


def choose_language(page: Page, language: str) -> None:
    """Read the pages in this language from now on; who is signed in keeps it."""
    page.goto("/offline/")
    with page.expect_navigation():
        page.locator(f"footer [value='{language}']").first.click()


def sign_in(page: Page, email: str) -> None:
    """Sign in with the demo's password."""
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(email)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main form [type=submit]").first.click()
    page.wait_for_url(lambda address: "login" not in address)


def take(
    page: Page, paths: tuple[str, ...], folder: Path, kind: str
) -> Iterator[tuple[Path, bool]]:
    """Picture each page in full at each width, and tell whether it has to be scrolled sideways."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        page.goto(path)
        name = path.strip("/").replace("/", "-") or "home"
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            file = folder / f"{name}-{width}-{kind}.png"
            page.screenshot(path=file, full_page=True)
            yield file, page.evaluate("document.documentElement.scrollWidth > innerWidth")


if __name__ == "__main__":
    main()
