/* mmap and mmap2: every flag and every error; offsets beyond 4 GiB, lengths that wrap. */
#include "guest.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static long mmap2(uintptr_t addr, size_t len, int prot, int flags, int fd, unsigned pgoff)
{
    return syscall(SYS_mmap2, addr, len, prot, flags, fd, pgoff);
}

/* The old call: a pointer to its six arguments. */
static long old_mmap(uintptr_t addr, size_t len, int prot, int flags, int fd, unsigned offset)
{
    unsigned long args[6] = {addr, len, prot, flags, fd, offset};

    return syscall(SYS_mmap, args);
}

static void kinds(void)
{
    int fd = make_file("f", PAGE);

    TRY(mmap2(0, PAGE, RW, 0, fd, 0));
    TRY(mmap2(0, PAGE, RW, MAP_ANONYMOUS, -1, 0));
    TRY(mmap2(0, PAGE, RW, 4, fd, 0));
    TRY(mmap2(0, PAGE, RW, MAP_SHARED_VALIDATE, fd, 0));
    TRY(mmap2(0, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
    TRY(mmap2(0, PAGE, RW, MAP_SHARED_VALIDATE | 0x8000000, fd, 0));
    TRY(mmap2(0, PAGE, RW, MAP_SHARED | 0x8000000, fd, 0));
    TRY(mmap2(0, PAGE, RW, MAP_SHARED_VALIDATE | MAP_NORESERVE, fd, 0));
    TRY(mmap2(0, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0));
    TRY(mmap2(0, PAGE, 0x70, ANON, -1, 0)); /* unknown protections are ignored */
    close(fd);
}

static void ignored_flags(void)
{
    static const int flags[] = {MAP_DENYWRITE, MAP_EXECUTABLE, MAP_NORESERVE, MAP_STACK,
                                MAP_NONBLOCK,  MAP_POPULATE,   0x4000000};
    int fd = make_file("f", PAGE);

    for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        char *a = map(PAGE, RW, ANON | flags[i], -1, 0);
        char *f = map(PAGE, RW, MAP_PRIVATE | flags[i], fd, 0);
        char *s = map(PAGE, RW, MAP_SHARED | flags[i], fd, 0);

        printf("flags %x: %d %c %c\n", flags[i], *a, *f, *s);
    }
    printf("MAP_DENYWRITE denies nothing: %d\n", open("f", O_RDWR) >= 0);
    close(fd);
}

static void growsdown(void)
{
    int fd = make_file("f", PAGE);
    char *room = map(600 * PAGE, PROT_NONE, ANON, -1, 0), *p = room + 599 * PAGE;

    munmap(room, 600 * PAGE);
    DIE_UNLESS(mmap(p, PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0) == p);
    PROBE_WRITE(p - 1);
    PROBE_WRITE(p - 100 * PAGE);
    printf("grown: %d\n", p[-50 * PAGE]);
    TRY(mmap2(0, PAGE, RW, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0));
    TRY(mmap2(0, PAGE, RW, MAP_SHARED | MAP_GROWSDOWN, fd, 0));
    TRY(mmap2(0, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
    close(fd);
}

static void files(void)
{
    int fd = make_file("f", PAGE), ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);
    int dir = open(".", O_RDONLY), path = open("f", O_PATH), pipes[2];
    int null = open("/dev/null", O_RDWR);

    DIE_UNLESS(pipe(pipes) == 0);
    TRY(mmap2(0, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
    TRY(mmap2(0, PAGE, PROT_READ, MAP_PRIVATE, 999, 0));
    TRY(mmap2(0, PAGE, PROT_READ, MAP_PRIVATE, path, 0));
    TRY(mmap2(0, PAGE, PROT_READ, MAP_PRIVATE, wo, 0));
    TRY(mmap2(0, PAGE, PROT_NONE, MAP_PRIVATE, wo, 0));
    TRY(mmap2(0, PAGE, PROT_WRITE, MAP_SHARED, wo, 0));
    TRY(mmap2(0, PAGE, PROT_WRITE, MAP_SHARED, ro, 0));
    TRY(mmap2(0, PAGE, PROT_WRITE, MAP_PRIVATE, ro, 0));
    TRY(mmap2(0, PAGE, PROT_READ, MAP_SHARED, ro, 0));
    TRY(mmap2(0, PAGE, PROT_READ, MAP_PRIVATE, dir, 0));
    TRY(mmap2(0, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0));
    TRY(mmap2(0, PAGE, PROT_READ, MAP_SHARED, null, 0));
    TRY(mmap2(0, PAGE, PROT_READ, MAP_PRIVATE, null, 0));
    TRY(mmap2(0, PAGE, RW, ANON, 999, 0)); /* no descriptor is looked at */
    close(fd);
    close(ro);
    close(wo);
    TRY(mmap2(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
}

static void lengths(void)
{
    int fd = make_file("f", PAGE);

    TRY(mmap2(0, 0, RW, ANON, -1, 0));
    TRY(mmap2(0, 0, RW, MAP_SHARED, fd, 0));
    TRY(mmap2(0, 0, RW, MAP_SHARED, 999, 0));
    TRY(mmap2(0, 1, RW, ANON, -1, 0));
    TRY(mmap2(0, -1, RW, ANON, -1, 0));
    TRY(mmap2(0, -PAGE, RW, ANON | MAP_NORESERVE, -1, 0));
    TRY(mmap2(0, -PAGE, RW, MAP_SHARED, fd, 0));
    TRY(mmap2(0, -PAGE, RW, MAP_SHARED, 999, 0));
    close(fd);
}

static void offsets(void)
{
    int fd = open("big", O_RDWR | O_CREAT | O_TRUNC | O_LARGEFILE, 0600);
    off64_t at = 0x180000000ll; /* 6 GiB */
    char *p;

    DIE_UNLESS(pwrite64(fd, "far", 3, at) == 3);
    p = (char *)mmap2(0, 2 * PAGE, RW, MAP_SHARED, fd, at >> 12);
    printf("beyond 4 GiB: %.3s\n", p);
    PROBE_READ(p + PAGE);
    p = mmap64(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, at);
    printf("by mmap64: %.3s\n", p);
    p = (char *)mmap2(0, PAGE, RW, MAP_SHARED, fd, 0x40000000);
    printf("far past the end: %d\n", p != MAP_FAILED);
    PROBE_READ(p);
    TRY(mmap64(NULL, PAGE, RW, MAP_PRIVATE, fd, at + 1));
    TRY(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 100));
    TRY(old_mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    TRY(old_mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 100));
    TRY(old_mmap(0, PAGE, PROT_READ, MAP_PRIVATE, 999, 100));
    TRY(old_mmap(0, 0, PROT_READ, MAP_PRIVATE, fd, 0));
    TRY(syscall(SYS_mmap, NULL));
    TRY(syscall(SYS_mmap, -8));
    close(fd);
}

static void places(void)
{
    char *p = letters(4);

    TRY(mmap2((uintptr_t)p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    TRY(mmap2((uintptr_t)p + 1, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    TRY(mmap2((uintptr_t)p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    TRY(mmap2((uintptr_t)p + 3 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    TRY(mmap2((uintptr_t)p, PAGE, RW, ANON | MAP_FIXED | MAP_FIXED_NOREPLACE, -1, 0));
    TRY(mmap2(-PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    TRY(mmap2((uintptr_t)p, -PAGE, RW, ANON | MAP_FIXED, -1, 0));
    show_pages("untouched", p, 4);
    printf("a low hint: %d\n",
           mmap2(PAGE, PAGE, RW, ANON, -1, 0) >= 65536 || mmap2(PAGE, PAGE, RW, ANON, -1, 0) < 0);
}

/* A fixed mapping that fails takes nothing away. */
static void failed_fixed(void)
{
    char *p = letters(4);

    TRY(mmap2((uintptr_t)p, 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, 999, 0));
    TRY(mmap2((uintptr_t)p, 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, open("/", O_RDONLY), 0));
    show_pages("kept", p, 4);
}

static void not_root(void *arg)
{
    (void)arg;
    DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    TRY(mmap2(0, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    TRY(mmap2(16 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0));
}

int main(void)
{
    catch_faults();
    kinds();
    ignored_flags();
    growsdown();
    files();
    lengths();
    offsets();
    places();
    failed_fixed();
    if (geteuid() == 0)
        in_child("below mmap_min_addr", not_root, NULL);
    return 0;
}
