/* Futexes between threads: every operation, its errors, and what comes of odd arguments. */
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <time.h>

#define PRIVATE FUTEX_PRIVATE_FLAG

static uint32_t *words; /* [0], [1], ... */

static long futex(void *addr, int op, uint32_t val, const void *time, void *addr2, uint32_t val3)
{
    return syscall(SYS_futex, addr, op, val, time, addr2, val3);
}

/* ---- Waiters ---- */

static struct waiter {
    pthread_t thread;
    uint32_t *word;
    int op;
    uint32_t bits;
    volatile int tid;
    long result;
    int error;
} waiters[8];
static int nwaiters;

static void *wait_main(void *arg)
{
    struct waiter *w = arg;

    w->tid = syscall(SYS_gettid);
    w->result = futex(w->word, w->op, *w->word, NULL, NULL, w->bits);
    w->error = errno;
    return NULL;
}

/* Until the thread sleeps, whatever for. */
static void await_sleep(int tid)
{
    char path[64], text[256] = "", *end;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    for (int i = 0; i < 2000; i++) {
        int fd = open(path, O_RDONLY);

        if (fd >= 0) {
            ssize_t n = read(fd, text, sizeof(text) - 1);

            close(fd);
            text[n > 0 ? n : 0] = '\0';
            end = strrchr(text, ')');
            if (end && end[2] == 'S')
                return;
        }
        usleep(1000);
    }
    printf("it does not sleep\n");
}

static void add_waiter(uint32_t *word, int op, uint32_t bits)
{
    struct waiter *w = &waiters[nwaiters++];

    *w = (struct waiter){.word = word, .op = op, .bits = bits};
    DIE_UNLESS(pthread_create(&w->thread, NULL, wait_main, w) == 0);
    while (!w->tid)
        usleep(100);
    await_sleep(w->tid);
}

static void join_waiters(void)
{
    for (int i = 0; i < nwaiters; i++) {
        pthread_join(waiters[i].thread, NULL);
        printf("waiter %d: %s\n", i, waiters[i].result ? error_name(waiters[i].error) : "woken");
    }
    nwaiters = 0;
}

static void test_wake(void)
{
    printf("-- wake\n");
    SHOW(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0));
    for (int i = 0; i < 3; i++)
        add_waiter(words, FUTEX_WAIT | PRIVATE, 0);
    SHOW(futex(words, FUTEX_WAKE | PRIVATE, 0, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_WAKE | PRIVATE, -1, NULL, NULL, 0));
    SHOW(futex(words + 1, FUTEX_WAKE | PRIVATE, 9, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_WAKE, 9, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_WAKE | PRIVATE, 9, NULL, NULL, 0));
    join_waiters();
}

