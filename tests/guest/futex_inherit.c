/*
 * Futexes with priority inheritance: who owns one, who waits, with what priority the owner runs;
 * requeueing to one; owners that die.
 */
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#define PRIVATE FUTEX_PRIVATE_FLAG

static uint32_t *words;

static long futex(void *addr, int op, uint32_t val, const void *time, void *addr2, uint32_t val3)
{
    return syscall(SYS_futex, addr, op | PRIVATE, val, time, addr2, val3);
}

static uint32_t self(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

/* What the word says, without ids: whether it is mine, another's, nobody's. */
static const char *word_text(uint32_t word)
{
    static char text[40];
    uint32_t tid = word & FUTEX_TID_MASK;

    snprintf(text, sizeof(text), "%s%s%s",
             tid == self() ? "mine"
             : tid         ? "another's"
                           : "nobody's",
             word & FUTEX_WAITERS ? "+waiters" : "", word & FUTEX_OWNER_DIED ? "+died" : "");
    return text;
}

/* Field n of a thread's stat, 3 being the state. */
static void stat_field(uint32_t tid, int n, char *out, size_t size)
{
    char path[64], text[512], *p;
    int fd, len;

    snprintf(path, sizeof(path), "/proc/self/task/%u/stat", tid);
    fd = open(path, O_RDONLY);
    len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    p = strrchr(text, ')');
    for (int i = 2; p && i < n; i++)
        p = strchr(p + 1, ' ');
    snprintf(out, size, "%.*s", p ? (int)strcspn(p + 1, " ") : 0, p ? p + 1 : "");
}

static void await_sleep(uint32_t tid)
{
    char state[8];

    for (int i = 0; i < 5000; i++) {
        stat_field(tid, 3, state, sizeof(state));
        if (state[0] == 'S')
            return;
        usleep(1000);
    }
    printf("it does not sleep\n");
}

static void show_priority(const char *who, uint32_t tid)
{
    char text[16];

    stat_field(tid, 18, text, sizeof(text));
    printf("%s runs with %s\n", who, text);
}

/* ---- Threads that take locks on demand ---- */

struct actor {
    pthread_t thread;
    const char *name;
    int priority;
    volatile uint32_t tid;
    int order[2]; /* a pipe: one byte each, see act() */
    int done[2];
    long result;
    int error;
};

static volatile int finished; /* how many orders were carried out */
static char log_text[64];     /* in which order locks were got */

static void act(struct actor *a, char what)
{
    struct timespec limit;
    int i = what % 10;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 20;
    errno = 0;
    switch (what / 10) {
    case 1:
        a->result = futex(words + i, FUTEX_LOCK_PI, 0, &limit, NULL, 0);
        break;
    case 2:
        a->result = futex(words + i, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
        break;
    case 3: /* waits at the word before the lock, to be moved there */
        a->result = futex(words + i - 1, FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, words[i - 1],
                          &limit, words + i, 0);
        break;
    }
    a->error = errno;
    if (what / 10 != 2)
        strcat(log_text, a->name);
}

static void *actor_main(void *arg)
{
    struct actor *a = arg;
    char what;

    a->tid = self();
    while (read(a->order[0], &what, 1) == 1 && what) {
        act(a, what);
        DIE_UNLESS(write(a->done[1], &what, 1) == 1);
    }
    return NULL;
}

static void start(struct actor *a, const char *name, int priority)
{
    struct sched_param p = {.sched_priority = priority};

    *a = (struct actor){.name = name, .priority = priority};
    DIE_UNLESS(pipe(a->order) == 0 && pipe(a->done) == 0);
    DIE_UNLESS(pthread_create(&a->thread, NULL, actor_main, a) == 0);
    while (!a->tid)
        usleep(100);
    if (priority)
        DIE_UNLESS(pthread_setschedparam(a->thread, SCHED_FIFO, &p) == 0);
}

static void order(struct actor *a, int what, int i)
{
    char c = (char)(what * 10 + i);

    DIE_UNLESS(write(a->order[1], &c, 1) == 1);
}

/* Carried out: prints what came of it. */
static void result(struct actor *a)
{
    char c;

    DIE_UNLESS(read(a->done[0], &c, 1) == 1);
    printf("%s: %s\n", a->name, a->result ? error_name(a->error) : "ok");
}

static void do_now(struct actor *a, int what, int i)
{
    order(a, what, i);
    result(a);
}

static void do_later(struct actor *a, int what, int i)
{
    usleep(20000);
    order(a, what, i);
    usleep(20000);
    await_sleep(a->tid);
}

static void finish(struct actor *a)
{
    char c = 0;

    DIE_UNLESS(write(a->order[1], &c, 1) == 1);
    pthread_join(a->thread, NULL);
    close(a->order[0]), close(a->order[1]), close(a->done[0]), close(a->done[1]);
}

enum { LOCK = 1, UNLOCK, REQUEUED };

/* ---- The tests ---- */

static void test_alone(void)
{
    struct timespec past = {1, 0};

    printf("-- alone\n");
    SHOW(futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    printf("%s\n", word_text(words[0]));
    SHOW(futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    printf("%s\n", word_text(words[0]));
    SHOW(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_LOCK_PI2, 0, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    words[0] = 1; /* init: it is there and will not unlock */
    SHOW(futex(words, FUTEX_LOCK_PI, 0, &past, NULL, 0));
    printf("%s\n", word_text(words[0]));
    SHOW(futex(words, FUTEX_LOCK_PI2, 0, &past, NULL, 0));
    SHOW(futex(words, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 0));
    SHOW(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    words[0] = 32767; /* nobody */
    SHOW(futex(words, FUTEX_LOCK_PI, 0, &past, NULL, 0));
    SHOW(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    words[0] = 2; /* a thread of the kernel */
    SHOW(futex(words, FUTEX_LOCK_PI, 0, &past, NULL, 0));
    words[0] = FUTEX_OWNER_DIED;
    SHOW(futex(words, FUTEX_LOCK_PI, 0, &past, NULL, 0));
    printf("%s\n", word_text(words[0]));
    words[0] = FUTEX_WAITERS;
    SHOW(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    printf("%s\n", word_text(words[0]));
    words[0] = self() | FUTEX_WAITERS;
    SHOW(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    printf("%s\n", word_text(words[0]));
    words[0] = 0;
}

static void test_order(void)
{
    struct actor a, b, c, d;

    printf("-- order\n");
    log_text[0] = '\0';
    start(&a, "a", 0);
    start(&b, "b", 0);
    start(&c, "c", 10);
    start(&d, "d", 20);
    do_now(&a, LOCK, 0);
    show_priority("a", a.tid);
    do_later(&b, LOCK, 0);
    show_priority("a", a.tid);
    do_later(&c, LOCK, 0);
    show_priority("a", a.tid);
    do_later(&d, LOCK, 0);
    show_priority("a", a.tid);
    SHOW(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_REQUEUE, 1, (void *)1, words + 5, 0));
    printf("%s\n", word_text(words[0]));
    do_now(&a, UNLOCK, 0);
    result(&d);
    show_priority("a", a.tid);
    show_priority("d", d.tid);
    printf("%s\n", word_text(words[0]));
    do_now(&d, UNLOCK, 0);
    result(&c);
    do_now(&c, UNLOCK, 0);
    result(&b);
    do_now(&b, UNLOCK, 0);
    printf("%s, order %s\n", word_text(words[0]), log_text);
    finish(&a), finish(&b), finish(&c), finish(&d);
}

static void test_chain(void)
{
    struct sched_param p = {.sched_priority = 40};
    struct actor a, b, c;

    printf("-- chain\n");
    start(&a, "a", 0);
    start(&b, "b", 5);
    start(&c, "c", 30);
    do_now(&a, LOCK, 0);
    do_now(&b, LOCK, 1);
    do_now(&c, LOCK, 2);
    do_later(&b, LOCK, 0);
    show_priority("a", a.tid);
    do_later(&c, LOCK, 1);
    show_priority("b", b.tid);
    show_priority("a", a.tid);
    pthread_setschedparam(c.thread, SCHED_FIFO, &p);
    show_priority("a", a.tid);
    p.sched_priority = 2;
    pthread_setschedparam(c.thread, SCHED_FIFO, &p);
    show_priority("b", b.tid);
    show_priority("a", a.tid);
    do_now(&a, LOCK, 2); /* a ring */
    do_now(&a, UNLOCK, 0);
    result(&b);
    show_priority("a", a.tid);
    do_now(&b, UNLOCK, 0);
    do_now(&b, UNLOCK, 1);
    result(&c);
    do_now(&c, UNLOCK, 1);
    do_now(&c, UNLOCK, 2);
    finish(&a), finish(&b), finish(&c);
}

static void test_timeout(void)
{
    struct timespec soon;
    struct actor a;

    printf("-- timeout\n");
    start(&a, "a", 0);
    do_now(&a, LOCK, 0);
    clock_gettime(CLOCK_REALTIME, &soon);
    SHOW(futex(words, FUTEX_LOCK_PI, 0, &soon, NULL, 0));
    clock_gettime(CLOCK_MONOTONIC, &soon);
    SHOW(futex(words, FUTEX_LOCK_PI2, 0, &soon, NULL, 0));
    printf("%s\n", word_text(words[0]));
    show_priority("a", a.tid);
    do_now(&a, UNLOCK, 0);
    printf("%s\n", word_text(words[0]));
    finish(&a);
}

static void test_requeue(void)
{
    struct timespec past = {1, 0};
    struct actor a, b, c;
    int moved;

    printf("-- requeue\n");
    SHOW(futex(words, FUTEX_WAIT_REQUEUE_PI, 0, &past, words, 0));
    SHOW(futex(words, FUTEX_WAIT_REQUEUE_PI, 1, &past, words + 1, 0));
    SHOW(futex(words, FUTEX_WAIT_REQUEUE_PI, 0, &past, words + 1, 0));
    SHOW(futex(words, FUTEX_WAIT_REQUEUE_PI, 0, &past, NULL, 0));
    SHOW(futex(words, FUTEX_CMP_REQUEUE_PI, 2, (void *)1, words + 1, 0));
    SHOW(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, words, 0));
    SHOW(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)-1, words + 1, 0));
    SHOW(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, words + 1, 5));
    SHOW(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, words + 1, 0));
    start(&a, "a", 0);
    start(&b, "b", 7);
    start(&c, "c", 9);
    do_later(&a, REQUEUED, 1);
    do_later(&b, REQUEUED, 1);
    do_later(&c, REQUEUED, 1);
    SHOW(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_CMP_REQUEUE, 1, (void *)1, words + 1, 0));
    SHOW(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, words + 2, 0));
    moved = futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, words + 1, 0);
    printf("moved %d, %s\n", moved, word_text(words[1]));
    result(&c);
    show_priority("c", c.tid);
    do_now(&c, UNLOCK, 1);
    result(&b);
    do_now(&b, UNLOCK, 1);
    printf("%s\n", word_text(words[1]));
    SHOW(futex(words + 1, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    moved = futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)9, words + 1, 0);
    printf("moved %d, %s\n", moved, word_text(words[1]));
    SHOW(futex(words + 1, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    result(&a);
    do_now(&a, UNLOCK, 1);
    finish(&a), finish(&b), finish(&c);
}

/* The owner ends with the lock: another has it, and is told. */
static void test_death(void)
{
    struct actor a, b, c;

    printf("-- death\n");
    start(&a, "a", 0);
    start(&b, "b", 3);
    start(&c, "c", 8);
    do_now(&a, LOCK, 0);
    do_later(&b, LOCK, 0);
    do_later(&c, LOCK, 0);
    finish(&a);
    result(&c);
    printf("%s, c's %d\n", word_text(words[0]), (words[0] & FUTEX_TID_MASK) == c.tid);
    do_now(&c, UNLOCK, 0);
    result(&b);
    printf("%s\n", word_text(words[0]));
    do_now(&b, UNLOCK, 0);
    finish(&b), finish(&c);
    printf("%s\n", word_text(words[0]));
}

/* Programs that write into the words. */
static void test_lies(void)
{
    struct timespec past = {1, 0};
    struct actor a, b;
    uint32_t word;

    printf("-- lies\n");
    words[0] = 0;
    start(&a, "a", 0);
    start(&b, "b", 0);
    do_now(&a, LOCK, 0);
    do_later(&b, LOCK, 0);
    word = words[0];
    words[0] = 1;
    SHOW(futex(words, FUTEX_LOCK_PI, 0, &past, NULL, 0));
    words[0] = 0;
    SHOW(futex(words, FUTEX_LOCK_PI, 0, &past, NULL, 0));
    words[0] = self();
    SHOW(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    SHOW(futex(words, FUTEX_LOCK_PI, 0, &past, NULL, 0));
    words[0] = word;
    do_now(&a, UNLOCK, 0);
    result(&b);
    do_now(&b, UNLOCK, 0);
    finish(&a), finish(&b);
}

int main(void)
{
    words = (uint32_t *)map_anon(1);
    test_alone();
    test_order();
    test_chain();
    test_timeout();
    test_requeue();
    test_death();
    test_lies();
    return 0;
}
