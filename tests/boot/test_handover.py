"""What a boot loader may get wrong: tests/machines/loader.c does it on purpose, on a whole machine. A
clean boot or a clear message, never silence. The parsers alone are fuzzed in tests/host/test_firmware.c.
"""

import subprocess

import pytest

from machine import KERNEL, TOP, Machine
from test_boot import script

BOOTS = r"the end\r?\n"
TOO_LITTLE = "Too little memory: .*Faultline cannot start"
UNUSED = r"The framebuffer at .* is not used: {}.*" + BOOTS

CASES = {
    "nothing": BOOTS,
    "overlaps": BOOTS, "holes": BOOTS, "many": BOOTS, "wraps": BOOTS,
    "reserved": TOO_LITTLE, "nomap": TOO_LITTLE, "tinyentries": TOO_LITTLE, "zeroentries": TOO_LITTLE,
    "overkernel": "lies over the kernel", "highmodule": "above the memory that the kernel maps",
    "backwards": "No ramdisk", "nomodule": "No ramdisk",
    "fbhuge": UNUSED.format("it is absurdly large"), "fbpitch": UNUSED.format("its lines are shorter"),
    "fbdepth": UNUSED.format("its depth"), "fbram": UNUSED.format("it lies over memory"),
    "fbkernel": UNUSED.format("it lies over memory"), "fbaddress": UNUSED.format("it is at an address"),
    "fbtall": UNUSED.format("it does not fit"),
    "rsdpsum": "root pointer is broken.*" + BOOTS, "rsdtgone": "ACPI: .*" + BOOTS,
    "rsdtmad": "list of tables is broken.*" + BOOTS,
    "longline": BOOTS,
    "garbage": TOO_LITTLE, "toolong": TOO_LITTLE, "empty": TOO_LITTLE,
    "magic": "Not started by a multiboot loader",
}


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("loader") / "loader.elf")
    subprocess.run(["gcc", "-m32", "-march=i486", "-O1", "-Wall", "-Wextra", "-ffreestanding", "-fno-pic",
                    "-no-pie", "-nostdlib", "-static", "-fno-stack-protector", "-fno-builtin",
                    "-fno-asynchronous-unwind-tables", "-Wl,--build-id=none", "-Wl,-Ttext=0x1001000",
                    "-Wl,--section-start=.start=0x1000000", "-Wl,-e,start", "-o", out,
                    TOP + "/tests/machines/loader.c"], check=True)
    return out


@pytest.fixture(scope="module")
def ramdisk(tmp_path_factory):
    path = tmp_path_factory.mktemp("ramdisk") / "initrd"
    path.write_bytes(script("echo the end"))
    return str(path)


@pytest.mark.parametrize("fault", CASES)
def test_wrong_handover(fault, loader, ramdisk):
    with Machine("-kernel", loader, "-initrd", f"{KERNEL},{ramdisk}", "-append", fault) as m:
        m.expect("(?s)" + CASES[fault], limit=30)
