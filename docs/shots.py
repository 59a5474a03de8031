"""What one picture is of, for `screenshots` and its lists."""

from __future__ import annotations

from dataclasses import dataclass

KEY = "[0-9a-f-]{36}"


@dataclass(frozen=True)
class Shot:
    """One picture. `first` is what addresses of rows look like: from page to page the first such link is followed.

    `sends` is a form on it to empty and send, so that its errors show; with `fills`, names and values, it is filled
    in instead, so that what comes before the deed shows. `opens` is a fold to open.
    """

    name: str
    path: str
    first: tuple[str, ...] = ()
    # What a link looks like that was mailed to the address that stands in `path` then.
    mailed: str = ""
    sends: str = ""
    opens: str = ""
    fills: tuple[tuple[str, str], ...] = ()


def shots(*paths: str) -> tuple[Shot, ...]:
    """Pictures of pages as they come, named by their addresses."""
    return tuple(Shot(path.strip("/").replace("/", "-") or "home", path) for path in paths)
