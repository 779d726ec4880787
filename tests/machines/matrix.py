"""The machines that Faultline is tried on, and what is tried: boot to a prompt, run a short smoke test
in the shell, power off. Some cannot work; of those the text is given that they must show.
"""

import os
import re
import time
from dataclasses import dataclass

import emulated
from emulated import Bochs, Dead, PROMPT, Qemu


@dataclass
class Machine:
    name: str
    make: str = "qemu"          # or "bochs"
    cpu: str = ""
    options: tuple = ()
    mem: int = 64
    firmware: str = "BIOS"
    boot: str = "kernel"
    serial: bool = True
    append: str = ""
    says: str = ""              # what it must say, beside or instead of booting
    boots: bool = True
    ends: str = "guest-shutdown"  # None: it cannot switch itself off
    fast: bool = False          # also in `make test`

    @property
    def id(self):
        return re.sub(r"\W+", "_", self.name).strip("_")

    def missing(self):
        """What this host lacks for it, or None."""
        if self.make == "bochs" and not emulated.have_bochs():
            return "no Bochs here"
        if not emulated.have_firmware(self.firmware):
            return f"no firmware for {self.firmware} here"
        return None

    def start(self):
        if self.make == "bochs":
            return Bochs(cpu=self.cpu, mem=self.mem, boot=self.boot)
        options = (["-cpu", self.cpu] if self.cpu else []) + list(self.options)
        return Qemu(options, mem=self.mem, firmware=self.firmware, boot=self.boot, serial=self.serial,
                    append=self.append)


MACHINES = [
    # ---- Processors
    Machine("486", cpu="486", fast=True, says=r"trap 6|# "),
    Machine("486, CD", cpu="486", boot="CD"),
    Machine("Pentium", cpu="pentium", fast=True),
    Machine("Pentium III", cpu="pentium3"),
    Machine("qemu32", cpu="qemu32"),
    Machine("max", cpu="max", fast=True),
    Machine("no PSE", cpu="pentium3,pse=off"),
    Machine("no PGE", cpu="pentium3,pge=off"),
    Machine("no TSC", cpu="pentium3,tsc=off", fast=True),
    Machine("no SSE, no FXSR", cpu="pentium3,sse=off,fxsr=off"),
    Machine("no CMOV", cpu="pentium3,cmov=off"),
    Machine("no APIC", cpu="pentium3,apic=off"),
    Machine("no PAT", cpu="pentium3,pat=off"),
    Machine("no FPU", cpu="pentium3,fpu=off"),
    # ---- Devices
    Machine("q35", options=("-M", "q35"), fast=True),
    Machine("pc, no 8042", options=("-M", "pc,i8042=off")),
    Machine("q35, no 8042", options=("-M", "q35,i8042=off"), fast=True),
    Machine("pc, no ACPI", options=("-M", "pc,acpi=off"), says="ACPI: none", fast=True, ends=None),
    Machine("pc, no HPET", options=("-M", "pc,hpet=off")),
    Machine("q35, no PIT", options=("-M", "q35,pit=off"), says="HPET ticks", fast=True),
    Machine("q35, no PIT, no HPET", options=("-M", "q35,pit=off,hpet=off"), says="APIC's timer ticks",
            fast=True),
    Machine("q35, no PIC", options=("-M", "q35,pic=off")),
    Machine("pc, no VGA", options=("-vga", "none")),
    Machine("pc, no serial port", serial=False, fast=True),
    Machine("pc, acpi=off", append="acpi=off"),
    Machine("q35, noapic", options=("-M", "q35"), append="noapic"),
    Machine("q35, nolapic", options=("-M", "q35"), append="nolapic"),
    Machine("isapc", options=("-M", "isapc"), cpu="486", says="ACPI: none", ends=None),
    # ---- Memory
    Machine("4 MiB", mem=4, boots=False, says="Too little memory"),
    Machine("6 MiB", mem=6, append="init=/init"),
    Machine("8 MiB, CD", mem=8, boot="CD"),
    Machine("1 GiB", mem=1024),
    Machine("3 GiB", mem=3072, says="above the kernel's window is not used"),
    Machine("4 GiB, q35", mem=4096, options=("-M", "q35"), says="above the kernel's window is not used"),
    # ---- Firmware and medium
    Machine("BIOS, CD", boot="CD"),
    Machine("BIOS, CD, no serial port", boot="CD", serial=False),
    Machine("BIOS, IDE disk", boot="disk"),
    Machine("BIOS, AHCI disk", boot="disk", options=("-M", "q35")),
    Machine("BIOS, USB stick on ehci", boot="USB ehci"),
    Machine("BIOS, USB stick on xhci", boot="USB xhci", options=("-M", "q35")),
    Machine("UEFI 64, CD", firmware="UEFI 64", boot="CD", mem=256, fast=True),
    Machine("UEFI 64, AHCI disk", firmware="UEFI 64", boot="disk", mem=256),
    Machine("UEFI 64, USB stick on ehci", firmware="UEFI 64", boot="USB ehci", mem=256),
    Machine("UEFI 64, USB stick on xhci", firmware="UEFI 64", boot="USB xhci", mem=256),
    Machine("UEFI 64, 4 GiB", firmware="UEFI 64", boot="CD", mem=4096),
    Machine("UEFI 64, no 8042", firmware="UEFI 64", boot="CD", mem=256, options=("-M", "q35,i8042=off")),
    Machine("UEFI 64, no VGA", firmware="UEFI 64", boot="CD", mem=256, options=("-vga", "none")),
    Machine("UEFI 32, CD", firmware="UEFI 32", boot="CD", mem=256),
    Machine("UEFI 32, USB stick on xhci", firmware="UEFI 32", boot="USB xhci", mem=256),
    # ---- Several processors
    *(Machine(f"{board}, {n} processors", options=("-M", board, "-smp", str(n)), says=f"Processors: {n} of {n}",
              fast=board == "q35" and n == 8)
      for board in ("pc", "q35") for n in (2, 3, 8, 16)),
    *(Machine(f"{firmware}, CD, {n} processors", firmware=firmware, boot="CD", mem=256, options=("-smp", str(n)),
              says=f"Processors: {n} of {n}")
      for firmware, counts in (("UEFI 64", (2, 3, 8, 16)), ("UEFI 32", (2, 3, 8)))  # with 16 the firmware ends before GRUB
      for n in counts),
    # ---- Another make of processor
    Machine("Bochs, Pentium, CD", make="bochs", cpu="pentium", boot="CD"),
    Machine("Bochs, Pentium III, CD", make="bochs", cpu="p3_katmai", boot="CD", fast=True),
    Machine("Bochs, Pentium III, disk", make="bochs", cpu="p3_katmai", boot="disk"),
    Machine("Bochs, Athlon 64, CD", make="bochs", cpu="athlon64_clawhammer", boot="CD"),
    Machine("Bochs, Skylake, CD", make="bochs", cpu="corei7_skylake_x", boot="CD"),
]

