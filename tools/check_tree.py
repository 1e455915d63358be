#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules about the text of the tree: arrows, headers, test names, licences, links, paths.

usage: tools/check_tree.py [--release] [ROOT]

Prints one line a finding, FILE:LINE: TEXT, and exits 1 if there is any. With --release the two
kinds of TO-DO that a release refuses are findings too. tools/check_tree_test.py breaks each rule.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

OPEN_WORK = "TO" + "DO"  # in two parts, so that this file passes its own rule
ARROWS_PAGE = "docs/design/modules.md"
# Headers of the system that a public header may include; everything else with a dot or a slash in
# its name is somebody's library.
SYSTEM_HEADER = re.compile(r"^([a-z0-9_]+|(unistd|fcntl|immintrin|arm_neon)\.h|sys/[a-z]+\.h)$")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
TEST = re.compile(r"^\s*(?:TYPED_)?TEST(?:_[FP])?\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.M)
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[0-9]+")


def files_of(root):
    """What git tracks or would add, sorted."""
    out = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, capture_output=True).stdout.decode()
    return sorted({n for n in out.split("\0") if n and os.path.isfile(os.path.join(root, n))})


class Tree:
    def __init__(self, root):
        self.root = root
        self.findings = []
        self.text = {}
        for name in files_of(root):
            data = pathlib.Path(root, name).read_bytes()
            if b"\0" not in data[:8192]:
                self.text[name] = data.decode("utf-8", "replace")

    def say(self, name, offset, what):
        line = self.text[name].count("\n", 0, offset) + 1 if name in self.text else 1
        self.findings.append((name, line, what))

    def sources(self, *endings):
        return [n for n in self.text if n.endswith(endings or (".h", ".cc"))]


def is_test(name):
    return name.endswith(("_test.cc", "_testing.h", "_testing.cc"))


def module_of(name):
    parts = name.split("/")
    return parts[2] if name.startswith("src/aftune/") and len(parts) > 3 else None


def read_arrows(tree):
    """The table `from -> to ...` in the block that begins with ```arrows."""
    block = re.search(r"^```arrows\n(.*?)^```", tree.text.get(ARROWS_PAGE, ""), re.M | re.S)
    if not block:
        tree.say(ARROWS_PAGE, 0, "has no ```arrows block")
        return {}
    arrows = {}
    for line in block.group(1).splitlines():
        source, _, targets = line.partition("->")
        arrows[source.strip()] = set(targets.split())
    if "all" in arrows.get("cli", ()):
        arrows["cli"] = set(arrows)
    return arrows


def listed(tree, folder, keyword):
    """The words after `keyword` in the folder's aftune_module(...) call."""
    text = tree.text.get(f"{folder}/CMakeLists.txt", "")
    words = re.search(rf"aftune_module\([^)]*?\b{keyword}\s+([^)]*)", text)
    if not words:
        return set()
    return set(re.split(r"\s[A-Z_]{3,}(?:\s|$)", " " + words.group(1) + " ")[0].split())


def check_arrows(tree):
    arrows = read_arrows(tree)
    for name in tree.sources():
        module = module_of(name)
        if module is None:
            continue
        if module not in arrows:
            tree.say(name, 0, f"module {module} is not in {ARROWS_PAGE}")
            continue
        allowed = arrows[module] | {module}
        if is_test(name):
            allowed |= listed(tree, f"src/aftune/{module}", "TEST_DEPS")
        for found in INCLUDE.finditer(tree.text[name]):
            target = module_of("src/" + found.group(2))
            if target is None:
                continue
            if target not in allowed:
                tree.say(name, found.start(), f"{module} must not include {target}")
            if "/internal/" in found.group(2) and target != module:
                tree.say(name, found.start(), f"internal headers of {target} are closed to others")
    for module, targets in arrows.items():
        for target in sorted(listed(tree, f"src/aftune/{module}", "DEPS") - targets):
            tree.say(f"src/aftune/{module}/CMakeLists.txt", 0, f"{module} must not link {target}")


def check_public_headers(tree):
    for name in tree.sources(".h"):
        if module_of(name) is None or "/internal/" in name or is_test(name):
            continue
        for found in INCLUDE.finditer(tree.text[name]):
            bracket, header = found.groups()
            if bracket == "<" and not SYSTEM_HEADER.match(header):
                tree.say(name, found.start(), f"third-party header <{header}> in a public header")
            if bracket == '"' and not header.startswith("aftune/"):
                tree.say(name, found.start(), f'"{header}" is not spelt from aftune/ on')
            if "/internal/" in header:
                tree.say(name, found.start(), "internal header in a public header")


def check_built(tree):
    """Each test, and each source of a module, is named by a CMakeLists.txt above it."""
    lists = {n: set(re.findall(r"[\w./+-]+", tree.text[n]))
             for n in tree.text if n.endswith("CMakeLists.txt")}
    for name in tree.sources(".cc"):
        if not name.endswith("_test.cc") and module_of(name) is None:
            continue
        folders = [str(p) for p in pathlib.PurePosixPath(name).parents]
        if not any(os.path.relpath(name, f) in lists.get(os.path.join(f, "CMakeLists.txt")
                                                         if f != "." else "CMakeLists.txt", ())
                   for f in folders):
            tree.say(name, 0, "is in no CMakeLists.txt: it is not built")


