/*
 * More sleepers than are woken in one step, more orphans than get another parent in one, more locks
 * than are freed in one: all of them are, and once.
 */
#include "guest.h"
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#define CROWD 250

static int event, woken;

static int sleeper(void *unused)
{
    uint64_t v;

    (void)unused;
    if (read(event, &v, sizeof(v)) == sizeof(v))
        __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void sleepers(void)
{
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
    char *stacks =
        mmap(NULL, CROWD * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t many = CROWD;

    event = eventfd(0, EFD_SEMAPHORE);
    for (int i = 0; i < CROWD; i++)
        DIE_UNLESS(clone(sleeper, stacks + (i + 1) * PAGE, flags, NULL) > 0);
    usleep(200000);
    DIE_UNLESS(write(event, &many, sizeof(many)) == sizeof(many));
    for (int i = 0; i < 500 && __atomic_load_n(&woken, __ATOMIC_SEQ_CST) < CROWD; i++)
        usleep(10000);
    printf("woken: %d\n", woken);
}

static void orphans(void)
{
    int gate[2], left = 0, status, bad = 0;
    char c;
    pid_t pid;

    DIE_UNLESS(pipe(gate) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < CROWD; i++)
            if (fork() == 0) {
                close(gate[1]);
                _exit(i % 2 ? 7 : (int)read(gate[0], &c, 1) + 7);
            }
        usleep(100000); /* half of them are over */
        _exit(0);
    }
    DIE_UNLESS(waitpid(pid, &status, 0) == pid);
    close(gate[1]);
    for (; wait(&status) > 0; left++)
        bad += status != 7 << 8;
    printf("orphans: %d, %d wrong\n", left, bad);
    close(gate[0]);
}

/* ---- Locks ---- */

static int file;

static int lock(int type, off_t start, off_t len)
{
    struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

    return fcntl(file, F_SETLK, &l);
}

/* As another process sees it. */
static void show_first(int type, off_t start, off_t len)
{
    struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    pid_t pid = fork();

    if (pid == 0) {
        fcntl(file, F_GETLK, &l);
        printf("from %lld: type %d, %lld, %lld\n", (long long)start, l.l_type, (long long)l.l_start,
               (long long)l.l_len);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void locks(void)
{
    file = open("locked", O_RDWR | O_CREAT, 0600);
    for (int i = 0; i < CROWD; i++)
        DIE_UNLESS(lock(i % 3 ? F_RDLCK : F_WRLCK, (i * 37 % CROWD) * 10, 5) == 0);
    show_first(F_WRLCK, 0, 0);
    show_first(F_RDLCK, 10, 0);
    show_first(F_WRLCK, 2503, 1);
    SHOW(lock(F_UNLCK, 1002, 2000)); /* cuts two, takes out those between */
    show_first(F_WRLCK, 1001, 0);
    show_first(F_WRLCK, 1002, 0);
    SHOW(lock(F_WRLCK, 0, 1000)); /* one of many */
    show_first(F_RDLCK, 500, 1);
    SHOW(lock(F_RDLCK, 200, 300)); /* three of one */
    show_first(F_WRLCK, 0, 0);
    show_first(F_WRLCK, 250, 0);
    show_first(F_WRLCK, 500, 0);
    SHOW(lock(F_RDLCK, 0x7fffffff, 1));
    SHOW(lock(F_WRLCK, 4000, 0)); /* to the end */
    show_first(F_WRLCK, 0x7fffffff, 1);
    SHOW(lock(F_UNLCK, 0, 0));
    show_first(F_WRLCK, 0, 0);
    close(file);
    unlink("locked");
}

int main(void)
{
    sleepers();
    orphans();
    locks();
    return 0;
}
