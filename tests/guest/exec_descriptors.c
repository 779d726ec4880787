/* execveat of descriptors: a memfd that is open for writing, O_PATH, scripts that their interpreter
 * could not open; what is told first when several things are wrong. */
#include "guest.h"
#include <sys/mman.h>

extern char **environ;

static long run(int fd, const char *path, int flags)
{
    char *argv[] = {"exec_descriptors", "child", NULL};

    return syscall(SYS_execveat, fd, path, argv, environ, flags);
}

struct
try {
    int fd;
    const char *path;
};

static void child(void *arg)
{
    struct try *t = arg;

    run(t->fd, t->path, *t->path ? 0 : AT_EMPTY_PATH);
    printf("execveat: %s\n", error_name(errno));
}

static void try_fd(const char *what, int fd, const char *path)
{
    struct try t = {fd, path};

    DIE_UNLESS(fd >= 0);
    in_child(what, child, &t);
}

/* This program, in memory. */
static int copy_of_self(int to)
{
    int from = open("/proc/self/exe", O_RDONLY);
    char buf[4096];
    ssize_t n;

    while ((n = read(from, buf, sizeof(buf))) > 0)
        DIE_UNLESS(write(to, buf, n) == n);
    close(from);
    return to;
}

static void test_memfd(void)
{
    int fd = copy_of_self(memfd_create("x", MFD_CLOEXEC)), again;
    char path[32];

    try_fd("memfd", fd, "");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    again = open(path, O_RDONLY);
    try_fd("memfd opened again for reading", again, "");
    close(again);
    again = open(path, O_RDWR);
    try_fd("memfd opened again for writing", fd, "");
    close(again);
    try_fd("and closed", fd, "");
    SHOW(fchmod(fd, 0600));
    try_fd("without the right to", fd, "");
    close(fd);
}

static void test_path(void)
{
    try_fd("O_PATH", open("/proc/self/exe", O_PATH | O_CLOEXEC), "");
    try_fd("a directory", open(".", O_PATH), "");
    try_fd("a missing name", open(".", O_PATH), "missing");
    errno = 0;
    run(99, "", AT_EMPTY_PATH);
    printf("bad descriptor: %s\n", error_name(errno));
    errno = 0;
    run(AT_FDCWD, "", 0);
    printf("empty path: %s\n", error_name(errno));
}

static void test_scripts(void)
{
    int fd = open("script", O_WRONLY | O_CREAT, 0755), dir = open(".", O_RDONLY),
        closing = open(".", O_RDONLY | O_CLOEXEC);
    const char text[] = "#!/proc/self/exe\n";

    DIE_UNLESS(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    try_fd("script", open("script", O_RDONLY), "");
    try_fd("script, close-on-exec", open("script", O_RDONLY | O_CLOEXEC), "");
    try_fd("script beside a descriptor", dir, "script");
    try_fd("script beside one that closes", closing, "script");
    try_fd("script, absolute", closing, "/proc/self/cwd/script");
    unlink("script");
}

static void test_order(void)
{
    char *argv[] = {"x", NULL};

    SHOW(execve("missing", (char **)-PAGE, environ));
    SHOW(execve("missing", argv, (char **)-PAGE));
    SHOW(execve("missing", argv, environ));
    SHOW(execve((char *)-PAGE, argv, environ));
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        printf("it runs: %d arguments, %s\n", argc,
               strstr(argv[0], "exec") ? "by name" : "as asked");
        return 0;
    }
    test_memfd();
    test_path();
    test_scripts();
    test_order();
    return 0;
}
