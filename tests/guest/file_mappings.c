/* Files that change under their mappings: closed, unlinked, renamed over, truncated, extended; the
 * tail of the last page; private copies past a new end. */
#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)

static char at(int fd, off_t offset)
{
    char c = '?';

    DIE_UNLESS(pread(fd, &c, 1, offset) == 1);
    return c ? c : '0';
}

static void cut_and_grow(void)
{
    int fd = make_file("f", 4 * PAGE);
    char *shared = map(4 * PAGE, RW, MAP_SHARED, fd, 0);
    char *private = map(4 * PAGE, RW, MAP_PRIVATE, fd, 0);

    for (int i = 0; i < 4; i++)
    private[i * PAGE + 1] = 'P';
    show_pages("shared", shared, 4);
    SHOW(ftruncate(fd, 2 * PAGE));
    show_pages("shared, cut", shared, 4);
    show_pages("private, cut", private, 4); /* copies past the end are dropped too */
    SHOW(ftruncate(fd, 4 * PAGE));
    show_pages("shared, grown", shared, 4);
    show_pages("private, grown", private, 4);
    printf("kept: %c, dropped: %d\n", private[PAGE + 1], private[2 * PAGE + 1]);
    shared[3 * PAGE] = 'n';
    printf("the file: %c\n", at(fd, 3 * PAGE));
    close(fd);
}

static void cut_inside_a_page(void)
{
    int fd = make_file("f", 2 * PAGE);
    char *shared = map(2 * PAGE, RW, MAP_SHARED, fd, 0);
    char *private = map(2 * PAGE, RW, MAP_PRIVATE, fd, 0);

    private[PAGE + 50] = 'P';
    private[PAGE + 500] = 'P';
    SHOW(ftruncate(fd, PAGE + 100));
    printf("shared: %c %d\n", shared[PAGE + 99], shared[PAGE + 100]);
    printf("a private copy is left alone: %c %c\n", private[PAGE + 50], private[PAGE + 500]);
    shared[PAGE + 200] = 't';
    printf("the tail can be written: %c\n", shared[PAGE + 200]);
    SHOW(lseek(fd, 0, SEEK_END));
    close(fd);
}

static void extended(void)
{
    int fd = make_file("f", PAGE);
    char *p = map(4 * PAGE, RW, MAP_SHARED, fd, 0), *q = map(4 * PAGE, RW, MAP_PRIVATE, fd, 0);

    show_pages("one page", p, 4);
    SHOW(pwrite(fd, "w", 1, 2 * PAGE));
    show_pages("a write beyond", p, 4);
    show_pages("private", q, 4);
    q[PAGE] = 'Q';
    SHOW(pwrite(fd, "W", 1, PAGE));
    printf("shared %c, private %c\n", p[PAGE], q[PAGE]);
    SHOW(fallocate(fd, 0, 0, 4 * PAGE));
    show_pages("allocated", p, 4);
    close(fd);
}

static void unlinked_and_closed(void)
{
    int fd = make_file("gone", 2 * PAGE), again;
    char *p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);

    SHOW(unlink("gone"));
    p[0] = 'U';
    printf("read sees: %c\n", at(fd, 0));
    close(fd);
    again = make_file("gone", PAGE);
    printf("a new file of the name is another: %c %c\n", at(again, 0), p[0]);
    show_pages("still there", p, 2);
    close(again);
}

static void renamed_over(void)
{
    int a = make_file("a", PAGE), b = make_file("b", PAGE);
    char *p = map(PAGE, RW, MAP_SHARED, a, 0), *q = map(PAGE, RW, MAP_SHARED, b, 0);

    p[0] = 'A';
    q[0] = 'B';
    SHOW(rename("b", "a"));
    close(a);
    close(b);
    printf("mappings keep their files: %c %c\n", p[0], q[0]);
    a = open("a", O_RDWR);
    printf("the name's: %c\n", at(a, 0));
    close(a);
}

static void opened_with_trunc(void)
{
    int fd = make_file("f", 2 * PAGE), again;
    char *p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);

    p[0] = 'x';
    again = open("f", O_RDWR | O_TRUNC);
    show_pages("truncated by open", p, 2);
    SHOW(write(again, "new", 3));
    show_pages("written again", p, 2);
    close(fd);
    close(again);
}

static void read_only_file_private_write(void)
{
    int fd = open("/proc/self/exe", O_RDONLY);
    char *p = map(PAGE, RW, MAP_PRIVATE, fd, 0);

    printf("ELF: %.3s\n", p + 1);
    p[1] = 'X';
    printf("own copy: %.3s, the file: %c\n", p + 1, at(fd, 1));
    close(fd);
}

static void many_mappings_of_one_page(void)
{
    int fd = make_file("f", PAGE), wrong = 0;
    char *p[40];

    for (int i = 0; i < 40; i++)
        p[i] = map(PAGE, RW, i % 4 ? MAP_SHARED : MAP_PRIVATE, fd, 0);
    for (int i = 0; i < 40; i += 4)
        p[i][0] = 'P';
    p[1][0] = 'S';
    for (int i = 0; i < 40; i++)
        wrong += p[i][0] != (i % 4 ? 'S' : 'P');
    printf("wrong: %d\n", wrong);
    SHOW(ftruncate(fd, 0));
    for (volatile int i = 0; i < 40; i++) {
        if (sigsetjmp(fault_jump, 1))
            wrong++;
        else
            wrong += p[i][0] == 1;
    }
    printf("all gone: %d\n", wrong);
    close(fd);
}

static void fork_and_truncate(void)
{
    int fd = make_file("f", 2 * PAGE);
    char *p = map(2 * PAGE, RW, MAP_PRIVATE, fd, 0);

    p[0] = 'P';
    p[PAGE] = 'P';
    if (fork() == 0) {
        show_pages("child", p, 2);
        SHOW(ftruncate(fd, PAGE));
        show_pages("child, cut", p, 2);
        _exit(0);
    }
    wait(NULL);
    show_pages("parent, cut by the child", p, 2);
    close(fd);
}

/* The kernel's own accesses meet the same ends. */
static void past_the_end_in_calls(void)
{
    int fd = make_file("f", PAGE), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *p = map(3 * PAGE, RW, MAP_SHARED, fd, 0);

    SHOW(write(out, p + PAGE - 10, 20));
    SHOW(write(out, p + PAGE, 10));
    SHOW(pread(out, p + PAGE - 5, 10, 0));
    SHOW(pread(out, p + PAGE, 10, 0));
    close(fd);
    close(out);
}

int main(void)
{
    catch_faults();
    cut_and_grow();
    cut_inside_a_page();
    extended();
    unlinked_and_closed();
    renamed_over();
    opened_with_trunc();
    read_only_file_private_write();
    many_mappings_of_one_page();
    fork_and_truncate();
    past_the_end_in_calls();
    return 0;
}