def check_comments(tree, release):
    kinds = r"\((security|format|perf|test)\): \S"
    for name in tree.sources(".h", ".cc", ".py", ".sh", ".cmake", "CMakeLists.txt", "tools/check",
                             "tools/setup", "tools/test", "tools/build", ".ci/run"):
        text = tree.text[name]
        for found in re.finditer(rf"\b{OPEN_WORK}\b", text):
            kind = re.match(kinds, text[found.end():found.end() + 40])
            if not kind:
                tree.say(name, found.start(), f"write {OPEN_WORK}(security|format|perf|test): what")
            elif release and kind.group(1) in ("security", "format"):
                tree.say(name, found.start(), f"a release refuses {OPEN_WORK}({kind.group(1)})")
        for found in re.finditer(r"\b(?:FIX" + r"ME|XX" + r"X)\b", text):
            tree.say(name, found.start(), f"write {OPEN_WORK}(kind): what")


def check_licence(tree):
    spdx = "SPDX-License-Identifier: Apache-2.0"
    for name, text in tree.text.items():
        if name.endswith((".h", ".cc")):
            if text.split("\n", 1)[0] != f"// {spdx}":
                tree.say(name, 0, f"first line is not // {spdx}")
        elif text.startswith("#!") or name.endswith((".py", ".sh")):
            if f"# {spdx}" not in text.split("\n")[:3]:
                tree.say(name, 0, f"no line # {spdx} at the top")


def check_test_names(tree):
    for name in tree.sources(".cc"):
        # A *_self_test.cc is a part of the program: kernels prove themselves before they are used.
        named_test = name.endswith("_test.cc") and not name.endswith("_self_test.cc")
        if named_test and not TEST.search(tree.text[name]):
            tree.say(name, 0, "holds no test")
        for found in TEST.finditer(tree.text[name]):
            subject, sentence = found.groups()
            words = WORDS.findall(sentence)
            plain = re.sub(r"(?<=\d)_(?=\d)", "", subject + sentence)  # Q4_0 is a name
            if "_" in plain or not (subject[0] + sentence[0]).isupper():
                tree.say(name, found.start(), f"{subject}.{sentence} is not in CamelCase")
            elif len(words) < 2 or words[0] == "Test" or sentence in ("ItWorks", "IsOk"):
                tree.say(name, found.start(), f"{subject}.{sentence} does not say what it does")


def machine_paths(root):
    """A pattern of paths that exist on one machine only: homes, temporary files, this checkout."""
    shared = {"/", "/tmp", "/usr", "/opt", "/var", "/srv", "/home", "/mnt", "/usr/src"}
    own = {os.path.realpath(root), os.path.dirname(os.path.realpath(root)),
           os.path.expanduser("~")} - shared
    exact = "|".join(re.escape(p) + r"(?=/|\b)" for p in sorted(own) if len(p) > 3)
    parts = [r"/(?:home|Users)/\w", r"/tm" + r"p/[\w.]"] + ([exact] if exact else [])
    return re.compile(r"(?<![\w.$}/-])(?:" + "|".join(parts) + ")")


def check_paths(tree):
    pattern = machine_paths(tree.root)
    for name, text in tree.text.items():
        for found in pattern.finditer(text):
            tree.say(name, found.start(), f"path of one machine: {found.group()}")


def check_links(tree):
    known = set(tree.text) | {str(p) for n in tree.text for p in pathlib.PurePosixPath(n).parents}
    for name, text in tree.text.items():
        if name.endswith(".md"):
            for found in re.finditer(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", text):
                target = os.path.normpath(os.path.join(os.path.dirname(name), found.group(1)))
                if target not in known:
                    tree.say(name, found.start(), f"dead link to {found.group(1)}")
        elif name.endswith((".h", ".cc", ".cmake", "CMakeLists.txt")):
            for found in re.finditer(r"\bdocs/[\w/.-]+\.md\b", text):
                if found.group() not in known:
                    tree.say(name, found.start(), f"there is no {found.group()}")


def check_json(tree):
    for name, text in tree.text.items():
        rows = {"json": [text], "jsonl": text.splitlines()}.get(name.rpartition(".")[2], [])
        if "/hostile/" in name:  # inputs that must be refused
            continue
        for index, row in enumerate(rows):
            try:
                json.loads(row)
            except ValueError as error:
                tree.findings.append((name, index + 1, f"is no JSON: {error}"))


def findings_of(root, release=False):
    tree = Tree(root)
    if not tree.text:
        return [(str(root), 0, "no files found")]
    check_arrows(tree)
    check_public_headers(tree)
    check_built(tree)
    check_comments(tree, release)
    check_licence(tree)
    check_test_names(tree)
    check_paths(tree)
    check_links(tree)
    check_json(tree)
    return sorted(tree.findings)


def main(arguments):
    release = "--release" in arguments
    roots = [a for a in arguments if a != "--release"]
    root = roots[0] if roots else str(pathlib.Path(__file__).resolve().parent.parent)
    found = findings_of(root, release)
    for name, line, what in found:
        print(f"{name}:{line}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
