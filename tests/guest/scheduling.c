/* Scheduling policies and priorities: what is set is what is read, who may set what, what a child
 * has. */
#include "guest.h"
#include <pthread.h>
#include "sched_attr.h"

#ifndef SCHED_RESET_ON_FORK
#define SCHED_RESET_ON_FORK 0x40000000
#endif

static int set(pid_t pid, int policy, int priority)
{
    struct sched_param p = {.sched_priority = priority};

    return sched_setscheduler(pid, policy, &p);
}

static int param(pid_t pid, int priority)
{
    struct sched_param p = {.sched_priority = priority};

    return sched_setparam(pid, &p);
}

static void show(const char *who)
{
    struct sched_param p = {-1};
    struct attr a = {0};

    printf("%s: policy %x, priority %d, nice %d", who, sched_getscheduler(0),
           sched_getparam(0, &p) ? -1 : p.sched_priority, getpriority(PRIO_PROCESS, 0));
    printf(", attr %ld: %u %u %d %u\n", syscall(SYS_sched_getattr, 0, &a, 48, 0), a.policy,
           (unsigned)a.flags, a.nice, a.priority);
}

static void show_stat(void)
{
    char line[1024], *at;
    int fd = open("/proc/self/stat", O_RDONLY), n = read(fd, line, sizeof(line) - 1);

    close(fd);
    line[n] = '\0';
    at = strrchr(line, ')') + 2;
    for (int field = 3; field <= 41; field++) {
        if (field == 18 || field == 19 || field == 40 || field == 41)
            printf("field %d: %.*s\n", field, (int)strcspn(at, " "), at);
        at += strcspn(at, " ") + 1;
    }
}

static void ranges(void)
{
    for (int policy = -1; policy < 7; policy++) {
        errno = 0;
        printf("policy %d: %d to %d %s\n", policy, sched_get_priority_min(policy),
               sched_get_priority_max(policy), error_name(errno));
    }
}

static void bad_arguments(void)
{
    struct sched_param p = {0};
    struct timespec ts;
    cpu_set_t none;

    SHOW(set(-1, SCHED_OTHER, 0));
    SHOW(set(0, -1, 0));
    SHOW(set(0, 4, 0));
    SHOW(set(0, SCHED_OTHER, 1));
    SHOW(set(0, SCHED_FIFO, 0));
    SHOW(set(0, SCHED_FIFO, 100));
    SHOW(set(0, SCHED_RR, -1));
    SHOW(set(99999, SCHED_OTHER, 0));
    SHOW(syscall(SYS_sched_setscheduler, 0, 0, NULL));
    SHOW(syscall(SYS_sched_setscheduler, 0, 0, 8));
    SHOW(param(99999, 0));
    SHOW(param(-1, 0));
    SHOW(param(0, 1));
    SHOW(syscall(SYS_sched_setparam, 0, NULL));
    SHOW(sched_getscheduler(-1));
    SHOW(sched_getscheduler(99999));
    SHOW(sched_getparam(99999, &p));
    SHOW(sched_getparam(-5, &p));
    SHOW(syscall(SYS_sched_getparam, 0, NULL));
    SHOW(sched_rr_get_interval(-1, &ts));
    SHOW(sched_rr_get_interval(99999, &ts));
    CPU_ZERO(&none);
    SHOW(sched_setaffinity(0, sizeof(none), &none));
    SHOW(sched_setaffinity(99999, sizeof(none), &none));
    SHOW(getpriority(3, 0));
    SHOW(getpriority(PRIO_PROCESS, 99999));
    SHOW(setpriority(PRIO_PROCESS, 99999, 0));
    SHOW(setpriority(-1, 0, 0));
}

static void child_shows(void *arg)
{
    show(arg);
}

static void *thread_shows(void *arg)
{
    show(arg);
    setpriority(PRIO_PROCESS, 0, 9);
    show("thread niced");
    return NULL;
}

