/*
 * Futexes that processes share: what one is does not depend on where it is mapped, and survives
 * what becomes of the mapping. POSIX objects that are made of them. Robust locks of the dead.
 */
#include "guest.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/shm.h>
#include <time.h>

static long futex(volatile void *addr, int op, uint32_t val, const void *time)
{
    return syscall(SYS_futex, addr, op, val, time, NULL, 0);
}

/* Until the thread of that process sleeps. */
static void await_sleep(pid_t pid, pid_t tid)
{
    char path[64], text[256], *end;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
    for (int i = 0; i < 5000; i++) {
        int fd = open(path, O_RDONLY);
        ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

        close(fd);
        text[n > 0 ? n : 0] = '\0';
        end = strrchr(text, ')');
        if (end && end[2] == 'S')
            return;
        usleep(1000);
    }
    printf("it does not sleep\n");
}

static void await_child(const char *what)
{
    int status;

    DIE_UNLESS(wait(&status) > 0);
    print_status(what, status);
}

/* A child that waits for the word at addr; its exit status says how that ended. */
static pid_t waiting_child(volatile uint32_t *word, int op)
{
    struct timespec limit = {20, 0};
    pid_t pid = fork();

    if (pid == 0)
        _exit(futex(word, op, *word, &limit) == 0 ? 0 : errno);
    DIE_UNLESS(pid > 0);
    await_sleep(pid, pid);
    return pid;
}

static void meet(const char *what, volatile uint32_t *here, volatile uint32_t *there)
{
    printf("-- %s\n", what);
    waiting_child(here, FUTEX_WAIT);
    SHOW(futex(there, FUTEX_WAKE, 9, NULL));
    SHOW(futex(here, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 9, NULL));
    /* So that a wake-up that missed ends soon. */
    SHOW(futex(here, FUTEX_WAKE, 9, NULL));
    await_child("waiter");
}

/* ---- Keys ---- */

