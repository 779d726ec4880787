"""A machine in QEMU that a test types at and looks at, from outside.

Three ways in: the serial line (a pexpect object), the emulated keyboard (key events through QMP),
and the screen (the text memory of the VGA card, read through QMP). Waits end when what is waited
for is there; their limits are generous and only there to end a test that has failed.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import pexpect
import pexpect.fdpexpect

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "scripts"))
from newc import Archive  # noqa: E402
BUILD = os.path.join(TOP, os.environ.get("FAULTLINE_BUILD", "build"))
ISO = BUILD + "/faultline.iso"
KERNEL = BUILD + "/faultline.elf"
INITRD = BUILD + "/initrd.cpio"
DEBUG_KERNEL = BUILD + "/debug/faultline.elf"
CACHE = os.path.join(TOP, "build/cache/i386")
BUSYBOX = CACHE + "/busybox"
LINUX = CACHE + "/vmlinuz"
LIMIT = float(os.environ.get("FAULTLINE_TIMEOUT", "120"))

# QEMU's status where the kernel ends it through isa-debug-exit, as every test machine lets it.
POWERED_OFF, FAILED, PANICKED = 33, 35, 3

# What a person types -> the key that QEMU calls so, on a US keyboard.
KEYS = {" ": "spc", "\n": "ret", "\t": "tab", "\x1b": "esc", "\b": "backspace", "-": "minus",
        "=": "equal", "[": "bracket_left", "]": "bracket_right", ";": "semicolon", "'": "apostrophe",
        "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot", "/": "slash"}
SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./"))


def keys_for(char):
    if "\x01" <= char <= "\x1a" and char not in KEYS:
        return ["ctrl", chr(ord(char) + 96)]
    if char.isupper():
        return ["shift", char.lower()]
    if char in SHIFTED:
        return ["shift"] + keys_for(SHIFTED[char])
    return [KEYS.get(char, char)]


class Machine:
    gone = []  # what the machines of this test said that are closed already

    def __init__(self, *options, mem=64):
        self.dir = tempfile.mkdtemp(prefix="faultline-")
        command = ["--test", "-m", str(mem), "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off"]
        # Pipes, which hold 64 KiB: a socket is full after 270 single bytes.
        heard, self.keys = os.pipe()
        self.ears, said = os.pipe()
        self.qemu = subprocess.Popen([TOP + "/scripts/qemu", *command, *map(str, options)],
                                     stdin=heard, stdout=said, stderr=subprocess.PIPE)
        os.close(heard)
        os.close(said)
        self.line = pexpect.fdpexpect.fdspawn(self.ears, timeout=LIMIT, encoding="latin-1",
                                              maxread=65536)
        self.log = open(self.dir + "/serial.log", "w+", encoding="latin-1", newline="")
        self.line.logfile_read = self.log
        self.socket = None

    @classmethod
    def iso(cls, mem=64):
        m = cls("-cdrom", ISO, mem=mem)
        m.type("\r")  # the menu waits for it, or for five seconds
        return m

    @classmethod
    def direct(cls, initrd=None, append="console=ttyS0", kernel=KERNEL, mem=64, more=()):
        """-kernel and -initrd; initrd is a path, or the bytes of an archive."""
        machine_dir = None
        if isinstance(initrd, bytes):
            machine_dir = tempfile.mkdtemp(prefix="faultline-")
            path = machine_dir + "/initrd"
            with open(path, "wb") as f:
                f.write(initrd)
            initrd = path
        options = ["-kernel", kernel, "-append", append]
        if initrd:
            options += ["-initrd", initrd]
        m = cls(*options, *more, mem=mem)
        m.archive_dir = machine_dir
        return m

    def close(self):
        Machine.gone.append(self.output())
        self.qemu.kill()
        self.qemu.communicate()
        os.close(self.keys)
        os.close(self.ears)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        if getattr(self, "archive_dir", None):
            shutil.rmtree(self.archive_dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- The serial line

    SIZE_ASKED = r"\x1b\[999;999H\x1b\[6n\x1b8"

    def expect(self, pattern, limit=None):
        """Waits for a pattern on the serial line; returns the match. Who asks meanwhile how large the terminal is, is told."""
        while self.line.expect([self.SIZE_ASKED, pattern], timeout=limit or LIMIT) == 0:
            self.type("\x1b[24;80R")
        return self.line.match

    def type(self, text):
        os.write(self.keys, text.encode("latin-1"))

    def output(self):
        """All that the serial line has said, as text with Unix line ends."""
        self.log.flush()
        with open(self.log.name, encoding="latin-1", newline="") as f:
            return f.read().replace("\r", "")

    def wait(self, limit=None):
        """Waits for QEMU to end; returns its status."""
        self.line.expect(pexpect.EOF, timeout=limit or LIMIT)
        return self.qemu.wait(LIMIT)

    # ---- The monitor

    def qmp(self, command, **arguments):
        if self.socket is None:
            self._connect()
        message = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        self.socket.write(json.dumps(message) + "\n")
        self.socket.flush()
        while True:
            answer = json.loads(self.socket.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError(answer["error"])

    def _connect(self):
        s = socket.socket(socket.AF_UNIX)
        for _ in range(200):
            try:
                s.connect(self.dir + "/qmp")
                break
            except OSError:
                time.sleep(0.05)
        s.settimeout(LIMIT)
        self.socket = s.makefile("rw")
        self.socket.readline()
        self.qmp("qmp_capabilities")

    # ---- Keyboard and screen

    def press(self, *keys):
        """Presses keys together, by QEMU's names: press("ctrl", "c")."""
        self.qmp("send-key", keys=[{"type": "qcode", "data": k} for k in keys])

    def keyboard(self, text):
        """Types text. The emulated keyboard has a queue of 16 bytes: each key waits for its echo, as long
        as one may be expected."""
        for char in text:
            before = self.screen() if char.isprintable() and char != " " else None
            self.press(*keys_for(char))
            patience = time.monotonic() + 1
            time.sleep(0.02)
            while before and self.screen() == before and time.monotonic() < patience:
                time.sleep(0.02)

    def screen(self):
        """The 25 lines on the VGA screen."""
        path = self.dir + "/vga"
        self.qmp("pmemsave", val=0xB8000, size=4000, filename=path)
        with open(path, "rb") as f:
            cells = f.read()
        text = cells[::2].decode("cp437").replace("\0", " ")
        return [text[i * 80 : i * 80 + 80].rstrip() for i in range(25)]

    def attributes(self):
        """The colours of the 25 lines on the VGA screen."""
        path = self.dir + "/vga"
        self.qmp("pmemsave", val=0xB8000, size=4000, filename=path)
        with open(path, "rb") as f:
            cells = f.read()
        return [cells[i * 160 + 1 : i * 160 + 160 : 2] for i in range(25)]

    def await_screen(self, pattern, limit=None):
        """Waits until a pattern matches the screen's text; returns the match."""
        end = time.monotonic() + (limit or LIMIT)
        while True:
            text = "\n".join(self.screen())
            match = re.search(pattern, text, re.M)
            if match:
                return match
            if time.monotonic() > end:
                raise AssertionError(f"not on the screen: {pattern!r}\n{text}")
            time.sleep(0.1)

    def screenshot(self, path):
        self.qmp("screendump", filename=path, format="png")

    # ---- A shell on the serial line

    # The kernel may say something after it.
    PROMPT = r":[~/]\S*# (\x1b\[\d*[a-zA-Z])*(\r?\n?\[ *\d+\.\d+\] [^\n]*\n)*$"

    def prompt(self, limit=None):
        self.expect(self.PROMPT, limit)
        return self

    def run(self, command, limit=None):
        """Runs one line in the shell, from a prompt to the next; returns (output, status)."""
        self.type(f"echo '<'begin; {command}; echo '<'end $?\n")
        self.expect(r"<begin\r?\n", limit)
        status = int(self.expect(r"<end (\d+)\r?\n", limit)[1])
        output = self.line.before.replace("\r", "")
        self.prompt()
        return output, status

    def sh(self, command, limit=None):
        """Runs one line that must succeed; returns its output."""
        output, status = self.run(command, limit)
        assert status == 0, f"{command!r} ended with {status}:\n{output}"
        return output


