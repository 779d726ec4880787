"""What memmap -s tells on the second serial line is what /proc says; faults wait to be let by."""

import queue
import re
import socket
import threading
import time

import pytest

from machine import INITRD, Machine
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
        self.heard = queue.Queue()
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
                self.picture.feed(self.heard.get(timeout=0.05))
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
    for letter, kib in counts.items():
        assert abs(w.picture.frames.count(letter) - int(kib) // 4) <= 40, (letter, kib, counts)
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
