"""Takes pictures of every page of a running demo, at each width, light and dark: `make screenshots`.

Needs `make run` in another terminal. Pictures go to var/screenshots/, one folder for each person.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

PASSWORD = "walk-with-stepwise"  # noqa: S105 - published on purpose, as portal/demo.py says
WIDTHS = (320, 390, 768, 1280)
SCHEMES = ("light", "dark")
ANYBODY = ("/", "/accounts/login/", "/accounts/password/reset/", "/invitation/new/", "/outbox/")
PATIENT = ("/today/", "/plan/", "/appointments/", "/messages/", "/settings/reminders/")
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
    options = parser.parse_args()
    program = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    if program is None:
        parser.error("No Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM.")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        for picture in take_all(browser, options.url, options.to):
            print(picture)  # noqa: T201 - progress on the terminal
        browser.close()


def take_all(browser: Browser, url: str, folder: Path) -> Iterator[Path]:
    """Sign in as each person once for each width and scheme, and picture every page."""
    for person, (email, paths) in PEOPLE.items():
        for width in WIDTHS:
            for scheme in SCHEMES:
                context = browser.new_context(
                    base_url=url,
                    viewport={"width": width, "height": 900},
                    color_scheme=scheme,
                    locale="en-GB",
                )
                page = context.new_page()
                if email:
                    sign_in(page, email)
                yield from take(page, paths, folder / person, f"{width}-{scheme}")
                context.close()


def sign_in(page: Page, email: str) -> None:
    """Sign in with the demo's password."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda address: "login" not in address)


def take(page: Page, paths: tuple[str, ...], folder: Path, kind: str) -> Iterator[Path]:
    """Picture each page in full."""
    for path in paths:
        page.goto(path)
        name = path.strip("/").replace("/", "-") or "home"
        file = folder / f"{name}-{kind}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=file, full_page=True)
        yield file


if __name__ == "__main__":
    main()
