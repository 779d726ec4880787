/* The stack grows as it is used, up to its limit, and never into what is below it. */
#include "guest.h"

static char other_stack[64 * 1024];

/* Uses depth pages of stack, one by one. */
__attribute__((noinline)) static int deep(int depth)
{
    volatile char page[PAGE - 64];

    page[0] = depth;
    if (depth)
        return deep(depth - 1) + (page[0] == (char)depth);
    return 0;
}

static void within_limit(void *arg)
{
    printf("pages right: %d\n", deep((int)(intptr_t)arg));
}

/* One large step down: still the stack, since Linux has no limit but the limit. */
__attribute__((noinline)) static void one_step(void *arg)
{
    size_t size = (size_t)arg;
    volatile char *p = __builtin_alloca(size);

    p[0] = 1;
    printf("one step of %zu KiB: ok\n", size / 1024);
}

static void past_limit(void *arg)
{
    stack_t alternative = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};
    struct rlimit limit = {1 << 20, RLIM_INFINITY};

    (void)arg;
    DIE_UNLESS(setrlimit(RLIMIT_STACK, &limit) == 0);
    sigaltstack(&alternative, NULL);
    catch_faults();
    if (sigsetjmp(fault_jump, 1)) {
        printf("past the limit: %s\n", fault_code());
        printf("and on we go: %d\n", deep(10));
        return;
    }
    deep(1024);
    printf("no limit?\n");
}

static void past_limit_unhandled(void *arg)
{
    struct rlimit limit = {1 << 20, RLIM_INFINITY}, none = {0, 0};

    (void)arg;
    setrlimit(RLIMIT_CORE, &none);
    DIE_UNLESS(setrlimit(RLIMIT_STACK, &limit) == 0);
    catch_faults();
    deep(1024);
}

/* A mapping a little below the stack: the guard gap keeps the stack off it. */
static void guard(void *arg)
{
    stack_t alternative = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};
    char here, *below = (char *)((uintptr_t)&here & -PAGE) - (3 << 20);

    (void)arg;
    DIE_UNLESS(mmap(below, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                    -1, 0) == below);
    strcpy(below, "below");
    sigaltstack(&alternative, NULL);
    catch_faults();
    if (sigsetjmp(fault_jump, 1)) {
        printf("stopped at the gap: %s, %d, at least 64 KiB away: %d\n", fault_code(),
               (char *)fault_info.si_addr > below,
               (char *)fault_info.si_addr > below + PAGE + 0x10000);
        printf("mapping intact: %s\n", below);
        return;
    }
    deep(1024);
}

static void touch_below(void *arg)
{
    char here, *p = (char *)((uintptr_t)&here & -PAGE) - (32 << 20);

    (void)arg;
    catch_faults();
    PROBE_READ(p);
}

static void grown_stack_is_zero(void *arg)
{
    char here, *p = (char *)((uintptr_t)&here & -PAGE) - 64 * PAGE;

    (void)arg;
    printf("fresh stack pages are zero: %d\n", all_bytes(p, 32 * PAGE, 0));
}

static void after_fork(void *arg)
{
    (void)arg;
    deep(100);
    in_child("grandchild", within_limit, (void *)300);
    printf("parent again: %d\n", deep(300));
}

int main(void)
{
    in_child("200 pages", within_limit, (void *)200);
    in_child("1500 pages", within_limit, (void *)1500);
    in_child("a step of 1 MiB", one_step, (void *)(1 << 20));
    in_child("a step of 6 MiB", one_step, (void *)(6 << 20));
    in_child("past the limit", past_limit, NULL);
    in_child("past the limit, no other stack", past_limit_unhandled, NULL);
    in_child("guard gap", guard, NULL);
    in_child("far below", touch_below, NULL);
    in_child("zero", grown_stack_is_zero, NULL);
    in_child("after fork", after_fork, NULL);
    return 0;
}