static void test_meeting(void)
{
    int fd = make_file("file", 3 * PAGE), id = shmget(IPC_PRIVATE, PAGE, 0600);
    char *a = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *b = map(PAGE, PROT_READ, MAP_SHARED, fd, PAGE), *p;
    char *anon = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    meet("shared anonymous memory", (uint32_t *)anon, (uint32_t *)anon);
    meet("one file at two addresses", (uint32_t *)(a + PAGE + 8), (uint32_t *)(b + 8));
    meet("another page of it", (uint32_t *)(a + 8), (uint32_t *)(b + 8));
    meet("another word", (uint32_t *)(a + PAGE + 4), (uint32_t *)(b + 8));
    p = map(PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    meet("a private view that shows the file", (uint32_t *)(a + PAGE), (uint32_t *)p);
    p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
    p[0] = 'x';
    meet("a private view that was written to", (uint32_t *)(a + PAGE), (uint32_t *)p);
    p = shmat(id, NULL, 0);
    meet("System V memory", (uint32_t *)p, (uint32_t *)shmat(id, NULL, SHM_RDONLY));
    shmctl(id, IPC_RMID, NULL);
    p = map_anon(1);
    meet("private memory after fork", (uint32_t *)p, (uint32_t *)p);
    close(fd);
    unlink("file");
}

/* Waits at p in a thread while the mapping changes under it. */
static volatile uint32_t *thread_word;
static volatile pid_t thread_tid;
static int thread_error;

static void *thread_main(void *arg)
{
    struct timespec limit = {20, 0};

    (void)arg;
    thread_tid = syscall(SYS_gettid);
    errno = 0;
    futex(thread_word, FUTEX_WAIT, *thread_word, &limit);
    thread_error = errno;
    return NULL;
}

static pthread_t waiting_thread(char *p)
{
    pthread_t t;

    thread_word = (uint32_t *)p;
    thread_tid = 0;
    DIE_UNLESS(pthread_create(&t, NULL, thread_main, NULL) == 0);
    while (!thread_tid)
        usleep(100);
    await_sleep(getpid(), thread_tid);
    return t;
}

static void end_thread(pthread_t t)
{
    pthread_join(t, NULL);
    printf("thread: %s\n", error_name(thread_error));
}

static void test_changes(void)
{
    int fd = make_file("file", 2 * PAGE);
    char *a = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *b;
    char *other = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pthread_t t;

    printf("-- mremap\n");
    t = waiting_thread(a + PAGE);
    b = map(2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    DIE_UNLESS(mremap(a, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, b) == b);
    SHOW(futex(a + PAGE, FUTEX_WAKE, 9, NULL));
    SHOW(futex(b + PAGE, FUTEX_WAKE, 9, NULL));
    end_thread(t);

    printf("-- munmap\n");
    t = waiting_thread(b + PAGE);
    munmap(b, 2 * PAGE);
    SHOW(futex(other, FUTEX_WAKE, 9, NULL));
    SHOW(futex(other + PAGE, FUTEX_WAKE, 9, NULL));
    end_thread(t);

    printf("-- truncate, and as long again\n");
    t = waiting_thread(other + PAGE);
    DIE_UNLESS(ftruncate(fd, 0) == 0);
    SHOW(futex(other + PAGE, FUTEX_WAKE, 9, NULL));
    DIE_UNLESS(ftruncate(fd, 2 * PAGE) == 0);
    SHOW(futex(other + PAGE, FUTEX_WAKE, 9, NULL));
    end_thread(t);

    printf("-- another file at the address\n");
    t = waiting_thread(other + PAGE);
    b = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    DIE_UNLESS(mremap(b, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other) == other);
    SHOW(futex(other + PAGE, FUTEX_WAKE, 9, NULL));
    b = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SHOW(futex(b + PAGE, FUTEX_WAKE, 9, NULL));
    end_thread(t);
    close(fd);
    unlink("file");
}

/* ---- What is made of them ---- */

struct shared {
    sem_t sem;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_barrier_t barrier;
    int turn, sum;
};

static struct shared *make_shared(void)
{
    struct shared *s = (void *)map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t m;
    pthread_condattr_t c;
    pthread_barrierattr_t b;

    DIE_UNLESS(sem_init(&s->sem, 1, 0) == 0);
    pthread_mutexattr_init(&m);
    pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
    DIE_UNLESS(pthread_mutex_init(&s->mutex, &m) == 0);
    pthread_condattr_init(&c);
    pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
    DIE_UNLESS(pthread_cond_init(&s->cond, &c) == 0);
    pthread_barrierattr_init(&b);
    pthread_barrierattr_setpshared(&b, PTHREAD_PROCESS_SHARED);
    DIE_UNLESS(pthread_barrier_init(&s->barrier, &b, 2) == 0);
    return s;
}

/* Two processes take turns. */
static void take_turns(struct shared *s, int me)
{
    for (int i = 0; i < 50; i++) {
        pthread_mutex_lock(&s->mutex);
        while (s->turn != me)
            pthread_cond_wait(&s->cond, &s->mutex);
        s->sum = s->sum * 3 % 1009 + me;
        s->turn = !me;
        pthread_cond_broadcast(&s->cond);
        pthread_mutex_unlock(&s->mutex);
    }
}

static void test_objects(void)
{
    struct shared *s = make_shared();
    sem_t *named;

    printf("-- objects\n");
    if (fork() == 0) {
        sem_wait(&s->sem);
        take_turns(s, 1);
        pthread_barrier_wait(&s->barrier);
        _exit(0);
    }
    sem_post(&s->sem);
    take_turns(s, 0);
    pthread_barrier_wait(&s->barrier);
    await_child("other");
    printf("turns: %d\n", s->sum);

    mkdir("/dev/shm", 01777);
    named = sem_open("/guest_sem", O_CREAT | O_EXCL, 0600, 0);
    printf("sem_open: %s\n", named == SEM_FAILED ? error_name(errno) : "ok");
    if (named == SEM_FAILED)
        return;
    if (fork() == 0) {
        sem_t *again = sem_open("/guest_sem", 0);

        _exit(again == SEM_FAILED ? 1 : sem_post(again));
    }
    SHOW(sem_wait(named));
    await_child("poster");
    sem_close(named);
    SHOW(sem_unlink("/guest_sem"));
}

/* ---- Robust locks ---- */

static pthread_mutex_t *robust_mutex(bool inherit)
{
    pthread_mutex_t *m =
        (void *)map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t a;

    pthread_mutexattr_init(&a);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    if (inherit)
        pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
    DIE_UNLESS(pthread_mutex_init(m, &a) == 0);
    return m;
}

enum { EXITS, KILLED, EXECS, WAYS };

/* The owner ends, with and without somebody who waits for it. */
static void owner_ends(int way, bool inherit, bool contended)
{
    pthread_mutex_t *m = robust_mutex(inherit);
    int go[2], held[2];
    pid_t owner;
    char c = 0;

    DIE_UNLESS(pipe(go) == 0 && pipe(held) == 0);
    owner = fork();
    if (owner == 0) {
        pthread_mutex_lock(m);
        DIE_UNLESS(write(held[1], &c, 1) == 1);
        DIE_UNLESS(read(go[0], &c, 1) == 1);
        if (way == EXECS)
            execl("/proc/self/exe", "futex_shared", "nothing", NULL);
        if (way == KILLED)
            raise(SIGKILL);
        _exit(0);
    }
    DIE_UNLESS(read(held[0], &c, 1) == 1);
    if (contended) {
        pid_t waiter = fork();

        if (waiter == 0)
            _exit(pthread_mutex_lock(m) == EOWNERDEAD ? pthread_mutex_consistent(m) : 9);
        await_sleep(waiter, waiter);
        DIE_UNLESS(write(go[1], &c, 1) == 1);
        waitpid(owner, NULL, 0);
        await_child("waiter");
    } else {
        DIE_UNLESS(write(go[1], &c, 1) == 1);
        waitpid(owner, NULL, 0);
    }
    printf("way %d%s%s: lock %s", way, inherit ? ", inherits" : "", contended ? ", contended" : "",
           error_name(pthread_mutex_lock(m)));
    printf(", consistent %s", error_name(pthread_mutex_consistent(m)));
    printf(", unlock %s", error_name(pthread_mutex_unlock(m)));
    printf(", word %x\n", *(volatile uint32_t *)m);
    close(go[0]), close(go[1]), close(held[0]), close(held[1]);
}

static void test_robust(void)
{
    printf("-- robust\n");
    for (int way = 0; way < WAYS; way++)
        for (int i = 0; i < 4; i++)
            owner_ends(way, i & 1, i & 2);
}

struct entry {
    struct entry *next;
    uint32_t word;
};

static struct list_head {
    struct entry *first;
    long offset;
    struct entry *pending;
} * head;

/* A child that leaves the list as it is. */
static void die_with(struct entry *e, int n, void (*arrange)(struct entry *e))
{
    pid_t pid = fork();

    if (pid == 0) {
        for (int i = 0; i < n; i++)
            e[i] = (struct entry){&e[i + 1], (uint32_t)getpid() | FUTEX_WAITERS};
        e[n - 1].next = (struct entry *)head;
        head->first = e;
        head->offset = offsetof(struct entry, word);
        head->pending = NULL;
        arrange(e);
        syscall(SYS_set_robust_list, head, sizeof(*head));
        _exit(0);
    }
    DIE_UNLESS(waitpid(pid, NULL, 0) == pid);
    for (int i = 0; i < n; i++)
        printf("%s%s",
               e[i].word == (FUTEX_OWNER_DIED | FUTEX_WAITERS) ? "d"
               : (e[i].word & FUTEX_TID_MASK) == (uint32_t)pid ? "o"
                                                               : "?",
               i == n - 1 ? "\n" : "");
}

static void as_it_is(struct entry *e)
{
    (void)e;
}

static void broken(struct entry *e)
{
    e[2].next = (struct entry *)16;
}

static void ring(struct entry *e)
{
    e[5].next = &e[1];
}

static void odd_word(struct entry *e)
{
    e[1].next = (struct entry *)((char *)&e[2] + 2);
}

static void one_pending(struct entry *e)
{
    e[1].next = &e[3];
    head->pending = &e[2];
}

static void pending_in_list(struct entry *e)
{
    head->pending = &e[1];
}

static void not_mine(struct entry *e)
{
    e[3].word = 1;
}

static void inherits(struct entry *e)
{
    e[2].next = (struct entry *)((char *)e[2].next + 1);
}

static void no_head(struct entry *e)
{
    (void)e;
    head->first = NULL;
}

static void test_lists(void)
{
    struct entry *e =
        (void *)map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    void *where;
    size_t size;

    printf("-- lists\n");
    head = (void *)map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    die_with(e, 6, as_it_is);
    die_with(e, 6, broken);
    die_with(e, 6, ring);
    die_with(e, 6, odd_word);
    die_with(e, 6, one_pending);
    die_with(e, 6, pending_in_list);
    die_with(e, 6, not_mine);
    die_with(e, 6, inherits);
    die_with(e, 6, no_head);
    SHOW(syscall(SYS_set_robust_list, head, 8));
    SHOW(syscall(SYS_set_robust_list, head, sizeof(*head)));
    SHOW(syscall(SYS_get_robust_list, 0, &where, &size));
    printf("%s, %zu bytes\n", where == head ? "the same" : "another", size);
    SHOW(syscall(SYS_get_robust_list, 0, NULL, &size));
    SHOW(syscall(SYS_get_robust_list, 0, &where, NULL));
    SHOW(syscall(SYS_get_robust_list, 32767, &where, &size));
    SHOW(syscall(SYS_set_robust_list, NULL, sizeof(*head)));
}

static void long_list(void)
{
    struct entry *s =
        (void *)map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int died = 0;
    pid_t pid = fork();

    if (pid == 0) {
        for (int i = 0; i < 2100; i++)
            s[i] = (struct entry){&s[i + 1], (uint32_t)getpid()};
        *head = (struct list_head){s, offsetof(struct entry, word), NULL};
        syscall(SYS_set_robust_list, head, sizeof(*head));
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    for (int i = 0; i < 2100; i++)
        died += (s[i].word & FUTEX_OWNER_DIED) != 0;
    printf("of 2100 locks %d are known to be dead\n", died);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return 0;
    test_meeting();
    test_changes();
    test_objects();
    test_robust();
    test_lists();
    long_list();
    return 0;
}
