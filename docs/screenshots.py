"""Takes pictures of every page of a running demo, at each width, light, dark and right to left: `make screenshots`.

Needs `make run` in another terminal. Pictures go to var/screenshots/, one folder for each person. Says what can be
measured as wrong on a page (page_faults.js; with --axe, what axe finds) and which did not come, and ends with 1 where
there was any. What was looked at stands in docs/screens.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import patient_screens
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from shots import Shot
from staff_screens import STAFF
from ways_in import link_mailed, sign_in, sign_in_by_code

Scheme = Literal["light", "dark"]
# Name, colour scheme, language: the last one is read from right to left.
KINDS: tuple[tuple[str, Scheme, str], ...] = (
    ("light", "light", "en-gb"),
    ("dark", "dark", "en-gb"),
    ("rtl", "light", "ar"),
)
# Staff read no Arabic, and work at desks and on tablets.
WIDTHS, STAFF_WIDTHS = (320, 390, 768, 1280), (820, 1280)
PEOPLE: dict[str, tuple[str, tuple[Shot, ...]]] = {
    **patient_screens.PEOPLE,
    **{role: (f"{role}@brackenfield.example", wanted) for role, wanted in STAFF.items()},
}
WITH_PASSWORD = {"patient", "parent", *STAFF}
NO_ROW = "has no such row"
PAGE_FAULTS = (Path(__file__).parent / "page_faults.js").read_text()
WCAG_22_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
EMPTY_AND_SEND = """form => {
  form.querySelectorAll("input:not([type=hidden]):not([type=radio]):not([type=checkbox]), textarea")
    .forEach(field => { field.value = ""; });
  form.noValidate = true;
  form.requestSubmit(form.querySelector("[type=submit]"));
}"""
SEND = """form => { form.noValidate = true; form.requestSubmit(form.querySelector("[type=submit]")); }"""
OPEN = "folds => folds.forEach(fold => { fold.open = true })"


@dataclass(frozen=True)
class Wanted:
    """What is asked for on the command line."""

    url: str
    to: Path
    people: list[str]
    pages: list[str]
    widths: list[int]
    kinds: list[str]
    with_axe: bool

    def kinds_for(self, person: str) -> list[tuple[str, Scheme, str]]:
        """The kinds of pictures to take of this person's pages."""
        kinds = KINDS[:2] if person in STAFF else KINDS
        return [kind for kind in kinds if not self.kinds or kind[0] in self.kinds]

    def widths_for(self, person: str) -> list[int]:
        """The widths, in pixels."""
        widths = STAFF_WIDTHS if person in STAFF else WIDTHS
        return [width for width in widths if not self.widths or width in self.widths]

    def shots_for(self, person: str) -> list[Shot]:
        """The pages of this person."""
        return [shot for shot in PEOPLE[person][1] if not self.pages or shot.name in self.pages]


def main() -> None:
    """Take all the pictures, saying which."""
    wanted, program = asked_for()
    faults = 0
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        for person in wanted.people:
            for picture, found in take_all(browser, wanted, person):
                faults += bool(found) and found != [NO_ROW]
                print(picture, *found, sep="\n    ", flush=True)  # noqa: T201 - progress on the terminal
        browser.close()
    sys.exit(1 if faults else 0)


