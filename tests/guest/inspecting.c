/* Who may look into a process: by /proc, by process_vm_readv; as root, its user, another user; and
 * into one that changed its ids, or said that it may not be dumped. */
#include "guest.h"
#include <dirent.h>
#include <sys/prctl.h>

#define USER  1000
#define OTHER 2000

static const char *const files[] = {"maps",    "smaps",   "smaps_rollup", "mem",    "environ",
                                    "auxv",    "pagemap", "fdinfo/0",     "status", "stat",
                                    "cmdline", "limits",  "io",           NULL};
static const char *const links[] = {"exe", "cwd", "root", "fd/0", NULL};
static const char *const dirs[] = {"fd", "fdinfo", "task", NULL};

static void look(const char *proc)
{
    char path[100], buf[64];
    struct stat st;

    for (int i = 0; files[i]; i++) {
        snprintf(path, sizeof(path), "%s/%s", proc, files[i]);
        int fd = open(path, O_RDONLY);
        int n = fd < 0 || !strcmp(files[i], "mem") ? 0 : read(fd, buf, 8);

        printf(" %s %s", files[i], fd < 0 ? error_name(errno) : n < 0 ? "unreadable" : "ok");
        close(fd);
    }
    for (int i = 0; links[i]; i++) {
        snprintf(path, sizeof(path), "%s/%s", proc, links[i]);
        printf(" %s %s", links[i], readlink(path, buf, sizeof(buf)) < 0 ? error_name(errno) : "ok");
    }
    for (int i = 0; dirs[i]; i++) {
        snprintf(path, sizeof(path), "%s/%s", proc, dirs[i]);
        DIR *d = opendir(path);

        printf(" %s/ %s", dirs[i], d ? "ok" : error_name(errno));
        if (d)
            closedir(d);
    }
    snprintf(path, sizeof(path), "%s/fd", proc);
    printf(" owner %d\n", stat(path, &st) ? -1 : (int)st.st_uid);
}

static char secret[16] = "secret";

static void peek(pid_t pid)
{
    char buf[16];
    struct iovec to = {buf, 16}, from = {secret, 16};

    errno = 0;
    printf(" process_vm_readv: %s\n",
           process_vm_readv(pid, &to, 1, &from, 1, 0) < 0 ? error_name(errno) : "ok");
}

static void look_as(uint32_t uid, pid_t pid)
{
    char proc[32];
    int status;
    pid_t child = fork();

    if (child == 0) {
        DIE_UNLESS(setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
        snprintf(proc, sizeof(proc), "/proc/%d", pid);
        printf("as %u:", uid);
        look(proc);
        peek(pid);
        exit(0);
    }
    waitpid(child, &status, 0);
}

/* The process looked at becomes what become() makes of it, then waits to be killed. */
static void target(const char *what, void (*become)(void))
{
    int ready[2], status;
    pid_t pid;
    char c;

    DIE_UNLESS(pipe(ready) == 0);
    printf("-- %s\n", what);
    pid = fork();
    if (pid == 0) {
        become();
        printf("itself, dumpable %d:", prctl(PR_GET_DUMPABLE));
        look("/proc/self");
        DIE_UNLESS(write(ready[1], "x", 1) == 1);
        for (;;)
            pause();
    }
    DIE_UNLESS(read(ready[0], &c, 1) == 1);
    look_as(0, pid);
    look_as(USER, pid);
    look_as(OTHER, pid);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    close(ready[0]);
    close(ready[1]);
}

static void root(void)
{
}

static void user(void)
{
    DIE_UNLESS(setresgid(USER, USER, USER) == 0 && setresuid(USER, USER, USER) == 0);
}

static void dumpable_user(void)
{
    user();
    prctl(PR_SET_DUMPABLE, 1);
}

static void half_user(void)
{
    DIE_UNLESS(setresgid(USER, USER, USER) == 0 && setresuid(USER, USER, 0) == 0);
    prctl(PR_SET_DUMPABLE, 1);
}

static void user_undumpable(void)
{
    dumpable_user();
    prctl(PR_SET_DUMPABLE, 0);
}

static void by_fsuid(void)
{
    prctl(PR_SET_DUMPABLE, 1);
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    syscall(SYS_setfsuid32, USER);
    int signo = -1;
    prctl(PR_GET_PDEATHSIG, &signo);
    printf("parent death signal %d\n", signo);
}

int main(void)
{
    SHOW(prctl(PR_SET_DUMPABLE, 2));
    target("root", root);
    target("a process that became the user's", user);
    target("the user's", dumpable_user);
    target("the user's with a saved id of root's", half_user);
    target("the user's, not dumpable", user_undumpable);
    target("root with the user's fsuid", by_fsuid);
    return 0;
}
