/*
 * The end: say why on every console, then do what panic= asks. Nothing here trusts the rest of the
 * kernel to work; locks are broken once panicking is set.
 */
#include "arch/cpu.h"
#include "arch/debug.h"
#include "arch/io.h"
#include "arch/thread.h"
#include "kernel/base/boot.h"
#include "kernel/debug/crash.h"
#include "kernel/base/log.h"
#include "libc/assert.h"
#include "libc/printf.h"

#define PANIC_EXIT_VALUE 1 /* QEMU's status 3: no test takes it for a pass */

bool panicking;
static struct trapframe *panic_frame;
static uint32_t panic_address;

void panic_at(struct trapframe *tf, uint32_t addr)
{
    panic_frame = tf;
    panic_address = addr;
}

/* Interrupts are off, so the time is only counted roughly. */
static void wait_seconds(uint32_t seconds)
{
    for (uint32_t s = 0; s < seconds; s++) {
        for (uint32_t i = 0; i < 1000000; i++)
            io_delay();
    }
}

static long panic_timeout(void)
{
    char value[16];

    return boot_option("panic", value, sizeof(value)) ? strtol(value, NULL, 0) : 0;
}

/* A second panic, while the first is being reported: nothing can be trusted any more. */
static _Noreturn void panic_again(void)
{
    if (panic_timeout() != 0) {
        debug_exit(PANIC_EXIT_VALUE);
        power_reset();
    }
    power_halt();
}

_Noreturn void panic(const char *fmt, ...)
{
    static char why[200];
    va_list ap;

    irq_disable();
    if (panicking)
        panic_again();
    panicking = true;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    klog(LOG_EMERG, "Kernel panic - not syncing: %s\n", why);
    if (panic_frame)
        backtrace_trap(panic_frame);
    else
        backtrace((uint32_t)__builtin_frame_address(0));
    crash_report_state(panic_frame != NULL, panic_address);
    backtrace_compact(panic_frame, (uint32_t)__builtin_frame_address(0));
    klog(LOG_EMERG, "---[ end Kernel panic - not syncing: %s ]---\n", why);
    debug_panic(panic_frame);
    panic_end();
}

_Noreturn void panic_end(void)
{
    long timeout = panic_timeout();

    if (timeout == 0)
        power_halt();
    if (timeout > 0) {
        klog(LOG_EMERG, "Rebooting in %ld seconds..\n", timeout);
        wait_seconds((uint32_t)timeout);
    }
    debug_exit(PANIC_EXIT_VALUE);
    power_reset();
}

_Noreturn void assert_failed(const char *expr, const char *file, int line)
{
    panic("assertion failed: %s, %s:%d", expr, file, line);
}
