"""mm/, the scheduler and their host tests, built by object and without make, for who changes one function and wants to know which
test notices: planted faults (mutants.py) and the labs (scripts/lab).

What was compiled once is kept, under a hash of its source and of every header, and so is a program, under that
of its objects: another version of one file costs one compilation and one link for each test that is run.
"""

import glob
import hashlib
import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

CC = ["gcc", "-m32", "-std=gnu11", "-w", "-O1", "-I.", "-DARCH_HOST", "-DCONFIG_DEBUG"]
ON_STAGE = ["test_faults", "test_space", "test_objects", "test_pagers", "test_memory", "test_share", "test_shelves", "test_interleaving"]
TESTS = [*ON_STAGE, "test_seeing", "test_swap", "test_served", "test_lz4"]
PROGRAMS = {t: [f"tests/host/{t}.c", "tests/host/check.c"] + ["tests/host/stage.c"] * (t in ON_STAGE)
            for t in [*TESTS, "test_failures"]}
PROGRAMS["test_interleaving"] += ["tests/host/several.c", "arch/i386/platform/shootdown.c"]
ALONE = {"test_scheduler": [f"kernel/thread/{f}.c" for f in ("sched", "runqueue", "balance")] +
         ["tests/host/test_scheduler.c", "tests/host/check.c"],
         "test_kernel_lock": ["arch/i386/platform/kernel_lock.c", "tests/host/test_kernel_lock.c", "tests/host/check.c"]}
PROGRAMS["fuzz"] = ["tests/host/fuzz.c"]
SUPPORT = ["arch/host/machine.c", "arch/i386/platform/shared_lock.c", "tests/host/program.c", "tests/host/port.c", "libc/string.c"]
HEADERS = ("arch", "libc", "mm", "kernel/thread", "tests/host")
KEPT_SECONDS = 24 * 3600


class DoesNotBuild(Exception):
    """The compiler's or linker's words."""


def digest(*parts):
    h = hashlib.sha256()
    for part in parts:
        h.update(part.encode() + b"\0")
    return h.hexdigest()[:24]


class Objects:
    """A tree, with some of its files replaced by other texts, and the folder that keeps what was built."""

    def __init__(self, kept, tree=".", replaced=None):
        self.kept = os.path.abspath(kept)
        self.tree = os.path.abspath(tree)
        self.replaced = replaced or {}
        self.headers = digest(*(self.text(h) for room in HEADERS for h in sorted(self.find(room, "h"))))
        os.makedirs(self.kept, exist_ok=True)
        self.cc = [*CC[:1], *self.other_headers(), *CC[1:]]

    def with_texts(self, replaced):
        """The same tree with other files replaced."""
        return Objects(self.kept, self.tree, replaced)

    def other_headers(self):
        """The option by which headers that are replaced are found before those of the tree."""
        replaced = [h for h in self.replaced if h.endswith(".h")]
        folder = f"{self.kept}/{self.headers}.headers"
        for h in replaced:
            os.makedirs(os.path.dirname(f"{folder}/{h}"), exist_ok=True)
            with open(f"{folder}/{h}", "w", encoding="utf-8") as f:
                f.write(self.text(h))
        return [f"-I{folder}"] if replaced else []

    def find(self, room, ending):
        return [os.path.relpath(p, self.tree) for p in glob.glob(f"{self.tree}/{room}/**/*.{ending}", recursive=True)]

    def read(self, path):
        with open(os.path.join(self.tree, path), encoding="utf-8") as f:
            return f.read()

    def text(self, source):
        return self.replaced.get(source) or self.read(source)

    def sources(self, program):
        return ALONE.get(program) or [*sorted(self.find("mm", "c")), *SUPPORT, *PROGRAMS[program]]

    def make(self, out, command):
        """Runs a compiler that writes out, unless that is there."""
        if os.path.exists(out):
            os.utime(out)
            return
        temporary = f"{out}.{os.getpid()}.{time.monotonic_ns()}"
        done = subprocess.run([*command, "-o", temporary], cwd=self.tree, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DoesNotBuild(done.stderr)
        os.rename(temporary, out)

    def compile(self, source):
        """The object of a source."""
        text = self.text(source)
        name = f"{self.kept}/{digest(source, text, self.headers, *CC)}"
        if not os.path.exists(name + ".c"):
            with open(name + ".c", "w", encoding="utf-8") as f:
                f.write(f'#line 1 "{source}"\n{text}')
        self.make(name + ".o", [*self.cc, "-c", name + ".c"])
        return name + ".o"

    def program(self, name):
        """The path of a test program."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(self.compile, self.sources(name)))
        out = f"{self.kept}/{name}.{digest(*objects)}"
        self.make(out, [*CC, *objects])
        return out

    def run(self, name, *args, only=None, limit=600):
        """Runs a program, or one of its tests. What it said, None: all was well."""
        command = ["scripts/run-i386", self.program(name), *map(str, args)]
        env = dict(os.environ, ONLY=only) if only else None
        try:
            done = subprocess.run(command, cwd=self.tree, env=env, capture_output=True, text=True, errors="replace",
                                  timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            return f"does not end within {limit} seconds"
        if done.returncode < 0:
            return f"{done.stderr}it crashed: {signal.Signals(-done.returncode).name}"
        return None if done.returncode == 0 else done.stderr + done.stdout

    def emulated(self):
        """Whether the programs run in an emulator, and so some twenty times slower."""
        return subprocess.run(["scripts/run-i386", "--native", "/lib/ld-linux.so.2", "--version"], cwd=self.tree, capture_output=True,
                              check=False).returncode != 0

    def prune(self):
        """Forgets what nobody has used for a day."""
        for path in glob.glob(self.kept + "/*"):
            if os.stat(path).st_mtime >= time.time() - KEPT_SECONDS:
                continue
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
