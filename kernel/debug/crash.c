/*
 * Failures on request, so that what the kernel says about them can be tested and learned from:
 * crash=HOW on the command line, or a word written to /proc/sys/kernel/crash by root.
 */
#include "kernel/debug/crash.h"
#include "fs/proc/procfs.h"
#include "kernel/base/panic.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/watchdog.h"
#include "kernel/time/time.h"
#include "libc/assert.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

typedef void (*jump_fn)(void);

/* Each level keeps some stack, so that the guard page is met soon. */
static __attribute__((noinline)) uint32_t recurse(uint32_t depth)
{
    volatile uint32_t ballast[64];

    ballast[depth % 64] = depth;
    if (depth == UINT32_MAX)
        return 0;
    return recurse(depth + 1) + ballast[depth % 64];
}

static void crash_stack(void)
{
    klog(LOG_INFO, "recursed to %u\n", recurse(0));
}

static void crash_text(void)
{
    *(volatile uint8_t *)(uintptr_t)&crash_stack = 0;
}

static void crash_null(void)
{
    volatile jump_fn nowhere = NULL;

    nowhere(); // cppcheck-suppress nullPointer
    klog(LOG_INFO, "back from nowhere\n");
}

/* Below what a program can ever map, so that nothing is there to be run in kernel mode. */
static void crash_user(void)
{
    volatile jump_fn user = (jump_fn)0x12345;

    user();
    klog(LOG_INFO, "back from user memory\n");
}

/* The terminator of a string that fits exactly lands behind it. */
static void crash_smash(void)
{
    volatile char word[8];
    volatile unsigned n = 16;

    for (unsigned i = 0; i <= n; i++)
        word[i] = 0;
    klog(LOG_INFO, "wrote %u bytes to %p\n", n, (const void *)word);
}

static void crash_free(void)
{
    void *page = kalloc();

    for (volatile int i = 0; i < 2; i++)
        kfree(page);
}

static void crash_bug(void)
{
    volatile int one = 1;

    KASSERT(one == 2);
}

static void crash_divide(void)
{
    volatile int many = 42, zero = 0;

    klog(LOG_INFO, "%d\n", many / zero); // cppcheck-suppress zerodiv
}

static void crash_read(void)
{
    klog(LOG_INFO, "%u\n", *(volatile uint32_t *)0xf7ff0000);
}

/* With a lock held, inside an area of the process. */
static void crash_lock(void)
{
    spin_lock(&proc_lock);
    *(volatile uint32_t *)(proc_current()->arg_start & PAGE_MASK) = 0;
    spin_unlock(&proc_lock);
}

/*
 * A stray write that changes one page-table entry of init, to be found by an audit (/proc/mm_check)
 * and traced back to here: docs/debugging.md, "Who corrupted this page-table entry?".
 */
static void crash_pte(void)
{
    const pde_t *tables = vm_space_tables(init_proc->space);

    for (unsigned d = 0; d < PDX(USER_TOP); d++) {
        pte_t *table = phys_to_virt(PTE_ADDR(tables[d]));

        for (unsigned i = 0; (tables[d] & PTE_P) && i < PT_ENTRIES; i++) {
            if ((table[i] & (PTE_P | PTE_W)) != (PTE_P | PTE_W))
                continue;
            table[i] ^= 1u << PAGE_SHIFT;
            return;
        }
    }
}

/* A page of the process's stack that is there, with "ret" in it: wrongly, as the kernel's own. */
static uint8_t *user_code(void)
{
    static const uint8_t ret = 0xc3;
    vaddr_t at = thread_current()->arch.tf->esp - 4096;

    return copy_to_user((void __user *)at, &ret, sizeof(ret)) ? NULL : (uint8_t *)at;
}

static void crash_peek(void)
{
    const volatile uint8_t *at = user_code();

    klog(LOG_INFO, "the byte there is %u\n", at ? *at : 0);
}

static void crash_run(void)
{
    volatile jump_fn fn = (jump_fn)user_code();

    if (fn)
        fn();
    klog(LOG_INFO, "back from user memory\n");
}

/* Blocked for longer than the watchdog looks on, then back. */
static void crash_hang(void)
{
    thread_current()->state = THREAD_BLOCKED;
    schedule_until(time_mono_ns() + (uint64_t)(2 * watchdog_limits.hung_secs + 1) * NSEC_PER_SEC);
}

/* The same, without giving up the CPU; ends when the watchdog has said so. */
static void crash_spin(void)
{
    uint32_t before = watchdog_reports();
    uint64_t end = time_mono_ns() + (uint64_t)(4 * watchdog_limits.thresh_secs + 4) * NSEC_PER_SEC;

    while (watchdog_reports() == before && time_mono_ns() < end)
        cpu_relax();
}

static const struct {
    const char *name;
    void (*fn)(void);
} ways[] = {
    {"stack", crash_stack},   /* endless recursion: the kernel stack overflows */
    {"text", crash_text},     /* a write to the kernel's text */
    {"null", crash_null},     /* a call of NULL */
    {"user", crash_user},     /* a jump into user memory */
    {"smash", crash_smash},   /* a write behind an array on the stack */
    {"free", crash_free},     /* a frame freed twice */
    {"bug", crash_bug},       /* a failed assertion */
    {"divide", crash_divide}, /* a division by zero */
    {"read", crash_read},     /* a read where nothing is mapped */
    {"lock", crash_lock},     /* a write to user memory with a spin lock held */
    {"peek", crash_peek},     /* a read of user memory outside the copy windows: SMAP */
    {"run", crash_run},       /* a jump into user memory that is there: SMEP */
    {"hang", crash_hang},     /* no crash: blocked for a time */
    {"spin", crash_spin},     /* no crash: the CPU is not given up for a time */
    {"pte", crash_pte},       /* no crash: a damaged page-table entry */
};

static int crash_provoke(const char *how, size_t len)
{
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strlen(ways[i].name) != len || memcmp(ways[i].name, how, len) != 0)
            continue;
        klog(LOG_WARN, "crash: %s, as asked\n", ways[i].name);
        ways[i].fn();
        return 0;
    }
    return -EINVAL;
}

void crash_boot_option(void)
{
    char how[16];

    if (boot_option("crash", how, sizeof(how)) && crash_provoke(how, strlen(how)))
        klog(LOG_WARN, "crash: no such way: %s\n", how);
}

/* For tests of what the kernel says then; only root may write there. */
static int store_crash(const char *text, size_t len, const struct target *who)
{
    const char *end = memchr(text, '\n', len);

    (void)who;
    return crash_provoke(text, end ? (size_t)(end - text) : len);
}

static int show_nothing(struct text *t, const struct target *who)
{
    (void)t, (void)who;
    return 0;
}

void crash_init(void)
{
    static const struct proc_entry entry = STORE_ENTRY("crash", 0200, show_nothing, store_crash);

    panic_register(PANIC_STATE, crash_report_state);
    sysctl_add(&entry);
}
