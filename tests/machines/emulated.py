"""An emulated machine of any make: QEMU with whatever options, or Bochs. What a test does with it is
the same: wait for a prompt, type, look at what comes back, see how it ends.

The way to type and to look is the serial line; where there is none, the keyboard and the screen.
"""

import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tty

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/boot"))
from machine import BUILD, INITRD, ISO, KERNEL, keys_for

OVMF = "/usr/share/OVMF/"
FIRMWARE = {
    "BIOS": (),
    "UEFI 64": (OVMF + "OVMF_CODE_4M.fd", OVMF + "OVMF_VARS_4M.fd"),
    "UEFI 32": (OVMF + "OVMF32_CODE_4M.secboot.fd", OVMF + "OVMF32_VARS_4M.fd"),
}
BOCHS_BIOS = "/usr/share/bochs/BIOS-bochs-latest"
BOCHS_VGABIOS = "/usr/share/bochs/VGABIOS-lgpl-latest"
PROMPT = re.compile(r"(?:^|\n)\S*# (\x1b\[\d*[a-zA-Z])*$")


class Dead(Exception):
    """The machine did not do what was waited for; the text says what it did."""


class Serial:
    """A serial line whose other end is a socket or a terminal."""

    def __init__(self, fd):
        self.fd = fd
        self.text = ""

    def pump(self, seconds):
        if self.fd in select.select([self.fd], [], [], seconds)[0]:
            try:
                self.text += os.read(self.fd, 65536).decode("latin-1").replace("\r", "")
            except OSError:
                time.sleep(seconds)

    def type(self, text):
        """A few characters at a time, as a UART takes them."""
        for i in range(0, len(text), 8):
            os.write(self.fd, text[i:i + 8].encode())
            self.pump(0.01)


class Machine:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="faultline-")
        self.process = self.line = None

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def text(self):
        return self.line.text

    def pump(self, seconds):
        self.line.pump(seconds)

    def type(self, text):
        self.line.type(text)

    def wait_for(self, pattern, limit, start=0):
        """Waits until pattern is in what came after position start; returns the match."""
        end = time.monotonic() + limit
        pattern = re.compile(pattern) if isinstance(pattern, str) else pattern
        while True:
            match = pattern.search(self.text()[start:])
            if match:
                return match
            if self.process.poll() is not None:
                raise Dead(f"the machine ended ({self.process.returncode})")
            if time.monotonic() > end:
                raise Dead(f"nothing like {pattern.pattern!r} within {limit:.0f} s")
            self.pump(0.2)

    def settle(self, quiet=0.5, limit=10):
        """Waits until nothing new has been said for a while: a kernel message on a serial line takes
        milliseconds, in which a UART loses what is typed."""
        end = time.monotonic() + limit
        said, since = self.text(), time.monotonic()
        while time.monotonic() < min(end, since + quiet):
            self.pump(0.1)
            if self.text() != said:
                said, since = self.text(), time.monotonic()

    def wait_end(self, limit):
        end = time.monotonic() + limit
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise Dead(f"the machine still runs after {limit:.0f} s")
            self.pump(0.1)


