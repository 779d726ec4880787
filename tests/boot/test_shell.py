"""The shell of the ISO on the serial line: what a person does in the first five minutes."""

import re

import pytest

from machine import POWERED_OFF, Machine, have_busybox

pytestmark = pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")

CTRL_C, CTRL_D, CTRL_Z, CTRL_BACKSLASH, ESC = "\x03", "\x04", "\x1a", "\x1c", "\x1b"
UP = ESC + "[A"


def test_lists_the_whole_tree(iso):
    assert int(iso.sh("ls -lR / 2>/dev/null | wc -l")) > 300


def test_runs_scripts_with_pipes(iso):
    iso.sh("printf '#!/bin/sh\\nfor i in $(seq $1); do echo $((i * i)); done | sort -rn | head -n 2\\n'"
           " >/tmp/squares; chmod +x /tmp/squares")
    assert iso.sh("/tmp/squares 12").split() == ["144", "121"]


def test_runs_background_jobs(iso):
    assert iso.sh("for i in 1 2 3; do (sleep 0.1; echo job $i >>/tmp/jobs) & done; wait;"
                  " sort /tmp/jobs") == "job 1\njob 2\njob 3\n"


def test_long_pipelines_move_all_data(iso):
    assert iso.sh("seq 20000 | cat | grep -v x | tee /tmp/seq | cat | wc -l").strip() == "20000"
    assert iso.sh("tail -n 1 /tmp/seq").strip() == "20000"


def test_writes_and_sums_16_mib(iso):
    iso.sh("dd if=/dev/zero of=/tmp/x bs=1M count=16 2>/dev/null")
    assert iso.sh("md5sum /tmp/x").split()[0] == "2c7ab85a893283e98c931e9511add182"
    iso.sh("rm /tmp/x")


def test_interrupt_ends_a_program(iso):
    iso.type("sh -c 'echo go; exec sleep 1000'\n")
    iso.expect("\ngo\r\n")
    iso.type(CTRL_C)
    iso.prompt()
    iso.type("echo status $?\n")
    iso.expect("\nstatus 130\r\n")
    iso.prompt()
    assert iso.sh("echo alive") == "alive\n"


def test_quit_ends_a_program(iso):
    iso.type("sh -c 'echo go; exec sleep 1000'\n")
    iso.expect("\ngo\r\n")
    iso.type(CTRL_BACKSLASH)
    iso.expect("Quit")
    iso.prompt()


def test_end_of_file_ends_input(iso):
    iso.type("sh -c 'echo go; exec cat >/tmp/typed'\n")
    iso.expect("\ngo\r\n")
    iso.type("one\ntwo\n" + CTRL_D)
    iso.prompt()
    assert iso.sh("cat /tmp/typed") == "one\ntwo\n"


def test_stop_and_foreground(iso):
    iso.type("sh -c 'echo go; sleep 1000; echo never'\n")
    iso.expect("\ngo\r\n")
    iso.type(CTRL_Z)
    iso.expect("Stopped")
    iso.prompt()
    assert "Stopped" in iso.sh("jobs")
    iso.type("fg\n")
    iso.expect("sleep 1000")
    iso.type(CTRL_C)
    iso.prompt()
    assert iso.sh("jobs") == ""


def test_stopped_job_goes_on_in_the_background(iso):
    iso.type("sh -c 'echo go; sleep 1; echo finished >/tmp/bg'\n")
    iso.expect("\ngo\r\n")
    iso.type(CTRL_Z)
    iso.expect("Stopped")
    iso.prompt()
    iso.type("bg; wait; cat /tmp/bg\n")
    iso.expect("\nfinished\r\n")
    iso.prompt()


def test_line_editing_and_history(iso):
    iso.type("echo first-command\n")
    iso.expect("\nfirst-command\r\n")
    iso.prompt()
    iso.type(UP)
    iso.expect("echo first-command")
    iso.type("\b" * 7 + "line\n")
    iso.expect("\nfirst-line\r\n")
    iso.prompt()


