/* mlock, mlock2, munlock, mlockall, munlockall: what is locked (VmLck), what may be, and the
 * errors. */
#include "guest.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

static long locked_kb(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[200];
    long kb = -1;

    while (f && fgets(line, sizeof(line), f))
        sscanf(line, "VmLck: %ld", &kb);
    if (f)
        fclose(f);
    return kb;
}

static int resident(char *p, int pages)
{
    unsigned char vec[16];
    int n = 0;

    DIE_UNLESS(mincore(p, pages * PAGE, vec) == 0);
    for (int i = 0; i < pages; i++)
        n += vec[i] & 1;
    return n;
}

static void ranges(void)
{
    char *p = map_anon(8);

    SHOW(mlock(p + 100, 2 * PAGE)); /* rounds to three pages */
    printf("%ld kB, resident %d\n", locked_kb(), resident(p, 8));
    SHOW(mlock(p, 8 * PAGE));
    printf("%ld kB, resident %d\n", locked_kb(), resident(p, 8));
    SHOW(munlock(p + 2 * PAGE, 1));
    printf("%ld kB\n", locked_kb());
    SHOW(mlock(p, 0));
    SHOW(munlock(p, 8 * PAGE));
    printf("%ld kB\n", locked_kb());
    SHOW(munlock(p, 8 * PAGE));
    SHOW(mlock2(p, 2 * PAGE, 0));
    SHOW(munlock(p, 2 * PAGE));
    munmap(p, 8 * PAGE);
}

static void on_fault_only(void)
{
    char *p = map_anon(4);

    SHOW(mlock2(p, 4 * PAGE, MLOCK_ONFAULT));
    printf("%ld kB, resident %d\n", locked_kb(), resident(p, 4));
    p[PAGE] = 1;
    printf("%ld kB, resident %d\n", locked_kb(), resident(p, 4));
    SHOW(mlock2(p, 4 * PAGE, 2));
    SHOW(mlock2(p, 4 * PAGE, -1));
    munmap(p, 4 * PAGE);
    printf("unmapped: %ld kB\n", locked_kb());
}

static void errors(void)
{
    char *p = map_anon(4);

    SHOW(mlock((void *)(16 * PAGE), PAGE));
    SHOW(munlock((void *)(16 * PAGE), PAGE));
    munmap(p + 2 * PAGE, PAGE);
    SHOW(mlock(p, 4 * PAGE));
    SHOW(munlock(p, 4 * PAGE));
    SHOW(mlock(p, 2 * PAGE));
    SHOW(munlock(p, 2 * PAGE));
    mprotect(p, PAGE, PROT_NONE);
    SHOW(mlock(p, PAGE));
    SHOW(munlock(p, PAGE));
    SHOW(mlockall(0));
    SHOW(mlockall(8));
    SHOW(mlockall(4)); /* MCL_ONFAULT alone */
    munmap(p, 4 * PAGE);
}

static void inherited(void)
{
    char *p = map_anon(4);

    DIE_UNLESS(mlock(p, 4 * PAGE) == 0);
    if (fork() == 0) {
        printf("child: %ld kB\n", locked_kb());
        _exit(0);
    }
    wait(NULL);
    printf("parent: %ld kB\n", locked_kb());
    munmap(p, 4 * PAGE);
}

static void everything(void)
{
    char *p = map_anon(4), *q;
    long before;

    SHOW(mlockall(MCL_CURRENT));
    printf("all: %d, resident %d\n", locked_kb() > 100, resident(p, 4));
    before = locked_kb();
    q = map_anon(4);
    printf("not the new: %ld kB, resident %d\n", locked_kb() - before, resident(q, 4));
    SHOW(mlockall(MCL_FUTURE));
    q = map_anon(4);
    printf("the new: %ld kB, resident %d\n", locked_kb() - before, resident(q, 4));
    SHOW(munlockall());
    q = map_anon(4);
    printf("none: %ld kB, resident %d\n", locked_kb(), resident(q, 4));
    q = map(4 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);
    printf("MAP_LOCKED: %ld kB, resident %d\n", locked_kb(), resident(q, 4));
    munmap(q, 4 * PAGE);
}

