/*
 * A long random walk over one small window of address space: every kind of mapping, replaced, cut
 * up, protected, written, forked. After each stretch the window is read page by page, and what is
 * found (contents or fault) must be what Linux finds. Failures name the seed and the step.
 */
#include "guest.h"

#define PAGES      48
#define FILE_PAGES 24
#define HEAP_PAGES 16
#define STEPS      600

static char *window, *heap;
static int file, heap_pages;
static bool mapped[PAGES];
static uint32_t random_state;

static uint32_t pick(uint32_t n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % n;
}

/* What a page is: a hash of its contents, or which fault it gives. */
static uint32_t look_at(const volatile unsigned char *p)
{
    uint32_t hash = 2166136261u;

    if (sigsetjmp(fault_jump, 1))
        return fault_info.si_signo * 16 + fault_info.si_code;
    for (int i = 0; i < PAGE; i += 61)
        hash = (hash ^ p[i]) * 16777619u;
    return hash;
}

static uint32_t look_at_all(void)
{
    static uint32_t hash;
    static int i;
    char c[PAGE];

    hash = 0;
    for (i = 0; i < PAGES; i++)
        hash = hash * 31 + look_at((unsigned char *)window + i * PAGE);
    for (i = 0; i < heap_pages; i++)
        hash = hash * 31 + look_at((unsigned char *)heap + i * PAGE);
    for (i = 0; i < FILE_PAGES; i++) {
        memset(c, 0, sizeof(c));
        DIE_UNLESS(pread(file, c, PAGE, i * PAGE) >= 0);
        hash = hash * 31 + look_at((unsigned char *)c);
    }
    return hash;
}

static void range(int *first, int *count)
{
    *first = pick(PAGES);
    *count = 1 + pick(pick(4) ? 4 : PAGES);
    if (*first + *count > PAGES)
        *count = PAGES - *first;
}

static int protection(void)
{
    static const int all[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
                              PROT_READ | PROT_WRITE | PROT_EXEC};

    return all[pick(5)];
}

static void do_map(void)
{
    int first, count, flags = pick(2) ? MAP_PRIVATE : MAP_SHARED, fd = file,
                      offset = pick(FILE_PAGES);

    range(&first, &count);
    if (pick(2)) {
        flags |= MAP_ANONYMOUS;
        fd = -1;
        offset = 0;
    }
    DIE_UNLESS(mmap(window + first * PAGE, count * PAGE, protection(), flags | MAP_FIXED, fd,
                    offset * PAGE) == window + first * PAGE);
    memset(mapped + first, true, count);
}

static void do_unmap(void)
{
    int first, count;

    range(&first, &count);
    DIE_UNLESS(munmap(window + first * PAGE, count * PAGE) == 0);
    memset(mapped + first, false, count);
}

/* Only where there is no hole: what is done before one is found is not the same everywhere. */
static void do_protect(void)
{
    int first, count;

    range(&first, &count);
    for (int i = 0; i < count; i++)
        if (!mapped[first + i])
            count = i;
    if (count)
        DIE_UNLESS(mprotect(window + first * PAGE, count * PAGE, protection()) == 0);
}

static void do_store(void)
{
    volatile char *p = window + pick(PAGES * PAGE / 61) * 61;

    if (!sigsetjmp(fault_jump, 1))
        *p = pick(256);
}

/* The kernel stores: across pages, maybe into a fault half-way. */
static void do_read_into(void)
{
    char *p = window + pick((PAGES - 3) * PAGE);

    pread(file, p, pick(2 * PAGE), pick(FILE_PAGES * PAGE));
}

static void do_write_file(void)
{
    char data[200];

    memset(data, pick(256), sizeof(data));
    DIE_UNLESS(pwrite(file, data, sizeof(data), pick(FILE_PAGES * PAGE - 200)) == sizeof(data));
}

/* From the window into the file, which may be mapped there. */
static void do_write_from(void)
{
    int from = pick((PAGES - 2) * PAGE);
    size_t n = pick(PAGE);

    pwrite(file, window + from, n, pick((FILE_PAGES - 1) * PAGE));
}

static void do_brk(void)
{
    int old = heap_pages;

    heap_pages = pick(HEAP_PAGES);
    DIE_UNLESS(brk(heap + heap_pages * PAGE) == 0);
    for (int i = old; i < heap_pages; i++)
        if (!all_bytes(heap + i * PAGE, PAGE, 0))
            printf("a fresh heap page is not zero\n");
    if (heap_pages)
        heap[pick(heap_pages * PAGE)] = pick(256);
}

static void step(void)
{
    static void (*const all[])(void) = {
        do_map,   do_map,   do_unmap,     do_protect,    do_store,      do_store, do_store,
        do_store, do_store, do_read_into, do_write_file, do_write_from, do_brk};

    all[pick(sizeof(all) / sizeof(*all))]();
}

/* The child goes its own way; its shared pages and the file are the parent's too. */
static void with_child(int seed, int at)
{
    pid_t pid = fork();

    if (pid == 0) {
        for (int i = 0; i < 30; i++)
            step();
        printf("seed %d step %d child: %08x\n", seed, at, look_at_all());
        _exit(0);
    }
    DIE_UNLESS(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

static void walk(int seed)
{
    random_state = seed * 7919;
    file = make_file("file", FILE_PAGES * PAGE);
    window = map(PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(mapped, true, sizeof(mapped));
    for (volatile int i = 1; i <= STEPS; i++) {
        step();
        if (i % 40 == 0)
            with_child(seed, i);
        if (i % 20 == 0)
            printf("seed %d step %d: %08x\n", seed, i, look_at_all());
    }
    munmap(window, PAGES * PAGE);
    close(file);
}

int main(void)
{
    catch_faults();
    heap = (char *)(((uintptr_t)sbrk(0) + PAGE - 1) & -PAGE);
    for (int seed = 1; seed <= 8; seed++)
        walk(seed);
    return 0;
}