static void kept(void)
{
    struct timespec ts;
    pthread_t t;

    SHOW(set(0, SCHED_BATCH, 0));
    show("batch");
    SHOW(setpriority(PRIO_PROCESS, 0, 3));
    show("nice");
    in_child("child of batch", child_shows, "child of batch");
    SHOW(set(0, SCHED_IDLE, 0));
    show("idle");
    SHOW(set(0, SCHED_FIFO, 7));
    show("fifo");
    show_stat();
    SHOW(sched_rr_get_interval(0, &ts));
    printf("interval %ld.%09ld\n", (long)ts.tv_sec, ts.tv_nsec);
    SHOW(param(0, 8));
    show("param");
    in_child("child of fifo", child_shows, "child of fifo");
    SHOW(set(0, SCHED_RR | SCHED_RESET_ON_FORK, 9));
    show("rr");
    SHOW(sched_rr_get_interval(0, &ts));
    printf("interval %ld.%09ld\n", (long)ts.tv_sec, ts.tv_nsec);
    in_child("child of reset on fork", child_shows, "child of reset on fork");
    SHOW(set(0, SCHED_OTHER, 0));
    show("other");
    SHOW(setpriority(PRIO_PROCESS, 0, -5));
    pthread_create(&t, NULL, thread_shows, "thread");
    pthread_join(t, NULL);
    show("its process");
    SHOW(setpriority(PRIO_PROCESS, 0, 0));
}

static void attributes(void)
{
    struct attr a = {.size = sizeof(a), .policy = SCHED_RR, .priority = 20, .flags = 1};
    struct attr big[2] = {{.size = sizeof(big)}};

    SHOW(syscall(SYS_sched_setattr, 0, &a, 0));
    show("setattr");
    a = (struct attr){.size = sizeof(a), .policy = SCHED_OTHER, .nice = 4};
    SHOW(syscall(SYS_sched_setattr, 0, &a, 0));
    show("setattr nice");
    SHOW(syscall(SYS_sched_setattr, 0, &a, 1));
    SHOW(syscall(SYS_sched_setattr, 0, NULL, 0));
    a.flags = 1u << 20;
    SHOW(syscall(SYS_sched_setattr, 0, &a, 0));
    a = (struct attr){.size = 20};
    SHOW(syscall(SYS_sched_setattr, 0, &a, 0));
    printf("known size: %s\n", a.size >= 48 ? "told" : "not told");
    big[1].flags = 1;
    SHOW(syscall(SYS_sched_setattr, 0, big, 0));
    SHOW(syscall(SYS_sched_getattr, 0, &a, 47, 0));
    SHOW(syscall(SYS_sched_getattr, 99999, &a, 48, 0));
    SHOW(set(0, SCHED_OTHER, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 0));
}

/* As a user, to a process of root's and to its own. */
static void as_user(void *arg)
{
    struct rlimit rt = {5, 5};
    pid_t root = *(pid_t *)arg;
    cpu_set_t set0;

    sched_getaffinity(0, sizeof(set0), &set0);
    DIE_UNLESS(setpriority(PRIO_PROCESS, 0, 2) == 0);
    DIE_UNLESS(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
    SHOW(set(root, SCHED_OTHER, 0));
    SHOW(set(root, SCHED_BATCH, 0));
    SHOW(param(root, 0));
    SHOW(sched_setaffinity(root, sizeof(set0), &set0));
    SHOW(sched_getscheduler(root));
    SHOW(setpriority(PRIO_PROCESS, root, 5));
    SHOW(setpriority(PRIO_PROCESS, root, -5));
    SHOW(prlimit(root, RLIMIT_CORE, NULL, &rt));
    SHOW(set(0, SCHED_FIFO, 1));
    SHOW(set(0, SCHED_RR, 50));
    SHOW(setpriority(PRIO_PROCESS, 0, 1));
    errno = 0;
    SHOW(nice(-1));
    SHOW(set(0, SCHED_BATCH, 0));
    SHOW(set(0, SCHED_IDLE, 0));
    SHOW(set(0, SCHED_OTHER, 0));
    SHOW(set(0, SCHED_IDLE | SCHED_RESET_ON_FORK, 0));
    SHOW(set(0, SCHED_IDLE, 0));
    show("user");
    SHOW(sched_setaffinity(0, sizeof(set0), &set0));
}

int main(void)
{
    pid_t self = getpid();

    ranges();
    bad_arguments();
    kept();
    attributes();
    in_child("user", as_user, &self);
    return 0;
}
