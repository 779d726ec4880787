/* Record locks, open-file-description locks and flock: conflicts, splits, waiting, deadlock,
 * closing. */
#include "guest.h"
#include <sys/file.h>

static int fd;
static int to_child[2], to_parent[2];

static struct flock region(int type, int start, int len)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
}

static int lock(int f, int cmd, int type, int start, int len)
{
    struct flock l = region(type, start, len);

    return fcntl(f, cmd, &l);
}

/* What another process is told about the region. */
static void ask(const char *what, int type, int start, int len)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct flock l = region(type, start, len);

        if (fcntl(fd, F_GETLK, &l) != 0)
            printf("%s: %s\n", what, error_name(errno));
        else if (l.l_type == F_UNLCK)
            printf("%s: free\n", what);
        else
            printf("%s: %s %ld+%ld, owner %s\n", what, l.l_type == F_RDLCK ? "read" : "write",
                   (long)l.l_start, (long)l.l_len, l.l_pid == getppid() ? "parent" : "other");
        _exit(0);
    }
    waitpid(pid, &status, 0);
}

static void splitting(void)
{
    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 100));
    ask("inside", F_RDLCK, 50, 1);
    ask("past", F_RDLCK, 100, 1);
    SHOW(lock(fd, F_SETLK, F_UNLCK, 40, 20));
    ask("hole", F_WRLCK, 40, 20);
    ask("left", F_WRLCK, 39, 1);
    ask("right", F_WRLCK, 60, 1);
    ask("from the hole on", F_WRLCK, 45, 0);
    SHOW(lock(fd, F_SETLK, F_RDLCK, 30, 50));
    ask("reading the middle", F_RDLCK, 35, 10);
    ask("writing the middle", F_WRLCK, 35, 10);
    ask("left part", F_RDLCK, 0, 30);
    SHOW(lock(fd, F_SETLK, F_RDLCK, 0, 0));
    ask("all of it", F_WRLCK, 1000, 0);
    ask("all of it, merged", F_WRLCK, 0, 0);
    SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
    ask("nothing left", F_WRLCK, 0, 0);
}

static void ranges(void)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -10, .l_len = 5};

    DIE_UNLESS(ftruncate(fd, 100) == 0);
    SHOW(fcntl(fd, F_SETLK, &l));
    ask("from the end", F_WRLCK, 0, 0);
    l = region(F_WRLCK, 50, -10);
    SHOW(fcntl(fd, F_SETLK, &l));
    ask("negative length", F_WRLCK, 0, 50);
    l = region(F_WRLCK, -1, 1);
    SHOW(fcntl(fd, F_SETLK, &l));
    l = region(F_WRLCK, 5, -10);
    SHOW(fcntl(fd, F_SETLK, &l));
    l = region(7, 0, 1);
    SHOW(fcntl(fd, F_SETLK, &l));
    l.l_type = F_WRLCK;
    l.l_whence = 9;
    SHOW(fcntl(fd, F_SETLK, &l));
    SHOW(fcntl(fd, F_SETLK, (void *)8));
    SHOW(lock(99, F_SETLK, F_WRLCK, 0, 1));
    int ro = open("locked", O_RDONLY), wo = open("locked", O_WRONLY);
    SHOW(lock(ro, F_SETLK, F_WRLCK, 0, 1));
    SHOW(lock(wo, F_SETLK, F_RDLCK, 0, 1));
    close(ro);
    ask("any close drops all", F_WRLCK, 0, 0);
    close(wo);
}

static void tell(int to[2])
{
    DIE_UNLESS(write(to[1], "x", 1) == 1);
}

static void wait_for(int from[2])
{
    char c;

    DIE_UNLESS(read(from[0], &c, 1) == 1);
}

