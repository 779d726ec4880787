/*
 * Init of test_shares.py: a loop of fixed work beside hogs, on a machine of one processor whose
 * clock counts instructions. Prints "alone NS", then "beside KIND COUNT NS" for processes, threads
 * of one process, and groups (processes in sessions of their own, which is all that sets them apart
 * here), and powers off.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORK 10000000u /* rounds of the loop: some 60 ms */

static uint64_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint32_t)ts.tv_nsec;
}

/* How long it took, a part; beside few it wants more parts, so that a turn more or less does not
 * matter. */
static uint64_t fixed_work(unsigned parts)
{
    uint64_t begun = now();

    for (volatile uint32_t i = 0; i < parts * WORK; i++)
        ;
    return (now() - begun) / parts;
}

static void hog(void)
{
    for (;;)
        __asm__ volatile("");
}

static void *hog_thread(void *arg)
{
    (void)arg;
    hog();
    return NULL;
}

/* A process that hogs by itself, or by threads. */
static pid_t start(int threads, int own_session)
{
    pid_t pid = fork();
    pthread_t t;

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (own_session)
        setsid();
    for (int i = 1; i < threads; i++)
        if (pthread_create(&t, NULL, hog_thread, NULL))
            _exit(1);
    hog();
    return 0;
}

static void beside(const char *kind, int count, int threads, int own_session)
{
    int processes = count / threads;
    pid_t pid[32];
    uint64_t took;

    for (int i = 0; i < processes; i++)
        pid[i] = start(threads, own_session);
    usleep(50000); /* all of them run */
    took = fixed_work(count < 5 ? 5 : 1);
    for (int i = 0; i < processes; i++) {
        kill(pid[i], SIGKILL);
        waitpid(pid[i], NULL, 0);
    }
    printf("beside %s %d %llu\n", kind, count, (unsigned long long)took);
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("alone %llu\n", (unsigned long long)fixed_work(1));
    beside("processes", 1, 1, 0);
    beside("processes", 5, 1, 0);
    beside("processes", 20, 1, 0);
    beside("threads", 5, 5, 0);
    beside("threads", 20, 20, 0);
    beside("groups", 5, 1, 1);
    beside("groups", 20, 1, 1);
    printf("shares: done\n");
    reboot(RB_POWER_OFF);
    return 0;
}
