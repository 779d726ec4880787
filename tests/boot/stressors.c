/*
 * Two dozen processes that do all that memory allows at once, for tests/boot/test_swap.py.
 *
 *     stressors DIR MIB ROUNDS SWAP...
 *
 * Each process holds so many MiB and does so many rounds of its kind; files are made in DIR; the
 * swap areas named are taken away and given back all the time. What is read is what was written,
 * whatever happened in between. At the end a line tells how many were wrong, and how many killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096u
#define WORDS (PAGE / 4)
#define COUNT 24
#define SPOTS 8 /* words of a page that are looked at */

static const char *dir, **areas;
static uint32_t pages, rounds, seed;

static void die(const char *what)
{
    fprintf(stderr, "stressors: %s: %s\n", what, strerror(errno));
    exit(2);
}

#define NEED(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            die(#x);                                                                               \
    } while (0)

/* ---- Contents ---- */

static uint32_t word_of(uint32_t page, uint32_t version, uint32_t i)
{
    uint32_t x = page * 0x9e3779b9u ^ version * 0x85ebca6bu ^ i * 0xc2b2ae35u;

    return i % 6 ? page ^ version : x ^ x >> 15;
}

static void fill(uint32_t *p, uint32_t page, uint32_t version)
{
    for (uint32_t i = 0; i < WORDS; i++)
        p[i] = word_of(page, version, i);
}

static void expect(const uint32_t *p, uint32_t page, uint32_t version)
{
    for (uint32_t k = 0, i = page % 31; k < SPOTS; k++, i += WORDS / SPOTS)
        if (p[i] != word_of(page, version, i)) {
            fprintf(stderr, "stressors: pid %d: page %u word %u is %08x\n", getpid(), page, i,
                    p[i]);
            exit(3);
        }
}

static void expect_zeros(const uint32_t *p)
{
    for (uint32_t i = 0; i < WORDS; i += WORDS / SPOTS)
        if (p[i]) {
            fprintf(stderr, "stressors: pid %d: zeros expected, %08x\n", getpid(), p[i]);
            exit(3);
        }
}

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static uint32_t *get(uint32_t n, int flags, int fd)
{
    void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

    NEED(p != MAP_FAILED);
    return p;
}

