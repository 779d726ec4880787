/*
 * What one thread may no longer do once a call of another has returned, though the processor that
 * it runs on may have the translation still: store to a page that was protected, unmapped, moved,
 * given up or shared by fork. On one processor nothing can go wrong; with several it is the kernel
 * that must not.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE   4096
#define ROUNDS 20
#define OTHERS 32 /* pages that may get the frame */
#define PEEKS  50

static _Atomic(volatile unsigned *) target; /* where the writer stores; NULL: it is to end */
static atomic_uint stores, faults;
static sigjmp_buf again;

static void refused(int signo)
{
    (void)signo;
    siglongjmp(again, 1);
}

static void *writer(void *unused)
{
    volatile unsigned *p;

    (void)unused;
    if (sigsetjmp(again, 1)) {
        atomic_fetch_add(&faults, 1);
        sched_yield();
    }
    while ((p = atomic_load(&target)) != NULL) {
        for (unsigned i = 0; i < 200; i++)
            *p = *p + 1;
        atomic_fetch_add(&stores, 1);
        sched_yield();
    }
    return NULL;
}

static void wait_for(atomic_uint *count)
{
    unsigned before = atomic_load(count);

    while (atomic_load(count) == before)
        sched_yield();
}

static void *page(void *at)
{
    void *p = mmap(at, PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return p;
}

/* Whether the word stays as it is for a while. */
static int is_still(const volatile unsigned *p)
{
    unsigned seen = *p;

    for (int i = 0; i < PEEKS; i++) {
        sched_yield();
        if (*p != seen)
            return 0;
    }
    return 1;
}

/* Whether new pages keep what is stored in them: one of them may be the frame that was given back.
 * Their place is no other's. */
static int others_are_whole(void)
{
    static volatile unsigned *p;
    int whole = 1;

    if (!p)
        p = mmap(NULL, OTHERS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < OTHERS * PAGE / 4; i += 256)
        p[i] = 0x5a5a0000 + i;
    for (int n = 0; n < PEEKS; n++)
        sched_yield();
    for (unsigned i = 0; i < OTHERS * PAGE / 4; i += 256)
        whole &= p[i] == 0x5a5a0000 + i;
    madvise((void *)p, OTHERS * PAGE, MADV_DONTNEED);
    return whole;
}

static int protect(volatile unsigned *p)
{
    int fine;

    mprotect((void *)p, PAGE, PROT_READ);
    fine = is_still(p);
    wait_for(&faults);
    mprotect((void *)p, PAGE, PROT_READ | PROT_WRITE);
    return fine;
}

static int unmap(volatile unsigned *p)
{
    int fine;

    munmap((void *)p, PAGE);
    fine = others_are_whole();
    wait_for(&faults);
    page((void *)p);
    return fine;
}

static int move(volatile unsigned *p)
{
    volatile unsigned *to = page(NULL);
    int fine;

    mremap((void *)p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)to);
    fine = is_still(to);
    wait_for(&faults);
    munmap((void *)to, PAGE);
    page((void *)p);
    return fine;
}

static int give_up(volatile unsigned *p)
{
    madvise((void *)p, PAGE, MADV_DONTNEED);
    return others_are_whole();
}

static int replace(volatile unsigned *p)
{
    page((void *)p);
    return others_are_whole();
}

static int share(volatile unsigned *p)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(is_still(p) ? 0 : 1);
    return waitpid(child, &status, 0) == child && status == 0;
}

static void each(const char *what, int (*change)(volatile unsigned *p))
{
    volatile unsigned *p = atomic_load(&target);
    int fine = 0;

    for (int i = 0; i < ROUNDS; i++) {
        wait_for(&stores);
        fine += change(p);
    }
    printf("%s: %d of %d\n", what, fine, ROUNDS);
}

int main(void)
{
    struct sigaction a = {.sa_handler = refused};
    pthread_t thread;

    sigaction(SIGSEGV, &a, NULL);
    others_are_whole();
    atomic_store(&target, page(NULL));
    pthread_create(&thread, NULL, writer, NULL);
    each("mprotect", protect);
    each("munmap", unmap);
    each("mremap", move);
    each("MADV_DONTNEED", give_up);
    each("mmap over it", replace);
    each("fork", share);
    atomic_store(&target, NULL);
    pthread_join(thread, NULL);
    return 0;
}
