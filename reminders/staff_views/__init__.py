"""Staff pages that need the planner: one patient on one screen, booking, moving, visits, messages.

Each view fetches through the person's own scope, previews without writing, and acts once.
"""

from __future__ import annotations

from typing import Any

from reminders.staff_views.appointments import PAGES as APPOINTMENT_PAGES
from reminders.staff_views.days import PAGES as DAY_PAGES
from reminders.staff_views.episodes import PAGES as EPISODE_PAGES
from reminders.staff_views.exercises import PAGES as EXERCISE_PAGES
from reminders.staff_views.holds import PAGES as HOLD_PAGES
from reminders.staff_views.merging import PAGES as MERGING_PAGES
from reminders.staff_views.messages import PAGES as MESSAGE_PAGES
from reminders.staff_views.operating import PAGES as OPERATING_PAGES
from reminders.staff_views.patients import PAGES as PATIENT_PAGES
from reminders.staff_views.previews import PAGES as PREVIEW_PAGES
from reminders.staff_views.simulator import PAGES as SIMULATOR_PAGES
from reminders.staff_views.timeline import PAGES as TIMELINE_PAGES
from reminders.staff_views.versions import PAGES as VERSION_PAGES
from reminders.staff_views.worklists import PAGES as WORKLIST_PAGES
from reminders.staff_views.xrays import PAGES as XRAY_PAGES


def add_pages(site: Any) -> None:
    """Serve every page of this package in the admin."""
    pages = (
        *PATIENT_PAGES,
        *EPISODE_PAGES,
        *EXERCISE_PAGES,
        *DAY_PAGES,
        *HOLD_PAGES,
        *OPERATING_PAGES,
        *TIMELINE_PAGES,
        *APPOINTMENT_PAGES,
        *MERGING_PAGES,
        *MESSAGE_PAGES,
        *PREVIEW_PAGES,
        *SIMULATOR_PAGES,
        *VERSION_PAGES,
        *WORKLIST_PAGES,
        *XRAY_PAGES,
    )
    for route, view, name in pages:
        site.add_page(route, view, name)
