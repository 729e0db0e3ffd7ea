#!/usr/bin/env python3
"""Checks that every link within the Markdown files of this repository leads to a file or heading.

    tools/check_links.py [ROOT]    prints each dead link as file:line and exits 1, or the count

Links to other hosts are not followed.
"""

import pathlib
import re
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SKIPPED = {"build", ".git", "node_modules"}


def anchors(path):
    """The names under which the headings of a file can be linked."""
    headings = re.findall(r"^#+\s+(.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings}


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    root = root.resolve()
    links, dead = 0, []
    for path in sorted(root.rglob("*.md")):
        if SKIPPED & set(path.relative_to(root).parts):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for link in LINK.findall(line):
                if re.match(r"[a-z]+:", link):
                    continue
                links += 1
                name, _, anchor = link.partition("#")
                target = (path.parent / name) if name else path
                if not target.exists() or (
                        anchor and target.suffix == ".md" and anchor not in anchors(target)):
                    dead.append(f"{path.relative_to(root)}:{number}: nothing at '{link}'")
    print("\n".join([*dead, f"links: {links} followed, {len(dead)} dead"]))
    sys.exit(1 if dead else 0)


if __name__ == "__main__":
    main()
