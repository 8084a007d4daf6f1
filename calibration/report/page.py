"""One HTML page that needs nothing else: pictures are inside, there are no scripts."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from edge_sdk.errors import ConfigError

__all__ = ["Page"]

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2em auto;
  padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 1.8em; }
table { border-collapse: collapse; } td, th { padding: 2px 14px 2px 0; text-align: left;
  vertical-align: top; } th { font-weight: 600; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.row { display: flex; flex-wrap: wrap; gap: 18px; } figure { margin: 0; max-width: 100%; }
figcaption { font-size: 0.85em; color: #555; max-width: 480px; }
img { max-width: 100%; height: auto; border: 1px solid #ddd; }
.warning { background: #fff3cd; padding: 6px 12px;
  margin: 6px 0; border-left: 4px solid #e0a800; }
svg text { font: 11px system-ui, sans-serif; fill: #333; } svg.bars rect { fill: #4878a8; }
svg.curve polyline { fill: none; stroke: #4878a8; stroke-width: 2; }
svg.curve line { stroke: #999; }
"""


class Page:
    """A page that grows from top to bottom.

    Args:
        title: its heading.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts: list[str] = []

    def heading(self, text: str, note: str = "") -> None:
        """A section, with a sentence of explanation."""
        self._parts.append(f"<h2>{html.escape(text)}</h2>")
        if note:
            self._parts.append(f"<p>{html.escape(note)}</p>")

    def rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """Names and values."""
        body = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
            for name, value in rows
        )
        self._parts.append(f"<table>{body}</table>")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table of numbers."""
        head = "".join(f'<th class="n">{html.escape(h)}</th>' for h in header)
        body = "".join(
            "<tr>" + "".join(f'<td class="n">{html.escape(c)}</td>' for c in row) + "</tr>"
            for row in rows
        )
        self._parts.append(f"<table><tr>{head}</tr>{body}</table>")

    def warnings(self, warnings: Sequence[str]) -> None:
        """What limits the result."""
        self._parts += [f'<p class="warning">{html.escape(w)}</p>' for w in warnings]

    def figures(self, figures: Sequence[tuple[str, str]]) -> None:
        """Pictures (as HTML) with captions, side by side."""
        body = "".join(
            f"<figure>{picture}<figcaption>{html.escape(caption)}</figcaption></figure>"
            for picture, caption in figures
        )
        self._parts.append(f'<div class="row">{body}</div>')

    def write(self, path: str | Path) -> None:
        """Write the page.

        Raises:
            ConfigError: the file cannot be written.
        """
        title = html.escape(self._title)
        text = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f"<title>{title}</title><style>{_STYLE}</style></head>"
            f"<body><h1>{title}</h1>{''.join(self._parts)}</body></html>\n"
        )
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        except OSError as fault:
            partial.unlink(missing_ok=True)
            raise ConfigError(f"report cannot be written: {path}: {fault.strerror}") from fault
