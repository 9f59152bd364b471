"""Text that scripts write into pages that people write."""

from __future__ import annotations

from pathlib import Path


def write_between_marks(page: Path, text: str, *, mark: str) -> None:
    """Replace what stands between `<!-- begin MARK -->` and `<!-- end MARK -->` of a file.

    Raises:
        ValueError: a mark is missing or there twice.
    """
    begin, end = f"<!-- begin {mark} -->", f"<!-- end {mark} -->"
    content = page.read_text(encoding="utf-8")
    if content.count(begin) != 1 or content.count(end) != 1:
        raise ValueError(f"{page} should hold the lines {begin} and {end} once")
    head, _, rest = content.partition(begin)
    tail = rest.partition(end)[2]
    page.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}", encoding="utf-8")