def test_completes_file_names(iso):
    iso.sh("touch /tmp/a-very-long-name")
    iso.type("ls /tmp/a-very\t\n")
    iso.expect("\n/tmp/a-very-long-name\r\n")
    iso.prompt()


def test_vi_edits_and_saves(iso):
    iso.sh("printf 'one\\ntwo\\nthree\\n' >/tmp/poem")
    iso.type("vi /tmp/poem\n")
    iso.expect("three")
    iso.type("jddGofour" + ESC)           # delete the second line, open one at the end
    iso.expect(r"four.*- /tmp/poem \[Modified\] 3/3")
    iso.type(":wq\n")
    iso.prompt()
    assert iso.sh("cat /tmp/poem") == "one\nthree\nfour\n"


def test_vi_leaves_the_terminal_as_it_was(iso):
    before = iso.sh("stty -a")
    iso.type("vi /tmp/poem2\n")
    iso.expect("~")
    iso.type("ihello" + ESC)
    iso.expect(r"- /tmp/poem2 \[Modified\]")
    iso.type(":q!\n")
    iso.prompt()
    assert iso.sh("stty -a") == before


def test_top_runs(iso):
    iso.type("top\n")
    iso.expect(r"Mem:\s*\d+K used")
    iso.expect("PID")
    iso.expect("init")
    iso.type("q")
    iso.prompt()


def test_less_pages(iso):
    iso.type("seq 200 | less\n")
    iso.expect(r"20\r\n.*standard input")
    iso.type(" ")
    iso.expect(r"40\r\n")
    iso.type("q")
    iso.prompt()


def test_ps_lists_processes(iso):
    lines = iso.sh("ps").splitlines()
    assert lines[0].split()[0] == "PID"
    assert any(re.match(r"\s*1 .*init", line) for line in lines)
    assert any(re.search(r"\bps\b", line) for line in lines)


def test_free_uptime_mount_df(iso):
    total = int(iso.sh("free").splitlines()[1].split()[1])
    assert 56 << 10 < total <= 64 << 10
    assert "load average" in iso.sh("uptime")
    assert "/proc" in iso.sh("mount")
    iso.sh("df")


def test_dmesg_has_the_boot(iso):
    assert "Command line" in iso.sh("dmesg")


def test_files_links_and_permissions(iso):
    iso.sh("mkdir /tmp/d; echo x >/tmp/d/f; ln /tmp/d/f /tmp/d/hard; ln -s f /tmp/d/soft")
    assert iso.sh("stat -c '%h %F' /tmp/d/f; stat -c %F /tmp/d/soft; cat /tmp/d/soft").splitlines() == [
        "2 regular file", "symbolic link", "x"]
    iso.sh("mv /tmp/d/f /tmp/d/g; chmod 4751 /tmp/d/g")
    assert iso.sh("stat -c %a /tmp/d/g; cat /tmp/d/hard; ls -L /tmp/d/soft 2>&1 | wc -l").splitlines() == [
        "4751", "x", "1"]
    iso.sh("rm -r /tmp/d")


def test_archives_round_trip(iso):
    out = iso.sh("cd /tmp; tar czf etc.tgz /etc 2>/dev/null; mkdir out; tar xzf etc.tgz -C out;"
                 " diff -r /etc out/etc && echo same; rm -r out etc.tgz")
    assert out.endswith("same\n")


def test_errors_are_said(iso):
    assert "No such file" in iso.run("cat /no/such")[0]
    assert "not found" in iso.run("no-such-program")[0]
    assert iso.run("no-such-program")[1] == 127


def test_memory_comes_back(iso):
    def free():
        return int(iso.sh("free").splitlines()[1].split()[3])

    iso.sh("true")
    before = free()
    iso.sh("for i in $(seq 30); do sh -c 'seq 1000 | sort >/dev/null'; done")
    assert free() > before - 512


def test_poweroff_ends_the_machine():
    with Machine.iso() as m:
        m.prompt()
        m.type("poweroff\n")
        assert m.wait() == POWERED_OFF


def test_reboot_resets_the_machine():
    with Machine.iso() as m:
        m.prompt()
        m.type("reboot\n")                # -no-reboot: QEMU ends instead
        assert m.wait() == 0
