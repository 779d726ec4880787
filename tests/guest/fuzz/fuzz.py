#!/usr/bin/python3
"""Boots a debug kernel whose first program makes system calls at random (fuzz.c): prints what it says.

    tests/guest/fuzz/fuzz.py [--build build/debug] [--mem 32] [--cpus N] SEED [ROUNDS [CALLS]]

The status is not 0 when the machine panicked, stood still, lost memory, or showed a program what it
should not see; the same arguments try the same again.
"""

import argparse
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, "scripts"))
from newc import Archive  # noqa: E402


def archive(build):
    ar = Archive()
    for d in ("dev", "proc", "sys"):
        ar.dir(d)
    ar.dir("tmp", 0o1777)
    ar.devices()
    ar.copy("fuzz", f"{build}/guest/fuzz")
    return ar.bytes()


def fuzz(build, seed, rounds, calls, mem, timeout=900, cpus=1):
    """(whether all went well, what the machine said)"""
    with tempfile.NamedTemporaryFile(suffix=".cpio") as initrd:
        initrd.write(archive(build))
        initrd.flush()
        command = [f"{TOP}/scripts/qemu", "--test", "-m", str(mem), "-smp", str(cpus), "-kernel", f"{build}/faultline.elf",
                   "-initrd", initrd.name, "-append",
                   f"console=ttyS0 quiet panic=-1 init=/fuzz -- {seed} {rounds} {calls}"]
        try:
            p = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=timeout)
            said = p.stdout
        except subprocess.TimeoutExpired as e:
            said = (e.stdout or b"") + b"\nfuzz: the machine fell silent\n"
    said = said.decode("latin-1").replace("\r", "")
    return "\nfuzz: done\n" in "\n" + said, said


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--build", default=os.path.join(TOP, "build/debug"))
    p.add_argument("--mem", default=32, type=int)
    p.add_argument("--cpus", type=int, default=1, help="so many processors: then the order is not the same again")
    p.add_argument("seed", type=int)
    p.add_argument("rounds", type=int, nargs="?", default=4)
    p.add_argument("calls", type=int, nargs="?", default=1000)
    a = p.parse_args()
    well, said = fuzz(os.path.abspath(a.build), a.seed, a.rounds, a.calls, a.mem, cpus=a.cpus)
    print(said)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
