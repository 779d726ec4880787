/*
 * Calls that several processors make at once, beside whatever the others do: who one is, whose
 * child, what time it is. Their answers hold while parents die, ids change, and the place for the
 * time is taken away.
 */
#include "guest.h"
#include <pthread.h>
#include <sys/prctl.h>
#include <time.h>

#define ROUNDS  30
#define ORPHANS 20

static char *place; /* of one page, which comes and goes */
static volatile int over;
static volatile int wrong;

static long call(long number, long a, void *b)
{
    long ret;

    __asm__ volatile("int $0x80" : "=a"(ret) : "0"(number), "b"(a), "c"(b) : "memory");
    return ret;
}

/* The page may not be there: EFAULT, or a time that goes on. */
static void *read_clock(void *arg)
{
    long long last = 0, now;
    struct timespec ts;

    (void)arg;
    while (!over) {
        long ret = call(SYS_clock_gettime, CLOCK_MONOTONIC, place);

        if (ret && ret != -EFAULT)
            wrong++;
        if (call(SYS_clock_gettime, CLOCK_MONOTONIC, &ts))
            wrong++;
        now = ts.tv_sec * 1000000000ll + ts.tv_nsec;
        if (now < last || (last && now - last > 60000000000ll))
            wrong++;
        last = now;
    }
    return NULL;
}

static void *ask_ids(void *arg)
{
    long pid = call(SYS_getpid, 0, NULL), tid = call(SYS_gettid, 0, NULL), uid;

    (void)arg;
    while (!over) {
        if (call(SYS_getpid, 0, NULL) != pid || call(SYS_gettid, 0, NULL) != tid)
            wrong++;
        uid = call(SYS_geteuid32, 0, NULL);
        if (uid != 0 && uid != 1000)
            wrong++;
    }
    return NULL;
}

static void take_away(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        munmap(place, 4096);
        mmap(place, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        memset(place, 1, 4096);
        mprotect(place, 4096, PROT_READ);
        mprotect(place, 4096, PROT_READ | PROT_WRITE);
        madvise(place, 4096, MADV_DONTNEED);
        if (i % 10 == 0 && fork() == 0)
            _exit(0);
        seteuid(1000);
        seteuid(0);
    }
    while (wait(NULL) > 0)
        ;
}

/* In the child of a process that dies: its parent is that one, and then this one. */
static void watch_parents(long father, long reaper)
{
    long parent;

    do {
        parent = call(SYS_getppid, 0, NULL);
        if (parent != father && parent != reaper)
            _exit(1);
    } while (parent != reaper);
    _exit(0);
}

static void orphans(void)
{
    long self = call(SYS_getpid, 0, NULL);
    int status, bad = 0;

    DIE_UNLESS(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    for (int i = 0; i < ORPHANS; i++) {
        if (fork() == 0) {
            long father = call(SYS_getpid, 0, NULL);

            for (int k = 0; k < 3; k++)
                if (fork() == 0)
                    watch_parents(father, self);
            _exit(0);
        }
    }
    while (wait(&status) > 0)
        bad += status != 0;
    SHOW(bad);
}

int main(void)
{
    pthread_t threads[4];

    place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    DIE_UNLESS(place != MAP_FAILED);
    puts("-- while pages and ids change");
    for (int i = 0; i < 4; i++)
        DIE_UNLESS(pthread_create(&threads[i], NULL, i % 2 ? ask_ids : read_clock, NULL) == 0);
    take_away();
    over = 1;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    SHOW(wrong);
    puts("-- while parents die");
    orphans();
    puts("-- bad pointers");
    SHOW(call(SYS_clock_gettime, CLOCK_REALTIME, (void *)16));
    SHOW(call(SYS_clock_gettime, CLOCK_REALTIME, (void *)0xc0000000));
    SHOW(call(SYS_clock_gettime, 77, place));
    SHOW(call(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, place));
    return 0;
}
