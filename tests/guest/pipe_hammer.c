/*
 * Pipes that several threads read and write at once, while others close, duplicate and replace
 * descriptors, fork, poll, resize the pipe and interrupt who waits: no byte is lost, made up or out
 * of its writer's order, nobody sleeps on, and the end comes when the last writer has gone.
 */
#include "hammer.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define WRITERS 3
#define READERS 2
#define RECORDS 3000 /* of each writer */
#define ROUNDS  60
#define PAIRS   3
#define TURNS   1500

struct record {
    uint32_t writer, number;
};

static int ends[2];
static unsigned char had[WRITERS][RECORDS];

static void interrupted(int signo)
{
    (void)signo;
}

/* ---- Many at one pipe ---- */

/* In one piece, or as a vector of two. */
static ssize_t move_records(int fd, struct record *at, uint32_t n, bool out)
{
    struct iovec parts[] = {{at, n / 2 * sizeof(*at)}, {at + n / 2, (n - n / 2) * sizeof(*at)}};

    if (n % 2)
        return out ? writev(fd, parts, 2) : readv(fd, parts, 2);
    return out ? write(fd, at, n * sizeof(*at)) : read(fd, at, n * sizeof(*at));
}

/* What one call writes is less than PIPE_BUF, so it lands in one piece, or not at all. */
static void *write_records(void *arg)
{
    uint32_t me = (uint32_t)(uintptr_t)arg, seed = me + 1;
    struct record out[32];

    for (uint32_t n = 0, count; n < RECORDS;) {
        count = 1 + rnd(&seed) % 32;
        if (count > RECORDS - n)
            count = RECORDS - n;
        for (uint32_t i = 0; i < count; i++)
            out[i] = (struct record){me, n + i};
        ssize_t done = move_records(ends[1], out, count, true);
        if (done == (ssize_t)(count * sizeof(*out)))
            n += count;
        else if (done >= 0 || errno != EINTR)
            is_wrong(__LINE__);
    }
    return NULL;
}

static void take(uint32_t next[WRITERS], struct record r)
{
    if (r.writer >= WRITERS || r.number >= RECORDS || r.number < next[r.writer] ||
        __atomic_fetch_add(&had[r.writer][r.number], 1, __ATOMIC_RELAXED))
        is_wrong(__LINE__);
    else
        next[r.writer] = r.number + 1;
}

static void *read_records(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg + 100, next[WRITERS] = {0};
    struct record in[64];

    for (;;) {
        ssize_t n = move_records(ends[0], in, 1 + rnd(&seed) % 64, false);

        if (n == 0)
            return NULL;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || n % sizeof(*in)) {
            is_wrong(__LINE__);
            return NULL;
        }
        for (ssize_t i = 0; i < n / (ssize_t)sizeof(*in); i++)
            take(next, in[i]);
    }
}

/* Other names for the ends come and go, in children too; the pipe has another size. */
static void *change_descriptors(void *arg)
{
    uint32_t seed = 7;
    int spare[2];

    (void)arg;
    DIE_UNLESS(pipe(spare) == 0);
    while (!over) {
        int copy = dup(ends[0]);

        if (copy < 0 || dup2(ends[1], spare[1]) < 0 || dup2(spare[0], copy) < 0)
            is_wrong(__LINE__);
        close(copy);
        fcntl(ends[0], F_SETPIPE_SZ, PAGE << rnd(&seed) % 6);
        if (rnd(&seed) % 8 == 0) {
            pid_t child = fork();

            if (child == 0)
                _exit(0);
            if (waitpid(child, NULL, 0) != child)
                is_wrong(__LINE__);
        }
    }
    close(spare[0]);
    close(spare[1]);
    return NULL;
}

/* Looks without taking anything. */
static void *watch(void *arg)
{
    struct pollfd fds[] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}};
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET}, got;
    int set = epoll_create1(0);

    (void)arg;
    DIE_UNLESS(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &ev) == 0);
    while (!over)
        if (poll(fds, 2, 1) < 0 || epoll_wait(set, &got, 1, 1) < 0)
            is_wrong(__LINE__);
    close(set);
    return NULL;
}

