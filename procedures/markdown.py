"""Markdown of the catalogue as safe HTML and as readable plain text. HTML inside it is never let through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

LINK_SCHEMES = ("http://", "https://", "tel:", "mailto:")


def is_safe_link(url: str) -> bool:
    """Whether a text may link there: web addresses, phone numbers and mail addresses only."""
    return url.strip().lower().startswith(LINK_SCHEMES)


def _parser(*, html: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": html}).disable("image")
    parser.validateLink = is_safe_link  # type: ignore[method-assign]  # its own way to be told
    return parser


_PARSER = _parser(html=False)
_STRICT_PARSER = _parser(html=True)


def to_html(source: str) -> str:
    """HTML for a page or a mail. Raw HTML is shown as text; a link elsewhere stays plain text."""
    return _PARSER.render(source)


def to_text(source: str) -> str:
    """Plain text for a mail: paragraphs, lists with hyphens or numbers, links with their address behind."""
    return _blocks(SyntaxTreeNode(_PARSER.parse(source)).children).strip()


def faults(source: str) -> list[str]:
    """What a catalogue text must not hold: raw HTML (the first piece of it), links to anywhere unsafe, pictures."""
    tags = [
        f"raw HTML “{token.content.strip()[:40]}”"
        for token in _flat(_STRICT_PARSER.parse(source))
        if token.type in ("html_inline", "html_block")
    ]
    found = tags[:1]
    if "](" in source and _unlinked(source):
        found.append("a link that is not http, https, tel or mailto")
    return found


def _flat(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _unlinked(source: str) -> bool:
    return any(t.type == "text" and "](" in t.content for t in _flat(_PARSER.parse(source)))


def _blocks(nodes: Sequence[SyntaxTreeNode], gap: str = "\n\n") -> str:
    return gap.join(_BLOCKS.get(node.type, _paragraph)(node) for node in nodes)


def _paragraph(node: SyntaxTreeNode) -> str:
    if node.type == "inline":
        return "".join(_inline(child) for child in node.children)
    if not node.children:
        return node.content.rstrip("\n") if node.token else ""
    return _blocks(node.children)


def _bullets(node: SyntaxTreeNode) -> str:
    return "\n".join(_item(child, "- ") for child in node.children)


def _numbers(node: SyntaxTreeNode) -> str:
    first = int(node.attrs.get("start", 1))
    return "\n".join(_item(child, f"{first + i}. ") for i, child in enumerate(node.children))


def _item(node: SyntaxTreeNode, sign: str) -> str:
    lines = _blocks(node.children, gap="\n").splitlines()
    return sign + ("\n" + " " * len(sign)).join(lines)


_BLOCKS: dict[str, Callable[[SyntaxTreeNode], str]] = {
    "bullet_list": _bullets,
    "ordered_list": _numbers,
    "hr": lambda node: "---",
}


def _inline(node: SyntaxTreeNode) -> str:
    if node.type in ("softbreak", "hardbreak"):
        return " " if node.type == "softbreak" else "\n"
    if node.type == "link":
        return _link(node)
    if node.children:
        return "".join(_inline(child) for child in node.children)
    return node.content


def _link(node: SyntaxTreeNode) -> str:
    label = "".join(_inline(child) for child in node.children)
    address = str(node.attrs.get("href", ""))
    shown = address.removeprefix("tel:").removeprefix("mailto:")
    return label if shown in label else f"{label} ({shown})"
