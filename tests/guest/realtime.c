/* Real-time threads run before others, the higher priority first, however many compute. */
#include "guest.h"
#include <sched.h>

static int set(pid_t pid, int policy, int priority)
{
    struct sched_param p = {.sched_priority = priority};

    return sched_setscheduler(pid, policy, &p);
}

static void compute(long rounds)
{
    for (volatile long i = 0; i < rounds; i++)
        ;
}

/* The children wait for one byte each, then compute for longer than a slice, and then say who they
 * are. */
static void race(const char *what, int n, const int (*attr)[2])
{
    int go[2], said[2], status;
    char order[8] = {0}, none[8] = {0};

    DIE_UNLESS(pipe(go) == 0 && pipe(said) == 0);
    for (int i = 0; i < n; i++) {
        if (fork() == 0) {
            char c, me = (char)('a' + i);

            DIE_UNLESS(set(0, attr[i][0], attr[i][1]) == 0);
            DIE_UNLESS(write(said[1], "r", 1) == 1);
            DIE_UNLESS(read(go[0], &c, 1) == 1);
            compute(30000000);
            DIE_UNLESS(write(said[1], &me, 1) == 1);
            _exit(0);
        }
    }
    for (int i = 0; i < n; i++)
        DIE_UNLESS(read(said[0], order, 1) == 1);
    DIE_UNLESS(write(go[1], none, (size_t)n) == n);
    for (int i = 0; i < n; i++)
        DIE_UNLESS(read(said[0], order + i, 1) == 1);
    while (wait(&status) > 0)
        ;
    printf("%s: %s\n", what, order);
}

int main(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(0, &one);
    DIE_UNLESS(sched_setaffinity(0, sizeof(one), &one) == 0);
    DIE_UNLESS(set(0, SCHED_FIFO, 90) == 0); /* until all is set up */
    race("low before high", 3, (const int[][2]){{SCHED_FIFO, 1}, {SCHED_FIFO, 2}, {SCHED_FIFO, 3}});
    race("others first", 2, (const int[][2]){{SCHED_OTHER, 0}, {SCHED_FIFO, 1}});
    race("others and round robin", 2, (const int[][2]){{SCHED_OTHER, 0}, {SCHED_RR, 1}});
    race("equal ones in order", 3,
         (const int[][2]){{SCHED_FIFO, 5}, {SCHED_FIFO, 5}, {SCHED_FIFO, 5}});
    race("the other way", 3, (const int[][2]){{SCHED_RR, 30}, {SCHED_FIFO, 20}, {SCHED_RR, 10}});
    return 0;
}
