"""Staff pages that need the planner: one patient on one screen, booking, moving, visits, messages.

Each view fetches through the person's own scope, previews without writing, and acts once.
"""

from __future__ import annotations

from typing import Any

from reminders.staff_views import appointments, episodes, messages, patients

__all__ = ["add_pages"]


def add_pages(site: Any) -> None:
    """Serve every page of this package in the admin."""
    for module in (patients, episodes, appointments, messages):
        for route, view, name in module.PAGES:
            site.add_page(route, view, name)
