/* madvise: each advice, what it does to contents, files and children, and each error. */
#include "guest.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void dontneed(void)
{
    int fd = make_file("f", 3 * PAGE);
    char *p = letters(4), c;

    SHOW(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED));
    show_pages("anonymous", p, 4);
    p[PAGE] = 'n';
    show_pages("written again", p, 4);
    p = map(3 * PAGE, RW, MAP_PRIVATE, fd, 0);
    memset(p, 'P', 3 * PAGE);
    SHOW(madvise(p, 2 * PAGE, MADV_DONTNEED));
    show_pages("private file", p, 3);
    p = map(3 * PAGE, RW, MAP_SHARED, fd, 0);
    p[0] = 'S';
    SHOW(madvise(p, 3 * PAGE, MADV_DONTNEED));
    show_pages("shared file", p, 3);
    DIE_UNLESS(pread(fd, &c, 1, 0) == 1);
    printf("the file: %c\n", c);
    p = map(2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(p, 's', 2 * PAGE);
    SHOW(madvise(p, 2 * PAGE, MADV_DONTNEED));
    show_pages("shared memory", p, 2);
    close(fd);
}

static void dontneed_and_fork(void)
{
    char *p = letters(3);

    if (fork() == 0) {
        SHOW(madvise(p, 2 * PAGE, MADV_DONTNEED));
        show_pages("child", p, 3);
        _exit(0);
    }
    wait(NULL);
    show_pages("parent", p, 3);
}

/* What MADV_FREE gave up is there or zero; what is written to afterwards stays. */
static void given_up(void)
{
    int fd = make_file("f", PAGE);
    char *p = letters(3), *q = map(PAGE, RW, MAP_PRIVATE, fd, 0);

    SHOW(madvise(p, 2 * PAGE, MADV_FREE));
    printf("old or zero: %d\n", p[0] == 'a' || p[0] == 0);
    p[PAGE] = 'w';
    show_pages("written", p + PAGE, 2);
    SHOW(madvise(q, PAGE, MADV_FREE));
    q = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    SHOW(madvise(q, PAGE, MADV_FREE));
    close(fd);
}

