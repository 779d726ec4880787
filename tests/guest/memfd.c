/* memfd_create and seals: names, flags, and what each seal forbids to write, truncate, fallocate
 * and mmap. What Linux has changed since 6.1 (MFD_EXEC, read-only maps of F_SEAL_WRITE) is left
 * out. */
#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)

static int memfd(unsigned flags)
{
    int fd = memfd_create("test", flags);

    DIE_UNLESS(fd >= 0);
    return fd;
}

static void show_link(int fd)
{
    char path[64], target[400];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    n = readlink(path, target, sizeof(target) - 1);
    target[n < 0 ? 0 : n] = '\0';
    printf("%s\n", target);
}

static void names(void)
{
    char name[300];
    int fd;

    memset(name, 'n', sizeof(name));
    name[249] = '\0';
    fd = memfd_create(name, 0);
    printf("249 letters: %s\n", fd < 0 ? error_name(errno) : "ok");
    show_link(fd);
    close(fd);
    name[249] = 'n';
    name[250] = '\0';
    TRY(memfd_create(name, 0));
    name[250] = 'n';
    TRY(memfd_create(name, 0));
    fd = memfd_create("", 0);
    show_link(fd);
    close(fd);
    fd = memfd_create("with/slash and space", 0);
    show_link(fd);
    close(fd);
    TRY(memfd_create(NULL, 0));
    TRY(memfd_create((char *)-1, 0));
    TRY(memfd_create("x", 0x40));
    TRY(memfd_create("x", 0x80000000));
    TRY(memfd_create(NULL, 0x40));
}

static void as_a_file(void)
{
    int fd = memfd(MFD_CLOEXEC), again;
    char path[64], buf[8] = "";
    struct stat st;

    printf("cloexec: %d, flags: %o\n", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("mode %o, links %ld, size %ld, blocks %ld\n", st.st_mode, (long)st.st_nlink,
           (long)st.st_size, (long)st.st_blocks);
    SHOW(write(fd, "hello", 5));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(read(fd, buf, 8));
    puts(buf);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    again = open(path, O_RDONLY);
    SHOW(pread(again, buf, 8, 1));
    SHOW(write(again, "x", 1));
    SHOW(fcntl(again, F_ADD_SEALS, F_SEAL_GROW));
    TRY(mmap(NULL, PAGE, RW, MAP_SHARED, again, 0));
    close(again);
    SHOW(ftruncate(fd, 3 * PAGE));
    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("size %ld, blocks %ld\n", (long)st.st_size, (long)st.st_blocks);
    TRY(fcntl(memfd(0), F_GETFD));
    close(fd);
}

static void mapped(void)
{
    int fd = memfd(0);
    char *p, line[300], buf[4] = "";
    bool found = false;
    FILE *f;

    SHOW(ftruncate(fd, 2 * PAGE));
    p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);
    strcpy(p + PAGE, "abc");
    SHOW(pread(fd, buf, 3, PAGE));
    puts(buf);
    close(fd);
    printf("after close: %s\n", p + PAGE);
    f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof(line), f))
        if (strstr(line, "/memfd:test (deleted)\n") && strstr(line, " 00:01 "))
            found = true;
    printf("in maps: %d\n", found);
    if (fork() == 0) {
        strcpy(p, "child");
        _exit(0);
    }
    wait(NULL);
    printf("from the child: %s\n", p);
    munmap(p, 2 * PAGE);
}

static void seal_rules(void)
{
    int fd = memfd(0), pipes[2];

    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    SHOW(fcntl(fd, F_ADD_SEALS, 0));
    close(fd);
    fd = memfd(MFD_ALLOW_SEALING);
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fcntl(fd, F_ADD_SEALS, 0));
    SHOW(fcntl(fd, F_ADD_SEALS, 0x100));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL));
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    close(fd);
    DIE_UNLESS(pipe(pipes) == 0);
    SHOW(fcntl(pipes[0], F_GET_SEALS));
    SHOW(fcntl(pipes[1], F_ADD_SEALS, F_SEAL_GROW));
    SHOW(fcntl(pipes[0], F_ADD_SEALS, F_SEAL_GROW));
    SHOW(fcntl(999, F_GET_SEALS));
    close(pipes[0]);
    close(pipes[1]);
}

static void seal_size(void)
{
    int fd = memfd(MFD_ALLOW_SEALING);
    struct stat st;

    SHOW(ftruncate(fd, 100));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    SHOW(ftruncate(fd, 99));
    SHOW(ftruncate(fd, 100));
    SHOW(ftruncate(fd, 200));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    SHOW(ftruncate(fd, 201));
    SHOW(ftruncate(fd, 200));
    SHOW(pwrite(fd, "abc", 3, 197));
    SHOW(pwrite(fd, "abc", 3, 198));
    SHOW(pwrite(fd, "abc", 3, 200));
    SHOW(pwrite(fd, "abc", 0, 300));
    SHOW(fallocate(fd, 0, 100, 100));
    SHOW(fallocate(fd, 0, 100, 101));
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 100, 101));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1000));
    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("size %ld\n", (long)st.st_size);
    close(fd);
}

static void seal_write(void)
{
    int fd = memfd(MFD_ALLOW_SEALING);
    char *p, *q;

    SHOW(ftruncate(fd, 2 * PAGE));
    p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);
    p[0] = 'p';
    q = map(PAGE, PROT_READ, MAP_SHARED, fd, 0);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
    munmap(p, 2 * PAGE);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)); /* q could become writable */
    SHOW(fcntl(fd, F_GET_SEALS));
    munmap(q, PAGE);
    p = map(PAGE, RW, MAP_PRIVATE, fd, 0);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(pwrite(fd, "x", 1, 0));
    SHOW(pwrite(fd, "x", 0, 0));
    TRY(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
    TRY(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0));
    p[0] = 'q';
    printf("a private copy: %c\n", p[0]);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
    SHOW(ftruncate(fd, 3 * PAGE));
    SHOW(ftruncate(fd, PAGE));
    close(fd);
}

static void seal_future_write(void)
{
    int fd = memfd(MFD_ALLOW_SEALING);
    char *p, *r, c = 0;

    SHOW(ftruncate(fd, PAGE));
    p = map(PAGE, RW, MAP_SHARED, fd, 0);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    SHOW(fcntl(fd, F_GET_SEALS));
    strcpy(p, "still");
    SHOW(pread(fd, &c, 1, 0));
    printf("the old mapping writes: %c\n", c);
    SHOW(pwrite(fd, "x", 1, 0));
    TRY(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
    r = map(PAGE, PROT_READ, MAP_SHARED, fd, 0);
    printf("reads: %s\n", r);
    SHOW(mprotect(r, PAGE, RW));
    SHOW(mprotect(p, PAGE, PROT_READ));
    SHOW(mprotect(p, PAGE, RW));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(p, PAGE);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    close(fd);
}

int main(void)
{
    names();
    as_a_file();
    mapped();
    seal_rules();
    seal_size();
    seal_write();
    seal_future_write();
    return 0;
}
