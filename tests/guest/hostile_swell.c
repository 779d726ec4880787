/* A fork bomb whose every process touches more and more memory: a sleep of 3 seconds beside it is
 * one still. */
#include "guest.h"
#include <time.h>

#define STEP (64 * PAGE)

static void explode(void)
{
    unsigned salt;

    for (;;) {
        char *p = mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        (void)fork();
        salt = (unsigned)getpid();
        for (unsigned i = 0; p != MAP_FAILED && i < STEP / sizeof(unsigned); i++)
            ((unsigned *)p)[i] = i * 2654435761u ^ salt;
    }
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(void)
{
    double start, took;
    pid_t pid = fork();

    if (pid == 0) {
        setpgid(0, 0);
        explode();
    }
    setpgid(pid, pid);
    start = now();
    sleep(3);
    took = now() - start;
    for (int i = 0; i < 20; i++) {
        kill(-pid, SIGKILL);
        usleep(10000);
    }
    waitpid(pid, NULL, 0);
    if (took < 10)
        printf("slept well\n");
    else
        printf("slept %.1f s\n", took);
    return 0;
}
