/*
 * What scripts/bench-smp runs, on Faultline and on Linux: the same work by one process, and by one
 * process on each of two processors, at once. Prints "row NAME ONE TWO", the shortest of many short
 * rounds in microseconds: twice ONE over TWO is what the second processor brings.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 2
#define PAGE    4096
#define SPAN    256 /* pages touched in one go */

/* What the workers of a round share. */
static struct round {
    volatile int ready;
    int workers;
    uint64_t began[WORKERS], ended[WORKERS];
} * now;

static const char *self; /* this program */

static uint64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void need(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        reboot(RB_POWER_OFF);
    }
}

/* ---- The rows: n times something ---- */

static void in_user_mode(int n)
{
    for (volatile int i = 0; i < n * 1000; i++)
        ;
}

static void calls(int n)
{
    for (int i = 0; i < n * 10; i++)
        getppid();
}

static void faults(int n)
{
    while (n--) {
        char *p =
            mmap(NULL, SPAN * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        need(p != MAP_FAILED, "mmap");
        for (int i = 0; i < SPAN; i++)
            p[i * PAGE] = 1;
        munmap(p, SPAN * PAGE);
    }
}

static void file_faults(int n)
{
    int fd = open(self, O_RDONLY);

    while (n--) {
        volatile char *p = mmap(NULL, SPAN / 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

        need(p != MAP_FAILED, "mmap of a file");
        for (int i = 0; i < SPAN / 2; i++)
            (void)p[i * PAGE];
        munmap((void *)p, SPAN / 2 * PAGE);
    }
    close(fd);
}

static void opens(int n)
{
    while (n--)
        close(open("/dev/null", O_RDWR));
}

static void execs(int n)
{
    while (n--) {
        pid_t child = fork();

        if (child == 0) {
            execl(self, self, "exit", NULL);
            _exit(1);
        }
        need(waitpid(child, NULL, 0) == child, "wait");
    }
}

static void pipes(int n)
{
    int there[2], back[2];
    char c = 0;
    pid_t child;

    need(pipe(there) == 0 && pipe(back) == 0, "pipe");
    child = fork();
    if (child == 0) {
        for (int i = 0; i < n; i++) {
            need(read(there[0], &c, 1) == 1, "read");
            need(write(back[1], &c, 1) == 1, "write");
        }
        _exit(0);
    }
    for (int i = 0; i < n; i++) {
        need(write(there[1], &c, 1) == 1, "write");
        need(read(back[0], &c, 1) == 1, "read");
    }
    need(waitpid(child, NULL, 0) == child, "wait");
    for (int i = 0; i < 2; i++) {
        close(there[i]);
        close(back[i]);
    }
}

/* ---- Rounds ---- */

/* For a plugin of QEMU; else they do nothing. */
static void mark_begin(void)
{
    __asm__ volatile("xchg %%bx, %%bx" : : : "memory");
}

static void mark_end(void)
{
    __asm__ volatile("xchg %%cx, %%cx" : : : "memory");
}

static void work(int worker, void (*fn)(int), int n)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(worker, &set);
    need(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
    __atomic_add_fetch(&now->ready, 1, __ATOMIC_SEQ_CST);
    while (now->ready < now->workers)
        ;
    now->began[worker] = clock_ns();
    mark_begin();
    fn(n);
    mark_end();
    now->ended[worker] = clock_ns();
}

/* How long it took from the first beginning to the last end. */
static uint64_t length(void)
{
    uint64_t from = now->began[0], to = now->ended[0];

    for (int i = 1; i < now->workers; i++) {
        from = now->began[i] < from ? now->began[i] : from;
        to = now->ended[i] > to ? now->ended[i] : to;
    }
    return to - from;
}

static uint64_t by_processes(int workers, void (*fn)(int), int n)
{
    now->ready = 0;
    now->workers = workers;
    for (int i = 0; i < workers; i++) {
        if (fork() == 0) {
            work(i, fn, n);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    return length();
}

struct job {
    int worker, n;
    void (*fn)(int);
};

static void *thread(void *arg)
{
    const struct job *j = arg;

    work(j->worker, j->fn, j->n);
    return NULL;
}

static uint64_t by_threads(int workers, void (*fn)(int), int n)
{
    pthread_t threads[WORKERS];
    struct job jobs[WORKERS];

    now->ready = 0;
    now->workers = workers;
    for (int i = 0; i < workers; i++) {
        jobs[i] = (struct job){i, n, fn};
        need(pthread_create(&threads[i], NULL, thread, &jobs[i]) == 0, "pthread_create");
    }
    for (int i = 0; i < workers; i++)
        pthread_join(threads[i], NULL);
    return length();
}

static const struct {
    const char *name;
    void (*fn)(int);
    int n;
    uint64_t (*by)(int workers, void (*fn)(int), int n);
} rows[] = {
    {"user", in_user_mode, 400, by_processes},
    {"call", calls, 600, by_processes},
    {"fault", faults, 3, by_processes},
    {"thread-fault", faults, 3, by_threads},
    {"file-fault", file_faults, 10, by_processes},
    {"fork-exec", execs, 4, by_processes},
    {"open-close", opens, 800, by_processes},
    {"pipe", pipes, 200, by_processes},
};

int main(int argc, char **argv)
{
    int seconds = 3, rounds = WORKERS; /* of each row: so long, and so many at least */
    int most = WORKERS;                /* of what works at once */

    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        _exit(0);
    self = argv[0];
    if (getenv("SECONDS"))
        seconds = atoi(getenv("SECONDS"));
    if (getenv("ROUNDS"))
        rounds = atoi(getenv("ROUNDS"));
    if (getenv("ALONE"))
        most = 1;
    setvbuf(stdout, NULL, _IONBF, 0);
    now = mmap(NULL, sizeof(*now), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    /* Workers share no page tables, as programs that have nothing to do with each other. */
    madvise(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE, MADV_DONTFORK);
    for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        uint64_t best[WORKERS] = {UINT64_MAX, UINT64_MAX};

        if (getenv("ROW") && strcmp(getenv("ROW"), rows[r].name) != 0)
            continue;
        uint64_t until = clock_ns() + (uint64_t)seconds * 1000000000;

        for (int i = 0; i < rounds || clock_ns() < until; i++) {
            uint64_t took = rows[r].by(i % most + 1, rows[r].fn, rows[r].n);

            best[i % most] = took < best[i % most] ? took : best[i % most];
        }
        printf("row %s %lu %lu\n", rows[r].name, (unsigned long)(best[0] / 1000),
               (unsigned long)(best[1] / 1000));
    }
    printf("smp: done\n");
    if (getpid() == 1)
        reboot(RB_POWER_OFF);
    return 0;
}