/* Without privilege the limit counts. */
static void limited(void *arg)
{
    struct rlimit limit = {4 * PAGE, 8 * PAGE};
    char *p = map_anon(8);

    (void)arg;
    DIE_UNLESS(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    SHOW(mlock(p, 4 * PAGE));
    SHOW(mlock(p + 4 * PAGE, 1));
    SHOW(mlock(p, 4 * PAGE));
    SHOW(munlock(p, PAGE));
    SHOW(mlock(p + 4 * PAGE, 1));
    SHOW(munlock(p, 8 * PAGE));
    SHOW(mlock(p, 5 * PAGE));
    TRY(mmap(NULL, 5 * PAGE, RW, ANON | MAP_LOCKED, -1, 0));
    SHOW(mlockall(MCL_CURRENT));
    SHOW(mlockall(MCL_FUTURE));
    TRY(mmap(NULL, 5 * PAGE, RW, ANON, -1, 0));
    TRY(mmap(NULL, 4 * PAGE, RW, ANON, -1, 0));
    TRY(mremap(p, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE)); /* p is not locked */
    TRY(sbrk(8 * PAGE));
    SHOW(munlockall());
    limit.rlim_cur = 100; /* reached at once, yet no prohibition */
    DIE_UNLESS(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    SHOW(mlock(p, PAGE));
    SHOW(mlock2(p, PAGE, MLOCK_ONFAULT));
    SHOW(mlockall(MCL_CURRENT));
    TRY(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0));
    limit.rlim_cur = 0;
    DIE_UNLESS(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    SHOW(mlock(p, PAGE));
    SHOW(mlockall(MCL_CURRENT));
    TRY(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0));
    SHOW(munlock(p, PAGE));
    SHOW(munlockall());
}

/* A locked area takes its lock along when it grows: the new pages are there at once. */
static void grown(void)
{
    char *p = map_anon(12), *q;

    munmap(p + 4 * PAGE, 8 * PAGE);
    SHOW(mlock(p, 4 * PAGE));
    TRY(q = mremap(p, 4 * PAGE, 6 * PAGE, 0));
    printf("in place: %ld kB, resident %d\n", locked_kb(), resident(p, 6));
    TRY(q = mremap(p, 6 * PAGE, 9 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 20 * PAGE));
    printf("moved: %ld kB, resident %d\n", locked_kb(), resident(q, 9));
    munmap(q, 9 * PAGE);
    p = map_anon(4);
    SHOW(mlock2(p, 4 * PAGE, MLOCK_ONFAULT));
    TRY(q = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE));
    printf("on fault: %ld kB, resident %d\n", locked_kb(), resident(q, 8));
    munmap(q, 8 * PAGE);
}

static void future_heap(void)
{
    char *old;

    SHOW(mlockall(MCL_FUTURE));
    old = sbrk(3 * PAGE);
    printf("heap: resident %d\n", resident((char *)(((unsigned long)old + PAGE - 1) & -PAGE), 3));
    SHOW(munlockall());
    SHOW(mlockall(MCL_FUTURE | 4)); /* on fault */
    old = sbrk(3 * PAGE);
    printf("on fault: resident %d\n",
           resident((char *)(((unsigned long)old + PAGE - 1) & -PAGE), 3));
    old = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
    printf("mapped: resident %d\n", resident(old, 4));
    SHOW(munlockall());
}

static void grown_too_far(void *arg)
{
    struct rlimit limit = {4 * PAGE, 8 * PAGE};
    char *p = map_anon(4);

    (void)arg;
    DIE_UNLESS(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    SHOW(mlock(p, 3 * PAGE));
    TRY(p = mremap(p, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE));
    TRY(mremap(p, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE));
    printf("%ld kB\n", locked_kb());
}

int main(void)
{
    ranges();
    grown();
    on_fault_only();
    errors();
    inherited();
    everything();
    in_child("future heap", (void (*)(void *))future_heap, NULL);
    if (geteuid() == 0) {
        in_child("nobody", limited, NULL);
        in_child("nobody grows", grown_too_far, NULL);
    }
    return 0;
}
