"""The kernel's own tests, run by the option selftest."""

import re

import pytest

from machine import DEBUG_KERNEL, KERNEL, POWERED_OFF, run_to_end


@pytest.mark.parametrize("kernel", [KERNEL, DEBUG_KERNEL], ids=["release", "debug"])
def test_kernel_passes_its_own_tests(kernel):
    output, status = run_to_end(None, "console=ttyS0 panic=-1 selftest", kernel)
    failed = re.findall(r"selftest: .* FAILED.*", output)
    assert not failed
    assert re.search(r"selftest: \d+ passed, 0 failed", output), output[-2000:]
    assert status == POWERED_OFF
