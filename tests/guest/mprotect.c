/* mprotect: every change of rights takes effect at once, and the signal says why and where. */
#include "guest.h"

static void rights(void)
{
    char *p = map_anon(3);

    memset(p, 'r', 3 * PAGE);
    TRY(mprotect(p + PAGE, PAGE, PROT_READ));
    PROBE_READ(p + PAGE);
    PROBE_WRITE(p + PAGE + 123);
    PROBE_WRITE(p);
    PROBE_WRITE(p + 2 * PAGE);
    TRY(mprotect(p + PAGE, PAGE, PROT_NONE));
    PROBE_READ(p + PAGE + 7);
    PROBE_WRITE(p + PAGE + 7);
    TRY(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));
    PROBE_READ(p + PAGE);
    PROBE_WRITE(p + PAGE);
}

/* Pages that were not there yet obey the protection they meet. */
static void untouched(void)
{
    char *p = map(4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    TRY(mprotect(p + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
    PROBE_WRITE(p);
    PROBE_WRITE(p + PAGE);
    PROBE_READ(p + 2 * PAGE);
    PROBE_READ(p + 3 * PAGE);
}

static void bad_arguments(void)
{
    char *p = map_anon(4);

    TRY(mprotect(p + 1, PAGE, PROT_READ));
    TRY(mprotect(p, 0, PROT_READ));
    TRY(mprotect(p, PAGE, 0x70));
    TRY(mprotect((void *)PAGE, PAGE, PROT_READ));
    TRY(mprotect((void *)0xfffff000, PAGE, PROT_READ));
    munmap(p + 2 * PAGE, PAGE);
    TRY(mprotect(p, 4 * PAGE, PROT_READ));
    PROBE_WRITE(p + 3 * PAGE);
}

static void splits_and_joins(void)
{
    char *p = map_anon(32);
    volatile int writable = 0;

    memset(p, 's', 32 * PAGE);
    for (int i = 0; i < 32; i += 2)
        DIE_UNLESS(mprotect(p + i * PAGE, PAGE, PROT_READ) == 0);
    for (volatile int i = 0; i < 32; i++) {
        if (sigsetjmp(fault_jump, 1))
            continue;
        p[i * PAGE] = 't';
        writable++;
    }
    printf("writable: %d\n", writable);
    DIE_UNLESS(mprotect(p, 32 * PAGE, PROT_READ | PROT_WRITE) == 0);
    for (int i = 0; i < 32; i++)
        putchar(p[i * PAGE]);
    putchar('\n');
    memset(p, 'u', 32 * PAGE);
    printf("all: %d\n", all_bytes(p, 32 * PAGE, 'u'));
}

/* A handler may make the page writable and let the instruction go on. */
static char *lazy;
static volatile int faults;

static void on_lazy(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    faults++;
    if (mprotect((char *)((uintptr_t)info->si_addr & -PAGE), PAGE, PROT_READ | PROT_WRITE) < 0)
        _exit(98);
}

static void repaired_by_handler(void)
{
    struct sigaction act = {.sa_sigaction = on_lazy, .sa_flags = SA_SIGINFO};

    sigaction(SIGSEGV, &act, NULL);
    lazy = map(8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 8; i++)
        lazy[i * PAGE] = i;
    printf("faults handled: %d, last page %d\n", faults, lazy[7 * PAGE]);
    catch_faults();
}

static void text_is_read_only(void)
{
    PROBE_WRITE((char *)text_is_read_only);
    PROBE_WRITE((char *)"literal");
}

static void shared_zero_page(void)
{
    char *p = map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q = map_anon(1);

    printf("zero: %d\n", *p);
    TRY(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    *p = 1;
    printf("others stay zero: %d\n", *q);
}

/* PROT_GROWSDOWN reaches down to the start of an area that grows so; nothing grows up. */
static void growing(void)
{
    char *p = map_anon(16);

    munmap(p, 8 * PAGE);
    TRY(mprotect(p + 10 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
    TRY(mprotect(p + 10 * PAGE, PAGE, PROT_READ | PROT_GROWSUP));
    TRY(mprotect(p + 2 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
    TRY(mprotect(p + 2 * PAGE, PAGE, PROT_READ | PROT_GROWSUP));
    TRY(mprotect(p + 2 * PAGE, 8 * PAGE, PROT_READ | PROT_GROWSUP));
    TRY(mprotect(p + 2 * PAGE, 8 * PAGE, PROT_READ | PROT_GROWSDOWN));
    TRY(mprotect(p + 10 * PAGE, 0, PROT_READ | PROT_GROWSDOWN));
    TRY(mprotect(p + 10 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
    TRY(mmap(p + 8 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0));
    TRY(mprotect(p + 12 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
    for (int i = 8; i < 16; i++)
        PROBE_WRITE(p + i * PAGE);
}

int main(void)
{
    catch_faults();
    growing();
    rights();
    untouched();
    bad_arguments();
    splits_and_joins();
    repaired_by_handler();
    text_is_read_only();
    shared_zero_page();
    return 0;
}
