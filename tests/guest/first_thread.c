/* A process whose first thread has ended goes on: its id still names it, for every call. */
#include "guest.h"
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/select.h>
#include <time.h>

static int ready[2], done[2];

static void count_entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    while (d && readdir(d))
        n++;
    printf("%s: %s %d\n", strrchr(path, '/') + 1, d ? "entries" : error_name(errno), n);
    if (d)
        closedir(d);
}

static void show_lines(pid_t pid, const char *file, const char *const *names)
{
    char path[64], line[256];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        for (int i = 0; names[i]; i++)
            if (strncmp(line, names[i], strlen(names[i])) == 0)
                fputs(line, stdout);
    if (f)
        fclose(f);
}

static void read_size(pid_t pid, const char *file)
{
    char path[64], buf[4096];
    int fd;
    long n;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    errno = 0;
    fd = open(path, O_RDONLY);
    n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));
    printf("%s: %s\n", file, n < 0 ? error_name(errno) : n ? "something" : "nothing");
    close(fd);
}

static void read_link(pid_t pid, const char *file)
{
    char path[64], buf[256];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    TRY(readlink(path, buf, sizeof(buf)));
}

static void look_at(pid_t pid)
{
    static const char *const lines[] = {"State:", "Threads:", "Umask:", "VmSize:", NULL};
    struct rlimit limit;
    struct sched_param param = {0};
    struct timespec ts;
    clockid_t clock;
    cpu_set_t set;
    void *head;
    size_t len;
    char path[64];

    SHOW(kill(pid, 0));
    SHOW(syscall(SYS_tkill, pid, 0));
    SHOW(syscall(SYS_tgkill, pid, pid, 0));
    SHOW(syscall(SYS_tgkill, pid, pid, SIGUSR2));
    SHOW(prlimit(pid, RLIMIT_CORE, NULL, &limit));
    SHOW(getpriority(PRIO_PROCESS, pid));
    SHOW(setpriority(PRIO_PROCESS, pid, 5));
    SHOW(getpriority(PRIO_PROCESS, pid));
    SHOW(sched_getscheduler(pid));
    SHOW(sched_getparam(pid, &param));
    SHOW(sched_setscheduler(pid, SCHED_BATCH, &param));
    SHOW(sched_getscheduler(pid));
    SHOW(sched_rr_get_interval(pid, &ts));
    TRY(sched_getaffinity(pid, sizeof(set), &set));
    TRY(sched_setaffinity(pid, sizeof(set), &set));
    TRY(getpgid(pid));
    TRY(getsid(pid));
    SHOW(clock_getcpuclockid(pid, &clock));
    SHOW(clock_gettime(clock, &ts));
    SHOW(syscall(SYS_get_robust_list, pid, &head, &len));
    show_lines(pid, "status", lines);
    for (const char *const *f =
             (const char *const[]){"maps", "cmdline", "stat", "statm", "smaps", NULL};
         *f; f++)
        read_size(pid, *f);
    read_link(pid, "exe");
    read_link(pid, "cwd");
    read_link(pid, "root");
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    count_entries(path);
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    count_entries(path);
}

static void *goes_on(void *arg)
{
    struct pollfd p = {.fd = done[0], .events = POLLIN};
    struct timeval tv = {60, 0};
    fd_set set;
    char c;

    /* The first thread is gone as soon as its entry says so. */
    for (;;) {
        char line[256] = "";
        FILE *f = fopen("/proc/self/stat", "r");

        if (f && fgets(line, sizeof(line), f) && strstr(line, ") Z "))
            break;
        if (f)
            fclose(f);
        sched_yield();
    }
    close(done[1]);
    DIE_UNLESS(write(ready[1], "x", 1) == 1);
    FD_ZERO(&set);
    FD_SET(done[0], &set);
    printf("poll: %d\n", poll(&p, 1, 60000));
    printf("select: %d\n", select(done[0] + 1, &set, NULL, NULL, &tv));
    DIE_UNLESS(read(done[0], &c, 1) == 1);
    printf("own: %s %s\n", getpid() == gettid() ? "first" : "another",
           kill(getpid(), 0) ? "gone" : "there");
    (void)arg;
    exit(7);
}

static void ignores(int signo)
{
    (void)signo;
}

int main(void)
{
    int status;
    pid_t pid;
    char c;

    signal(SIGUSR2, ignores);
    DIE_UNLESS(pipe(ready) == 0 && pipe(done) == 0);
    pid = fork();
    if (pid == 0) {
        pthread_t t;

        pthread_create(&t, NULL, goes_on, NULL);
        pthread_exit(NULL);
    }
    DIE_UNLESS(read(ready[0], &c, 1) == 1);
    SHOW(waitpid(pid, &status, WNOHANG));
    look_at(pid);
    DIE_UNLESS(write(done[1], "x", 1) == 1);
    DIE_UNLESS(waitpid(pid, &status, 0) == pid);
    print_status("at last", status);
    SHOW(kill(pid, 0));
    SHOW(setpgid(99999, 0));
    return 0;
}