# Copying pages, a pipe, processes that share pages, files from the archive, the clock. Every command
# is in BusyBox and in our own tools.
SMOKE = ("cp /init /tmp/s && cat /tmp/s | cat >/tmp/u && (cat /proc/self/maps; cat /proc/meminfo) >/tmp/t && "
         "for i in 1 2 3 4 5; do (cat /tmp/s >/tmp/s$i); done; rm /tmp/s?; sleep 1; "
         "cat /proc/stat >/tmp/v && rm /tmp/[stuv] && x=42 && echo smoke $x passed")
LIMIT = 90


@dataclass
class Result:
    booted: bool = False
    smoke: bool = False
    ended: str = ""
    seconds: float = 0
    why: str = ""               # what went wrong, or what it said that it had to say
    ok: bool = False


def smoke(m, machine):
    if machine.serial:
        start = len(m.text())
        m.type(SMOKE + "\n")
        m.wait_for(r"\nsmoke 42 passed\n", LIMIT, start)
        m.wait_for(PROMPT, 20, start + 100)
    else:
        m.type("clear; " + SMOKE + "\n")
        m.wait_for(r"(?m)^smoke 42 passed$", LIMIT)


def try_machine(machine):
    """Boots it and tries it; never raises."""
    r = Result()
    began = time.monotonic()
    m = None
    try:
        m = machine.start()
        if not machine.boots:
            m.wait_for(machine.says, LIMIT)
            r.why = machine.says
            r.ok = True
            return r
        m.wait_for(PROMPT, LIMIT)
        r.booted = True
        r.seconds = time.monotonic() - began
        if machine.says and machine.serial:
            m.wait_for(machine.says, 5)
        m.settle()
        smoke(m, machine)
        m.settle(0.2)
        r.smoke = True
        m.type("poweroff -f\n")
        if machine.ends is None:
            m.wait_for("switch it off now|[Pp]ower down", 20)
            r.ended = "says so"
        else:
            m.wait_end(20)
            r.ended = m.end()
        r.ok = machine.ends is None or r.ended == machine.ends
        if not r.ok:
            r.why = f"ended with {r.ended}"
    except (Dead, OSError, RuntimeError) as e:
        r.why = str(e)
        if m and m.line:
            r.why += "; its last words: " + " / ".join(m.text().strip().split("\n")[-3:])[-300:]
    finally:
        if m:
            m.close()
    return r
