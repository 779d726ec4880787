/* A space used by more than one process: vfork and clone(CLONE_VM); exec and exit from them; maps
 * changed by one seen by the other. */
#include "guest.h"
#include <sched.h>

#define RW (PROT_READ | PROT_WRITE)

static char *area;
static volatile int shared_word;
static char stack[16 * PAGE] __attribute__((aligned(16)));

static int run_clone(int flags, int (*fn)(void *))
{
    int status, pid = clone(fn, stack + sizeof(stack), flags | SIGCHLD, NULL);

    DIE_UNLESS(pid > 0);
    DIE_UNLESS(waitpid(pid, &status, 0) == pid);
    return status;
}

static void vfork_shares(void)
{
    volatile int here = 1;
    pid_t pid = vfork();

    if (pid == 0) {
        here = 2;
        area[0] = 'V';
        area[PAGE] = 'W'; /* not touched before */
        _exit(7);
    }
    printf("the parent was waiting: %d %c %c\n", here, area[0], area[PAGE]);
    int status;
    waitpid(pid, &status, 0);
    print_status("vfork", status);
}

static void vfork_and_exec(void)
{
    pid_t pid = vfork();
    int status;

    if (pid == 0) {
        area[2] = 'E';
        execl("/proc/self/exe", "shared_space", "child", NULL);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    print_status("vfork and exec", status);
    printf("%c\n", area[2]);
    area[0] = 'x';
    printf("still writable: %c\n", area[0]);
}

static void vfork_and_failed_exec(void)
{
    volatile int error = 0;
    pid_t pid = vfork();

    if (pid == 0) {
        execl("/no/such/program", "x", NULL);
        error = errno;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("the error came through memory: %s\n", error_name(error));
}

static int maps_and_unmaps(void *arg)
{
    (void)arg;
    DIE_UNLESS(mmap(area + 2 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
               MAP_FAILED);
    area[2 * PAGE] = 'm';
    munmap(area + 3 * PAGE, PAGE);
    mprotect(area + 4 * PAGE, PAGE, PROT_READ);
    madvise(area + 5 * PAGE, PAGE, MADV_DONTNEED);
    DIE_UNLESS(mremap(area + 6 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                      area + 7 * PAGE) == area + 7 * PAGE);
    sbrk(2 * PAGE);
    return 0;
}

static void maps_are_common(void)
{
    char *top = sbrk(0);

    memset(area, 'o', 8 * PAGE);
    area[6 * PAGE] = 'r';
    print_status("CLONE_VM", run_clone(CLONE_VM, maps_and_unmaps));
    show_pages("after it", area, 8);
    PROBE_WRITE(area + 4 * PAGE);
    printf("break moved: %ld\n", (long)((char *)sbrk(0) - top));
}

static int not_common(void *arg)
{
    (void)arg;
    munmap(area, 8 * PAGE);
    shared_word = 5;
    return 0;
}

static void without_clone_vm(void)
{
    area = letters(8);
    shared_word = 1;
    print_status("no CLONE_VM", run_clone(0, not_common));
    show_pages("all there", area, 8);
    printf("%d\n", shared_word);
}

static int forks(void *arg)
{
    (void)arg;
    if (fork() == 0) {
        area[0] = 'F'; /* a copy */
        _exit(0);
    }
    wait(NULL);
    area[1] = 'C';
    return 0;
}

static void fork_from_it(void)
{
    area[0] = area[1] = '-';
    print_status("fork from a CLONE_VM child", run_clone(CLONE_VM, forks));
    printf("%c %c\n", area[0], area[1]);
}

static int executes(void *arg)
{
    (void)arg;
    execl("/proc/self/exe", "shared_space", "child", NULL);
    return 1;
}

static void exec_from_it(void)
{
    print_status("exec from a CLONE_VM child", run_clone(CLONE_VM, executes));
    show_pages("the space stays", area, 8);
}

static int faults(void *arg)
{
    (void)arg;
    signal(SIGSEGV, SIG_DFL);
    *(volatile int *)16 = 0;
    return 0;
}

static void death_in_it(void)
{
    print_status("a fault in a CLONE_VM child", run_clone(CLONE_VM, faults));
    area[0] = 'l';
    printf("its parent lives: %c\n", area[0]);
}

static int grows_by_brk(void *arg)
{
    char *p = sbrk(4 * PAGE);

    (void)arg;
    strcpy(p + 3 * PAGE, "from the heap of the child");
    shared_word = (int)(p + 3 * PAGE);
    return 0;
}

static void heap_is_common(void)
{
    run_clone(CLONE_VM | CLONE_VFORK, grows_by_brk);
    printf("%s\n", (char *)shared_word);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        printf("another program\n");
        return 3;
    }
    catch_faults();
    area = map_anon(8);
    vfork_shares();
    vfork_and_exec();
    vfork_and_failed_exec();
    maps_are_common();
    without_clone_vm();
    fork_from_it();
    exec_from_it();
    death_in_it();
    heap_is_common();
    return 0;
}
