/*
 * Threads of one space, and children of it, that map, unmap, protect, give up and grow memory at
 * once, while others fault, fork and die: nobody gets a place that another has, nothing is lost
 * that was not given up, what is new is zero, and what is gone is refused.
 */
#include "hammer.h"
#include <sys/shm.h>

#define THREADS  4
#define ROUNDS   25
#define CHILDREN 4
#define MOST     24 /* pages of one mapping */
#define WINDOW   8  /* pages that all fight for */
#define HEAP     64 /* pages */

static uint32_t *window;
static uint32_t *counters; /* shared with children: one for each thread */
static __thread sigjmp_buf refused;
static __thread volatile int expects;

static void together(void *(*fn)(void *))
{
    pthread_t t[THREADS];

    over = 0;
    for (unsigned i = 0; i < THREADS; i++)
        t[i] = start(fn, number(i));
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
}

static void no_access(int signo)
{
    if (!expects) {
        printf("signal %d that nobody expected\n", signo);
        _exit(98);
    }
    siglongjmp(refused, 1);
}

/* Whether the word could be read, or written. */
static int reach(volatile uint32_t *p, uint32_t *value, bool writes)
{
    int fine = 0;

    expects = 1;
    if (sigsetjmp(refused, 0) == 0) {
        if (writes)
            *p = *value;
        else
            *value = *p;
        fine = 1;
    }
    expects = 0;
    return fine;
}

static int load(volatile uint32_t *p, uint32_t *value)
{
    return reach(p, value, false);
}

static int store(volatile uint32_t *p, uint32_t value)
{
    return reach(p, &value, true);
}

