"""What the documents name is there."""

import glob
import os
import re
import subprocess

import pytest

from machine import TOP

PAGES = sorted(os.path.relpath(p, TOP) for p in glob.glob(TOP + "/*.md") + glob.glob(TOP + "/docs/**/*.md", recursive=True))
ROOMS = "arch|boot|docs|drivers|fs|iso|kernel|libc|mm|scripts|tests|user"
# What a page tells the reader to make, or what only a build has.
MADE = re.compile(r"tests/guest/NAME|tests/boot/test_x|tests/labs/(teacher/)?NAME|docs/pictures/")
with open(TOP + "/scripts/layers") as rooms:
    PLANNED = set(re.findall(r'"([\w/]+)"', rooms.read()))  # a room may be named before anything is in it


def named(page):
    """The paths in a page: in code quotes or as links. The examples of CONTRIBUTING.md make files of their own."""
    with open(os.path.join(TOP, page)) as f:
        text = re.sub(r"^```.*?^```$", "", f.read(), flags=re.S | re.M)
    folder = os.path.dirname(page)
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in link:
            yield os.path.normpath(os.path.join(folder, link))
    for path in re.findall(rf"`((?:{ROOMS})/[\w./{{}},*-]*)`", text):
        yield path


def expand(path):
    """{a,b} as the shell has it."""
    m = re.search(r"\{([^}]*)\}", path)
    return [path] if not m else [p for part in m[1].split(",") for p in expand(path[:m.start()] + part + path[m.end():])]


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_is_there(page):
    missing = [p for path in named(page) for p in expand(path)
               if not MADE.search(p) and p.rstrip("/") not in PLANNED and not glob.glob(os.path.join(TOP, p))]
    assert not missing


def test_every_file_that_a_comment_names_is_there():
    sources = [p for room in ("arch", "boot", "drivers", "fs", "kernel", "libc", "mm", "tests", "user")
               for p in glob.glob(f"{TOP}/{room}/**/*.[ch]", recursive=True)]
    names = {os.path.basename(p) for p in sources} | {os.path.basename(p) for p in glob.glob(TOP + "/**/*.asm", recursive=True)}
    stale = []
    for source in sources:
        with open(source) as f:
            comments = re.findall(r"/\*.*?\*/", f.read(), re.S)
        for path in re.findall(r"(?<![\w/.<*{,-])((?:[a-z_0-9]+/)*[a-z_0-9]+\.(?:c|h|asm))\b", "\n".join(comments)):
            if not path.startswith(("linux/", "asm/", "sys/")) and os.path.basename(path) not in names:
                stale.append(f"{os.path.relpath(source, TOP)}: {path}")
    assert not stale


def test_every_mutant_has_its_place():
    """make mutants takes too long for every day; whether it could run does not."""
    checked = subprocess.run(["/usr/bin/python3", "tests/host/mutants.py", "--check"], cwd=TOP, capture_output=True, text=True)
    assert checked.returncode == 0, "stale: " + checked.stderr
