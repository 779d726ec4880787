/* Limits of a space: RLIMIT_AS, DATA, STACK on mmap, brk, mremap, the stack and fork; the settings
 * of /proc/sys/vm and the figures that go with them. */
#include "guest.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static long kb_of(const char *file, const char *name)
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

static void set(int which, long kb)
{
    struct rlimit limit = {kb < 0 ? RLIM_INFINITY : (rlim_t)kb * 1024, RLIM_INFINITY};

    DIE_UNLESS(setrlimit(which, &limit) == 0);
}

static void address_space(void *arg)
{
    char *p, *q;

    (void)arg;
    set(RLIMIT_AS, kb_of("/proc/self/status", "VmSize:") + 64);
    TRY(p = mmap(NULL, 8 * PAGE, PROT_NONE, ANON, -1, 0));
    TRY(q = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    TRY(mmap(NULL, PAGE, PROT_NONE, ANON, -1, 0));
    TRY(sbrk(PAGE * 40));
    TRY(mremap(p, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE));
    TRY(mmap(p, 8 * PAGE, RW, ANON | MAP_FIXED, -1, 0)); /* replaces as much */
    munmap(q, 8 * PAGE);
    TRY(mmap(NULL, 9 * PAGE, PROT_NONE, ANON, -1, 0));
    TRY(mmap(NULL, 8 * PAGE, PROT_NONE, ANON, -1, 0));
    set(RLIMIT_AS, -1);
    TRY(mmap(NULL, 100 * PAGE, PROT_NONE, ANON, -1, 0));
}

static void data(void *arg)
{
    char *p;

    (void)arg;
    set(RLIMIT_DATA, kb_of("/proc/self/status", "VmData:") + 64);
    TRY(p = mmap(NULL, 8 * PAGE, RW, ANON, -1, 0));
    TRY(mmap(NULL, 30 * PAGE, PROT_READ, ANON, -1, 0)); /* no data */
    TRY(mmap(NULL, 30 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    TRY(mmap(NULL, 30 * PAGE, RW, ANON, -1, 0));
    TRY(mremap(p, 8 * PAGE, 38 * PAGE, MREMAP_MAYMOVE));
    TRY(sbrk(PAGE * 400));
    TRY(p = mmap(NULL, 30 * PAGE, PROT_READ, ANON, -1, 0));
    TRY(mprotect(p, 30 * PAGE, RW)); /* would become data */
    TRY(mprotect(p + 10 * PAGE, 4 * PAGE, RW));
    TRY(mprotect(p + 10 * PAGE, 4 * PAGE, RW | PROT_EXEC)); /* is data already */
    TRY(mmap(p, 14 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
    set(RLIMIT_DATA, -1);
    TRY(mmap(NULL, 30 * PAGE, RW, ANON, -1, 0));
    TRY(sbrk(PAGE * 40));
}

static __attribute__((noinline)) int recurse(int pages)
{
    volatile char frame[PAGE];

    frame[0] = 1;
    return pages ? recurse(pages - 1) + frame[0] : 0;
}

static void small_stack(void *arg)
{
    set(RLIMIT_STACK, 256);
    printf("%d pages deep\n", recurse((int)(long)arg));
}

static void stacks(void)
{
    in_child("40 pages", small_stack, (void *)40);
    in_child("100 pages", small_stack, (void *)100);
}

static void after_exec(void *arg)
{
    (void)arg;
    set(RLIMIT_STACK, 512);
    execl("/proc/self/exe", "limits", "deep", NULL);
}

static bool readable_number(const char *path)
{
    FILE *f = fopen(path, "r");
    long n = -1;

    if (!f)
        return false;
    if (fscanf(f, "%ld", &n) != 1)
        n = -1;
    fclose(f);
    return n >= 0;
}

static void settings(void)
{
    static const char *const names[] = {"overcommit_memory", "overcommit_ratio",
                                        "overcommit_kbytes", "max_map_count", "mmap_min_addr"};
    char path[100];

    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "/proc/sys/vm/%s", names[i]);
        printf("%s: %d\n", names[i], readable_number(path));
    }
    printf("CommitLimit: %d, Committed_AS: %d\n", kb_of("/proc/meminfo", "CommitLimit:") > 0,
           kb_of("/proc/meminfo", "Committed_AS:") > 0);
}

/* More than all memory at once is refused, whatever else is promised already; NORESERVE is not. */
static void heuristic_overcommit(void)
{
    TRY(mmap(NULL, 32 << 20, RW, ANON, -1, 0));
    TRY(mmap(NULL, 1 << 30, RW, ANON | MAP_NORESERVE, -1, 0));
    TRY(mmap(NULL, 512 << 20, PROT_NONE, ANON, -1, 0));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "deep") == 0) {
        printf("%d pages deep\n", recurse(80));
        printf("%d pages deep\n", recurse(200));
        return 0;
    }
    in_child("RLIMIT_AS", address_space, NULL);
    in_child("RLIMIT_DATA", data, NULL);
    stacks();
    in_child("RLIMIT_STACK after exec", after_exec, NULL);
    settings();
    heuristic_overcommit();
    return 0;
}