static void *anonymous(void *at, size_t pages, int flags)
{
    void *p =
        mmap(at, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

    DIE_UNLESS(p != MAP_FAILED);
    return p;
}

/* ---- Places of one's own: two who had one would see each other's marks ---- */

static uint32_t *word(void *p, unsigned page)
{
    return (uint32_t *)((char *)p + page * PAGE);
}

static void fill(void *p, unsigned pages, uint32_t mark)
{
    for (unsigned i = 0; i < pages; i++) {
        MUST(word(p, i)[0] == 0 && word(p, i)[PAGE / 4 - 1] == 0);
        word(p, i)[0] = word(p, i)[PAGE / 4 - 1] = mark + i;
    }
}

static int is_filled(void *p, unsigned from, unsigned to, uint32_t mark)
{
    for (unsigned i = from; i < to; i++)
        if (word(p, i)[0] != mark + i || word(p, i)[PAGE / 4 - 1] != mark + i)
            return 0;
    return 1;
}

/* What is read-only stays as it is, and can be written to again. */
static void protect(void *p, unsigned pages, uint32_t mark, uint32_t *seed)
{
    unsigned from = rnd(seed) % pages, n = 1 + rnd(seed) % (pages - from);
    uint32_t value;

    MUST(mprotect(word(p, from), n * PAGE, PROT_READ) == 0);
    MUST(!store(word(p, from + rnd(seed) % n), 0));
    MUST(is_filled(p, 0, pages, mark));
    MUST(mprotect(word(p, from), n * PAGE, PROT_NONE) == 0);
    MUST(!load(word(p, from + rnd(seed) % n), &value));
    MUST(mprotect(word(p, from), n * PAGE, PROT_READ | PROT_WRITE) == 0);
    MUST(is_filled(p, 0, pages, mark));
}

/* The hole is asked for at once: its pages are new, if nobody else was quicker. */
static void cut(void *p, unsigned pages, uint32_t mark, uint32_t *seed)
{
    unsigned from = rnd(seed) % pages, n = 1 + rnd(seed) % (pages - from);
    void *again;

    MUST(munmap(word(p, from), n * PAGE) == 0);
    MUST(is_filled(p, 0, from, mark) && is_filled(p, from + n, pages, mark));
    again = mmap(word(p, from), n * PAGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (again != MAP_FAILED) {
        fill(again, n, mark + from);
        MUST(is_filled(p, 0, pages, mark));
        MUST(munmap(again, n * PAGE) == 0);
    }
    MUST(munmap(p, from * PAGE) == 0 || from == 0);
    MUST(munmap(word(p, from + n), (pages - from - n) * PAGE) == 0 || from + n == pages);
}

static void give_up(void *p, unsigned pages, uint32_t mark, uint32_t *seed)
{
    unsigned from = rnd(seed) % pages;

    MUST(madvise(word(p, from), PAGE, MADV_DONTNEED) == 0);
    MUST(is_filled(p, 0, from, mark) && is_filled(p, from + 1, pages, mark));
    fill(word(p, from), 1, mark + from);
}

static void own_place(uint32_t mark, uint32_t *seed)
{
    unsigned pages = 1 + rnd(seed) % MOST;
    void *p = anonymous(NULL, pages, rnd(seed) % 4 ? 0 : MAP_POPULATE);

    fill(p, pages, mark);
    if (rnd(seed) % 2)
        protect(p, pages, mark, seed);
    if (rnd(seed) % 2)
        give_up(p, pages, mark, seed);
    if (rnd(seed) % 2)
        cut(p, pages, mark, seed);
    else
        MUST(is_filled(p, 0, pages, mark) && munmap(p, pages * PAGE) == 0);
}

static void *own_places(void *arg)
{
    uint32_t me = (uint32_t)(uintptr_t)arg, seed = me + 1;

    for (unsigned i = 0; i < ROUNDS; i++)
        own_place((me + 1) << 24 | i << 8, &seed);
    return NULL;
}

/* ---- One window that all change: a page holds its own mark, or is new ---- */

#define MARK(page) (0x5a000000u | (page))

static void change_window(uint32_t *seed)
{
    unsigned page = rnd(seed) % WINDOW, n = 1 + rnd(seed) % (WINDOW - page);
    void *at = word(window, page);

    switch (rnd(seed) % 6) {
    case 0:
        MUST(munmap(at, n * PAGE) == 0);
        break;
    case 1:
        mprotect(at, n * PAGE, PROT_READ);
        break;
    case 2:
        mprotect(at, n * PAGE, PROT_READ | PROT_WRITE);
        break;
    case 3:
        madvise(at, n * PAGE, MADV_DONTNEED);
        break;
    default:
        MUST(mmap(at, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                  0) == at);
    }
}

/* By itself, and by the kernel for it. */
static void use_window(uint32_t *seed)
{
    unsigned page = rnd(seed) % WINDOW;
    uint32_t value = 0, mark = MARK(page);
    struct iovec here = {&value, sizeof(value)}, there = {word(window, page), sizeof(value)};

    if (rnd(seed) % 2) {
        store(word(window, page), mark);
        MUST(!load(word(window, page), &value) || value == 0 || value == mark);
        return;
    }
    here.iov_base = &mark;
    MUST(process_vm_writev(getpid(), &here, 1, &there, 1, 0) == 4 || errno == EFAULT);
    here.iov_base = &value;
    MUST(process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 4 || errno == EFAULT);
    MUST(value == 0 || value == mark);
}

static void *fight(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg + 17;

    for (unsigned i = 0; i < ROUNDS * 3; i++) {
        if (rnd(&seed) % 3 == 0)
            change_window(&seed);
        else
            use_window(&seed);
    }
    return NULL;
}

/* ---- The heap comes and goes, beside the rest ---- */

static void *call_brk(void *at)
{
    return (void *)syscall(SYS_brk, at);
}

static void grow_and_shrink(void)
{
    char *base = (char *)(((uintptr_t)call_brk(NULL) + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    unsigned have = 0, want;
    uint32_t seed = 77;

    MUST(call_brk(base) == base);
    for (unsigned i = 0; i < ROUNDS; i++, have = want) {
        want = rnd(&seed) % HEAP;
        MUST(call_brk(base + want * PAGE) == base + want * PAGE);
        if (want > have)
            fill(base + have * PAGE, want - have, have);
        MUST(is_filled(base, 0, want, 0));
    }
    MUST(call_brk(base) == base);
}

/* The child has what its maker had at that moment, and makes its own. */
static int child_of(void *kept, unsigned who)
{
    uint32_t seed = who + 99;

    MUST(is_filled(kept, 0, MOST, 0x11000000));
    memset(kept, 1, MOST * PAGE);
    for (unsigned i = 0; i < 5; i++)
        own_place(0x77000000, &seed);
    __atomic_fetch_add(&counters[who], 1, __ATOMIC_RELAXED);
    return wrong ? 1 : 0;
}

static void fork_children(unsigned who)
{
    void *kept = anonymous(NULL, MOST, 0);

    fill(kept, MOST, 0x11000000);
    for (unsigned i = 0; i < CHILDREN; i++) {
        int status = 0;
        pid_t child = fork();

        if (child == 0)
            _exit(child_of(kept, who));
        MUST(child > 0);
        word(kept, i % MOST)[1] = i; /* stays here */
        MUST(waitpid(child, &status, 0) == child && status == 0);
        MUST(is_filled(kept, 0, MOST, 0x11000000));
    }
    MUST(munmap(kept, MOST * PAGE) == 0);
}

static void *several_at_once(void *arg)
{
    unsigned who = (unsigned)(uintptr_t)arg;

    if (who == 0)
        grow_and_shrink();
    else if (who == 1)
        own_places(arg);
    else
        fork_children(who);
    return NULL;
}

/* ---- Pages of a file: private copies go back to it, shared ones are everybody's ---- */

static const char file_name[] = "memory_hammer.pages";

static void make_pages(void)
{
    uint32_t page[PAGE / 4] = {0};
    int fd = open(file_name, O_RDWR | O_CREAT | O_TRUNC, 0600);

    for (unsigned i = 0; i < MOST; i++) {
        page[0] = page[PAGE / 4 - 1] = 0x22000000 + i;
        DIE_UNLESS(write(fd, page, PAGE) == PAGE);
    }
    close(fd);
}

static void private_pages(int fd, unsigned from, unsigned pages, uint32_t *seed)
{
    void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, from * PAGE);
    unsigned char resident[MOST];

    MUST(p != MAP_FAILED && madvise(p, pages * PAGE, MADV_WILLNEED) == 0);
    MUST(is_filled(p, 0, pages, 0x22000000 + from));
    MUST(mincore(p, pages * PAGE, resident) == 0 && (resident[0] & 1));
    *word(p, rnd(seed) % pages) = 1;
    MUST(madvise(p, pages * PAGE, MADV_DONTNEED) == 0);
    MUST(is_filled(p, 0, pages, 0x22000000 + from));
    MUST(munmap(p, pages * PAGE) == 0);
    MUST(mincore(p, PAGE, resident) == 0 || errno == ENOMEM);
}

static void *file_pages(void *arg)
{
    unsigned who = (unsigned)(uintptr_t)arg;
    uint32_t seed = who + 5, stored = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned from = rnd(&seed) % MOST;
        int fd = open(file_name, O_RDWR);
        uint32_t *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        MUST(fd >= 0 && shared != MAP_FAILED);
        MUST(shared[who + 1] == stored);
        shared[who + 1] = ++stored;
        private_pages(fd, from, 1 + rnd(&seed) % (MOST - from), &seed);
        close(fd);
        MUST(shared[who + 1] == stored && munmap(shared, PAGE) == 0);
    }
    return NULL;
}

/* Pages that were given up are as they were, or new; one that was stored to since is kept. */
static void *free_pages(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg + 3;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned pages = 1 + rnd(&seed) % MOST, again = rnd(&seed) % pages;
        void *p = anonymous(NULL, pages, 0);

        fill(p, pages, 0x33000000);
        MUST(madvise(p, pages * PAGE, MADV_FREE) == 0);
        word(p, again)[0] = word(p, again)[PAGE / 4 - 1] = 0x33000000 + again;
        for (unsigned k = 0; k < pages; k++)
            MUST(*word(p, k) == 0x33000000 + k || (*word(p, k) == 0 && k != again));
        MUST(munmap(p, pages * PAGE) == 0);
    }
    return NULL;
}

/* ---- What the kernel stores for a program, while it forks, is its own, and stays ---- */

static uint32_t *written; /* a page: one thread's word by the kernel, others' by themselves */

static void store_by_kernel(void)
{
    uint32_t value = 0, seen;
    struct iovec here = {&value, sizeof(value)}, there = {written, sizeof(value)};

    while (!over) {
        value++;
        MUST(process_vm_writev(getpid(), &here, 1, &there, 1, 0) == sizeof(value));
        seen = __atomic_load_n(written, __ATOMIC_RELAXED);
        MUST(seen == value);
    }
}

static void store_beside(unsigned who)
{
    for (uint32_t n = 1; !over; n++) {
        __atomic_store_n(&written[who], n, __ATOMIC_RELAXED);
        MUST(__atomic_load_n(&written[who], __ATOMIC_RELAXED) == n);
    }
}

/* In the child nothing changes any more. */
static void watch_forks(void)
{
    for (unsigned i = 0; i < CHILDREN * 4; i++) {
        int status = 0;
        pid_t child = fork();

        if (child == 0) {
            uint32_t before[THREADS];

            memcpy(before, written, sizeof(before));
            for (unsigned k = 0; k < 1000; k++)
                __asm__ volatile("" ::: "memory");
            _exit(memcmp(before, written, sizeof(before)) != 0);
        }
        MUST(waitpid(child, &status, 0) == child && status == 0);
    }
    over = 1;
}

static void *store_and_fork(void *arg)
{
    unsigned who = (unsigned)(uintptr_t)arg;

    if (who == 0)
        store_by_kernel();
    else if (who == 1)
        watch_forks();
    else
        store_beside(who);
    return NULL;
}

/* ---- Segments that several detach at once, and others unmap ---- */

static void *segments(void *arg)
{
    unsigned who = (unsigned)(uintptr_t)arg;

    for (unsigned i = 0; i < ROUNDS / 3; i++) {
        int id = shmget(IPC_PRIVATE, 4 * PAGE, 0600);
        char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, 0);

        MUST(id >= 0 && a != (char *)-1 && b != (char *)-1);
        MUST(shmctl(id, IPC_RMID, NULL) == 0);
        *word(a, 2) = who << 16 | i;
        MUST(*word(b, 2) == (who << 16 | i));
        MUST(munmap(a + PAGE, PAGE) == 0);
        MUST(shmdt(a) == 0 && *word(b, 2) == (who << 16 | i));
        MUST(who % 2 ? shmdt(b) == 0 : munmap(b, 4 * PAGE) == 0);
        MUST(shmctl(id, IPC_STAT, &(struct shmid_ds){0}) == -1);
    }
    return NULL;
}

int main(void)
{
    struct sigaction a = {.sa_handler = no_access, .sa_flags = SA_NODEFER};

    sigaction(SIGSEGV, &a, NULL);
    counters = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    DIE_UNLESS(counters != MAP_FAILED);
    together(own_places);
    show_wrong("places of one's own");
    window = anonymous(NULL, WINDOW, 0);
    together(fight);
    munmap(window, WINDOW * PAGE);
    show_wrong("one window");
    together(several_at_once);
    MUST(counters[2] == CHILDREN && counters[3] == CHILDREN);
    show_wrong("heap, children");
    make_pages();
    together(file_pages);
    unlink(file_name);
    show_wrong("a file's pages");
    together(free_pages);
    show_wrong("pages given up");
    written = anonymous(NULL, 1, 0);
    together(store_and_fork);
    show_wrong("stores and forks");
    together(segments);
    show_wrong("segments");
    return 0;
}
