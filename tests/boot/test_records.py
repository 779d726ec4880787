"""What memmap -s tells on the second serial line is what /proc says; faults wait to be let by; the page reads it so."""

import glob
import gzip
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from machine import INITRD, KERNEL, TOP, Machine
from records import Picture


class Watcher:
    """The other end of the line."""

    def __init__(self, path):
        self.picture = Picture()
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(200):
            try:
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.05)
        self.heard, self.log = queue.Queue(), ""
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self):
        """All the time: QEMU drops what is not taken."""
        while (data := self.socket.recv(65536)):
            self.heard.put(data.decode())

    def say(self, command):
        self.socket.sendall(command.encode() + b"\n")

    def listen(self, done, seconds=30):
        """Until done() of the picture, at the end of one."""
        end = time.monotonic() + seconds
        while not (self.picture.pictures and not self.picture.rest and done(self.picture)):
            assert time.monotonic() < end, (self.picture.pictures, self.picture.faults[-3:])
            try:
                text = self.heard.get(timeout=0.05)
                self.log += text
                self.picture.feed(text)
            except queue.Empty:
                pass

    def more(self, pictures):
        goal = self.picture.pictures + pictures
        self.listen(lambda p: p.pictures >= goal)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("line") / "line")
    more = ["-serial", f"unix:{path},server=on,wait=on"]
    with Machine.direct(INITRD, "console=ttyS0 quiet records=/dev/ttyS1", more=more, mem=32) as m:
        w = Watcher(path)
        m.prompt()
        w.say("again")
        w.listen(lambda p: p.frames and p.frames.count("F") > 10)
        yield m, w


def test_the_picture_is_what_proc_says(watched):
    m, w = watched
    pid = int(re.search(r"<(\d+)>", m.sh("sleep 1000 & sleep 1; echo \\<$!\\>"))[1])
    w.say(f"watch {pid}")
    w.listen(lambda p: p.tables.get(pid))
    w.more(3)
    p = w.picture
    told = [f"{page << 12:08x} {frame:05x} {'w' if bits & 1 else '-'}{'a' if bits & 2 else '-'}"
            f"{'d' if bits & 4 else '-'} {'zero' if bits & 32 else 'file' if bits & 16 else 'anon'}"
            f"{' shared' if bits & 8 else ''}" for page, (frame, bits) in sorted(p.tables[pid].items())]
    entries = m.sh(f"cat /proc/{pid}/pagetable").splitlines()
    assert len(told) == len(entries) > 20
    assert [t[:18] for t in told] == [e[:18] for e in entries]  # who shares them changes with the shell's children
    assert p.texts["a"][pid] == m.sh(f"cat /proc/{pid}/maps").splitlines()
    assert p.texts["d"][pid] == m.sh(f"cat /proc/{pid}/pagedir").splitlines()
    assert p.processes[pid][1] == "sleep"
    for frame, bits in p.tables[pid].values():
        assert p.frames[frame] in ("FD" if bits & 16 else "K" if bits & 32 else "AC"), (hex(frame), bits)
    for line in p.texts["d"][pid]:
        assert p.frames[int(line.split()[2], 16)] == "T", line
    counts = dict(re.findall(r"([A-Z.]) [\w, -]+? (\d+) K\b", m.sh("memmap -1 | cat").replace("copy-on-write", "cow")))
    w.more(3)
    for letter, kib in counts.items():  # whoever counted had pages of his own
        assert abs(w.picture.frames.count(letter) - int(kib) // 4) <= 80, (letter, kib, counts)
    m.sh(f"kill {pid}")


def test_faults_wait_and_go_by_one_at_a_time(watched):
    m, w = watched
    w.say("rate 0")
    w.say("hold")
    w.listen(lambda p: p.held)
    m.type("vmlab cow >/tmp/said; echo '<'over\n")
    w.more(5)
    before = len(w.picture.faults)
    w.more(5)
    assert len(w.picture.faults) == before
    for _ in range(5):
        had = len(w.picture.faults)
        w.say("step")
        w.listen(lambda p: len(p.faults) > had)
        w.more(3)
        stands = len(w.picture.faults)  # those inside system calls passed
        w.more(3)
        assert len(w.picture.faults) == stands < before + 40
    w.say("rate 200")
    m.expect("<over\r?\n")
    m.prompt()
    words = " ".join(words for _, words in w.picture.faults)
    assert "write to a shared copy of anonymous memory: copied to frame" in words
    assert "last owner of anonymous memory: frame" in words
    w.say("go")
    w.listen(lambda p: not p.held)
    assert "0 with a wrong figure" in m.sh("cat /tmp/said")
    assert "violations 0" in m.sh("cat /proc/mm_check")


def test_the_gate_opens_when_its_watcher_goes(watched):
    m, w = watched
    assert m.run("echo step >/proc/faults")[1] != 0  # not held by this file
    w.say("rate 0")
    w.say("hold")
    w.listen(lambda p: p.held)
    m.type(f"kill -9 {w.picture.watcher}\n")
    w.say("rate 50")  # the shell itself waits
    m.prompt()
    assert m.sh("ls / | wc -l").strip()


# ---- The page


DECODE = """
import { Picture } from %r;
import { readFileSync } from "node:fs";
const p = new Picture(), text = readFileSync(0, "utf8");
for (let i = 0; i < text.length; i += 1000) p.feed(text.slice(i, i + 1000));
const tables = {};
for (const [pid, t] of p.tables) tables[pid] = [...t].map(([page, e]) => [page, e.frame, e.bits]).sort((a, b) => a[0] - b[0]);
console.log(JSON.stringify({ frames: p.frames.join(""), tables, hand: p.hand, pictures: p.pictures, faults: p.faults,
    areas: Object.fromEntries(p.areas), names: [...p.processes].map(([pid, q]) => [pid, q.parent, q.name]) }));
"""


@pytest.mark.skipif(not shutil.which("node"), reason="no node here")
def test_the_page_reads_records_as_we_do(watched):
    _, w = watched
    said = subprocess.run(["node", "--input-type=module", "-e", DECODE % (TOP + "/web/records.js")], input=w.log,
                          capture_output=True, text=True, check=True).stdout
    theirs, ours = json.loads(said), w.picture
    assert theirs["frames"] == "".join(ours.frames) and theirs["hand"] == ours.hand
    assert theirs["pictures"] > 20 and theirs["faults"] == len(ours.faults) > 50
    assert {int(pid): {page: (frame, bits) for page, frame, bits in t} for pid, t in theirs["tables"].items()} == ours.tables
    assert {int(pid): lines for pid, lines in theirs["areas"].items()} == ours.texts["a"]
    assert {pid: (parent, name) for pid, parent, name in theirs["names"]} == ours.processes


def test_what_the_page_uses_is_pinned():
    with open(TOP + "/web/package-lock.json") as f:
        packages = json.load(f)["packages"]
    with open(TOP + "/web/package.json") as f:
        wanted = json.load(f)
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert packages["node_modules/" + name]["version"] == version
    assert all("integrity" in p and "resolved" not in p for path, p in packages.items() if path)


def test_the_page_stays_small():
    """Ours, compressed; v86 and xterm.js take 0.7 MB more. (scripts/web checks the sum.)"""
    size = sum(os.path.getsize(path) for path in glob.glob(TOP + "/web/*"))
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run(["objcopy", "--strip-all", KERNEL, f.name], check=True)
        for path in (f.name, INITRD, "/usr/share/seabios/bios.bin"):
            if os.path.exists(path):
                with open(path, "rb") as g:
                    size += len(gzip.compress(g.read(), 9))
    assert size < 2_200_000, size
