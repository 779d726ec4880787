/* The kernel reads and writes user memory as the program would: lazily, copying, or with EFAULT. */
#include "guest.h"

static int fd;

static void into_untouched(void)
{
    char *p = map_anon(4);

    SHOW(pread(fd, p + PAGE - 10, 20, 0));
    printf("%.20s\n", p + PAGE - 10);
    SHOW(pread(fd, p + 2 * PAGE, 2 * PAGE, 0));
    printf("%c %c\n", p[2 * PAGE], p[3 * PAGE]);
    p = sbrk(3 * PAGE);
    SHOW(pread(fd, p, 3 * PAGE, 0));
    printf("heap %c %c\n", p[0], p[2 * PAGE]);
}

static void into_shared_pages(void)
{
    char *p = map_anon(2);

    memset(p, 'o', 2 * PAGE);
    if (fork() == 0) {
        SHOW(pread(fd, p, PAGE, 0));
        printf("child %c %c\n", p[0], p[PAGE]);
        _exit(0);
    }
    wait(NULL);
    printf("parent %c %c\n", p[0], p[PAGE]);
}

static void into_private_file_page(void)
{
    int f = make_file("target", PAGE);
    char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, f, 0), c;

    SHOW(pread(fd, p, 10, PAGE));
    printf("copy: %c%c\n", p[9], p[10]);
    DIE_UNLESS(pread(f, &c, 1, 0) == 1);
    printf("file: %c\n", c);
    close(f);
}

static void into_bad_places(void)
{
    char *p = map_anon(3), *ro = map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *none = map(PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    munmap(p + PAGE, PAGE);
    TRY(pread(fd, (void *)0, 1, 0));
    TRY(pread(fd, (void *)1, 1, 0));
    TRY(pread(fd, p + PAGE, 1, 0));
    TRY(pread(fd, ro, 1, 0));
    TRY(pread(fd, none, 1, 0));
    TRY(pread(fd, (void *)0xc0000000, 1, 0));
    TRY(pread(fd, (void *)0xfffffff0, 16, 0));
    TRY(pread(fd, (char *)into_bad_places, 1, 0));
    SHOW(pread(fd, (void *)0, 0, 0));
    SHOW(pread(fd, (void *)8, 4, 1 << 30));
    printf("read-only page still %d\n", *ro);
}

static void part_of_it(void)
{
    char *p = map_anon(3);

    munmap(p + PAGE, PAGE);
    SHOW(pread(fd, p + PAGE - 100, 200, 0));
    printf("%d\n", all_bytes(p + PAGE - 100, 100, 'a'));
    SHOW(pread(fd, p, 2 * PAGE, 0));
}

static void out_of_lazy_pages(void)
{
    char *p = map_anon(2), buf[8] = "-------", *shared;
    int out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600), fds[2];

    SHOW(write(out, p, 4));
    SHOW(pread(out, buf, 8, 0));
    printf("%d%d%d%d\n", buf[0], buf[1], buf[2], buf[3]);
    shared = map(PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    SHOW(pwrite(out, shared, 3, 0));
    SHOW(pread(out, buf, 3, 0));
    printf("%.3s\n", buf);
    TRY(write(out, (void *)0, 1));
    TRY(write(out, (void *)0xfffff000, 1));
    munmap(p + PAGE, PAGE);
    memset(p, 'w', PAGE);
    SHOW(pwrite(out, p + PAGE - 5, 10, 0));
    TRY(pwrite(out, p + PAGE, 10, 0));
    DIE_UNLESS(pipe(fds) == 0);
    TRY(write(fds[1], p + PAGE, 10));
    TRY(write(fds[1], (void *)0, 1));
    SHOW(write(fds[1], "x", 1));
    TRY(read(fds[0], p + PAGE, 1));
    SHOW(read(fds[0], p, 1));
    close(out);
}

/* A file read into a mapping of itself, and written from one. */
static void file_onto_itself(void)
{
    int f = make_file("self", 3 * PAGE);
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);

    SHOW(pread(f, p + PAGE, PAGE, 0));
    printf("%c %c %c\n", p[0], p[PAGE], p[2 * PAGE]);
    SHOW(pwrite(f, p + 2 * PAGE, PAGE, 0));
    printf("%c %c %c\n", p[0], p[PAGE], p[2 * PAGE]);
    close(f);
}

static void vectors(void)
{
    char *p = map_anon(2);
    struct iovec v[3] = {{p, 10}, {p + PAGE, 10}, {(void *)0, 10}};

    SHOW(preadv(fd, v, 2, PAGE - 10));
    printf("%c %c\n", p[0], p[PAGE]);
    SHOW(preadv(fd, v, 3, 0));
    TRY(readv(fd, (void *)0, 1));
    TRY(readv(fd, v, -1));
    TRY(readv(fd, v, 1025));
    SHOW(readv(fd, v, 0));
    v[0].iov_len = -1;
    TRY(readv(fd, v, 2));
    v[0].iov_len = 0;
    v[1].iov_base = NULL;
    TRY(readv(fd, v, 2));
}

static void strings_and_structures(void)
{
    char *p = map_anon(2);
    struct stat st;

    munmap(p + PAGE, PAGE);
    memset(p, '/', PAGE);
    TRY(open((char *)0, O_RDONLY));
    TRY(open((char *)0xffffff00, O_RDONLY));
    TRY(open(p + PAGE, O_RDONLY));
    TRY(open(p + PAGE - 3, O_RDONLY));
    strcpy(p + PAGE - 5, "/tmp");
    TRY(access(p + PAGE - 5, F_OK));
    TRY(syscall(SYS_stat64, "/", (struct stat *)8));
    TRY(syscall(SYS_stat64, "/", p + PAGE - 8));
    TRY(fstat(fd, &st));
    TRY(pipe((int *)8));
    TRY(syscall(SYS_getcwd, (char *)8, 100));
    TRY(execve((char *)8, NULL, NULL));
    TRY(syscall(SYS_uname, p + PAGE - 8));
    TRY(waitpid(-1, (int *)8, WNOHANG));
}

/* Across a page boundary the stored status must be whole. */
static void wait_status_placement(void)
{
    char *p = map_anon(2);
    int *status = (int *)(p + PAGE - 2), value;

    if (fork() == 0)
        _exit(77);
    printf("waited: %d\n", wait(status) > 0);
    memcpy(&value, status, sizeof(value));
    printf("status %x\n", value);
    if (fork() == 0)
        _exit(1);
    TRY(wait((int *)8));
}

int main(void)
{
    fd = make_file("source", 8 * PAGE);
    into_untouched();
    into_shared_pages();
    into_private_file_page();
    into_bad_places();
    part_of_it();
    out_of_lazy_pages();
    file_onto_itself();
    vectors();
    strings_and_structures();
    wait_status_placement();
    return 0;
}
