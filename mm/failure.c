/*
 * Allocations that fail on purpose: one by number, for the tests of mm/, or those that the kernel
 * around chooses (mm/port.h).
 */
#include "mm/mm.h"
#include "mm/port.h"

bool mm_may_fail;
static uint32_t fail_countdown;
static bool port_decides;

uint32_t mm_inject_failure(uint32_t n)
{
    uint32_t left = fail_countdown;

    fail_countdown = n;
    mm_may_fail = n || port_decides;
    return left;
}

bool mm_injected_failure(void)
{
    if (fail_countdown)
        return --fail_countdown == 0;
    return port_decides && port_allocation_fails();
}

void vm_set_failing(bool on)
{
    port_decides = on;
    mm_may_fail = on || fail_countdown;
}
