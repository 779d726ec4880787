#!/usr/bin/python3
"""Runs the guest tests natively and on Faultline and compares what they print.

    tests/guest/run.py [--build build] [--mem 96] [--linux vmlinuz] [--native] [--keep] [--append OPTIONS] [--show]
                       [--cpus N] [NAME...]

Each test is one static i386 Linux binary, built once: what Linux prints is the truth. It is kept in
tests/guest/transcripts, each headed by the hash of the source it is of. Where that has changed, Debian's
i386 kernel in QEMU says what is right (build/cache/i386/vmlinuz, `scripts/fetch-i386 linux`), without it
this machine's own; --keep keeps it. --native prefers this machine: its Linux may be another one, so its
word is not kept. A test that says CHANGES_THE_MACHINE never runs on it, and the others run there in
namespaces of their own for mounts and System V objects. Tests called hostile_* run on Faultline only and
are compared with NAME.expected. All run in one boot, and after each one the kernel audits its memory.
--linux boots that kernel instead of Faultline, to check the tests themselves.
"""

import argparse
import ctypes
import difflib
import errno
import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
MIB = 1 << 20
LINUX_MEM = 256      # in MiB, as all that is called mem
ARCHIVE_MEM = 16     # of it the programs may take so much
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
KEPT = f"{HERE}/transcripts"
LINUX = f"{TOP}/build/cache/i386/vmlinuz"
sys.path.insert(0, os.path.join(TOP, "scripts"))
from newc import Archive  # noqa: E402


def test_names():
    return sorted(f[:-2] for f in os.listdir(HERE) if f.endswith(".c"))


def status_text(code):
    return f"signal {-code}" if code < 0 else f"exit {code}"


CLONE_NEWNS, CLONE_NEWIPC = 0x20000, 0x8000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def own_namespaces():
    """What root mounts or leaves behind in a test is gone after it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWIPC) == 0:
        libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)


def default_signals():
    """As init has them on Faultline, also where we were started with nohup."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def prepare_test():
    default_signals()
    own_namespaces()


def run_native(binary, timeout=120):
    """The lines that the test prints on this machine, and how it ends."""
    with tempfile.TemporaryDirectory(prefix="guest-") as where, tempfile.TemporaryFile() as out:
        p = subprocess.Popen([binary], cwd=where, stdin=subprocess.DEVNULL, stdout=out,
                             stderr=subprocess.STDOUT, start_new_session=True,
                             env={"HOME": "/", "PATH": "/bin:/usr/bin"}, preexec_fn=prepare_test)
        try:
            status = status_text(p.wait(timeout))
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            status = "timeout"
        out.seek(0)
        return out.read().decode("latin-1").splitlines() + [status]


def runs_here(binary):
    """Whether this machine executes the binary at all."""
    try:
        run_native(binary)
    except OSError as e:
        if e.errno != errno.ENOEXEC:
            raise
        return False
    return True


def run_emulated(build, names):
    """What Linux prints in QEMU: {name: lines}."""
    got, _ = parse(boot(build, names, LINUX_MEM, LINUX))
    return {name: without_audit(lines) for name, lines in got.items() if name}


def without_audit(lines):
    return [line for line in lines if not line.startswith("=== mm_check")]


