/* Shared anonymous memory: one set of pages for the whole family. */
#include "guest.h"

static char *shared(size_t pages)
{
    return map(pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void both_ways(void)
{
    char *p = shared(4);

    strcpy(p, "parent wrote");
    if (fork() == 0) {
        printf("child reads: %s\n", p);
        strcpy(p, "child wrote");
        strcpy(p + 3 * PAGE, "a page touched after the fork");
        _exit(0);
    }
    wait(NULL);
    printf("parent reads: %s\n", p);
    printf("parent reads: %s\n", p + 3 * PAGE);
    printf("zero elsewhere: %d\n", all_bytes(p + PAGE, 2 * PAGE, 0));
}

static void counter(void)
{
    int *count = (int *)shared(1);

    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            for (int j = 0; j < 1000; j++)
                __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("count %d\n", *count);
}

static void parts(void)
{
    char *p = shared(6);

    catch_faults();
    for (int i = 0; i < 6; i++)
        p[i * PAGE] = 'a' + i;
    munmap(p + 2 * PAGE, PAGE);
    mprotect(p + 4 * PAGE, PAGE, PROT_READ);
    if (fork() == 0) {
        PROBE_READ(p + 2 * PAGE);
        PROBE_READ(p + 3 * PAGE);
        PROBE_WRITE(p + 4 * PAGE);
        PROBE_WRITE(p + 5 * PAGE);
        mprotect(p + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE);
        PROBE_WRITE(p + 4 * PAGE);
        _exit(0);
    }
    wait(NULL);
    PROBE_READ(p + 4 * PAGE);
    PROBE_READ(p + 5 * PAGE);
    PROBE_WRITE(p + 4 * PAGE);
}

/* Private and shared memory side by side in one family. */
static void beside_private(void)
{
    char *s = shared(1), *p = map_anon(1);

    *s = *p = '1';
    if (fork() == 0) {
        if (fork() == 0) {
            *s = *p = '3';
            _exit(0);
        }
        wait(NULL);
        printf("middle: shared %c private %c\n", *s, *p);
        _exit(0);
    }
    wait(NULL);
    printf("top: shared %c private %c\n", *s, *p);
}

static void outlives_its_maker(void)
{
    char *p = shared(2);
    int fds[2];
    char c;

    DIE_UNLESS(pipe(fds) == 0);
    strcpy(p, "still here");
    if (fork() == 0) {
        close(fds[0]);
        if (fork() == 0) {
            usleep(20000);
            printf("grandchild reads: %s\n", p);
            strcpy(p + PAGE, "answer");
            _exit(0);
        }
        _exit(0);
    }
    close(fds[1]);
    wait(NULL);
    DIE_UNLESS(read(fds[0], &c, 1) == 0);
    printf("parent reads: %s\n", p + PAGE);
}

int main(void)
{
    both_ways();
    counter();
    parts();
    beside_private();
    outlives_its_maker();
    return 0;
}
