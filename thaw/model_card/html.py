"""Writes a model card down as one HTML page that needs no other file and runs no script."""

import base64
import html

from thaw.model_card.blocks import Block, Bullets, Card, Chart, Paragraph, Photos, Section, Table, printable

STYLE = """
:root { color-scheme: light dark; --ink: #1c2a30; --paper: #ffffff; --soft: #5b6b72; --line: #d5dcdf; --warn: #8a4b08; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eef1; --paper: #12191c; --soft: #a9b8be; --line: #34444b; --warn: #f0b36a; }
}
body { margin: 0 auto; max-width: 52rem; padding: 1.5rem 1rem 4rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: break-word; }
h1, h2 { line-height: 1.25; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .95rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
tbody th { min-width: 7rem; }
.facts td { overflow-wrap: anywhere; }
.photos { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: 1rem; padding: 0; }
figure { margin: 1rem 0; }
figcaption { color: var(--soft); font-size: .9rem; }
figure img { max-width: 100%; height: auto; }
figure svg { display: block; width: 100%; min-width: 32rem; }
.open { border: 2px dashed var(--warn); color: var(--warn); padding: .8rem 1rem; }
"""
# Nothing is fetched and nothing runs, whatever a name would have it do.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_html(card: Card) -> str:
    """Return the page."""
    body = "".join(map(_section, card.sections))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{_text(card.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{_text(card.title)}</h1>\n<p>{_text(card.lead)}</p>\n{body}</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    return f"<section>\n<h2>{_text(section.title)}</h2>\n{''.join(map(_write, section.blocks))}</section>\n"


def _write(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f'<p class="open">{_text(block.text)}</p>\n' if block.open_question else f"<p>{_text(block.text)}</p>\n"
    if isinstance(block, Bullets):
        return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in block.items)}</ul>\n"
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Chart):
        return (
            f'<figure><div class="wide" tabindex="0" role="region" aria-label="{_text(block.name)}">{block.svg}</div>'
            f"<figcaption>{_text(block.about)}</figcaption></figure>\n"
        )
    return _photos(block)


def _photos(block: Photos) -> str:
    shown = "".join(
        f'<figure><img src="data:image/jpeg;base64,{base64.b64encode(photo.jpeg).decode()}" '
        f'alt="{_text(photo.caption)}"><figcaption aria-hidden="true">{_text(photo.caption)}</figcaption></figure>'
        for photo in block.photos
    )
    return f'<div class="photos">{shown}</div>\n'


def _table(table: Table) -> str:
    heads = "".join(f'<th scope="col">{_text(column)}</th>' for column in table.columns)
    named = any(table.columns)
    rows = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>{"".join(f"<td>{_text(cell)}</td>" for cell in row[1:])}</tr>'
        for row in table.rows
    )
    head, kind = (f"<thead><tr>{heads}</tr></thead>", "") if named else ("", ' class="facts"')
    # A box that scrolls has to be reachable without a mouse.
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{_text(table.about)}"><table{kind}>'
        f"<caption>{_text(table.about)}</caption>{head}<tbody>{rows}</tbody></table></div>\n"
    )


def _text(text: str) -> str:
    return html.escape(printable(text))
