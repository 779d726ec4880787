"""What a newcomer is told: the greeting, and the pages of `help`."""

import os
import re

import pytest

from machine import TOP, have_busybox

PAGES = TOP + "/iso/root/usr/share/man"
NAMES = sorted(os.listdir(PAGES))


def page(name):
    with open(f"{PAGES}/{name}") as f:
        return f.read()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_a_screen_without_a_pager(name):
    lines = page(name).splitlines()
    assert len(lines) <= 23, "the prompt has a line, too"
    assert max(map(len, lines)) < 80


def test_the_index_names_each_page():
    assert sorted(re.findall(r"(?m)^    (\w+) ", page("index"))) == [n for n in NAMES if n != "index"]


@pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")
def test_what_the_greeting_and_the_pages_name_is_there(iso):
    greeting = iso.output()
    for command in ("vmlab", "faults", "memmap", "help"):
        assert re.search(rf"\n  {command}\b", greeting)
        assert iso.sh(f"type {command}").startswith(command)
    listed = set(re.findall(r"(?m)^(\w+) +\S", iso.sh("vmlab --list")))
    order = re.search(r"A good order: (.*?)\.", page("vmlab"), re.S)[1]
    assert set(re.findall(r"\w+", order)) - {"then"} <= listed
    options = set(re.findall(r"(?m)^  (?:\w+ )*(/proc/[a-z_]+)", page("proc"))) | {"/proc/pageout", "/proc/swaps"}
    assert iso.sh(f"ls {' '.join(sorted(options))} >/dev/null && echo all") == "all\n"


@pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")
def test_help(iso):
    assert iso.sh("help") == page("index")
    assert iso.sh("help memmap") == iso.sh("man memmap") == page("memmap")
    assert "Built-in commands" in iso.sh("command help")
    assert iso.sh("man nothing 2>&1; echo $?").splitlines()[-1] == "16"
    assert "no page" in iso.sh("man ../../../etc/motd 2>&1; true")
