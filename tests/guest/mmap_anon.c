/* Anonymous mappings: contents, placement, flags that are wrong, sizes that wrap. */
#include "guest.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void contents(void)
{
    char *p = map_anon(100);

    printf("zero: %d\n", all_bytes(p, 100 * PAGE, 0));
    memset(p, 7, 100 * PAGE);
    munmap(p, 100 * PAGE);
    p = map_anon(100);
    printf("zero again: %d\n", all_bytes(p, 100 * PAGE, 0));
    munmap(p, 100 * PAGE);
}

static void sizes(void)
{
    char *p;

    TRY(mmap(NULL, 0, RW, ANON, -1, 0));
    TRY(mmap(NULL, 1, RW, ANON, -1, 0));
    TRY(mmap(NULL, -1, RW, ANON, -1, 0));
    TRY(mmap(NULL, -PAGE, RW, ANON, -1, 0));
    TRY(mmap(NULL, 0xfffff000u, RW, ANON | MAP_NORESERVE, -1, 0));
    p = map(1, RW, ANON, -1, 0);
    PROBE_WRITE(p + PAGE - 1);
    munmap(p, 1);
    PROBE_READ(p);
}

static void bad_arguments(void)
{
    TRY(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
    TRY(mmap(NULL, PAGE, RW, MAP_ANONYMOUS | 0x0f, -1, 0));
    TRY(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0));
    TRY(mmap(NULL, PAGE, RW, MAP_PRIVATE, 1000, 0));
    TRY(mmap((void *)1, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    TRY(mmap((void *)-PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    TRY(mmap((void *)0xfffff000, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
}

static void hints(void)
{
    char *area = map_anon(16), *p;

    munmap(area, 16 * PAGE);
    p = mmap(area + 4 * PAGE, PAGE, RW, ANON, -1, 0);
    printf("a free hint is taken: %d\n", p == area + 4 * PAGE);
    p = mmap(area + 4 * PAGE, PAGE, RW, ANON, -1, 0);
    printf("an occupied one is not: %d\n", p != area + 4 * PAGE && p != MAP_FAILED);
    p = mmap(area + 8 * PAGE + 5, PAGE, RW, ANON, -1, 0);
    printf("an unaligned hint is aligned: %d\n", ((uintptr_t)p & (PAGE - 1)) == 0);
    p = mmap((void *)0xfffff000, PAGE, RW, ANON, -1, 0);
    printf("a hint into the kernel is only a hint: %d\n", p != MAP_FAILED && p < (char *)-PAGE);
}

static void fixed(void)
{
    char *area = map_anon(8), *p;

    memset(area, 'f', 8 * PAGE);
    p = mmap(area + 2 * PAGE, 3 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
    printf("fixed is there: %d\n", p == area + 2 * PAGE);
    for (int i = 0; i < 8; i++)
        printf("%c", area[i * PAGE] ? area[i * PAGE] : '0');
    printf("\n");
#ifdef MAP_FIXED_NOREPLACE
    TRY(mmap(area + 7 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    printf("untouched: %c\n", area[7 * PAGE]);
    munmap(area + 4 * PAGE, 2 * PAGE);
    p = mmap(area + 4 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
    printf("noreplace into a hole: %d\n", p == area + 4 * PAGE);
#endif
}

static void protections(void)
{
    char *none = map(PAGE, PROT_NONE, ANON, -1, 0), *ro = map(PAGE, PROT_READ, ANON, -1, 0);
    char *wo = map(PAGE, PROT_WRITE, ANON, -1, 0);

    PROBE_READ(none);
    PROBE_WRITE(none);
    PROBE_READ(ro);
    PROBE_WRITE(ro);
    PROBE_READ(wo);
    PROBE_WRITE(wo);
}

/* Neighbours of every kind keep their own pages and protections. */
static void neighbours(void)
{
    char *p = map_anon(64);
    int wrong = 0;

    for (int i = 0; i < 64; i++)
        mmap(p + i * PAGE, PAGE, i % 3 ? RW : PROT_READ, ANON | MAP_FIXED, -1, 0);
    for (int i = 0; i < 64; i++)
        if (i % 3)
            p[i * PAGE] = i;
    for (int i = 0; i < 64; i++)
        wrong += p[i * PAGE] != (i % 3 ? i : 0);
    printf("wrong: %d\n", wrong);
    PROBE_WRITE(p + 63 * PAGE);
    munmap(p, 64 * PAGE);
    PROBE_READ(p + 33 * PAGE);
}

static void run_code(void)
{
    static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */
    char *p = map(PAGE, RW | PROT_EXEC, ANON, -1, 0);

    memcpy(p, code, sizeof(code));
    printf("code returns %d\n", ((int (*)(void))p)());
    p[1] = 43;
    printf("code returns %d\n", ((int (*)(void))p)());
}

static void address_limit(void)
{
    struct rlimit limit = {64 << 20, RLIM_INFINITY};

    DIE_UNLESS(setrlimit(RLIMIT_AS, &limit) == 0);
    TRY(mmap(NULL, 128 << 20, RW, ANON | MAP_NORESERVE, -1, 0));
    limit.rlim_cur = RLIM_INFINITY;
    DIE_UNLESS(setrlimit(RLIMIT_AS, &limit) == 0);
    TRY(mmap(NULL, 128 << 20, RW, ANON | MAP_NORESERVE, -1, 0));
}

int main(void)
{
    catch_faults();
    contents();
    sizes();
    bad_arguments();
    hints();
    fixed();
    protections();
    neighbours();
    run_code();
    address_limit();
    return 0;
}
