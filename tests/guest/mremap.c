/* mremap: shrinking, growing in place and by moving, to a given place, leaving the old place; every
 * error; what rights, files and sharing become. */
#include "guest.h"

#define RW        (PROT_READ | PROT_WRITE)
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)
#define MAYMOVE   MREMAP_MAYMOVE
#define FIXED     MREMAP_FIXED
#define DONTUNMAP MREMAP_DONTUNMAP

static void shrink(void)
{
    char *p = letters(8);

    printf("same place: %d\n", mremap(p, 8 * PAGE, 5 * PAGE, 0) == p);
    show_pages("shrunk", p, 8);
    printf("nothing to do: %d\n", mremap(p, 5 * PAGE, 5 * PAGE, 0) == p);
    printf("the middle goes: %d\n", mremap(p + PAGE, 3 * PAGE, PAGE, 0) == p + PAGE);
    show_pages("left", p, 8);
    printf("lengths are rounded: %d\n", mremap(p, 2 * PAGE - 5, 1, 0) == p);
    show_pages("left", p, 8);
}

static void grow(void)
{
    char *room = map_anon(16), *p, *q;

    munmap(room, 16 * PAGE);
    p = mmap(room, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
    memset(p, 'g', 4 * PAGE);
    printf("in place: %d\n", mremap(p, 4 * PAGE, 8 * PAGE, 0) == p);
    show_pages("grown", p, 8);
    p[7 * PAGE] = 'n';
    DIE_UNLESS(mmap(p + 8 * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == p + 8 * PAGE);
    TRY(mremap(p, 8 * PAGE, 12 * PAGE, 0));
    TRY(mremap(p, 4 * PAGE, 6 * PAGE, 0)); /* only its end can grow */
    q = mremap(p, 8 * PAGE, 12 * PAGE, MAYMOVE);
    printf("moved: %d\n", q != p && q != MAP_FAILED);
    show_pages("old", p, 9);
    show_pages("new", q, 12);
    PROBE_WRITE(q + 11 * PAGE);
    p = q;
    q = mremap(p + 4 * PAGE, 2 * PAGE, 4 * PAGE, MAYMOVE);
    show_pages("a part has moved out", p, 12);
    show_pages("to", q, 4);
}

static void fixed(void)
{
    char *p = letters(6), *to = map_anon(10), *q;

    memset(to, 'T', 10 * PAGE);
    q = mremap(p + PAGE, 3 * PAGE, 3 * PAGE, MAYMOVE | FIXED, to + 2 * PAGE);
    printf("there: %d\n", q == to + 2 * PAGE);
    show_pages("from", p, 6);
    show_pages("to", to, 10);
    q = mremap(to, 6 * PAGE, 2 * PAGE, MAYMOVE | FIXED, p + PAGE);
    printf("shrunk on the way: %d\n", q == p + PAGE);
    show_pages("from", p, 6);
    show_pages("to", to, 10);
    q = mremap(to + 8 * PAGE, 2 * PAGE, 4 * PAGE, MAYMOVE | FIXED, to);
    printf("grown on the way: %d\n", q == to);
    show_pages("to", to, 10);
}

static void dont_unmap(void)
{
    char *p = letters(4), *q = mremap(p, 4 * PAGE, 4 * PAGE, MAYMOVE | DONTUNMAP, 0), *to;

    printf("moved: %d\n", q != p && q != MAP_FAILED);
    show_pages("old", p, 4);
    show_pages("new", q, 4);
    p[PAGE] = 'o';
    show_pages("old", p, 4);
    show_pages("new", q, 4);
    to = map_anon(4);
    printf("to a place: %d\n",
           mremap(q, 4 * PAGE, 4 * PAGE, MAYMOVE | DONTUNMAP | FIXED, to) == to);
    show_pages("old", q, 4);
    show_pages("new", to, 4);
    TRY(mremap(p, 4 * PAGE, 5 * PAGE, MAYMOVE | DONTUNMAP, 0));
    TRY(mremap(p, 4 * PAGE, 3 * PAGE, MAYMOVE | DONTUNMAP, 0));
    TRY(mremap(p, 4 * PAGE, 4 * PAGE, DONTUNMAP, 0));
}

static void errors(void)
{
    char *p = letters(8), *to = map_anon(8);

    TRY(mremap(p, PAGE, PAGE, 8));
    TRY(mremap(p, PAGE, PAGE, FIXED, to));
    TRY(mremap(p + 1, PAGE, PAGE, 0));
    TRY(mremap(p, PAGE, 0, 0));
    TRY(mremap(p, PAGE, 0, MAYMOVE));
    TRY(mremap(p, 0, PAGE, MAYMOVE)); /* private: nothing to duplicate */
    TRY(mremap(p, PAGE, PAGE, MAYMOVE | FIXED, to + 1));
    TRY(mremap(p, 2 * PAGE, 2 * PAGE, MAYMOVE | FIXED, p + PAGE));
    TRY(mremap(p, 2 * PAGE, PAGE, MAYMOVE | FIXED, p + PAGE));
    TRY(mremap(p + PAGE, PAGE, 2 * PAGE, MAYMOVE | FIXED, p));
    TRY(mremap(p, PAGE, 2 * PAGE, MAYMOVE | FIXED, -PAGE));
    TRY(mremap((void *)(16 * PAGE), PAGE, 2 * PAGE, MAYMOVE));
    TRY(mremap((void *)(16 * PAGE), PAGE, PAGE, MAYMOVE));
    munmap(p + 3 * PAGE, PAGE);
    TRY(mremap(p, 5 * PAGE, 9 * PAGE, MAYMOVE));
    TRY(mremap(p + 3 * PAGE, PAGE, 2 * PAGE, MAYMOVE));
    mprotect(p + 5 * PAGE, PAGE, PROT_READ);
    TRY(mremap(p + 4 * PAGE, 2 * PAGE, 3 * PAGE, MAYMOVE)); /* two areas */
    show_pages("nothing has changed", p, 8);
    show_pages("nor here", to, 8);
}

static void rights_go_along(void)
{
    char *p = letters(2), *q;

    mprotect(p, 2 * PAGE, PROT_READ);
    q = mremap(p, 2 * PAGE, 4 * PAGE, MAYMOVE);
    PROBE_READ(q + PAGE);
    PROBE_WRITE(q + PAGE);
    PROBE_WRITE(q + 3 * PAGE);
}

static void files(void)
{
    int fd = make_file("f", 4 * PAGE);
    char *p = map(2 * PAGE, RW, MAP_SHARED, fd, PAGE), *q = map_anon(1), c;

    q = mremap(p, 2 * PAGE, 4 * PAGE, MAYMOVE);
    show_pages("shared", q, 4); /* the file ends after three */
    q[PAGE] = 'W';
    DIE_UNLESS(pread(fd, &c, 1, 2 * PAGE) == 1);
    printf("the file: %c\n", c);
    p = map(2 * PAGE, RW, MAP_PRIVATE, fd, 0);
    p[0] = 'P';
    q = mremap(p, 2 * PAGE, 3 * PAGE, MAYMOVE);
    show_pages("private", q, 3);
    p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);
    q = mremap(p, 0, 2 * PAGE, MAYMOVE); /* a second view */
    printf("both: %d\n", q != MAP_FAILED && q != p);
    q[3] = 'D';
    printf("the same: %c\n", p[3]);
    close(fd);
}

static void shared_memory(void)
{
    char *p = map(2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *q;

    memset(p, 's', 2 * PAGE);
    q = mremap(p, 2 * PAGE, 3 * PAGE, MAYMOVE);
    show_pages("it does not grow", q, 3);
    q = mremap(q, 3 * PAGE, PAGE, MAYMOVE);
    show_pages("one", q, 1);
    p = mremap(q, 0, 2 * PAGE, MAYMOVE);
    show_pages("duplicate", p, 2);
    p[0] = 'x';
    printf("%c\n", q[0]);
}

static void after_fork(void)
{
    char *p = letters(4), *q;

    if (fork() == 0) {
        q = mremap(p, 4 * PAGE, 6 * PAGE, MAYMOVE);
        q[0] = 'C';
        show_pages("child", q, 6);
        _exit(0);
    }
    wait(NULL);
    show_pages("parent", p, 4);
    q = mremap(p, 2 * PAGE, 2 * PAGE, MAYMOVE | FIXED, map_anon(2));
    q[PAGE] = 'Q';
    show_pages("parent moved", q, 2);
}

int main(void)
{
    catch_faults();
    shrink();
    grow();
    fixed();
    dont_unmap();
    errors();
    rights_go_along();
    files();
    shared_memory();
    after_fork();
    return 0;
}