def source_hash(name):
    with open(f"{HERE}/{name}.c", "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def kept(name):
    """The transcript that was kept for the test as it is now, or None."""
    try:
        with open(f"{KEPT}/{name}", encoding="latin-1") as f:
            head, *lines = f.read().split("\n")[:-1]
    except FileNotFoundError:
        return None
    return lines if head == source_hash(name) else None


def keep(name, lines):
    os.makedirs(KEPT, exist_ok=True)
    with open(f"{KEPT}/{name}", "w", encoding="latin-1") as f:
        f.write("\n".join([source_hash(name), *lines]) + "\n")


def changes_the_machine(name):
    with open(f"{HERE}/{name}.c", encoding="utf-8") as f:
        return "\nCHANGES_THE_MACHINE(" in f.read()


def may_run_here(build, names):
    """Those of the tests that this machine's Linux can run, and may."""
    if not names or not runs_here(f"{build}/guest/image"):
        return []
    return [n for n in names if not changes_the_machine(n) and not n.startswith("hostile_")]


def linux_says(build, names):
    """{name: lines} by Debian's Linux in QEMU, or by this machine's where that cannot be had."""
    here = may_run_here(build, names) if not os.path.exists(LINUX) else []
    elsewhere = [n for n in names if n not in here]
    said = run_emulated(build, elsewhere) if elsewhere else {}
    return said | {n: run_native(f"{build}/guest/{n}") for n in here}


def expectations(build, names):
    """{name: the lines that are right}."""
    ordinary = [n for n in names if not n.startswith("hostile_")]
    right = {n: expected(n) for n in names if n not in ordinary} | {n: kept(n) for n in ordinary}
    unknown = [n for n in ordinary if right[n] is None]
    said = linux_says(build, unknown) if unknown else {}
    return right | {n: said.get(n, ["(did not run on Linux)"]) for n in unknown}


def expected(name):
    path = f"{HERE}/{name}.expected"
    if not os.path.exists(path):
        return [f"(no {name}.expected)"]
    with open(path) as f:
        return f.read().splitlines() + ["exit 0"]


def archive(build, names):
    ar = Archive()
    for d in ("dev", "proc", "sys", "tests"):
        ar.dir(d)
    ar.dir("tmp", 0o1777)
    ar.devices()
    ar.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    ar.copy("init", f"{build}/guest/init")
    for name in names:
        ar.copy(f"tests/{name}", f"{build}/guest/{name}")
    return ar.bytes()


def boot(build, names, mem, kernel=None, timeout=600, machine=(), append=""):
    """The serial line's output of one boot that runs the tests. However many they are, they find the same memory:
    what the archive takes beyond ARCHIVE_MEM comes on top."""
    programs = archive(build, names)
    mem += max(0, len(programs) // MIB + 1 - ARCHIVE_MEM)
    with tempfile.NamedTemporaryFile(suffix=".cpio") as initrd, \
            tempfile.TemporaryFile("w+", encoding="latin-1", newline="") as line:
        initrd.write(programs)
        initrd.flush()
        command = [f"{TOP}/scripts/qemu", "--test", "-m", str(mem), "-kernel",
                   kernel or f"{build}/faultline.elf", "-initrd", initrd.name, "-append",
                   f"console=ttyS0 quiet panic=-1 {append}", *machine]
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=line, stderr=subprocess.STDOUT, timeout=timeout)
        except subprocess.TimeoutExpired:
            pass
        line.seek(0)
        return line.read().replace("\r", "")


def parse(output):
    """{name: lines}, and the serial line's lines that belong to no transcript."""
    results, noise, name = {}, [], None
    for line in output.split("\n"):
        if line.startswith("=== done"):
            results[""] = []
        elif re.match(r"=== (exit \d|signal \d|timeout$)", line) and name:
            results[name].append(line[4:])
        elif line.startswith("=== mm_check") and name:
            results[name].append(line)
        elif line.startswith("=== "):
            name = line[4:]
            results[name] = []
        elif line.startswith("| ") and name:
            results[name].append(line[2:])
        elif line.strip():
            noise.append(line)
    return results, noise


def compare(build, names, mem=96, kernel=None, machine=(), append="", native=False, timeout=600):
    """[(name, None or a diff)] and the console's other lines. machine: further options of QEMU,
    append: of the kernel."""
    right = expectations(build, names)
    if native:
        right |= {n: run_native(f"{build}/guest/{n}") for n in may_run_here(build, names)}
    output = boot(build, names, mem, kernel, timeout, machine, append)
    got, noise = parse(output)
    outcome = []
    for name in names:
        want, have = right[name], got.get(name, ["(did not run)"])
        if kernel:
            have = without_audit(have)
        diff = list(difflib.unified_diff(want, have, "expected", "got", lineterm="", n=1))
        outcome.append((name, "\n".join(diff) if diff else None))
    if "" not in got:
        outcome.append(("machine", "the machine did not come to the end:\n" + output[-3000:]))
    return outcome, noise


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--build", default=os.path.join(TOP, "build"))
    p.add_argument("--mem", default=96, type=int)
    p.add_argument("--linux", metavar="VMLINUZ")
    p.add_argument("--cpus", type=int, default=1, help="so many processors")
    p.add_argument("--append", default="", help="more options for the kernel")
    p.add_argument("--show", action="store_true", help="the kernel's own lines too")
    p.add_argument("--native", action="store_true", help="compare with this machine's Linux")
    p.add_argument("--keep", action="store_true", help="run the tests on Linux alone and keep what it says")
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    names = a.names or [n for n in test_names() if not (a.linux or a.keep) or not n.startswith("hostile_")]
    if a.keep:
        for name, lines in linux_says(os.path.abspath(a.build), names).items():
            keep(name, lines)
        return 0
    outcome, noise = compare(os.path.abspath(a.build), names, a.mem, a.linux, append=a.append, native=a.native,
                             machine=("-smp", str(a.cpus)) if a.cpus > 1 else ())
    if a.show:
        print("\n".join(noise))
    for name, diff in outcome:
        print(f"{'FAIL' if diff else 'ok  '} {name}")
        if diff:
            print(diff)
    bad = sum(1 for _, diff in outcome if diff)
    print(f"guest tests: {len(outcome) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
