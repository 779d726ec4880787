/* Neither the time in user mode nor that in the kernel ever becomes less, however a thread's work
 * moves from the one to the other: asked for by itself and by others. */
#include "guest.h"
#include <fcntl.h>
#include <sys/times.h>

enum { SELF, THREAD, TIMES, STAT, TASK_STAT, CHILD_STAT, WAYS };
static const char *const names[WAYS] = {
    "getrusage",    "getrusage of the thread",   "times",
    "its own stat", "the stat of its only task", "another's stat"};
static long long last[WAYS][2];
static int falls[WAYS];

static void seen(int way, long long user, long long system)
{
    falls[way] +=
        user < last[way][0] || system < last[way][1] || user + system < last[way][0] + last[way][1];
    last[way][0] = user;
    last[way][1] = system;
}

static void ask_usage(int way, int who)
{
    struct rusage u;

    DIE_UNLESS(getrusage(who, &u) == 0);
    seen(way, u.ru_utime.tv_sec * 1000000ll + u.ru_utime.tv_usec,
         u.ru_stime.tv_sec * 1000000ll + u.ru_stime.tv_usec);
}

static void ask_stat(int way, const char *path)
{
    char text[600];
    long user, system;
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);

    DIE_UNLESS(n > 0);
    close(fd);
    text[n] = '\0';
    DIE_UNLESS(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
                      &user, &system) == 2);
    seen(way, user, system);
}

static void ask_all(const char *child)
{
    char task[40];
    struct tms t;

    ask_usage(SELF, RUSAGE_SELF);
    ask_usage(THREAD, RUSAGE_THREAD);
    times(&t);
    seen(TIMES, t.tms_utime, t.tms_stime);
    ask_stat(STAT, "/proc/self/stat");
    snprintf(task, sizeof task, "/proc/self/task/%d/stat", getpid());
    ask_stat(TASK_STAT, task);
    ask_stat(CHILD_STAT, child);
}

static void compute(void)
{
    for (volatile int i = 0; i < 300000; i++)
        ;
}

static void call(void)
{
    static char zeros[1 << 20];
    int fd = open("/dev/zero", O_RDONLY);

    for (int i = 0; i < 4; i++)
        DIE_UNLESS(read(fd, zeros, sizeof zeros) == sizeof zeros);
    close(fd);
}

/* By turns, with longer and longer ones. */
static void work(int turns, const char *child)
{
    for (int turn = 1; turn <= turns; turn++)
        for (int i = 0; i < 8 * turn; i++) {
            turn % 2 ? call() : compute();
            if (child)
                ask_all(child);
        }
}

int main(void)
{
    char child[40];
    pid_t pid = fork();

    if (!pid) {
        for (;;)
            work(12, NULL);
    }
    snprintf(child, sizeof child, "/proc/%d/stat", pid);
    work(12, child);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    for (int way = 0; way < WAYS; way++)
        printf("%s: %s\n", names[way], falls[way] ? "less than it was" : "never less");
    return 0;
}