static void many_at_once(void)
{
    pthread_t writers[WRITERS], readers[READERS], others[2];
    sigset_t set;

    DIE_UNLESS(pipe(ends) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    others[0] = start(change_descriptors, NULL);
    others[1] = start(watch, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    for (unsigned i = 0; i < READERS; i++)
        readers[i] = start(read_records, number(i));
    for (unsigned i = 0; i < WRITERS; i++)
        writers[i] = start(write_records, number(i));
    for (unsigned i = 0; i < ROUNDS; i++) {
        pthread_kill(readers[i % READERS], SIGUSR1);
        pthread_kill(writers[i % WRITERS], SIGUSR1);
        usleep(500);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    over = 1;
    for (unsigned i = 0; i < 2; i++)
        pthread_join(others[i], NULL);
    close(ends[1]);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    close(ends[0]);
    for (unsigned w = 0; w < WRITERS; w++)
        for (unsigned i = 0; i < RECORDS; i++)
            if (had[w][i] != 1)
                is_wrong(__LINE__);
    show_wrong("many at once");
}

/* ---- By turns: a wake-up that is lost ends the test ---- */

static int turns[PAIRS][2][2];

/* The first sleeps in the read, the next in poll, the last in epoll_wait. */
static bool wait_for_turn(uintptr_t pair, int fd, int set)
{
    struct pollfd in = {fd, POLLIN, 0};
    struct epoll_event got;

    return pair == 0 || (pair == 1 ? poll(&in, 1, -1) : epoll_wait(set, &got, 1, -1)) == 1;
}

static void *answer(void *arg)
{
    int(*p)[2] = turns[(uintptr_t)arg];
    struct epoll_event ev = {.events = EPOLLIN};
    int set = epoll_create1(0);
    uint32_t n;

    DIE_UNLESS(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, p[0][0], &ev) == 0);
    while (wait_for_turn((uintptr_t)arg, p[0][0], set) &&
           read(p[0][0], &n, sizeof(n)) == sizeof(n)) {
        n = ~n;
        if (write(p[1][1], &n, sizeof(n)) != sizeof(n))
            is_wrong(__LINE__);
    }
    close(set);
    return NULL;
}

static void *ask(void *arg)
{
    int(*p)[2] = turns[(uintptr_t)arg];
    uint32_t n;

    for (uint32_t i = 0; i < TURNS; i++)
        if (write(p[0][1], &i, sizeof(i)) != sizeof(i) ||
            read(p[1][0], &n, sizeof(n)) != sizeof(n) || n != ~i)
            is_wrong(__LINE__);
    close(p[0][1]);
    return NULL;
}

static void by_turns(void)
{
    pthread_t t[2 * PAIRS];

    for (unsigned i = 0; i < PAIRS; i++) {
        DIE_UNLESS(pipe(turns[i][0]) == 0 && pipe(turns[i][1]) == 0);
        t[2 * i] = start(ask, number(i));
        t[2 * i + 1] = start(answer, number(i));
    }
    for (unsigned i = 0; i < 2 * PAIRS; i++)
        pthread_join(t[i], NULL);
    for (unsigned i = 0; i < PAIRS; i++) {
        close(turns[i][0][0]);
        close(turns[i][1][0]);
        close(turns[i][1][1]);
    }
    show_wrong("by turns");
}

/* ---- Ends that go ---- */

static void *write_until_broken(void *arg)
{
    (void)arg;
    while (write(ends[1], "x", 1) == 1)
        ;
    if (errno != EPIPE)
        is_wrong(__LINE__);
    return NULL;
}

static void *read_until_end(void *arg)
{
    uintptr_t sum = 0;
    char buf[16];
    ssize_t n;

    (void)arg;
    while ((n = read(ends[0], buf, sizeof(buf))) > 0)
        sum += (uintptr_t)n;
    return (void *)sum;
}

static void ends_go(void)
{
    int null = open("/dev/null", O_RDWR);
    char buf[64] = "";
    void *sum;

    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < ROUNDS; i++) {
        DIE_UNLESS(pipe(ends) == 0);
        pthread_t t = start(write_until_broken, NULL);
        for (unsigned k = 0; k < i % 8; k++)
            if (read(ends[0], buf, 1) != 1)
                is_wrong(__LINE__);
        dup2(null, ends[0]);
        pthread_join(t, NULL);
        close(ends[0]);
        close(ends[1]);
        DIE_UNLESS(pipe(ends) == 0);
        t = start(read_until_end, NULL);
        for (unsigned k = 0; k < i % 8; k++)
            if (write(ends[1], buf, k + 1) != (ssize_t)k + 1)
                is_wrong(__LINE__);
        dup2(null, ends[1]);
        pthread_join(t, &sum);
        if ((uintptr_t)sum != i % 8 * (i % 8 + 1) / 2)
            is_wrong(__LINE__);
        close(ends[0]);
        close(ends[1]);
    }
    close(null);
    show_wrong("ends that go");
}

/* ---- Counters, and a buffer that comes and goes ---- */

static int counter;

static void *count_up(void *arg)
{
    uint64_t n = (uint64_t)(uintptr_t)arg + 1;

    for (unsigned i = 0; i < TURNS; i++)
        if (write(counter, &n, sizeof(n)) != sizeof(n))
            is_wrong(__LINE__);
    return NULL;
}

static void counters(void)
{
    uint64_t n, sum = 0, all = TURNS * (1 + 2);
    pthread_t t[2];

    counter = eventfd(0, 0);
    DIE_UNLESS(counter >= 0);
    for (unsigned i = 0; i < 2; i++)
        t[i] = start(count_up, number(i));
    while (sum < all) {
        if (read(counter, &n, sizeof(n)) != sizeof(n))
            is_wrong(__LINE__);
        sum += n;
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    if (sum != all)
        is_wrong(__LINE__);
    close(counter);
    show_wrong("counters");
}

/* ---- Several that wait for the same: each thing to do is done, and whoever can do it is awake
 * ---- */

static int things;    /* to do: an eventfd, one a time */
static int both;      /* a set that watches it */
static uint32_t done; /* atomic */

static void *serve(void *arg)
{
    struct pollfd in = {things, POLLIN, 0};
    struct epoll_event got;
    uint64_t n;

    for (;;) {
        if ((arg ? epoll_wait(both, &got, 1, -1) : poll(&in, 1, -1)) != 1)
            is_wrong(__LINE__);
        if (read(things, &n, sizeof(n)) != sizeof(n)) {
            if (errno != EAGAIN)
                is_wrong(__LINE__);
        } else if (__atomic_add_fetch(&done, 1, __ATOMIC_RELAXED) > TURNS) {
            return NULL;
        }
    }
}

static void servers(void)
{
    struct epoll_event ev = {.events = EPOLLIN};
    const uint64_t one = 1;
    pthread_t t[4];

    things = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK);
    both = epoll_create1(0);
    DIE_UNLESS(things >= 0 && both >= 0 && epoll_ctl(both, EPOLL_CTL_ADD, things, &ev) == 0);
    for (unsigned i = 0; i < 4; i++)
        t[i] = start(serve, number(i));
    for (unsigned i = 0; i < TURNS + 4; i++)
        if (write(things, &one, sizeof(one)) != sizeof(one))
            is_wrong(__LINE__);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    if (done != TURNS + 4)
        is_wrong(__LINE__);
    close(both);
    close(things);
    show_wrong("servers");
}

static char *place; /* of a page */

static void *read_there(void *arg)
{
    (void)arg;
    while (!over) {
        ssize_t n = read(ends[0], place, 8);

        if (n == 0)
            break;
        if (n != 8 && !(n == -1 && errno == EFAULT))
            is_wrong(__LINE__);
    }
    return NULL;
}

static void a_buffer_that_goes(void)
{
    pthread_t t;

    over = 0;
    DIE_UNLESS(pipe(ends) == 0);
    place = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    DIE_UNLESS(place != MAP_FAILED);
    t = start(read_there, NULL);
    for (unsigned i = 0; i < TURNS; i++) {
        if (write(ends[1], "12345678", 8) != 8)
            is_wrong(__LINE__);
        munmap(place, PAGE);
        if (mmap(place, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                 0) != place)
            is_wrong(__LINE__);
    }
    close(ends[1]);
    pthread_join(t, NULL);
    close(ends[0]);
    show_wrong("a buffer that goes");
}

int main(void)
{
    struct sigaction sa = {.sa_handler = interrupted};

    sigaction(SIGUSR1, &sa, NULL);
    many_at_once();
    by_turns();
    ends_go();
    counters();
    servers();
    a_buffer_that_goes();
    return 0;
}
