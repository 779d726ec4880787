/* The three modes of /proc/sys/vm/overcommit_memory, and max_map_count: settings of the whole
 * machine. */
#include "guest.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define MIB  (1 << 20)

static int set(const char *name, const char *value)
{
    char path[100];
    int fd, n;

    snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
    fd = open(path, O_WRONLY);
    DIE_UNLESS(fd >= 0);
    n = write(fd, value, strlen(value));
    close(fd);
    return n < 0 ? -1 : 0;
}

static long get(const char *file, const char *name)
{
    FILE *f = fopen(file, "r");
    char line[200];
    long kb = -1;

    while (f && kb < 0 && fgets(line, sizeof(line), f))
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), "%ld", &kb);
    if (f)
        fclose(f);
    return kb;
}

static int number(const char *name)
{
    return number_in("/proc/sys/vm/%s", name);
}

static long committed(void)
{
    return get("/proc/meminfo", "Committed_AS:");
}

static long limit(void)
{
    return get("/proc/meminfo", "CommitLimit:");
}

static void counted(void)
{
    long before = (committed(), committed()); /* the first makes the C library's buffers */
    char *p = map_anon(100), *q;

    printf("private writable: %ld\n", committed() - before);
    mprotect(p, 50 * PAGE, PROT_READ);
    munmap(p, 100 * PAGE);
    printf("unmapped: %ld\n", committed() - before);
    p = map(100 * PAGE, PROT_READ, ANON, -1, 0);
    printf("read-only: %ld\n", committed() - before);
    mprotect(p, 50 * PAGE, RW);
    printf("half of it made writable: %ld\n", committed() - before);
    munmap(p, 100 * PAGE);
    p = map(100 * PAGE, RW, ANON | MAP_NORESERVE, -1, 0);
    printf("MAP_NORESERVE: %ld\n", committed() - before);
    munmap(p, 100 * PAGE);
    q = map(100 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    printf("shared: %ld\n", committed() - before);
    if (fork() == 0)
        _exit(0);
    wait(NULL);
    munmap(q, 100 * PAGE);
    printf("unmapped: %ld\n", committed() - before);
}

static void guess(void *arg)
{
    long total = get("/proc/meminfo", "MemTotal:") + get("/proc/meminfo", "SwapTotal:");

    (void)arg;
    SHOW(set("overcommit_memory", "0"));
    TRY(mmap(NULL, (total / 1024 + 16) * MIB, RW, ANON, -1, 0));
    TRY(mmap(NULL, (total / 1024 + 16) * MIB, RW, ANON | MAP_NORESERVE, -1, 0));
    TRY(mmap(NULL, (total / 1024 - 16) * MIB, RW, ANON, -1, 0));
    TRY(mmap(NULL, (total / 1024 - 16) * MIB, RW, ANON, -1, 0)); /* each is looked at alone */
}

static void always(void *arg)
{
    long total = get("/proc/meminfo", "MemTotal:") + get("/proc/meminfo", "SwapTotal:");

    (void)arg;
    SHOW(set("overcommit_memory", "1\n"));
    TRY(mmap(NULL, (total / 1024 + 16) * MIB, RW, ANON, -1, 0));
}

static void in_strict_mode(void *arg)
{
    long room = limit() - committed();
    char *p;

    (void)arg;
    printf("room: %d\n", room > 2 * 1024);
    TRY(mmap(NULL, (room + 1024) * 1024, RW, ANON, -1, 0));
    TRY(mmap(NULL, (room + 1024) * 1024, RW, ANON | MAP_NORESERVE, -1, 0));
    TRY(mmap(NULL, (room + 1024) * 1024, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    TRY(p = mmap(NULL, (room + 1024) * 1024, PROT_READ, ANON, -1, 0));
    SHOW(mprotect(p, (room + 1024) * 1024, RW));
    TRY(sbrk((room + 1024) * 1024));
    TRY(p = mmap(NULL, (room - 1024) * 1024, RW, ANON, -1, 0));
    TRY(mmap(NULL, 2 * MIB, RW, ANON, -1, 0));
    TRY(fork()); /* promises all of it again */
    munmap(p, (room - 1024) * 1024);
    TRY(mmap(NULL, 2 * MIB, RW, ANON, -1, 0));
}

static void never(void)
{
    SHOW(set("overcommit_kbytes", "40000"));
    printf("limit %ld\n", limit());
    SHOW(set("overcommit_memory", "2"));
    in_child("strict", in_strict_mode, NULL);
    SHOW(set("overcommit_memory", "0"));
    printf("the ratio is out of use: %d\n", number("overcommit_ratio"));
    SHOW(set("overcommit_ratio", "50"));
    printf("and now the size: %d\n", number("overcommit_kbytes"));
    long ram = get("/proc/meminfo", "MemTotal:"), swap = get("/proc/meminfo", "SwapTotal:");
    printf("half: %d\n", limit() - swap == ram / 2 || limit() - swap == ram / 8 * 4);
    SHOW(set("overcommit_memory", "3"));
    SHOW(set("overcommit_memory", "x"));
    SHOW(set("overcommit_memory", "-1"));
}

static void many_areas(void *arg)
{
    char *p = map(400 * PAGE, PROT_READ, ANON, -1, 0);
    int n = 0;

    (void)arg;
    SHOW(set("max_map_count", "100"));
    while (n < 200 && mprotect(p + n * 2 * PAGE, PAGE, RW) == 0)
        n++;
    printf("mprotect: some %d, then %s\n", n > 20 && n < 100, error_name(errno));
    SHOW(munmap(p + 399 * PAGE, PAGE));
    SHOW(munmap(p + 300 * PAGE, PAGE));
    SHOW(mlock(p + 300 * PAGE, PAGE));
    SHOW(madvise(p + 300 * PAGE, PAGE, MADV_DONTFORK));
    TRY(mremap(p + 300 * PAGE, 2 * PAGE, 200 * PAGE, MREMAP_MAYMOVE));
    for (n = 0; n < 200; n++)
        if (mmap(NULL, PAGE, n % 2 ? PROT_READ : RW, ANON, -1, 0) == MAP_FAILED)
            break;
    printf("mmap: %d, then %s\n", n < 10, error_name(errno));
    SHOW(munmap(p, 400 * PAGE));
    SHOW(set("max_map_count", "65530"));
}

int main(void)
{
    counted();
    in_child("heuristic", guess, NULL);
    in_child("always", always, NULL);
    never();
    in_child("areas", many_areas, NULL);
    return 0;
}
