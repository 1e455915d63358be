#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks each rule of check_tree.py once, in a small tree, and sees the finding."""
import pathlib
import subprocess
import tempfile
import unittest

import check_tree

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
OPEN = check_tree.OPEN_WORK
CLEAN = {
    check_tree.ARROWS_PAGE: "# Map\n```arrows\nbase ->\ncodec -> base\ntlog -> base\ncli -> all\n```\n",
    "src/aftune/base/hex.h": SPDX + "#include <string>\n#include <sys/stat.h>\n",
    "src/aftune/base/hex.cc": SPDX + '#include "aftune/base/hex.h"\n#include <fmt/format.h>\n',
    "src/aftune/base/CMakeLists.txt": "aftune_module(\n  NAME base\n  SRCS hex.cc)\n",
    "src/aftune/codec/json.h": SPDX + '#include "aftune/base/hex.h"\n',
    "src/aftune/codec/internal/tree.h": SPDX + "#include <nlohmann/json.hpp>\n",
    "src/aftune/codec/json_test.cc":
        SPDX + '#include "aftune/tlog/note.h"\nTEST(Json, TruncatedTextIsRefused) {}\n',
    "src/aftune/codec/CMakeLists.txt":
        "aftune_module(\n  NAME codec\n  TESTS json_test.cc\n  DEPS base\n  TEST_DEPS tlog)\n",
    "src/aftune/tlog/note.h": SPDX,
    "docs/README.md": "[map](design/modules.md#top) [out](https://example.org)\n",
    "tools/run": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n",
    "data/rows.jsonl": '{"a": 1}\n{"a": 2}\n',
}


def findings(changes, release=False):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        for name, text in {**CLEAN, **changes}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return check_tree.findings_of(folder, release)


class CheckTree(unittest.TestCase):
    def refuses(self, changes, what, release=False):
        found = findings(changes, release)
        self.assertTrue(any(what in text for _, _, text in found), f"{what!r} not in {found}")

    def test_a_clean_tree_has_no_findings(self):
        self.assertEqual(findings({}), [])

    def test_an_upward_include_is_refused(self):
        self.refuses({"src/aftune/base/hex.h": SPDX + '#include "aftune/codec/json.h"\n'},
                     "base must not include codec")

    def test_a_test_may_include_only_what_test_deps_name(self):
        self.refuses({"src/aftune/codec/CMakeLists.txt":
                      "aftune_module(NAME codec TESTS json_test.cc DEPS base)"},
                     "codec must not include tlog")

    def test_an_upward_link_is_refused(self):
        self.refuses({"src/aftune/base/CMakeLists.txt":
                      "aftune_module(NAME base SRCS hex.cc DEPS codec LIBS fmt)"},
                     "base must not link codec")

    def test_a_module_outside_the_map_is_refused(self):
        self.refuses({"src/aftune/extra/x.h": SPDX}, "module extra is not in")

    def test_a_missing_map_is_refused(self):
        self.refuses({check_tree.ARROWS_PAGE: "# Map\n"}, "no ```arrows block")

    def test_foreign_internal_headers_are_closed(self):
        self.refuses({"src/aftune/cli/main.cc":
                      SPDX + '#include "aftune/codec/internal/tree.h"\n'}, "are closed to others")

    def test_third_party_headers_stay_out_of_public_headers(self):
        for header in ("nlohmann/json.hpp", "openssl/evp.h", "zstd.h", "CLI/CLI.hpp", "blake3.h"):
            self.refuses({"src/aftune/codec/json.h": SPDX + f"#include <{header}>\n"},
                         f"third-party header <{header}>")

    def test_a_test_outside_the_build_is_refused(self):
        self.refuses({"src/aftune/codec/more_test.cc": SPDX}, "it is not built")
        self.refuses({"tests/more_test.cc": SPDX}, "it is not built")

    def test_an_unnamed_kind_of_open_work_is_refused(self):
        self.refuses({"src/aftune/tlog/note.h": SPDX + f"// {OPEN}: later\n"}, f"write {OPEN}(")
        self.refuses({"src/aftune/tlog/note.h": SPDX + f"// {OPEN}(me): later\n"}, f"write {OPEN}(")
        self.refuses({"src/aftune/tlog/note.h": SPDX + "// FIX" + "ME later\n"}, f"write {OPEN}(")

    def test_a_release_refuses_open_security_work(self):
        change = {"src/aftune/tlog/note.h": SPDX + f"// {OPEN}(security): check the key\n"}
        self.assertEqual(findings(change), [])
        self.refuses(change, "a release refuses", release=True)

    def test_a_file_without_licence_is_refused(self):
        self.refuses({"src/aftune/tlog/note.h": "#pragma once\n"}, "first line is not // SPDX")
        self.refuses({"tools/run": "#!/bin/sh\ntrue\n"}, "no line # SPDX")

    def test_names_that_say_nothing_are_refused(self):
        for name in ("Works", "Test2", "TestRoundTrip", "ItWorks", "Basic"):
            self.refuses({"src/aftune/codec/json_test.cc": SPDX + f"TEST(Json, {name}) {{}}\n"},
                         "does not say what it does")
        for name in ("round_trip", "roundTrip", "Round_Trip"):
            self.refuses({"src/aftune/codec/json_test.cc": SPDX + f"TEST_F(Json,\n  {name}) {{}}\n"},
                         "is not in CamelCase")

    def test_an_empty_test_file_is_refused(self):
        self.refuses({"src/aftune/codec/json_test.cc": SPDX}, "holds no test")

    def test_paths_of_one_machine_are_refused(self):
        for path in ("/ho" + "me/ann/x", "/tm" + "p/run", "/Us" + "ers/ann"):
            self.refuses({"docs/README.md": f"see {path}\n"}, "path of one machine")

    def test_the_path_of_the_checkout_is_refused(self):
        pattern = check_tree.machine_paths("/srv/builds/tree")
        self.assertTrue(pattern.search("see /srv/builds/shared"))
        self.assertFalse(pattern.search("see a/srv/builds/shared"))

    def test_a_dead_link_is_refused(self):
        self.refuses({"docs/README.md": "[gone](gone.md)\n"}, "dead link to gone.md")
        self.refuses({"src/aftune/tlog/note.h": SPDX + "// docs/formats/gone.md\n"},
                     "there is no docs/formats/gone.md")

    def test_a_broken_row_is_refused(self):
        self.refuses({"data/rows.jsonl": '{"a": 1}\n{"a": \n'}, "is no JSON")


if __name__ == "__main__":
    unittest.main()
