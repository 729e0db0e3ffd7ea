#!/usr/bin/env python3
"""Writes docs/config.md from what the program itself says of its settings.

    tools/config_doc.py build/release/bin/superstep            writes it
    tools/config_doc.py build/release/bin/superstep --check    exits 1 when it is not up to date
"""

import os
import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "config.md"
TEXT = """# Every setting

Written by `tools/config_doc.py` from `superstep describe --defaults`; a test compares. The text is a job file that sets every key to
its default, and shows those that have none as comments. Later layers win: built-in values, the file that `SUPERSTEP_CONF` names, the
user's `~/.config/superstep.toml`, the job file, `--set section.key=value`. The value of `--set` is TOML, or else a plain text.
Keys of `[engine]` and `[output]`, paths, and `job.name` never change the model; all others may.

```toml
{}```
"""


def main():
    # No settings of this machine.
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "SUPERSTEP_CONF")}
    said = subprocess.run([sys.argv[1], "describe", "--defaults"], env=environment, check=True,
                          capture_output=True, text=True).stdout
    page = TEXT.format(said)
    if sys.argv[2:] != ["--check"]:
        PAGE.write_text(page)
        return 0
    if PAGE.read_text() == page:
        return 0
    print(f"{PAGE.name} is not what the program says; write it anew: tools/config_doc.py PROGRAM",
          file=sys.stderr)
    return 1


sys.exit(main())
