"""Long system calls let others have the CPU: on a machine that counts instructions (-icount), how long each
kept it after a sleeper was to have it. What stands still all the same is reported by the watchdog."""

import re
import subprocess
import tempfile

import pytest

from machine import INITRD, KERNEL, Machine, runs_i386
from newc import Archive

HERE = __file__.rsplit("/", 1)[0]
LIMIT_INSTRUCTIONS = 1000000  # a millisecond


@pytest.fixture(scope="module")
def waits():
    """{call: (instructions, where)}"""
    if not runs_i386():
        pytest.skip("no i386 programs can be built here")
    ar = Archive()
    for folder in ("dev", "proc"):
        ar.dir(folder)
    ar.devices()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["gcc", "-m32", "-static", "-O1", "-D_GNU_SOURCE", "-Wno-unused-result", "-o", folder + "/init",
                        HERE + "/long_calls.c"], check=True)
        ar.copy("init", folder + "/init")
    with Machine.direct(ar.bytes(), "console=ttyS0 quiet panic=-1", kernel=KERNEL, mem=128,
                        more=("-icount", "shift=0")) as m:
        m.expect("=== done", limit=400)
        text = m.output()
    return {name: (int(n), rest) for name, n, rest in
            re.findall(r"call (\w+): (\d+) cycles(.*(?:\n  .*)*)", text)}


def test_long_calls_let_others_run(waits):
    assert len(waits) > 20
    slow = {name: w for name, w in waits.items() if w[0] > LIMIT_INSTRUCTIONS}
    assert not slow, "\n".join(f"{name}: {n}{where}" for name, (n, where) in slow.items())
