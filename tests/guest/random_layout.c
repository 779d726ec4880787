/* Where a program's parts lie is left to chance, unless personality(2) says otherwise. */
#include <sys/personality.h>
#include "guest.h"

#define RUNS 8

struct places {
    uintptr_t stack, mapping, heap;
};

/* As the program that is run: tells where it lies. */
static int tell(void)
{
    int here;
    struct places p = {.stack = (uintptr_t)&here, .heap = (uintptr_t)sbrk(0)};

    p.mapping = (uintptr_t)mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return write(1, &p, sizeof(p)) == sizeof(p) ? 0 : 1;
}

static struct places places_of_a_run(void)
{
    struct places p = {0};
    int fds[2], status;
    pid_t pid;

    DIE_UNLESS(pipe(fds) == 0);
    pid = fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        execl("/proc/self/exe", "tell", NULL);
        _exit(50);
    }
    close(fds[1]);
    DIE_UNLESS(read(fds[0], &p, sizeof(p)) == sizeof(p));
    close(fds[0]);
    DIE_UNLESS(waitpid(pid, &status, 0) == pid && status == 0);
    return p;
}

static void several_runs(const char *what)
{
    struct places first = places_of_a_run();
    bool stack = false, mapping = false, heap = false, aligned = !(first.mapping % PAGE);

    for (int i = 0; i < RUNS; i++) {
        struct places p = places_of_a_run();

        stack |= p.stack != first.stack;
        mapping |= p.mapping != first.mapping;
        heap |= p.heap != first.heap;
        aligned &= !(p.mapping % PAGE);
    }
    printf("%s: stack %s, mappings %s, heap %s, %s\n", what, stack ? "moves" : "stays",
           mapping ? "move" : "stay", heap ? "moves" : "stays", aligned ? "aligned" : "misaligned");
}

int main(int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "tell") == 0)
        return tell();
    several_runs("by default");
    DIE_UNLESS(personality(ADDR_NO_RANDOMIZE) != -1);
    printf("personality %x\n", (unsigned)personality(0xffffffff));
    several_runs("with ADDR_NO_RANDOMIZE");
    DIE_UNLESS(personality(0) != -1);
    several_runs("by default again");
    return 0;
}