static void test_bits(void)
{
    printf("-- bits\n");
    add_waiter(words, FUTEX_WAIT_BITSET | PRIVATE, 1);
    add_waiter(words, FUTEX_WAIT_BITSET | PRIVATE, 2);
    add_waiter(words, FUTEX_WAIT | PRIVATE, 0);
    SHOW(futex(words, FUTEX_WAKE_BITSET | PRIVATE, 9, NULL, NULL, 4));
    SHOW(futex(words, FUTEX_WAKE_BITSET | PRIVATE, 9, NULL, NULL, 2));
    SHOW(futex(words, FUTEX_WAKE | PRIVATE, 9, NULL, NULL, 0));
    join_waiters();
    SHOW(futex(words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
    SHOW(futex(NULL, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
}

static void test_requeue(void)
{
    printf("-- requeue\n");
    for (int i = 0; i < 4; i++)
        add_waiter(words, FUTEX_WAIT | PRIVATE, 0);
    SHOW(futex(words, FUTEX_CMP_REQUEUE | PRIVATE, 1, (void *)1, words + 1, 77));
    SHOW(futex(words, FUTEX_CMP_REQUEUE | PRIVATE, 1, (void *)2, words + 1, words[0]));
    SHOW(futex(words + 1, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_REQUEUE | PRIVATE, 0, (void *)9, words, 0));
    SHOW(futex(words, FUTEX_REQUEUE | PRIVATE, 1, (void *)9, words + 1, 0));
    SHOW(futex(words + 1, FUTEX_WAKE | PRIVATE, 9, NULL, NULL, 0));
    join_waiters();
    SHOW(futex(words, FUTEX_REQUEUE, -1, (void *)1, words + 1, 0));
    SHOW(futex(words, FUTEX_REQUEUE, 1, (void *)-1, words + 1, 0));
    SHOW(futex(words, FUTEX_CMP_REQUEUE, 0, (void *)0, words + 1, words[0]));
}

static void test_wake_op(void)
{
    static const struct {
        uint32_t code, start;
    } tries[] = {
        {FUTEX_OP(FUTEX_OP_SET, 5, FUTEX_OP_CMP_EQ, 1), 1},
        {FUTEX_OP(FUTEX_OP_ADD, -3, FUTEX_OP_CMP_NE, 1), 1},
        {FUTEX_OP(FUTEX_OP_OR, 0x70f, FUTEX_OP_CMP_LT, 9), 0x10},
        {FUTEX_OP(FUTEX_OP_ANDN, 0xf, FUTEX_OP_CMP_LE, -1), 0xff},
        {FUTEX_OP(FUTEX_OP_XOR, 0x7ff, FUTEX_OP_CMP_GT, -2), 0xffff},
        {FUTEX_OP((FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT), 30, FUTEX_OP_CMP_GE, 2), 2},
        {FUTEX_OP(5, 0, FUTEX_OP_CMP_EQ, 0), 3},
        {FUTEX_OP(FUTEX_OP_SET, 8, 6, 0), 3},
    };

    printf("-- wake_op\n");
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        long r;

        words[2] = tries[i].start;
        add_waiter(words + 2, FUTEX_WAIT | PRIVATE, 0);
        errno = 0;
        r = futex(words, FUTEX_WAKE_OP | PRIVATE, 1, (void *)1, words + 2, tries[i].code);
        printf("wake_op %zu: %ld %s, word %x\n", i, r, error_name(errno), words[2]);
        printf("left: %ld\n", futex(words + 2, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0));
        join_waiters();
    }
    words[2] = 0;
}

/* ---- Addresses ---- */

static void on_every_kind(const char *what, char *at)
{
    struct timespec soon = {0, 1000};

    printf("-- %s\n", what);
    for (int flag = 0; flag <= PRIVATE; flag += PRIVATE) {
        SHOW(futex(at, FUTEX_WAIT | flag, 0, &soon, NULL, 0));
        SHOW(futex(at, FUTEX_WAKE | flag, 1, NULL, NULL, 0));
        SHOW(futex(at, FUTEX_REQUEUE | flag, 1, (void *)1, words, 0));
        SHOW(futex(words, FUTEX_REQUEUE | flag, 1, (void *)1, at, 0));
        SHOW(futex(at, FUTEX_CMP_REQUEUE | flag, 1, (void *)1, words, 0));
        SHOW(futex(at, FUTEX_WAKE_OP | flag, 1, (void *)1, words + 2, 0));
        SHOW(futex(words, FUTEX_WAKE_OP | flag, 1, (void *)1, at, FUTEX_OP(FUTEX_OP_OR, 0, 0, 9)));
        SHOW(futex(at, FUTEX_TRYLOCK_PI | flag, 0, NULL, NULL, 0));
        SHOW(futex(at, FUTEX_UNLOCK_PI | flag, 0, NULL, NULL, 0));
    }
}

static void test_addresses(void)
{
    int fd = make_file("file", PAGE);
    char zeros[PAGE] = "";

    DIE_UNLESS(pwrite(fd, zeros, PAGE, 0) == PAGE);
    on_every_kind("nothing", NULL);
    on_every_kind("kernel", (char *)-PAGE);
    on_every_kind("odd", (char *)words + 2);
    on_every_kind("no rights", map(PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    on_every_kind("read-only zeros", map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    on_every_kind("private memory", map_anon(1));
    on_every_kind("shared memory",
                  map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    on_every_kind("private file, read-only", map(PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    on_every_kind("shared file, read-only", map(PAGE, PROT_READ, MAP_SHARED, fd, 0));
    on_every_kind("past the end", map(2 * PAGE, PROT_READ, MAP_SHARED, fd, 0) + PAGE);
    close(fd);
    unlink("file");
}

/* ---- Time ---- */

static void test_time(void)
{
    struct timespec none = {0, 0}, soon = {0, 1000000}, past = {1, 0}, odd = {0, 1000000000},
                    negative = {-1, 0};
    struct {
        int64_t sec, nsec;
    } wide = {0, 1000000}, wide_odd = {0, -1};

    printf("-- time\n");
    words[0] = 7;
    SHOW(futex(words, FUTEX_WAIT, 8, &soon, NULL, 0));
    SHOW(futex(words, FUTEX_WAIT, 7, &none, NULL, 0));
    SHOW(futex(words, FUTEX_WAIT, 7, &soon, NULL, 0));
    SHOW(futex(words, FUTEX_WAIT, 7, &odd, NULL, 0));
    SHOW(futex(words, FUTEX_WAIT, 7, &negative, NULL, 0));
    SHOW(futex(words, FUTEX_WAIT, 7, (void *)-PAGE, NULL, 0));
    SHOW(futex(words, FUTEX_WAIT_BITSET, 7, &past, NULL, 1));
    SHOW(futex(words, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 7, &past, NULL, 1));
    SHOW(futex(words, FUTEX_WAIT_BITSET, 7, &odd, NULL, 0));
    SHOW(futex(words, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 7, &soon, NULL, 0));
    SHOW(futex(words, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_LOCK_PI, 0, &odd, NULL, 0));
    SHOW(futex(words, 2, 0, NULL, NULL, 0));
    SHOW(futex(words, 14, 0, NULL, NULL, 0));
    SHOW(futex(words, 1024, 0, NULL, NULL, 0));
    SHOW(syscall(SYS_futex_time64, words, FUTEX_WAIT, 7, &wide, NULL, 0));
    SHOW(syscall(SYS_futex_time64, words, FUTEX_WAIT, 7, &wide_odd, NULL, 0));
    SHOW(syscall(SYS_futex_time64, words, FUTEX_WAIT, 8, NULL, NULL, 0));
    words[0] = 0;
}

static void nothing(int signo)
{
    (void)signo;
}

static void test_signals(void)
{
    struct sigaction act = {.sa_handler = nothing};

    printf("-- signals\n");
    sigaction(SIGUSR1, &act, NULL);
    add_waiter(words, FUTEX_WAIT, 0);
    pthread_kill(waiters[0].thread, SIGUSR1);
    join_waiters();
    act.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &act, NULL);
    add_waiter(words, FUTEX_WAIT, 0);
    pthread_kill(waiters[0].thread, SIGUSR1);
    await_sleep(waiters[0].tid);
    SHOW(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0));
    join_waiters();
}

/* ---- futex_waitv ---- */

struct waitv {
    uint64_t val, addr;
    uint32_t flags, reserved;
};

static long waitv(struct waitv *v, unsigned n, unsigned flags, void *time, int clock)
{
    return syscall(449, v, n, flags, time, clock);
}

static struct waitv three[3];

static void *waitv_main(void *arg)
{
    *(volatile int *)arg = syscall(SYS_gettid);
    return (void *)waitv(three, 3, 0, NULL, CLOCK_MONOTONIC);
}

static void test_waitv(void)
{
    struct {
        int64_t sec, nsec;
    } past = {1, 0}, odd = {0, -1};
    struct waitv v[129];
    void *woken_by;
    pthread_t t;
    volatile int tid = 0;

    printf("-- waitv\n");
    for (int i = 0; i < 129; i++)
        v[i] = (struct waitv){0, (uintptr_t)(words + i), FUTEX_32 | PRIVATE, 0};
    SHOW(waitv(v, 0, 0, NULL, 0));
    SHOW(waitv(v, 129, 0, NULL, 0));
    SHOW(waitv(v, 1, 1, NULL, 0));
    SHOW(waitv(NULL, 1, 0, NULL, 0));
    SHOW(waitv((void *)-PAGE, 1, 0, NULL, 0));
    SHOW(waitv(v, 1, 0, &past, CLOCK_BOOTTIME));
    SHOW(waitv(v, 1, 0, &odd, CLOCK_MONOTONIC));
    SHOW(waitv(v, 1, 0, (void *)-PAGE, CLOCK_MONOTONIC));
    SHOW(waitv(v, 128, 0, &past, CLOCK_MONOTONIC));
    SHOW(waitv(v, 128, 0, &past, CLOCK_REALTIME));
    v[7].val = 1;
    SHOW(waitv(v, 128, 0, &past, CLOCK_MONOTONIC));
    SHOW(waitv(v, 7, 0, &past, CLOCK_MONOTONIC));
    v[2].flags = PRIVATE;
    SHOW(waitv(v, 7, 0, &past, CLOCK_MONOTONIC));
    v[2].flags = FUTEX_32;
    v[3].reserved = 1;
    SHOW(waitv(v, 7, 0, &past, CLOCK_MONOTONIC));
    v[3].reserved = 0;
    v[1].addr = 0;
    SHOW(waitv(v, 7, 0, &past, CLOCK_MONOTONIC));
    v[1].flags = FUTEX_32;
    SHOW(waitv(v, 7, 0, &past, CLOCK_MONOTONIC));
    v[1].addr = (uintptr_t)words + 1;
    SHOW(waitv(v, 7, 0, &past, CLOCK_MONOTONIC));
    for (int i = 0; i < 3; i++)
        three[i] = (struct waitv){words[i], (uintptr_t)(words + i), FUTEX_32, 0};
    for (int i = 0; i < 3; i++) {
        tid = 0;
        DIE_UNLESS(pthread_create(&t, NULL, waitv_main, (void *)&tid) == 0);
        while (!tid)
            usleep(100);
        await_sleep(tid);
        SHOW(futex(words + i, FUTEX_WAKE, 1, NULL, NULL, 0));
        pthread_join(t, &woken_by);
        printf("waitv: %ld\n", (long)woken_by);
    }
}

int main(void)
{
    words = (uint32_t *)map_anon(1);
    test_wake();
    test_bits();
    test_requeue();
    test_wake_op();
    test_addresses();
    test_time();
    test_signals();
    test_waitv();
    return 0;
}