static void waiting(void)
{
    int status;
    pid_t pid;

    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 10));
    pid = fork();
    if (pid == 0) {
        SHOW(lock(fd, F_SETLK, F_WRLCK, 5, 10));
        tell(to_parent);
        SHOW(lock(fd, F_SETLKW, F_WRLCK, 5, 10));
        _exit(0);
    }
    wait_for(to_parent);
    usleep(20000);
    printf("letting go\n");
    DIE_UNLESS(lock(fd, F_SETLK, F_UNLCK, 0, 10) == 0); /* the child may print first */
    waitpid(pid, &status, 0);
    SHOW(lock(fd, F_SETLK, F_WRLCK, 5, 10));
    SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
}

static void deadlock(void)
{
    int status;
    pid_t pid;

    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    pid = fork();
    if (pid == 0) {
        DIE_UNLESS(lock(fd, F_SETLK, F_WRLCK, 1, 1) == 0);
        tell(to_parent);
        DIE_UNLESS(lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0);
        _exit(0);
    }
    wait_for(to_parent);
    usleep(50000);
    SHOW(lock(fd, F_SETLKW, F_WRLCK, 1, 1));
    SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
    waitpid(pid, &status, 0);
    print_status("child", status);
}

static void on_alarm(int signo)
{
    (void)signo;
}

static void interrupted(void)
{
    struct sigaction act = {.sa_handler = on_alarm};
    int status;
    pid_t pid;

    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    pid = fork();
    if (pid == 0) {
        sigaction(SIGALRM, &act, NULL);
        ualarm(20000, 0);
        SHOW(lock(fd, F_SETLKW, F_WRLCK, 0, 1));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
}

static void descriptions(void)
{
    int a = open("locked", O_RDWR), b = open("locked", O_RDWR);
    struct flock l = region(F_WRLCK, 0, 10);

    SHOW(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
    SHOW(lock(b, F_OFD_SETLK, F_WRLCK, 5, 10));
    SHOW(lock(b, F_OFD_SETLK, F_RDLCK, 10, 10));
    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 10));
    SHOW(fcntl(fd, F_GETLK, &l));
    printf("pid %d\n", (int)l.l_pid);
    close(a);
    SHOW(lock(b, F_OFD_SETLK, F_WRLCK, 5, 10));
    l.l_pid = 5;
    SHOW(fcntl(b, F_OFD_SETLK, &l));
    close(b);
}

static void whole_files(void)
{
    int a = open("locked", O_RDONLY), b = open("locked", O_RDONLY), c = dup(a), status;
    pid_t pid;

    SHOW(flock(a, LOCK_SH));
    SHOW(flock(b, LOCK_SH));
    SHOW(flock(b, LOCK_EX | LOCK_NB));
    SHOW(flock(a, LOCK_UN));
    SHOW(flock(b, LOCK_EX | LOCK_NB));
    SHOW(flock(a, LOCK_SH | LOCK_NB));
    SHOW(flock(c, LOCK_SH | LOCK_NB));
    close(b);
    SHOW(flock(c, LOCK_EX | LOCK_NB));
    SHOW(flock(a, LOCK_EX | LOCK_NB));
    close(a);
    b = open("locked", O_RDONLY);
    SHOW(flock(b, LOCK_SH | LOCK_NB));
    pid = fork();
    if (pid == 0) {
        SHOW(flock(c, LOCK_UN));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    SHOW(flock(b, LOCK_EX | LOCK_NB));
    SHOW(flock(b, 0));
    SHOW(flock(b, LOCK_SH | LOCK_EX));
    SHOW(flock(99, LOCK_SH));
    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    close(b);
    close(c);
}

int main(void)
{
    DIE_UNLESS(mkdir("t", 0777) == 0 && chdir("t") == 0);
    DIE_UNLESS(pipe(to_child) == 0 && pipe(to_parent) == 0);
    fd = make_file("locked", 200);
    splitting();
    ranges();
    waiting();
    deadlock();
    interrupted();
    descriptions();
    whole_files();
    return 0;
}
