/*
 * The end: say why on every console, then do what panic= asks. Nothing here trusts the rest of the
 * kernel to work; locks are broken once panicking is set.
 */
#include "kernel/base/panic.h"
#include "arch/cpu.h"
#include "arch/io.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "libc/assert.h"
#include "libc/printf.h"
#include "libc/string.h"

#define PANIC_EXIT_VALUE 1 /* QEMU's status 3: no test takes it for a pass */

bool panicking;
static struct panic_cause cause;
static void (*reporters[PANIC_STAGES])(const struct panic_cause *c);
static void (*exit_machine)(uint8_t value);
static void (*reset_machine)(void);

void panic_register(enum panic_stage stage, void (*report)(const struct panic_cause *c))
{
    reporters[stage] = report;
}

static void (*stop_others)(void);

void panic_register_stop(void (*stop)(void))
{
    stop_others = stop;
}

void panic_register_end(void (*exit)(uint8_t value), void (*reset)(void))
{
    exit_machine = exit;
    reset_machine = reset;
}

void panic_at(struct trapframe *tf, uint32_t addr)
{
    cause.tf = tf;
    cause.addr = addr;
}

/* Interrupts are off, so the time is only counted roughly. */
static void wait_seconds(uint32_t seconds)
{
    for (uint32_t s = 0; s < seconds; s++) {
        for (uint32_t i = 0; i < 1000000; i++)
            io_delay();
    }
}

/* The compiler's call where a function finds its canary changed. */
__attribute__((used)) _Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
    panic("a stack frame was overwritten");
}

static long panic_timeout(void)
{
    char value[16];

    return boot_option("panic", value, sizeof(value)) ? strtol(value, NULL, 0) : 0;
}

static _Noreturn void end_machine(void)
{
    if (exit_machine)
        exit_machine(PANIC_EXIT_VALUE);
    if (reset_machine)
        reset_machine();
    cpu_halt();
}

/* A second panic, while the first is being reported: nothing can be trusted any more. */
static _Noreturn void panic_again(void)
{
    if (panic_timeout() != 0)
        end_machine();
    cpu_halt();
}

static void report(enum panic_stage stage)
{
    if (reporters[stage])
        reporters[stage](&cause);
}

_Noreturn void panic(const char *fmt, ...)
{
    static char why[200];
    va_list ap;

    irq_disable();
    if (stop_others)
        stop_others();
    if (panicking)
        panic_again();
    panicking = true;
    cause.ebp = (uint32_t)__builtin_frame_address(0);
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    klog(LOG_EMERG, LOG_LOUD "Kernel panic - not syncing: %s\n", why);
    klog(LOG_EMERG, "The kernel cannot go on; what no disk has yet is lost.\n");
    klog(LOG_EMERG, "Please photograph this, or keep the serial line's text, for\n");
    klog(LOG_EMERG, "whoever gave you this kernel: its scripts/crash decodes it.\n");
    for (enum panic_stage stage = PANIC_BACKTRACE; stage < PANIC_DEBUGGER; stage++)
        report(stage);
    klog(LOG_EMERG, LOG_LOUD "---[ end Kernel panic - not syncing: %s ]---\n", why);
    report(PANIC_DEBUGGER);
    panic_end();
}

_Noreturn void panic_end(void)
{
    long timeout = panic_timeout();

    if (timeout == 0)
        cpu_halt();
    if (timeout > 0) {
        klog(LOG_EMERG, "Rebooting in %ld seconds..\n", timeout);
        wait_seconds((uint32_t)timeout);
    }
    end_machine();
}

_Noreturn void boot_fail(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vklog(LOG_EMERG, fmt, ap);
    va_end(ap);
    klog(LOG_EMERG, "Faultline cannot start. The machine is halted.\n");
    cpu_halt();
}

_Noreturn void assert_failed(const char *expr, const char *file, int line)
{
    panic("assertion failed: %s, %s:%d", expr, file, line);
}