def asked_for() -> tuple[Wanted, str]:
    """What to picture, and the browser's program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the demo runs")
    parser.add_argument("--to", type=Path, default=Path("var/screenshots"))
    several: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument("--only", **several, choices=PEOPLE, help="one person")
    parser.add_argument("--page", **several, help="one page, by its picture's name")
    parser.add_argument("--width", **several, type=int, help="one width, in pixels")
    parser.add_argument("--kind", **several, choices=[kind[0] for kind in KINDS], help="one kind")
    parser.add_argument("--axe", action="store_true", help="ask axe too, at the first width")
    asked = parser.parse_args()
    on_path = shutil.which("chromium") or shutil.which("google-chrome")
    program = os.environ.get("CHROMIUM") or on_path
    if program is None:
        parser.error("No Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM.")
    people = asked.only or list(PEOPLE)
    return Wanted(
        asked.url, asked.to, people, asked.page, asked.width, asked.kind, asked.axe
    ), program


def take_all(browser: Browser, wanted: Wanted, person: str) -> Iterator[tuple[str, list[str]]]:
    """Sign in as one person, once for all kinds, and picture every page at each width."""
    email = PEOPLE[person][0]
    state = None
    (wanted.to / person).mkdir(parents=True, exist_ok=True)
    for name, scheme, language in wanted.kinds_for(person):
        context = browser.new_context(
            base_url=wanted.url, color_scheme=scheme, locale=language, service_workers="block",
            storage_state=state, reduced_motion="reduce",
        )  # fmt: skip
        page = context.new_page()
        if email and state is None:
            (sign_in if person in WITH_PASSWORD else sign_in_by_code)(page, email)
            state = context.storage_state()
        choose_language(page, language)
        for shot in wanted.shots_for(person):
            yield from take(page, shot, wanted, person, name)
        choose_language(page, "en-gb")
        context.close()


def choose_language(page: Page, language: str) -> None:
    """Read the pages in this language from now on; who is signed in keeps it."""
    page.goto("/offline/")
    with page.expect_navigation():
        page.locator(f"footer [value='{language}']").first.click()


def take(
    page: Page, shot: Shot, wanted: Wanted, person: str, kind: str
) -> Iterator[tuple[str, list[str]]]:
    """Picture one page in full at each width, and tell what is wrong with it, as far as it can be measured."""
    if fault := go(page, shot):
        yield f"{person}/{shot.name} ({kind})", [fault]
        return
    widths = wanted.widths_for(person)
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        # As high as the page, so that what is fixed to the screen's edge covers nothing.
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": max(900, height)})
        file = wanted.to / person / f"{shot.name}-{width}-{kind}.png"
        page.screenshot(path=file, full_page=True)
        found = page.evaluate(PAGE_FAULTS)
        if wanted.with_axe and width == widths[0]:
            found += violations(page)
        yield str(file), found


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA, a line each."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG_22_AA}})
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


def go(page: Page, shot: Shot) -> str:
    """Bring the page to where it is to be pictured. Returns why it could not be, if so."""
    path = link_mailed(page.context, shot.path, shot.mailed) if shot.mailed else shot.path
    if not path:
        return NO_ROW
    answer = page.goto(path)
    if answer is not None and answer.status >= 500:
        return f"answered {answer.status}"
    if not all(follow(page, address) for address in shot.first):
        return NO_ROW
    if shot.opens:
        page.locator(shot.opens).evaluate_all(OPEN)
    if shot.sends and page.locator(shot.sends).count():
        send(page, page.locator(shot.sends).first, shot)
    return ""


def follow(page: Page, wanted: str) -> bool:
    """Go to the first link on the page that has such an address. Returns whether there is one."""
    links = page.locator("main a[href], #content a[href]")
    addresses = links.evaluate_all("rows => rows.map(row => row.getAttribute('href'))")
    found = next((one for one in addresses if re.search(wanted, one.split("?")[0])), None)
    if found is not None:
        page.goto(found)
    return found is not None


def send(page: Page, form: Locator, shot: Shot) -> None:
    """Send the form, filled in as the picture wants it, or else emptied."""
    for name, value in shot.fills:
        fill(form.locator(f"[name='{name}']").first, value)
    with page.expect_navigation():
        form.evaluate(SEND if shot.fills else EMPTY_AND_SEND)


def fill(field: Locator, value: str) -> None:
    """Fill a box, or choose from a menu."""
    if field.evaluate("field => field.tagName") == "SELECT":
        field.select_option(value)
    else:
        field.fill(value)


if __name__ == "__main__":
    main()
