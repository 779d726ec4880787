/* After fork each side sees its own memory, whoever writes first, at any depth. */
#include "guest.h"

static char data_page[PAGE * 2] = "data";
static char bss_page[PAGE * 2];

static void both_write(void)
{
    char *heap = malloc(PAGE * 4), stack[PAGE];
    char *anon = map_anon(4);
    int gate[2], status;
    pid_t pid;
    char c;

    strcpy(heap, "heap");
    strcpy(stack, "stack");
    strcpy(anon, "anon");
    strcpy(bss_page, "bss");
    DIE_UNLESS(pipe(gate) == 0);
    pid = fork();
    if (pid == 0) {
        printf("child sees %s %s %s %s %s\n", heap, stack, anon, data_page, bss_page);
        strcpy(heap, "HEAP");
        strcpy(stack, "STACK");
        strcpy(anon, "ANON");
        strcpy(data_page, "DATA");
        strcpy(bss_page, "BSS");
        printf("child has %s %s %s %s %s\n", heap, stack, anon, data_page, bss_page);
        _exit(write(gate[1], "x", 1) != 1 || read(gate[0], &c, 0) != 0);
    }
    DIE_UNLESS(read(gate[0], &c, 1) == 1);
    printf("parent sees %s %s %s %s %s\n", heap, stack, anon, data_page, bss_page);
    waitpid(pid, &status, 0);
    print_status("child", status);
    strcpy(heap, "mine");
    printf("parent writes after the child is gone: %s\n", heap);
}

static void parent_first(void)
{
    int to_child[2], status;
    char *p = map_anon(8), c;
    pid_t pid;

    for (int i = 0; i < 8; i++)
        p[i * PAGE] = 'a' + i;
    DIE_UNLESS(pipe(to_child) == 0);
    pid = fork();
    if (pid == 0) {
        close(to_child[1]);
        DIE_UNLESS(read(to_child[0], &c, 1) == 1);
        for (int i = 0; i < 8; i++)
            putchar(p[i * PAGE]);
        putchar('\n');
        _exit(0);
    }
    for (int i = 0; i < 8; i += 2)
        p[i * PAGE] = 'A' + i;
    DIE_UNLESS(write(to_child[1], "x", 1) == 1);
    waitpid(pid, &status, 0);
    for (int i = 0; i < 8; i++)
        putchar(p[i * PAGE]);
    putchar('\n');
}

/* A page that three generations share; each writes its own mark and only sees its own. */
static void generations(int depth, char *p)
{
    int status;
    pid_t pid;

    p[depth] = '0' + depth;
    if (depth == 5) {
        printf("deepest: %s\n", p);
        return;
    }
    pid = fork();
    if (pid == 0) {
        generations(depth + 1, p);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    printf("depth %d: %s\n", depth, p);
}

/* Pages first touched after the fork, and a page only read before it. */
static void untouched(void)
{
    char *p = map_anon(3);
    int status;
    pid_t pid;

    printf("read before: %d\n", p[0]);
    pid = fork();
    if (pid == 0) {
        p[0] = 1;
        p[PAGE] = 2;
        printf("child: %d %d %d\n", p[0], p[PAGE], p[2 * PAGE]);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    printf("parent: %d %d %d\n", p[0], p[PAGE], p[2 * PAGE]);
}

/* The child changes the map; the parent's stays. */
static void maps_are_apart(void)
{
    char *p = map_anon(4);

    catch_faults();
    memset(p, 'm', 4 * PAGE);
    if (fork() == 0) {
        munmap(p + PAGE, PAGE);
        mprotect(p + 2 * PAGE, PAGE, PROT_READ);
        PROBE_READ(p + PAGE);
        PROBE_WRITE(p + 2 * PAGE);
        _exit(0);
    }
    wait(NULL);
    PROBE_READ(p + PAGE);
    PROBE_WRITE(p + 2 * PAGE);
}

/* Read-only sharing survives an mprotect to read-only and back. */
static void protect_shared(void)
{
    char *p = map_anon(1);

    *p = 'p';
    if (fork() == 0) {
        mprotect(p, PAGE, PROT_READ);
        mprotect(p, PAGE, PROT_READ | PROT_WRITE);
        *p = 'q';
        printf("child wrote %c\n", *p);
        _exit(0);
    }
    wait(NULL);
    printf("parent has %c\n", *p);
}

/* A private file page, changed before the fork. */
static void private_file(void)
{
    int fd = make_file("private", 2 * PAGE);
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), byte;

    *p = 'X';
    if (fork() == 0) {
        printf("child: %c %c\n", p[0], p[PAGE]);
        p[0] = 'Y';
        p[PAGE] = 'Z';
        _exit(0);
    }
    wait(NULL);
    printf("parent: %c %c\n", p[0], p[PAGE]);
    DIE_UNLESS(pread(fd, &byte, 1, 0) == 1);
    printf("file: %c\n", byte);
}

static void many_children(void)
{
    char *p = map_anon(16);

    memset(p, 'k', 16 * PAGE);
    for (int i = 0; i < 16; i++)
        if (fork() == 0) {
            memset(p + i * PAGE, 'A' + i, PAGE);
            for (int j = 0; j < 16; j++)
                if (!all_bytes(p + j * PAGE, PAGE, j == i ? 'A' + i : 'k'))
                    printf("child %d: page %d is wrong\n", i, j);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("parent intact: %d\n", all_bytes(p, 16 * PAGE, 'k'));
}

int main(void)
{
    char line[PAGE] = {0};

    both_write();
    parent_first();
    generations(0, line);
    untouched();
    maps_are_apart();
    protect_shared();
    private_file();
    many_children();
    return 0;
}