static uint32_t *get_own(uint32_t n)
{
    return get(n, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int scratch(void)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/stress.%d", dir, getpid());
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    NEED(fd >= 0);
    unlink(path);
    return fd;
}

static void wait_for(pid_t pid)
{
    int status;

    NEED(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        raise(SIGKILL); /* for want of memory: the family goes */
    if (status)
        exit(3);
}

/* ---- The kinds ---- */

/* Grows and shrinks by mremap. */
static void grow(void)
{
    uint32_t *p = get_own(1);

    fill(p, 0, 0);
    for (uint32_t r = 0, n = 1; r < rounds; r++) {
        uint32_t to = 1 + chance(pages);

        p = mremap(p, n * PAGE, to * PAGE, MREMAP_MAYMOVE);
        NEED(p != MAP_FAILED);
        for (uint32_t i = 0; i < to; i++) {
            if (i < n)
                expect(p + i * WORDS, i, 0);
            else
                fill(p + i * WORDS, i, 0);
        }
        n = to;
    }
}

/* Takes and gives back pieces anywhere. */
static void map_and_unmap(void)
{
    uint32_t *p = get_own(pages), version[pages];

    memset(version, 0, sizeof(version));
    for (uint32_t r = 0; r < rounds * 16; r++) {
        uint32_t at = chance(pages), n = 1 + chance(pages - at < 32 ? pages - at : 32);

        for (uint32_t i = at; i < at + n; i++) {
            if (version[i])
                expect(p + i * WORDS, i, version[i]);
            else
                expect_zeros(p + i * WORDS);
            fill(p + i * WORDS, i, version[i] = r + 1);
        }
        if (r % 3)
            continue;
        NEED(mmap(p + at * WORDS, n * PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
        memset(version + at, 0, n * sizeof(*version));
    }
}

/* Children share the memory, change some of it, and leave the parent's alone. */
static void forks(void)
{
    uint32_t *p = get_own(pages);

    for (uint32_t i = 0; i < pages; i++)
        fill(p + i * WORDS, i, 1);
    for (uint32_t r = 0; r < rounds; r++) {
        pid_t pid = fork();

        if (pid == 0) {
            for (uint32_t i = r % 3; i < pages; i += 3) {
                expect(p + i * WORDS, i, 1);
                fill(p + i * WORDS, i, 2);
            }
            for (uint32_t i = 0; i < pages; i++)
                expect(p + i * WORDS, i, i % 3 == r % 3 ? 2 : 1);
            _exit(0);
        }
        wait_for(pid);
        for (uint32_t i = r % 2; i < pages; i += 2)
            expect(p + i * WORDS, i, 1);
    }
}

static void execs(void)
{
    uint32_t *p = get_own(pages);

    for (uint32_t i = 0; i < pages; i++)
        fill(p + i * WORDS, i, 1);
    for (uint32_t r = 0, i; r < rounds * 4; r++) {
        pid_t pid = fork();

        if (pid == 0) {
            execl("/proc/self/exe", "stressors", "child", NULL);
            _exit(4);
        }
        wait_for(pid);
        i = chance(pages);
        expect(p + i * WORDS, i, 1);
    }
}

/* A shared mapping of a file; what msync() wrote, read() sees, and the other way round. */
static void share_file(void)
{
    static uint32_t page[WORDS];
    int fd = scratch();
    uint32_t *p, version[pages];

    NEED(ftruncate(fd, (off_t)pages * PAGE) == 0);
    p = get(pages, MAP_SHARED, fd);
    memset(version, 0, sizeof(version));
    for (uint32_t r = 0; r < rounds * 24; r++) {
        uint32_t i = chance(pages);

        if (version[i])
            expect(p + i * WORDS, i, version[i]);
        fill(p + i * WORDS, i, version[i] = r + 1);
        i = chance(pages);
        NEED(pread(fd, page, PAGE, (off_t)i * PAGE) == (ssize_t)PAGE);
        if (version[i])
            expect(page, i, version[i]);
        if (r % 64 == 0)
            NEED(msync(p, pages * PAGE, r % 128 ? MS_SYNC : MS_ASYNC) == 0);
    }
}

/* What was cut off is zeros when the file has grown again. */
static void truncates(void)
{
    static uint32_t page[WORDS];
    int fd = scratch();

    for (uint32_t r = 0; r < rounds * 2; r++) {
        uint32_t n = 1 + chance(pages), cut = chance(n);
        uint32_t *p;

        NEED(ftruncate(fd, 0) == 0);
        for (uint32_t i = 0; i < n; i++) {
            fill(page, i, r);
            NEED(pwrite(fd, page, PAGE, (off_t)i * PAGE) == (ssize_t)PAGE);
        }
        p = get(n, MAP_SHARED, fd);
        expect(p + (n - 1) * WORDS, n - 1, r);
        NEED(ftruncate(fd, (off_t)cut * PAGE) == 0 && ftruncate(fd, (off_t)n * PAGE) == 0);
        for (uint32_t i = 0; i < n; i++) {
            if (i < cut)
                expect(p + i * WORDS, i, r);
            else
                expect_zeros(p + i * WORDS);
        }
        munmap(p, n * PAGE);
    }
}

static void syncs(void)
{
    static uint32_t page[WORDS];
    int fd = scratch();

    for (uint32_t r = 0; r < rounds; r++) {
        for (uint32_t i = 0; i < pages / 4; i++) {
            fill(page, i, r);
            NEED(pwrite(fd, page, PAGE, (off_t)i * PAGE) == (ssize_t)PAGE);
        }
        if (r % 2)
            sync();
        else
            NEED(fsync(fd) == 0);
        for (uint32_t i = 0; i < pages / 4; i += 3) {
            NEED(pread(fd, page, PAGE, (off_t)i * PAGE) == (ssize_t)PAGE);
            expect(page, i, r);
        }
    }
}

/* Shared memory without a file: two processes take turns by page. */
static void share_memory(void)
{
    uint32_t *p = get(pages, MAP_SHARED | MAP_ANONYMOUS, -1);

    for (uint32_t r = 1; r <= rounds; r++) {
        pid_t pid = fork();

        for (uint32_t i = pid ? 0 : 1; i < pages; i += 2) {
            if (r > 1)
                expect(p + i * WORDS, i, r - 1);
            fill(p + i * WORDS, i, r);
        }
        if (pid == 0)
            _exit(0);
        wait_for(pid);
        for (uint32_t i = 0; i < pages; i += 5)
            expect(p + i * WORDS, i, r);
    }
}

static void advise(void)
{
    uint32_t *p = get_own(pages);

    for (uint32_t r = 0; r < rounds * 4; r++) {
        uint32_t at = chance(pages), n = 1 + chance(pages - at);

        for (uint32_t i = at; i < at + n; i += 3)
            fill(p + i * WORDS, i, r);
        NEED(madvise(p + at * WORDS, n * PAGE, 21 /* MADV_PAGEOUT */) == 0);
        for (uint32_t i = at; i < at + n; i += 3)
            expect(p + i * WORDS, i, r);
        NEED(madvise(p + at * WORDS, n * PAGE, MADV_DONTNEED) == 0);
        expect_zeros(p + at * WORDS);
    }
}

/* Away with it, and back; that there is no room for what is in it is no error. */
static void swap_areas(void)
{
    uint32_t *p = get_own(pages / 4 + 1);

    for (uint32_t i = 0; i < pages / 4; i++)
        fill(p + i * WORDS, i, 1);
    for (uint32_t r = 0, i; r < rounds; r++) {
        for (const char **a = areas; *a; a++) {
            if (swapoff(*a) == 0)
                NEED(swapon(*a, 0) == 0 || errno == EBUSY || errno == ENOMEM);
            else
                NEED(errno == ENOMEM || errno == EINVAL || errno == EINTR || errno == EBUSY);
            usleep(20000);
        }
        i = chance(pages / 4);
        expect(p + i * WORDS, i, 1);
    }
}

static void (*const kinds[])(void) = {grow,      map_and_unmap, forks,  execs,        share_file,
                                      truncates, syncs,         advise, share_memory, swap_areas};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

int main(int argc, char **argv)
{
    unsigned wrong = 0, killed = 0, one_swapper = 0;
    int status;

    if (argc == 2 && strcmp(argv[1], "child") == 0)
        return 0;
    if (argc < 4)
        return 2;
    dir = argv[1];
    pages = (uint32_t)atoi(argv[2]) * 256;
    rounds = (uint32_t)atoi(argv[3]);
    areas = (const char **)argv + 4;
    for (unsigned n = 0, kind = 0; n < COUNT; n++, kind++) {
        if (kind % KINDS == KINDS - 1 && one_swapper++)
            kind++;
        if (fork() == 0) {
            seed = n * 7919 + 1;
            kinds[kind % KINDS]();
            exit(0);
        }
    }
    while (wait(&status) > 0) {
        wrong += WIFEXITED(status) && WEXITSTATUS(status) != 0;
        wrong += WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL;
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    printf("stressors: %u wrong, %u killed\n", wrong, killed);
    return wrong != 0;
}