static void dontfork(void)
{
    char *p = letters(4);

    SHOW(madvise(p + PAGE, 2 * PAGE, MADV_DONTFORK));
    if (fork() == 0) {
        show_pages("child", p, 4);
        TRY(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
        _exit(0);
    }
    wait(NULL);
    show_pages("parent", p, 4);
    SHOW(madvise(p, 4 * PAGE, MADV_DOFORK));
    if (fork() == 0) {
        show_pages("child", p, 4);
        _exit(0);
    }
    wait(NULL);
}

static void wipeonfork(void)
{
    int fd = make_file("f", PAGE);
    char *p = letters(4), *q;

    SHOW(madvise(p + PAGE, 2 * PAGE, MADV_WIPEONFORK));
    if (fork() == 0) {
        show_pages("child", p, 4);
        p[PAGE] = 'C';
        if (fork() == 0) {
            show_pages("grandchild", p, 4);
            _exit(0);
        }
        wait(NULL);
        _exit(0);
    }
    wait(NULL);
    show_pages("parent", p, 4);
    SHOW(madvise(p, 4 * PAGE, MADV_KEEPONFORK));
    if (fork() == 0) {
        show_pages("child", p, 4);
        _exit(0);
    }
    wait(NULL);
    q = map(PAGE, RW, MAP_PRIVATE, fd, 0);
    SHOW(madvise(q, PAGE, MADV_WIPEONFORK));
    q = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    SHOW(madvise(q, PAGE, MADV_WIPEONFORK));
    close(fd);
}

static void populate(void)
{
    int fd = make_file("f", 2 * PAGE);
    unsigned char vec[4];
    char *p = map_anon(4);

    SHOW(madvise(p, 2 * PAGE, MADV_POPULATE_WRITE));
    SHOW(mincore(p, 4 * PAGE, vec));
    printf("%d%d%d%d\n", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
    SHOW(madvise(p, 4 * PAGE, MADV_POPULATE_READ));
    mprotect(p + 2 * PAGE, PAGE, PROT_READ);
    SHOW(madvise(p, 4 * PAGE, MADV_POPULATE_WRITE));
    mprotect(p + 2 * PAGE, PAGE, PROT_NONE);
    SHOW(madvise(p, 4 * PAGE, MADV_POPULATE_READ));
    munmap(p + 2 * PAGE, PAGE);
    SHOW(madvise(p, 4 * PAGE, MADV_POPULATE_READ));
    p = map(3 * PAGE, RW, MAP_SHARED, fd, 0);
    SHOW(madvise(p, 2 * PAGE, MADV_POPULATE_READ));
    SHOW(madvise(p, 3 * PAGE, MADV_POPULATE_READ));
    SHOW(madvise(p, 3 * PAGE, MADV_POPULATE_WRITE));
    close(fd);
}

/* Advice that may change how fast things are, and nothing else. */
static void hints(void)
{
    static const int advice[] = {MADV_NORMAL,   MADV_RANDOM, MADV_SEQUENTIAL,
                                 MADV_WILLNEED, MADV_COLD,   MADV_PAGEOUT};
    int fd = make_file("f", 4 * PAGE);
    char *p = letters(4), *q = map(4 * PAGE, RW, MAP_PRIVATE, fd, 0);
    char *s = map(4 * PAGE, RW, MAP_SHARED, fd, 0);

    q[PAGE] = 'Q';
    s[2 * PAGE] = 'S';
    for (unsigned i = 0; i < sizeof(advice) / sizeof(*advice); i++) {
        printf("advice %d: %d %d %d\n", advice[i], madvise(p, 4 * PAGE, advice[i]),
               madvise(q + PAGE, 2 * PAGE, advice[i]), madvise(s, PAGE, advice[i]));
    }
    show_pages("anonymous", p, 4);
    show_pages("private", q, 4);
    show_pages("shared", s, 4);
    close(fd);
}

static void errors(void)
{
    char *p = letters(4), *locked = map_anon(1);

    SHOW(madvise(p, PAGE, 12345));
    SHOW(madvise(p, PAGE, -1));
    SHOW(madvise(p + 1, PAGE, MADV_NORMAL));
    SHOW(madvise(p, 0, MADV_DONTNEED));
    SHOW(madvise(p + 1, 0, MADV_DONTNEED));
    SHOW(madvise(p, 0, 12345));
    SHOW(madvise((void *)(16 * PAGE), PAGE, MADV_NORMAL));
    SHOW(madvise((void *)(16 * PAGE), PAGE, MADV_DONTNEED));
    SHOW(madvise(p, PAGE, MADV_REMOVE));
    munmap(p + PAGE, PAGE);
    SHOW(madvise(p, 4 * PAGE, MADV_DONTNEED)); /* acts on what is there all the same */
    show_pages("after the hole", p, 4);
    SHOW(madvise(p, 4 * PAGE, MADV_SEQUENTIAL));
    SHOW(madvise(p, 4 * PAGE, MADV_WILLNEED));
    SHOW(madvise(p, 4 * PAGE, MADV_DONTFORK));
    if (fork() == 0) {
        show_pages("child", p, 4);
        _exit(0);
    }
    wait(NULL);
    DIE_UNLESS(mlock(locked, PAGE) == 0);
    *locked = 'l';
    SHOW(madvise(locked, PAGE, MADV_DONTNEED));
    SHOW(madvise(locked, PAGE, MADV_COLD));
    SHOW(madvise(locked, PAGE, MADV_PAGEOUT));
    SHOW(madvise(locked, PAGE, MADV_REMOVE));
    show_pages("locked", locked, 1);
}

int main(void)
{
    catch_faults();
    dontneed();
    dontneed_and_fork();
    given_up();
    dontfork();
    wipeonfork();
    populate();
    hints();
    errors();
    return 0;
}