def run_to_end(initrd, append="console=ttyS0 quiet panic=-1", kernel=KERNEL, mem=64, limit=None):
    """Boots, waits for the machine to go off; returns (what it printed, QEMU's status)."""
    with Machine.direct(initrd, append, kernel, mem) as m:
        status = m.wait(limit)
        return m.output(), status


def have_busybox():
    return os.path.exists(BUSYBOX)


def have_linux():
    return os.path.exists(LINUX)


def build_program(source, out, *flags):
    """A static program for the machine, of a source beside the tests."""
    subprocess.run(["gcc", "-m32", "-static", "-O1", "-std=gnu11", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-Wall",
                    "-Wextra", "-Werror", *flags, "-o", str(out), f"{TOP}/tests/boot/{source}"], check=True)


def counted(folder, source, *options, append="", flags=("-O2",), dirs=()):
    """What a program says that is init of a machine whose clock counts instructions (QEMU's -icount), so that time
    depends on nothing else; the program powers off."""
    build_program(source, f"{folder}/init", *flags)
    ar = Archive()
    ar.devices()
    for name in dirs:
        ar.dir(name)
    ar.copy("init", f"{folder}/init")
    with open(f"{folder}/initrd", "wb") as f:
        f.write(ar.bytes())
    return subprocess.run(
        [TOP + "/scripts/qemu", "--test", "-nodefaults", "-icount", "shift=0,sleep=off", *options, "-kernel", KERNEL,
         "-initrd", f"{folder}/initrd", "-append", f"console=ttyS0 panic=-1 {append}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=600).stdout.decode("latin-1")
