/* What is locked, anonymous and of files is counted in vmstat and meminfo, wherever it stands
 * there. */
#include <sys/mman.h>
#include "guest.h"

#define PAGES 1024

static long figure(const char *file, const char *name)
{
    FILE *f = fopen(file, "r");
    size_t len = strlen(name);
    char line[128];
    long n = -1;

    DIE_UNLESS(f);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, name, len) == 0 && (line[len] == ' ' || line[len] == ':'))
            n = atol(line + len + 1);
    fclose(f);
    DIE_UNLESS(n >= 0);
    return n;
}

static long pages(const char *name)
{
    return figure("/proc/vmstat", name);
}

/* Counts may lag by a few dozen pages, and others come and go. */
static const char *about(long n, long wanted)
{
    return n > wanted - PAGES / 8 && n < wanted + PAGES / 8 ? "as many" : "another number";
}

static long anon(void)
{
    return pages("nr_active_anon") + pages("nr_inactive_anon");
}

int main(void)
{
    long before = anon(), locked = pages("nr_mlock"), evictable = pages("nr_unevictable"),
         kib = figure("/proc/meminfo", "Mlocked");
    char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    DIE_UNLESS(p != MAP_FAILED);
    for (int i = 0; i < PAGES; i++)
        p[i * PAGE] = 1;
    printf("anonymous: %s\n", about(anon() - before, PAGES));
    DIE_UNLESS(mlock(p, PAGES * PAGE) == 0);
    printf("locked: %s anonymous\n", about(anon() - before, 0));
    printf("locked: %s locked\n", about(pages("nr_mlock") - locked, PAGES));
    printf("locked: %s that stay\n", about(pages("nr_unevictable") - evictable, PAGES));
    printf("locked: %s in meminfo\n",
           about((figure("/proc/meminfo", "Mlocked") - kib) / (PAGE / 1024), PAGES));
    munlock(p, PAGES * PAGE);
    printf("unlocked: %s locked\n", about(pages("nr_mlock") - locked, 0));
    printf("unlocked: %s anonymous\n", about(anon() - before, PAGES));
    return 0;
}
