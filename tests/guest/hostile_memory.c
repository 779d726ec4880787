/* Asks for 1 GiB on a machine that has far less: one process dies or fails, nobody else. */
#include "guest.h"

#define GIB (1u << 30)

static void by_mmap(void *arg)
{
    char *p =
        mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void)arg;
    if (p == MAP_FAILED)
        _exit(1);
    for (size_t i = 0; i < GIB; i += PAGE)
        p[i] = 1;
    _exit(2);
}

static void by_brk(void *arg)
{
    (void)arg;
    for (;;) {
        char *p = sbrk(1 << 20);

        if (p == (void *)-1)
            _exit(1);
        for (int i = 0; i < 1 << 20; i += PAGE)
            p[i] = 1;
    }
}

static void by_shared(void *arg)
{
    char *p =
        mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void)arg;
    if (p == MAP_FAILED)
        _exit(1);
    for (size_t i = 0; i < GIB; i += PAGE)
        p[i] = 1;
    _exit(2);
}

/* The kernel itself does the touching. */
static void by_read(void *arg)
{
    int zero = open("/dev/zero", O_RDONLY);
    char *p =
        mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void)arg;
    for (size_t i = 0; p != MAP_FAILED && i < GIB; i += 1 << 20)
        if (read(zero, p + i, 1 << 20) != 1 << 20)
            _exit(1);
    _exit(1);
}

static void by_file(void *arg)
{
    char block[65536] = {1};
    int fd = open("fill", O_WRONLY | O_CREAT | O_TRUNC, 0600), i;

    (void)arg;
    for (i = 0; i < 16384; i++)
        if (write(fd, block, sizeof(block)) != sizeof(block))
            break;
    unlink("fill");
    _exit(i < 16384 ? 1 : 2);
}

/* Many small mappings: what runs out may be the kernel's own. */
static void by_maps(void *arg)
{
    (void)arg;
    for (int i = 0;; i++)
        if (mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
            _exit(1);
}

/* Copy-on-write of more than there is. */
static void by_fork(void *arg)
{
    size_t half = 40u << 20;
    char *p = mmap(NULL, half, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    (void)arg;
    if (p == MAP_FAILED)
        _exit(1);
    for (size_t i = 0; i < half; i += PAGE)
        p[i] = 1;
    if (fork() == 0) {
        for (size_t i = 0; i < half; i += PAGE)
            p[i] = 2;
        _exit(0);
    }
    wait(NULL);
    _exit(1);
}

static void show(const char *how, void (*fn)(void *))
{
    char *mine = map_anon(64);
    int status;
    pid_t pid;

    memset(mine, 'm', 64 * PAGE);
    pid = fork();
    if (pid == 0)
        fn(NULL);
    DIE_UNLESS(pid > 0 && waitpid(pid, &status, 0) == pid);
    printf("%s: %s, bystander %s\n", how,
           WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "stopped"
           : WIFEXITED(status) && WEXITSTATUS(status) == 1    ? "stopped"
                                                              : "not stopped",
           all_bytes(mine, 64 * PAGE, 'm') ? "intact" : "damaged");
    munmap(mine, 64 * PAGE);
}

int main(void)
{
    show("mmap", by_mmap);
    show("brk", by_brk);
    show("shared", by_shared);
    show("read", by_read);
    show("file", by_file);
    show("maps", by_maps);
    show("fork", by_fork);
    show("mmap again", by_mmap);
    return 0;
}
