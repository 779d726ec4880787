"""The console on UEFI's framebuffer, read back from the screen's pixels by the font it is drawn with."""

import os
import re
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "machines"))
from emulated import BUILD, KERNEL, PROMPT, Qemu, have_firmware
from machine import BUSYBOX, TOP

pytestmark = pytest.mark.skipif(not have_firmware("UEFI 64"), reason="no UEFI firmware here")


def font():
    """Bitmap -> character, from the font as it was built into the kernel."""
    with open(BUILD + "/font.c") as f:
        text = f.read()
    glyphs = [tuple(map(int, row.split(","))) for row in re.findall(r"^    \{((?:\d+,){15}\d+)\},$", text, re.M)]
    chars = {}
    for code, glyph in re.findall(r"\{(0x[0-9a-f]+), (\d+)\}", text):
        chars.setdefault(glyphs[int(glyph)], chr(int(code, 16)))
    return chars


def read_screen(m, chars):
    path = m.dir + "/screen.ppm"
    m.qmp("screendump", filename=path)
    with open(path, "rb") as f:
        magic, size, depth, pixels = f.read().split(b"\n", 3)
    width, height = map(int, size.split())
    lit = bytes(0 if v < 0x60 else 1 for v in range(256))
    green = pixels[1::3].translate(lit)
    lines = []
    for top in range(0, height - 15, 16):
        line = ""
        for left in range(0, width - 7, 8):
            rows = (green[(top + y) * width + left:(top + y) * width + left + 8] for y in range(16))
            bits = tuple(int("".join(map(str, row)), 2) for row in rows)
            line += chars.get(bits, "\N{REPLACEMENT CHARACTER}")
        lines.append(line.rstrip())
    return "\n".join(lines)


def await_screen(m, chars, pattern, seconds=30):
    end = time.monotonic() + seconds
    while True:
        text = read_screen(m, chars)
        if re.search(pattern, text, re.M):
            return text
        assert time.monotonic() < end, f"not on the screen: {pattern!r}\n{text}"
        time.sleep(0.3)


def test_console_on_the_framebuffer():
    chars = font()
    with Qemu(boot="CD", firmware="UEFI 64", mem=256) as m:
        m.wait_for(PROMPT, 120)
        m.settle()
        await_screen(m, chars, r"^\[ +\d\.\d+\] Run /init as init process$")
        m.screen_only = True
        m.type("echo one two; seq 100\n")
        await_screen(m, chars, r"^99\n100\n\S*#")
        m.press("shift", "pgup")
        m.press("shift", "pgup")
        text = await_screen(m, chars, r"^60$")
        assert not re.search(r"^100$", text, re.M)
        m.type("\n")
        await_screen(m, chars, r"^100\n\S*#")
        m.press("alt", "f2")
        await_screen(m, chars, r"\A(?!(.*\n)*100$)(.*\n)*\S*#")
        m.type("tty\n")
        await_screen(m, chars, r"^/dev/tty2$")
        m.type(r"clear; printf '\316\251 \320\226 \303\251 \342\224\214\342\224\202\n'" + "\n")
        await_screen(m, chars, r"\A\N{GREEK CAPITAL LETTER OMEGA} \N{CYRILLIC CAPITAL LETTER ZHE} é ┌│$")
        m.press("alt", "f1")
        await_screen(m, chars, r"^100$")


def drawn_over(m):
    """Whether all pixels are the same."""
    path = m.dir + "/screen.ppm"
    m.qmp("screendump", filename=path)
    with open(path, "rb") as f:
        pixels = f.read().split(b"\n", 3)[3]
    return pixels == b"\x3c" * len(pixels)


def run(m, command, until=PROMPT):
    start = len(m.text())
    m.type(command + "\n")
    m.wait_for(until, 60, start)
    m.settle()
    return m.text()[start:].replace("\r", "")


def test_fb0_is_what_linux_has(tmp_path):
    """framebuffer.vesa is what it says on Debian's Linux with vga=791; and a program has the screen for itself."""
    programs = [f"{BUILD}/user/{name}" for name in ("init", "sh", "tools")] + [BUILD + "/debug/guest/framebuffer"]
    subprocess.run([TOP + "/scripts/mkinitrd", "-o", tmp_path / "initrd", "--root", TOP + "/iso/root", "--busybox",
                    BUSYBOX, "--tools", "cat ls", *programs], check=True)
    subprocess.run([TOP + "/scripts/mkiso", tmp_path / "iso", KERNEL, tmp_path / "initrd", TOP + "/iso/grub.cfg"], check=True)
    chars = font()
    with open(TOP + "/tests/guest/framebuffer.vesa") as f:
        linux = f.read()
    with Qemu(boot="CD", firmware="UEFI 64", mem=256, iso=str(tmp_path / "iso")) as m:
        m.wait_for(PROMPT, 120)
        m.settle()
        said = run(m, "framebuffer")
        assert linux in said, said
        run(m, "framebuffer draw", "drawn")
        end = time.monotonic() + 20
        while not drawn_over(m):
            assert time.monotonic() < end, "not drawn"
            time.sleep(0.2)
        run(m, "")
        await_screen(m, chars, r"^said meanwhile$")
        assert "violations 0" in run(m, "cat /proc/mm_check")
