#!/usr/bin/env python3
"""Checks the ranks and fences of superstep/LAYERS against the sources.

    tools/check_layers.py [ROOT]       prints each offence as file:line and exits 1, or what it saw
    tools/check_layers.py --self-test  runs it over small trees with known offences

What is checked: every #include "superstep/..." goes to a folder of lower rank or stays in its own,
and to a file that is there; every folder has a rank; a header from outside that has a fence is
included only by tests and by .cpp files of that fence; DEPENDS in a folder's CMakeLists.txt names
lower ranks.
"""

import pathlib
import re
import sys
import tempfile
import unittest

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
FOLDER_CALL = re.compile(r"superstep_folder\(\s*(\w+)([^)]*)\)")
KEYWORDS = {"DEPENDS", "LINK", "TEST_LINK", "EXCLUDE"}
FRONT_DOOR = "front_door"  # what lies in superstep/ itself belongs to this folder


def read_layers(path):
    """The two tables of LAYERS: {folder: rank} and [(header or prefix, folders)]."""
    ranks, fences, section = {}, [], None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if words in (["[ranks]"], ["[fences]"]):
            section = words[0]
        elif section == "[ranks]" and len(words) == 2 and words[0].isdigit():
            ranks[words[1]] = int(words[0])
        elif section == "[fences]" and len(words) >= 2:
            fences.append((words[0], set(words[1:])))
        else:
            raise SystemExit(f"{path}:{number}: wanted '[ranks]', 'rank folder', '[fences]' or "
                             f"'header folder...', got '{line.strip()}'")
    return ranks, fences


def folder_of(path):
    """The folder of a path below superstep/."""
    return path.parts[0] if len(path.parts) > 1 else FRONT_DOOR


def check_include(header, source, ranks, tree):
    """What is wrong with an include of ours, or None."""
    if not header.startswith("superstep/"):
        return f'"{header}": write includes of ours as "superstep/folder/file.h"'
    target = pathlib.PurePosixPath(header).relative_to("superstep")
    own, other = folder_of(source), folder_of(target)
    if other != own and (other not in ranks or ranks[other] >= ranks[own]):
        return (f"{own} (rank {ranks[own]}) includes {other} (rank {ranks.get(other, 'none')}); "
                "only lower ranks may be included")
    if not (tree / target).exists():
        return f'"{header}" is not there'
    return None


def check_fences(header, source, fences):
    """What is wrong with an include from outside, or None."""
    for prefix, folders in fences:
        if not header.startswith(prefix):
            continue
        if source.suffix != ".cpp":
            return f"<{header}> may stand in .cpp files only"
        # A test may make foreign bytes by hand.
        inside = any(f == "*" or source.is_relative_to(f) for f in folders)
        if not (inside or source.name.endswith("_test.cpp")):
            return f"<{header}> may be included in {', '.join(sorted(folders))} only"
    return None


def folder_of_target(name, ranks):
    """The folder of a library: cluster, and cluster_transport for the part of it in a folder below."""
    return name if name in ranks else name.rpartition("_")[0]


def check_cmake(text, ranks):
    """(line, offence) for each wrong DEPENDS."""
    text = re.sub(r"#.*", "", text)
    for call in FOLDER_CALL.finditer(text):
        name, words, keyword = call[1], call[2].split(), None
        line = text.count("\n", 0, call.start()) + 1
        own = folder_of_target(name, ranks)
        if own not in ranks:
            yield line, f"folder '{name}' has no rank in superstep/LAYERS"
            continue
        for word in words:
            if word in KEYWORDS:
                keyword = word
            elif keyword == "DEPENDS":
                folder = folder_of_target(word, ranks)
                part_of_it = folder == own and name != own and word == own
                if not part_of_it and ranks.get(folder, ranks[own]) >= ranks[own]:
                    yield line, (f"{name} (rank {ranks[own]}) DEPENDS on {word} "
                                 f"(rank {ranks.get(folder, 'none')}); only lower ranks may be named")


def check(root):
    """All offences of a tree as 'file:line: text', and the number of includes looked at."""
    tree = root / "superstep"
    ranks, fences = read_layers(tree / "LAYERS")
    offences, includes = [], 0
    for path in sorted(p for p in tree.rglob("*") if p.is_file()):
        source = path.relative_to(tree)
        shown = path.relative_to(root)
        if path.name == "CMakeLists.txt":
            offences += [f"{shown}:{n}: {o}" for n, o in check_cmake(path.read_text(), ranks)]
        if path.suffix not in (".h", ".cpp"):
            continue
        if folder_of(source) not in ranks:
            offences.append(f"{shown}:1: folder '{folder_of(source)}' has no rank in superstep/LAYERS")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            includes += 1
            # An outside header is held to its fence in either kind of quotes.
            offence = check_fences(found[2], source, fences)
            if offence is None and found[1] == '"':
                offence = check_include(found[2], source, ranks, tree)
            if offence:
                offences.append(f"{shown}:{number}: {offence}")
    return offences, includes


