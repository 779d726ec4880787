"""How the machine starts and ends: memory sizes, boot options, what the kernel says when it cannot go
on."""

import re
import tempfile

import pytest

from machine import (
    BUILD, BUSYBOX, KERNEL, PANICKED, POWERED_OFF, Machine, have_busybox, run_to_end)
from newc import Archive

busybox = pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")
QUIET = "console=ttyS0 quiet panic=-1"


def own_userland(init=None, **files):
    """An archive with nothing from outside: our init, sh and tools."""
    ar = Archive()
    ar.devices()
    ar.dir("proc")
    ar.dir("tmp", 0o1777)
    for program in ("sh", "tools"):
        ar.copy("bin/" + program, f"{BUILD}/user/{program}")
    for name in ("cat", "echo", "ls", "mount", "poweroff", "free"):
        ar.symlink("bin/" + name, "tools")
    if init is None:
        ar.copy("init", BUILD + "/user/init")
    else:
        ar.file("init", init, 0o755)
    for name, text in files.items():
        ar.file(name, text, 0o755)
    return ar.bytes()


def script(*lines):
    return own_userland("#!/bin/sh\n" + "\n".join(lines) + "\n")


# ---- Memory

@busybox
def test_iso_boots_to_its_shell_with_8_mib():
    with Machine.iso(mem=8) as m:
        m.prompt()
        assert m.sh("echo $((6*7))") == "42\n"
        assert int(m.sh("free | head -n 2 | tail -n 1").split()[1]) < 8192


@busybox
def test_iso_boots_to_its_shell_with_2_gib():
    with Machine.iso(mem=2048) as m:
        m.prompt()
        total = int(m.sh("free").splitlines()[1].split()[1])
        assert total > 1900 << 10
        m.sh("dd if=/dev/zero of=/tmp/x bs=1M count=100 2>/dev/null; md5sum /tmp/x")


def test_boots_with_6_mib():
    with Machine.direct(own_userland(), "console=ttyS0 quiet", mem=6) as m:
        m.expect("# ")
        m.type("ls /bin; echo six\n")
        m.expect(r"\npoweroff\r\n(.*\n)*six\r\n")


def test_memory_above_the_window_is_reported_and_left():
    output, status = run_to_end(script("poweroff -f"), "console=ttyS0 panic=-1", mem=3072)
    assert re.search(r"\d+K above .* not used", output)
    assert status == POWERED_OFF


# ---- What the kernel says when it cannot start

def says_on_both_consoles(pattern, **machine):
    with Machine.direct(append="console=tty1 console=ttyS0", **machine) as m:
        m.expect(pattern)
        m.await_screen(pattern)


def test_says_that_there_is_no_ramdisk():
    says_on_both_consoles("[Nn]o ramdisk")


def test_says_that_the_ramdisk_is_no_archive():
    says_on_both_consoles("ramdisk", initrd=b"this is no archive" * 300)


def test_says_that_the_ramdisk_is_cut_off():
    says_on_both_consoles("from here on it is skipped", initrd=own_userland()[:50000])


def test_says_that_memory_is_too_little():
    says_on_both_consoles("[Tt]oo little memory", initrd=own_userland(), mem=4)


def test_says_that_there_is_no_init():
    output, status = run_to_end(own_userland(), QUIET + " rdinit=/no/such")
    assert "/no/such" in output
    assert status == PANICKED


def test_panic_halts_without_the_option():
    with Machine.direct(own_userland(), "console=ttyS0 rdinit=/no/such") as m:
        m.expect("[Pp]anic")
        m.expect("---\\[ end|halted", limit=20)
        assert m.qemu.poll() is None


# ---- Init

def test_end_of_init_powers_off():
    output, status = run_to_end(script("echo in init"), QUIET)
    assert "in init\n" in output
    assert status == POWERED_OFF


def test_init_option_chooses_the_program():
    output, status = run_to_end(own_userland(other="#!/bin/sh\necho the other\n"),
                                QUIET + " rdinit=/other")
    assert "the other\n" in output
    assert status == POWERED_OFF


def test_init_option_is_for_a_mounted_root():
    output, _ = run_to_end(script("echo its own"), QUIET + " init=/no/such")
    assert "its own\n" in output


def test_what_can_be_had_of_a_damaged_archive_is_had():
    archive = script("cat /kept")
    ar = Archive()
    ar.file("n" * 256, "x")
    ar.file("kept", "still there\n")
    output, _ = run_to_end(archive + ar.bytes() + b"junk", "console=ttyS0 panic=-1")
    assert "still there\n" in output
    assert re.search("initrd: .*too long; the entry is skipped", output)
    assert re.search("initrd: .*neither a newc cpio archive", output)


def test_modules_are_archives_one_over_the_other():
    second = Archive()
    second.file("kept", "from the second\n")
    with tempfile.TemporaryDirectory() as d:
        paths = []
        for name, data in (("one", script("cat /kept")), ("two", second.bytes())):
            paths.append(f"{d}/{name}")
            with open(paths[-1], "wb") as f:
                f.write(data)
        output, _ = run_to_end(",".join(paths), QUIET)
    assert "from the second\n" in output


def test_unknown_options_go_to_init():
    archive = script('echo "args: $*"', 'echo "colour: $colour"')
    output, _ = run_to_end(archive, QUIET + " colour=blue strange -- -x last")
    assert "args: strange -x last\n" in output
    assert "colour: blue\n" in output


def test_quiet_is_quiet():
    output, _ = run_to_end(script("echo only this"), QUIET)
    assert output.strip() == "only this"


@pytest.mark.parametrize("how", ["gzip", "plain"])
def test_ramdisk_may_be_compressed(how):
    import gzip

    archive = script("echo unpacked")
    if how == "gzip":
        archive = gzip.compress(archive)
    assert "unpacked\n" in run_to_end(archive, QUIET)[0]


def test_own_userland_needs_nothing_from_outside():
    with Machine.direct(own_userland(), "console=ttyS0 quiet") as m:
        m.expect("# ")
        m.type("echo one | cat; cat /proc/sys/kernel/ostype | cat\n")
        m.expect(r"\none\r\nLinux\r\n")
        m.type("for i in a b; do echo got $i; done\n")
        m.expect("got a\r\ngot b\r\n")
        m.type("poweroff\n")
        assert m.wait() == POWERED_OFF


@busybox
def test_control_alt_del_reboots():
    with Machine.iso() as m:
        m.prompt()
        m.press("ctrl", "alt", "delete")
        assert m.wait() == 0


def test_user_crash_is_reported_and_survived():
    archive = script("/bin/sh -c 'kill -SEGV $$'", "echo still here")
    output, status = run_to_end(archive, QUIET)
    assert "still here\n" in output
    assert status == POWERED_OFF


@busybox
def test_serial_console_comes_back_when_it_is_read_again():
    with Machine.iso() as m:
        m.prompt()
        m.await_screen("#$")
        m.type("seq 30000\n")                  # more than the pipe to this test holds, and nobody reads
        m.keyboard("echo lost >/dev/kmsg; echo sent\n")
        m.await_screen("^sent$")
        m.prompt()                             # reads
        m.keyboard("echo heard >/dev/kmsg\n")
        m.expect(r"\] heard\r\n")
