#!/usr/bin/env python3
"""Writes docs/config.md, and the table of docs/properties.md, from what the program itself says.

    tools/config_doc.py build/release/bin/superstep            writes them
    tools/config_doc.py build/release/bin/superstep --check    exits 1 when one is not up to date
"""

import os
import pathlib
import re
import subprocess
import sys

DOCS = pathlib.Path(__file__).parent.parent / "docs"
CONFIG = """# Every setting

Written by `tools/config_doc.py` from `superstep describe --defaults`; a test compares. The text is a job file that sets every key to
its default, and shows those that have none as comments. Later layers win: built-in values, the file that `SUPERSTEP_CONF` names, the
user's `~/.config/superstep.toml`, the job file, `--set section.key=value`. The value of `--set` is TOML, or else a plain text.
Keys of `[engine]` and `[output]`, paths, and `job.name` never change the model; all others may.

```toml
{}```
"""


def said(*arguments):
    # No settings of this machine.
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "SUPERSTEP_CONF")}
    return subprocess.run([sys.argv[1], *arguments], env=environment, check=True,
                          capture_output=True, text=True).stdout


def with_table(page, table):
    """The page with its table of keys, all lines that begin with | after `| key |`, replaced."""
    return re.sub(r"^\| key \|.*\n(\|.*\n)*", lambda _: table, page, count=1, flags=re.MULTILINE)


def main():
    properties = DOCS / "properties.md"
    pages = {DOCS / "config.md": CONFIG.format(said("describe", "--defaults")),
             properties: with_table(properties.read_text(), said("describe", "--properties"))}
    stale = [page for page, text in pages.items() if page.read_text() != text]
    for page in stale:
        if sys.argv[2:] == ["--check"]:
            print(f"{page.name} is not what the program says; write it anew: tools/config_doc.py "
                  "PROGRAM", file=sys.stderr)
        else:
            page.write_text(pages[page])
    return 1 if stale and sys.argv[2:] == ["--check"] else 0


sys.exit(main())