class SelfTest(unittest.TestCase):
    LAYERS = "[ranks]\n0 base\n1 tensor\n1 config\n7 front_door # door\n8 cli\n[fences]\nzlib.h base\nnlohmann/ *\n"

    def offences(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {"superstep/LAYERS": self.LAYERS, **files}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return check(root)[0]

    def one(self, files):
        offences = self.offences(files)
        self.assertEqual(len(offences), 1, offences)
        return offences[0]

    def test_going_down_and_staying_are_allowed(self):
        self.assertEqual(self.offences({
            "superstep/base/a.h": "#include <vector>\n",
            "superstep/tensor/b.h": '#include "superstep/base/a.h"\n#include "superstep/tensor/c.h"\n',
            "superstep/tensor/c.h": "",
            "superstep/superstep.h": '#include "superstep/front_door/d.h"\n',
            "superstep/front_door/d.h": '#include "superstep/tensor/b.h"\n',
            "superstep/cli/main.cpp": '#include "superstep/superstep.h"\n',
        }), [])

    def test_going_up_is_an_offence(self):
        self.assertEqual(
            self.one({"superstep/base/a.h": '\n#include "superstep/tensor/b.h"\n',
                      "superstep/tensor/b.h": ""}),
            "superstep/base/a.h:2: base (rank 0) includes tensor (rank 1); "
            "only lower ranks may be included")

    def test_the_same_rank_is_an_offence(self):
        self.assertIn("tensor (rank 1) includes config (rank 1)",
                      self.one({"superstep/tensor/a.h": '# include "superstep/config/b.h"\n',
                                "superstep/config/b.h": ""}))

    def test_the_front_door_is_above_the_folders(self):
        self.assertIn("tensor (rank 1) includes front_door (rank 7)",
                      self.one({"superstep/tensor/a.h": '#include "superstep/superstep.h"\n',
                                "superstep/superstep.h": ""}))

    def test_a_missing_file_is_an_offence(self):
        self.assertIn("is not there", self.one({"superstep/tensor/a.h": '#include "superstep/base/x.h"\n'}))

    def test_a_short_include_is_an_offence(self):
        self.assertIn("write includes of ours as", self.one({"superstep/base/a.h": '#include "b.h"\n'}))

    def test_a_folder_without_a_rank_is_an_offence(self):
        self.assertIn("folder 'odd' has no rank", self.one({"superstep/odd/a.cpp": ""}))

    def test_a_fence_holds_other_folders_out(self):
        self.assertIn("<zlib.h> may be included in base only",
                      self.one({"superstep/tensor/a.cpp": "#include <zlib.h>\n",
                                "superstep/tensor/a_test.cpp": "#include <zlib.h>\n",
                                "superstep/base/a.cpp": "#include <zlib.h>\n"}))

    def test_a_fence_holds_headers_out(self):
        self.assertIn("may stand in .cpp files only",
                      self.one({"superstep/base/a.h": "#include <nlohmann/json.hpp>\n",
                                "superstep/cli/a.cpp": "#include <nlohmann/json.hpp>\n"}))

    def test_depends_names_lower_ranks(self):
        self.assertIn("superstep/tensor/CMakeLists.txt:2: tensor (rank 1) DEPENDS on config (rank 1)",
                      self.one({"superstep/tensor/CMakeLists.txt":
                                "# tensors\nsuperstep_folder(tensor DEPENDS base config LINK cli)\n"}))

    def test_a_part_of_a_folder_depends_on_it_but_not_the_other_way_round(self):
        self.assertEqual(self.offences({
            "superstep/tensor/part/CMakeLists.txt": "superstep_folder(tensor_part DEPENDS tensor base)\n",
            "superstep/cli/CMakeLists.txt": "superstep_folder(cli DEPENDS tensor_part)\n"}), [])
        self.assertIn("tensor (rank 1) DEPENDS on tensor_part (rank 1)",
                      self.one({"superstep/tensor/CMakeLists.txt":
                                "superstep_folder(tensor DEPENDS tensor_part)\n"}))

    def test_a_fence_may_be_a_part_of_a_folder(self):
        self.LAYERS = self.LAYERS.replace("zlib.h base", "zlib.h tensor/part")
        self.assertIn("superstep/tensor/a.cpp:1: <zlib.h> may be included in tensor/part only",
                      self.one({"superstep/tensor/part/a.cpp": "#include <zlib.h>\n",
                                "superstep/tensor/a.cpp": "#include <zlib.h>\n"}))

    def test_a_line_of_LAYERS_that_cannot_be_read_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "LAYERS"
            path.write_text("[ranks]\nbase zero\n")
            with self.assertRaisesRegex(SystemExit, "LAYERS:2: wanted"):
                read_layers(path)


def main():
    if sys.argv[1:] == ["--self-test"]:
        unittest.main(argv=sys.argv[:1])
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    offences, includes = check(root.resolve())
    for offence in offences:
        print(offence)
    if includes == 0:
        raise SystemExit(f"{root}: no include was found: nothing was checked")
    print(f"layers: {includes} includes, {len(offences)} offences")
    sys.exit(1 if offences else 0)


if __name__ == "__main__":
    main()