class Qemu(Machine):
    """boot: "kernel", "CD", "disk", "USB ehci" or "USB xhci"."""

    def __init__(self, options=(), mem=64, firmware="BIOS", boot="kernel", serial=True, append="",
                 iso=ISO, kernel=KERNEL, initrd=INITRD):
        super().__init__()
        self.screen_only = not serial
        command = [self._program(firmware), "-accel", "tcg", "-nic", "none", "-no-reboot", "-display",
                   "none", "-monitor", "none", "-m", str(mem),
                   "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off"]
        command += self._firmware(firmware) + self._medium(boot, iso, kernel, initrd, append)
        command += [str(o) for o in options]
        its = None
        if serial:
            ours, its = socket.socketpair()
            command += ["-chardev", "stdio,id=line,signal=off", "-serial", "chardev:line"]
            self.socket = ours
            self.line = Serial(ours.fileno())
        else:
            command += ["-serial", "none"]
        self.errors = open(self.dir + "/errors", "w+")
        self.process = subprocess.Popen(command, stdin=its or subprocess.DEVNULL,
                                        stdout=its or subprocess.DEVNULL, stderr=self.errors)
        if its:
            its.close()
        self._connect()

    @staticmethod
    def _program(firmware):
        return "qemu-system-x86_64" if firmware == "UEFI 64" else "qemu-system-i386"

    def _firmware(self, firmware):
        if firmware == "BIOS":
            return []
        code, variables = FIRMWARE[firmware]
        shutil.copy(variables, self.dir + "/vars")
        secure = ["-M", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"]
        return (secure if "32" in firmware else ["-M", "q35"]) + [
            "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
            "-drive", f"if=pflash,format=raw,unit=1,file={self.dir}/vars"]

    @staticmethod
    def _medium(boot, iso, kernel, initrd, append):
        if boot == "kernel":
            return ["-kernel", kernel, "-initrd", initrd, "-append", "console=tty1 console=ttyS0 " + append]
        if boot == "CD":
            return ["-cdrom", iso]
        drive = f"if=none,id=medium,format=raw,file={iso},snapshot=on"
        device = {"disk": ["-device", "ide-hd,drive=medium,bootindex=1"],
                  "USB ehci": ["-device", "usb-ehci", "-device", "usb-storage,drive=medium,bootindex=1"],
                  "USB xhci": ["-device", "qemu-xhci", "-device", "usb-storage,drive=medium,bootindex=1"]}
        return ["-drive", drive, *device[boot]]

    def _connect(self):
        s = socket.socket(socket.AF_UNIX)
        for _ in range(200):
            try:
                s.connect(self.dir + "/qmp")
                break
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        else:
            raise Dead("QEMU does not answer")
        if self.process.poll() is not None:
            self.errors.seek(0)
            raise Dead("QEMU refuses: " + self.errors.read().strip()[-200:])
        s.settimeout(20)
        self.qmp_socket = s
        self.control = s.makefile("rw")
        self.events = []
        self.control.readline()
        self.qmp("qmp_capabilities")

    def qmp(self, command, **arguments):
        message = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        self.control.write(json.dumps(message) + "\n")
        self.control.flush()
        while True:
            line = self.control.readline()
            if not line:
                raise Dead("QEMU has ended")
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError(answer["error"])
            self.events.append(answer)

    def _take_events(self):
        """What QEMU has said by itself, also at its end, which may come any time."""
        try:
            while select.select([self.qmp_socket], [], [], 0)[0]:
                line = self.control.readline()
                if not line:
                    return
                self.events.append(json.loads(line))
        except OSError:
            pass

    def why_it_ended(self):
        """QEMU's reason: guest-shutdown, guest-reset, guest-panic, ..."""
        self._take_events()
        for event in self.events:
            if event.get("event") == "SHUTDOWN":
                return event["data"]["reason"]
        return "unknown"

    # ---- The screen and the keyboard, where there is no serial line

    def text(self):
        if not self.screen_only:
            return self.line.text
        path = self.dir + "/vga"
        self.qmp("pmemsave", val=0xB8000, size=4000, filename=path)
        with open(path, "rb") as f:
            text = f.read()[::2].decode("cp437").replace("\0", " ")
        lines = [text[i * 80:i * 80 + 80].rstrip() for i in range(25)]
        return "\n".join(lines).rstrip("\n") + " "

    def pump(self, seconds):
        self._take_events()
        if self.screen_only:
            time.sleep(min(seconds, 0.05))
        else:
            super().pump(seconds)

    def press(self, *keys):
        self.qmp("send-key", keys=[{"type": "qcode", "data": k} for k in keys])
        time.sleep(0.03)

    def type(self, text):
        if not self.screen_only:
            super().type(text)
            return
        for char in text:
            self.press(*keys_for(char))

    def screenshot(self, path):
        self.qmp("screendump", filename=path, format="png")

    def end(self):
        self.process.wait(20)
        return self.why_it_ended()


class Bochs(Machine):
    """Debian's Bochs has a debugger, which is told to go on, and wants some screen: VNC, where nobody
    looks. The serial line is a terminal of ours. Without a dummy for sound its mixer overflows a buffer
    where the host has none, and glibc aborts it."""

    def __init__(self, cpu="p3_katmai", mem=64, boot="CD", iso=ISO):
        super().__init__()
        ours, self.theirs = pty.openpty()
        tty.setraw(self.theirs)
        self.line = Serial(ours)
        config = [
            f"megs: {mem}", f"romimage: file={BOCHS_BIOS}", f"vgaromimage: file={BOCHS_VGABIOS}",
            'display_library: rfb, options="timeout=0"', "speaker: enabled=0",
            "sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy",
            f"com1: enabled=1, mode=term, dev={os.ttyname(self.theirs)}",
            f"cpu: model={cpu}, count=1, ips=40000000", "clock: sync=none, time0=utc",
            f"log: {self.dir}/log", "panic: action=report",
        ]
        if boot == "CD":
            config += [f"ata0-master: type=cdrom, path={iso}, status=inserted", "boot: cdrom"]
        else:
            disk = self.dir + "/disk"
            cylinder = 16 * 63 * 512
            shutil.copy(iso, disk)
            os.truncate(disk, (os.path.getsize(iso) + cylinder - 1) // cylinder * cylinder)
            config += [f"ata0-master: type=disk, path={disk}, mode=flat", "boot: disk"]
        for name, lines in (("config", config), ("commands", ["c"])):
            with open(f"{self.dir}/{name}", "w") as f:
                f.write("\n".join(lines) + "\n")
        self.process = subprocess.Popen(
            ["bochs", "-q", "-f", self.dir + "/config", "-rc", self.dir + "/commands"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end(self):
        self.process.wait(20)
        with open(self.dir + "/log", errors="replace") as f:
            log = f.read()
        return "guest-shutdown" if "soft power off" in log.lower() else "unknown"

    def close(self):
        super().close()
        os.close(self.theirs)
        os.close(self.line.fd)


def have_bochs():
    return shutil.which("bochs") is not None and os.path.exists(BOCHS_BIOS)


def have_firmware(name):
    return all(os.path.exists(f) for f in FIRMWARE[name])
