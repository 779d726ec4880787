"""Who computes gets its share of the processor beside others who do: a loop of fixed work beside 1, 5 and 20 that never
sleep takes as many times longer, within 10 %, be they processes, threads of one process or sessions. Time is
counted in instructions (QEMU's -icount)."""

import re

from machine import counted


def test_within_a_tenth(tmp_path):
    said = counted(tmp_path, "shares.c", "-m", "64", append="quiet", flags=("-O2", "-pthread"))
    assert "shares: done" in said, said[-2000:]
    alone = int(re.search(r"alone (\d+)", said)[1])
    rows = re.findall(r"beside (\w+) (\d+) (\d+)", said)
    assert len(rows) == 7
    off = {(kind, int(n)): int(took) / alone / (int(n) + 1) for kind, n, took in rows}
    assert all(0.9 <= share <= 1.1 for share in off.values()), off
