import signal

import pytest

from machine import Machine

shared = {}

# Who starts the tests in the background, or with nohup, has these ignored, and all that they start.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        item.failed = True
        said = [*Machine.gone, *(machine.output() for machine in shared.values())]
        report.sections += [("end of a serial line", text[-3000:]) for text in said]


@pytest.fixture(autouse=True)
def forget_machines():
    Machine.gone.clear()


def drop():
    for machine in shared.values():
        machine.close()
    shared.clear()


@pytest.fixture
def iso(request):
    """The ISO, booted, at a shell prompt on the serial line. Shared by the tests that leave it so;
    after a failure the next test gets a new one."""
    if "iso" not in shared:
        shared["iso"] = Machine.iso()
        shared["iso"].prompt()
    yield shared["iso"]
    if getattr(request.node, "failed", False):
        drop()


@pytest.fixture(scope="session", autouse=True)
def close_shared():
    yield
    drop()
