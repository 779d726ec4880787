"""Each program of tests/guest prints on Faultline what it prints on Linux. They run in two boots of a
debug kernel, which audits its memory after each: the hostile ones on a small machine of their own."""

import os
import sys

import pytest

from machine import BUILD, TOP

sys.path.insert(0, os.path.join(TOP, "tests/guest"))
import run  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    hostile = [name for name in run.test_names() if name.startswith("hostile_")]
    others = [name for name in run.test_names() if name not in hostile]
    results = {}
    for names, mem in ((others, 128), (hostile, 64)):
        results.update(run.compare(BUILD + "/debug", names, mem)[0])
    return results


@pytest.mark.parametrize("name", run.test_names())
def test_prints_the_same_as_on_linux(outcome, name):
    diff = outcome[name]
    assert diff is None, "\n" + diff


def test_every_test_has_the_transcript_of_its_source():
    ordinary = [name for name in run.test_names() if not name.startswith("hostile_")]
    assert [name for name in ordinary if run.kept(name) is None] == []


def test_machine_ends_well(outcome):
    assert "machine" not in outcome, outcome["machine"]


@pytest.mark.parametrize("clock", ["pc,hpet=off", "q35,pit=off", "q35,pit=off,hpet=off"],
                         ids=["PIT", "HPET", "local APIC"])
def test_time_in_user_mode_is_user_time_whatever_ticks(clock):
    for name, diff in run.compare(BUILD + "/debug", ["cpu_clocks"], machine=("-M", clock))[0]:
        assert diff is None, f"{name}\n{diff}"


@pytest.mark.parametrize("cpu, names", [("qemu32,sep=off", ["vdso"]), ("qemu32,tsc=off", ["vdso"]), ("pentium3", ["random_bytes"]),
                                        ("max", ["vdso", "random_bytes"])])
def test_fits_the_processor(cpu, names):
    """The vDSO: without sysenter int 0x80 takes its place, without a TSC the system call that of the clock. Random bytes:
    without SSE2, and with AVX2."""
    for name, diff in run.compare(BUILD + "/debug", names, machine=("-cpu", cpu))[0]:
        assert diff is None, f"{name}\n{diff}"


def test_programs_run_without_a_vdso():
    for name, diff in run.compare(BUILD + "/debug", ["signal_frames"], append="vdso=0")[0]:
        assert diff is None, f"{name}\n{diff}"
