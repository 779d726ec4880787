/*
 * Programs that need more memory than a small machine has, for tests/boot/test_swap.py. Each ends
 * with a line that says whether everything was right.
 *
 *     pressure sort MIB
 *         heapsort, in place, of records of 1 KiB
 *
 *     pressure rewrite FILE MIB
 *         every page of a shared mapping, in an order that jumps
 *
 *     pressure both FILE MIB
 *         the two at once; a third process, of the sorter's by fork, reads along
 *
 *     pressure hold MIB FILE
 *         fills memory, waits until there is such a file, looks at it again
 *
 *     pressure eat
 *         takes memory until it is killed
 *
 *     pressure swapon PATH PRIORITY
 *
 * Of every six words one cannot be compressed: the contents become a third.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE       4096u
#define PAGE_WORDS (PAGE / 4)
#define WORDS      256u /* of a record */

typedef uint32_t record[WORDS];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

static void *get(size_t bytes, int flags, int fd)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

/* ---- Sorting ---- */

static void make_record(uint32_t *r, uint32_t key)
{
    for (uint32_t i = 0; i < WORDS; i++)
        r[i] = i % 6 ? 77 : mix(key + i);
    r[0] = key;
}

static int record_is_right(const uint32_t *r)
{
    for (uint32_t i = 1; i < WORDS; i++)
        if (r[i] != (i % 6 ? 77 : mix(r[0] + i)))
            return 0;
    return 1;
}

static void fill(record *a, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        make_record(a[i], mix(i));
}

static void swap(uint32_t *a, uint32_t *b)
{
    record c;

    memcpy(c, a, sizeof(c));
    memcpy(a, b, sizeof(c));
    memcpy(b, c, sizeof(c));
}

static void sift(record *a, uint32_t i, uint32_t n)
{
    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && a[child + 1][0] > a[child][0];
        if (a[i][0] >= a[child][0])
            return;
        swap(a[i], a[child]);
    }
}

static void heapsort_records(record *a, uint32_t n)
{
    for (uint32_t i = n / 2; i-- > 0;)
        sift(a, i, n);
    for (uint32_t end = n - 1; end > 0; end--) {
        swap(a[0], a[end]);
        sift(a, 0, end);
    }
}

/* Each in its place, and as it was; what they add up to is what fill() put there. */
static uint32_t wrong_records(record *a, uint32_t n)
{
    uint32_t wrong = 0, sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        wrong += !record_is_right(a[i]) || (i && a[i][0] < a[i - 1][0]);
        sum += a[i][0] - mix(i);
    }
    return wrong + (sum != 0);
}

static int sort(uint32_t mib, int forks)
{
    uint32_t n = mib << 10, wrong = 0;
    record *a = get((size_t)mib << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    pid_t reader;
    int status = 0;

    fill(a, n);
    reader = forks ? fork() : -1;
    if (reader == 0) {
        for (uint32_t i = 0; i < n / 4; i++)
            wrong += a[i][0] != mix(i) || !record_is_right(a[i]);
        printf("reader: %u records wrong\n", wrong);
        exit(wrong != 0);
    }
    heapsort_records(a, n);
    wrong = wrong_records(a, n);
    if (forks && (waitpid(reader, &status, 0) != reader || status))
        wrong++;
    printf("sort: %u records, %u wrong\n", n, wrong);
    return wrong != 0;
}

/* ---- A shared mapping ---- */

static uint32_t file_word(uint32_t page, uint32_t i)
{
    return i % 6 ? page : mix(page * PAGE_WORDS + i);
}

/* Page numbers in an order that jumps: a stride without a common divisor. */
static uint32_t jump(uint32_t page, uint32_t pages)
{
    return (uint32_t)((page + 0x9e37u * 2 + 1) % pages);
}

static uint32_t wrong_in_file(int fd, uint32_t pages)
{
    static uint32_t page[PAGE_WORDS];
    uint32_t wrong = 0;

    for (uint32_t p = 0; p < pages; p++) {
        if (pread(fd, page, PAGE, (off_t)p * PAGE) != (ssize_t)PAGE)
            die("pread");
        for (uint32_t i = 0; i < PAGE_WORDS; i++)
            wrong += page[i] != file_word(p, i);
    }
    return wrong;
}

static int rewrite(const char *path, uint32_t mib)
{
    uint32_t pages = mib << 8, *m, wrong;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || ftruncate(fd, (off_t)mib << 20))
        die(path);
    m = get((size_t)mib << 20, MAP_SHARED, fd);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t k = 0, p = 0; k < pages; k++, p = jump(p, pages)) {
            for (uint32_t i = 0; i < PAGE_WORDS; i++)
                m[p * PAGE_WORDS + i] = round ? file_word(p, i) : ~p;
        }
    }
    if (msync(m, (size_t)mib << 20, MS_SYNC))
        die("msync");
    wrong = wrong_in_file(fd, pages);
    printf("rewrite: %u pages, %u words wrong\n", pages, wrong);
    return wrong != 0;
}

static int both(const char *path, uint32_t mib)
{
    int status = 0, failed = 0;

    if (fork() == 0)
        exit(sort(mib, 1));
    if (fork() == 0)
        exit(rewrite(path, mib));
    while (wait(&status) > 0)
        failed += status != 0;
    printf("both: %d failed\n", failed);
    return failed;
}

/* ---- Holding, eating ---- */

static int hold(uint32_t mib, const char *file)
{
    uint32_t n = mib << 10, wrong = 0;
    record *a = get((size_t)mib << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1);

    fill(a, n);
    printf("hold: filled\n");
    while (access(file, F_OK))
        usleep(20000);
    for (uint32_t i = 0; i < n; i++)
        wrong += a[i][0] != mix(i) || !record_is_right(a[i]);
    if (printf("hold: %u records, %u wrong\n", n, wrong) < 0)
        die("hold");
    return wrong != 0;
}

static _Noreturn void eat(void)
{
    for (uint32_t key = 0;; key++) {
        record *a = get(PAGE * 256, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
        for (uint32_t i = 0; i < 1024; i++)
            for (uint32_t k = 0; k < WORDS; k++)
                a[i][k] = mix(key * 1024 * WORDS + i * WORDS + k);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(what, "sort") == 0 && argc == 3)
        return sort((uint32_t)atoi(argv[2]), 0);
    if (strcmp(what, "rewrite") == 0 && argc == 4)
        return rewrite(argv[2], (uint32_t)atoi(argv[3]));
    if (strcmp(what, "both") == 0 && argc == 4)
        return both(argv[2], (uint32_t)atoi(argv[3]));
    if (strcmp(what, "hold") == 0 && argc == 4)
        return hold((uint32_t)atoi(argv[2]), argv[3]);
    if (strcmp(what, "eat") == 0)
        eat();
    if (strcmp(what, "swapon") == 0 && argc == 4) {
        if (swapon(argv[2], SWAP_FLAG_PREFER | atoi(argv[3])))
            die("swapon");
        return 0;
    }
    fprintf(stderr, "pressure: what?\n");
    return 2;
}
