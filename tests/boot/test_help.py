"""What a newcomer is told: the greeting, and the pages of `help`."""

import os
import re
import subprocess

import pytest

from machine import INITRD, TOP, Machine, have_busybox

PAGES = TOP + "/iso/root/usr/share/man"
NAMES = sorted(os.listdir(PAGES))
SCRIPTS = sorted(f.name for f in os.scandir(TOP + "/scripts") if f.is_file() and os.access(f, os.X_OK))


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


@pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")
def test_a_strangers_ten_minutes(iso):
    """From the greeting, by what it and the pages name, to a page that arrives, one that is copied, and one that
    goes away and comes back: each in words, and in frame numbers that agree with the words."""
    named = set(re.findall(r"(?m)^  (vmlab \w+|faults \w+|memmap|help)\b", iso.output().replace("\r", "")))
    assert named == {"vmlab stack", "faults ls", "memmap", "help"}
    arrives = iso.sh("vmlab stack")
    assert "The kernel gave a frame of zeros" in " ".join(arrives.split())
    frames = re.findall(r"-> frame (\w+) wad  mapped 1 time", arrives)
    assert len(frames) == len(set(frames)) == 8
    assert re.search(r"write \w+  first touch of stack: zeroed frame \w+", iso.sh("faults ls 2>&1"))
    assert {"cow", "swap"} <= set(re.findall(r"\w+", iso.sh("help vmlab")))
    copied = iso.sh("vmlab cow")
    before, shared, read, copy, after = re.findall(r"-> frame (\w+)", copied)
    assert before == shared == read == after != copy
    assert "so the fault copies it" in copied
    evicted = iso.sh("vmlab swap")
    places = re.findall(r"-> (?:frame (\w+)|swap, slot (\d+))", evicted)
    assert places[0][0] and places[1][1] and places[2][0], "frame, slot, frame again"
    assert "row 1S of the fault table, from zram0:" in " ".join(evicted.split())
    for said in (arrives, copied, evicted):
        assert "WRONG" not in said
    assert iso.sh("memmap -1").count("K") > 0


@pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")
def test_the_size_of_the_window_is_known_at_login_and_after_resize(iso):
    assert re.search(iso.SIZE_ASKED, iso.output())
    assert iso.sh("stty size") == "24 80\n"
    iso.sh("stty rows 5 cols 5; resize")
    assert iso.sh("stty size") == "24 80\n"
    said, status = iso.run("resize </dev/null 2>&1")
    assert (said, status) == ("resize: the terminal does not say how large it is\n", 1)


@pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")
def test_a_line_where_nobody_answers_gets_its_shell(monkeypatch):
    monkeypatch.setattr(Machine, "SIZE_ASKED", "(?!)")
    with Machine.direct(INITRD) as m:
        m.prompt()
        assert m.run("resize")[1] == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_says_what_it_is_for_and_does_nothing_else(script, tmp_path):
    done = subprocess.run([f"{TOP}/scripts/{script}", "--help"], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=True)
    assert script in done.stdout or len(done.stdout.split()) > 10
    assert not done.stderr
    assert not os.listdir(tmp_path)
