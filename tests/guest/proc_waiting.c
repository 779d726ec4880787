/*
 * /proc/PID/syscall, stack and wchan: of one that sleeps, runs, is traced, has ended; who may read.
 */
#include <ctype.h>
#include <sys/prctl.h>
#include "tracing.h"

static int text_of(pid_t pid, const char *name, char *buf, size_t size)
{
    char path[64];
    int fd, n, err;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    fd = open(path, O_RDONLY);
    if (fd < 0) {
        printf("%s: open: %s\n", name, error_name(errno));
        return -1;
    }
    n = read(fd, buf, size - 1);
    err = errno;
    close(fd);
    if (n < 0)
        printf("%s: read: %s\n", name, error_name(err));
    else
        buf[n] = '\0';
    return n;
}

static int fds[2];
static char byte;

static void reads(void)
{
    long ret;

    __asm__ volatile("int $0x80"
                     : "=a"(ret)
                     : "0"(SYS_read), "b"(fds[0]), "c"(&byte), "d"(1)
                     : "memory");
    _exit(0);
}

static void spins(void)
{
    for (;;)
        ;
}

static void traps(void)
{
    __asm__ volatile("int3");
}

static void ends(void)
{
    _exit(0);
}

static void show_words(pid_t pid)
{
    char buf[400], *at = buf;
    unsigned words = 0;

    if (text_of(pid, "syscall", buf, sizeof(buf)) < 0)
        return;
    printf("syscall: number %ld", strtol(buf, &at, 10));
    for (char *c = at; *c; c++)
        words += *c == ' ';
    printf(", %u words, ends with a new line %d\n", words, at[strlen(at) - 1] == '\n');
}

static void sleeping(void)
{
    unsigned a[8] = {0};
    char buf[400];
    pid_t pid = child(reads);

    printf("-- sleeping\n");
    until_state(pid, 'S');
    show_words(pid);
    text_of(pid, "syscall", buf, sizeof(buf));
    sscanf(buf, "%*d %x %x %x %x %x %x %x %x", &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &a[6],
           &a[7]);
    printf("descriptor %d, buffer %d, length %u, stack %d\n", a[0] == (unsigned)fds[0],
           a[1] == (unsigned)(long)&byte, a[2], a[6] / 0x100000 == (unsigned)(long)buf / 0x100000);
    DIE_UNLESS(a[7] > 2);
    printf("int $0x80 lies before the place: %d\n",
           memcmp((char *)(long)a[7] - 2, "\xcd\x80", 2) == 0);
    text_of(pid, "wchan", buf, sizeof(buf));
    printf("wchan: a name %d, of its own %d\n", isalpha(buf[0]) || buf[0] == '_',
           !strchr(buf, '\n'));
    text_of(pid, "stack", buf, sizeof(buf));
    printf("stack: %.6s\n", buf);
    finish(pid);
}

static void others(void)
{
    char buf[400];
    int status;
    pid_t pid = child(spins);

    printf("-- running\n");
    text_of(pid, "syscall", buf, sizeof(buf));
    printf("%s", buf);
    text_of(pid, "wchan", buf, sizeof(buf));
    printf("wchan %s\n", buf);
    finish(pid);

    printf("-- traced, in no call\n");
    pid = tracee(traps);
    DIE_UNLESS(trace(PTRACE_CONT, pid, 0, 0) == 0 && waitpid(pid, &status, 0) == pid);
    show_words(pid);
    finish(pid);

    printf("-- itself\n");
    show_words(getpid());
    text_of(getpid(), "wchan", buf, sizeof(buf));
    printf("wchan %s\n", buf);

    printf("-- ended\n");
    pid = child(ends);
    until_state(pid, 'Z');
    text_of(pid, "syscall", buf, sizeof(buf));
    printf("%s", buf);
    text_of(pid, "wchan", buf, sizeof(buf));
    printf("wchan %s\n", buf);
    printf("stack: %d bytes\n", text_of(pid, "stack", buf, sizeof(buf)));
    waitpid(pid, NULL, 0);
    errno = 0;
    text_of(pid, "syscall", buf, sizeof(buf));
}

static void as_user(void)
{
    char buf[400];
    pid_t roots = child(reads), user;

    printf("-- another user\n");
    until_state(roots, 'S');
    user = fork();
    if (user == 0) {
        DIE_UNLESS(setgid(1000) == 0 && setuid(1000) == 0);
        text_of(roots, "syscall", buf, sizeof(buf));
        text_of(roots, "stack", buf, sizeof(buf));
        text_of(roots, "wchan", buf, sizeof(buf));
        printf("wchan %s\n", buf);
        DIE_UNLESS(prctl(PR_SET_DUMPABLE, 1) == 0);
        pid_t own = child(reads);
        until_state(own, 'S');
        show_words(own);
        text_of(own, "stack", buf, sizeof(buf));
        text_of(own, "wchan", buf, sizeof(buf));
        printf("wchan: a name %d\n", isalpha(buf[0]) || buf[0] == '_');
        finish(own);
        _exit(0);
    }
    waitpid(user, NULL, 0);
    finish(roots);
}

/* The kernel's own thread comes to wait for work, as on any idle machine, and is not held up. */
static void pageout_thread(void)
{
    char text[300] = "", *name;

    for (pid_t pid = 1; pid < 200; pid++) {
        char path[64];
        int fd, n;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY);
        if (fd < 0)
            continue;
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
        text[n > 0 ? n : 0] = '\0';
        name = strstr(text, "(kswapd0) ");
        if (!name)
            continue;
        until_state(pid, 'S'); /* unless it never comes to that */
        printf("kswapd0: S\n");
    }
}

int main(void)
{
    DIE_UNLESS(pipe(fds) == 0);
    pageout_thread();
    sleeping();
    others();
    as_user();
    return 0;
}
