"""Several processors: they come up, are told of, run threads at once, and never use a translation that
was taken away."""

import os
import re
import sys

import pytest

from machine import BUILD, INITRD, TOP, Machine, have_busybox

sys.path.insert(0, os.path.join(TOP, "tests/guest"))
import run  # noqa: E402

pytestmark = pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")

# What has to do with other threads, other processes, and their memory.
SHARED = ["shootdowns", "fork_cow", "fork_wait", "futex", "futex_shared", "signal_threads", "exec_threads", "pipes",
          "shared_space", "shared_anon", "mmap_file", "process_vm", "ptrace_basic", "sysv_sem", "scheduling"]


def machine(cpus, *more, append=""):
    return Machine.direct(INITRD, "console=ttyS0 " + append, more=["-smp", str(cpus), *more])


@pytest.mark.parametrize("cpus", [2, 5, 16])
def test_all_are_found_and_told_of(cpus):
    with machine(cpus) as m:
        m.prompt()
        assert m.sh("nproc") == f"{cpus}\n"
        assert m.sh("grep -c ^processor /proc/cpuinfo") == f"{cpus}\n"
        assert m.sh("cat /sys/devices/system/cpu/online") == f"0-{cpus - 1}\n"
        assert m.sh("grep -c '^cpu[0-9]' /proc/stat") == f"{cpus}\n"
        assert m.sh("grep Cpus_allowed_list /proc/self/status") == f"Cpus_allowed_list:\t0-{cpus - 1}\n"
        assert f"Processors: {cpus} of {cpus}" in m.sh("dmesg")


def test_cpuinfo_has_what_programs_look_for():
    """By Linux's words; nothing that wants more state than a thread keeps."""
    with machine(16, "-cpu", "max") as m:
        m.prompt()
        info = m.sh("cat /proc/cpuinfo").split("\n\n")[:-1]
        assert len(info) == 16
        lines = dict(re.split(r"\t+: ?", line) for line in info[15].splitlines() if "\t" in line)
        flags = lines["flags"].split()
        assert {"pni", "ssse3", "sse4_1", "sse4_2", "aes", "popcnt", "bmi2", "erms", "hypervisor", "cpuid"} <= set(flags)
        assert not {"avx", "avx2", "fma", "f16c", "xsave"} & set(flags)
        assert [lines[k] for k in ("processor", "physical id", "core id", "cpu cores", "apicid")] == ["15", "15", "0", "1", "15"]
        assert re.fullmatch(r"\d\d bits physical, 32 bits virtual", lines["address sizes"])
        assert re.findall(r"^ +[45] (\S+)$", m.sh("cat /proc/devices"), re.M) == [
            "/dev/vc/0", "tty", "ttyS", "/dev/tty", "/dev/console", "/dev/ptmx"]


@pytest.mark.parametrize("option, found", [("nosmp", 1), ("maxcpus=3", 3), ("acpi=off", 1), ("nolapic", 1)])
def test_options_say_how_many(option, found):
    with machine(4, append=option) as m:
        m.prompt()
        assert m.sh("nproc") == f"{found}\n"


def test_without_acpi_the_mp_table_tells():
    """Of one processor a package, as SeaBIOS writes it."""
    with Machine.direct(INITRD, "console=ttyS0 acpi=off", more=["-smp", "4,sockets=4"]) as m:
        m.prompt()
        assert m.sh("nproc") == "4\n"
        assert "MP table: 4 processors" in m.sh("dmesg")
        assert re.search(r"0: .* IO-APIC +\d+-edge +timer", m.sh("cat /proc/interrupts"))


def test_q35_too():
    with machine(3, "-M", "q35") as m:
        m.prompt()
        assert m.sh("nproc") == "3\n"


def test_a_thread_runs_where_it_may():
    with machine(3) as m:
        m.prompt()
        for cpu in (2, 0, 1):
            where = m.sh(f"taskset {1 << cpu:x} sh -c 'for i in 1 2 3; do cut -d\\  -f39 /proc/self/stat; done'")
            assert where == f"{cpu}\n" * 3
        assert "can't set" in m.sh("taskset 8 true 2>&1; true") or "Invalid" in m.sh("taskset 8 true 2>&1; true")


def test_programs_run_at_once_and_translations_are_shot_down():
    with machine(2) as m:
        m.prompt()
        m.sh("for i in 1 2 3 4; do (i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done) & done; wait")
        m.sh("for i in 1 2 3 4 5 6 7 8; do (ls -l / | sort | uniq | wc -l; true) & done; wait")
        busy = [int(sum(map(int, line.split()[1:4]))) for line in m.sh("grep '^cpu[01]' /proc/stat").splitlines()]
        assert all(busy), busy
        counts = m.sh("cat /proc/interrupts")
        assert re.search(r"RES: +\d+ +[1-9]", counts), counts
        assert m.sh("cat /proc/mm_check") != ""


def test_nobody_starves_among_many():
    """20 that compute on 4 processors: each has its turns, and all processors are at work."""
    with machine(4) as m:
        m.prompt()
        m.sh("for i in $(seq 20); do (while :; do :; done) & done; sleep 6")
        ran = [list(map(int, line.split()))
               for line in m.sh("for p in $(jobs -p); do cat /proc/$p/schedstat; done").splitlines()]
        m.sh("kill -9 $(jobs -p)")
        assert len(ran) == 20
        mean = sum(ns for ns, _, _ in ran) / 20
        assert all(ns > mean / 5 and turns > 1 for ns, _, turns in ran), ran
        counts = [list(map(int, line.split()[1:])) for line in m.sh("grep ^cpu /proc/schedstat").splitlines()]
        assert len(counts) == 4
        assert all(busy > 10**9 and turns > 5 for *_, busy, _, turns in counts), counts


@pytest.mark.parametrize("name", SHARED)
def test_the_answers_are_those_of_one(answers, name):
    assert answers[name] is None, "\n" + answers[name]


@pytest.fixture(scope="module")
def answers():
    return dict(run.compare(BUILD + "/debug", SHARED, 128, machine=("-smp", "2"))[0])


@pytest.mark.parametrize("append, stale", [("", False), ("noshootdown", True)])
def test_a_stale_translation_can_be_seen(append, stale):
    with machine(2, append=append) as m:
        m.prompt()
        said, status = m.run("vmlab shootdown")
        assert status == stale, said
        assert (re.search(r"old translation +0 ", said) is None) == stale, said
        counted = re.search(r"TLB: +\d+ +(\d+)", m.sh("cat /proc/interrupts"))[1]
        assert (int(counted) > 0) != stale


def test_the_fault_trace_names_the_processor():
    with machine(2) as m:
        m.prompt()
        m.sh("echo 1 >/proc/faults; for c in 1 2; do taskset $c ls / >/dev/null; done; echo 0 >/proc/faults")
        assert {line.split()[-1] for line in m.sh("grep -v ^# /proc/faults").splitlines()} == {"0", "1"}


def test_without_shootdowns_the_test_would_not_pass():
    """It waits for faults that do not come, or sees what should not be there."""
    said = run.boot(BUILD + "/debug", ["shootdowns"], 64, machine=("-smp", "2"), append="noshootdown", timeout=20)
    assert "Shootdowns are left out" in said
    assert "fork: 20 of 20" not in said
