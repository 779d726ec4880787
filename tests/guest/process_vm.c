/* process_vm_readv and process_vm_writev: what moves, how much of it when not all can, and who may.
 */
#include "guest.h"

static pid_t child;
static int to_child[2], from_child[2];
static char *area; /* the same address in both */

/* A child that holds area and answers: 'q' ends it, any letter gets area[0..3] back. */
static void start_child(void)
{
    char c;

    DIE_UNLESS(pipe(to_child) == 0 && pipe(from_child) == 0);
    child = fork();
    if (child == 0) {
        memset(area, 'c', 4 * PAGE);
        munmap(area + 4 * PAGE, PAGE);
        mprotect(area + 5 * PAGE, PAGE, PROT_READ);
        mprotect(area + 6 * PAGE, PAGE, PROT_NONE);
        DIE_UNLESS(write(from_child[1], "r", 1) == 1);
        while (read(to_child[0], &c, 1) == 1 && c != 'q')
            DIE_UNLESS(write(from_child[1], area, 4) == 4);
        _exit(0);
    }
    DIE_UNLESS(read(from_child[0], &c, 1) == 1);
}

static void ask(void)
{
    char text[5] = "";

    DIE_UNLESS(write(to_child[1], "?", 1) == 1 && read(from_child[0], text, 4) == 4);
    printf("the child has: %s\n", text);
}

static ssize_t get(void *to, size_t n, void *from, size_t m)
{
    struct iovec local = {to, n}, remote = {from, m};

    return process_vm_readv(child, &local, 1, &remote, 1, 0);
}

static ssize_t put(void *from, size_t n, void *to, size_t m)
{
    struct iovec local = {from, n}, remote = {to, m};

    return process_vm_writev(child, &local, 1, &remote, 1, 0);
}

static void whole(void)
{
    char buf[2 * PAGE];

    SHOW(get(buf, 10, area + 5, 10));
    printf("%.10s, mine: %c\n", buf, area[5]);
    SHOW(get(buf, sizeof(buf), area + 100, sizeof(buf)));
    printf("%d\n", all_bytes(buf, sizeof(buf), 'c'));
    SHOW(put("hey!", 4, area, 4));
    ask();
    printf("mine: %c\n", area[0]);
    SHOW(get(buf, 10, area, 20));
    SHOW(get(buf, 20, area, 10));
    SHOW(get(buf, 0, area, 10));
    SHOW(get(buf, 10, area, 0));
    SHOW(get(NULL, 0, NULL, 0));
}

static void many_pieces(void)
{
    char a[3], b[5], c[8];
    struct iovec local[3] = {{a, 3}, {b, 5}, {c, 8}};
    struct iovec remote[4] = {{area + PAGE - 2, 4}, {NULL, 0}, {area, 6}, {area + 2 * PAGE, 6}};

    SHOW(process_vm_readv(child, local, 3, remote, 4, 0));
    printf("%.3s %.5s %.8s\n", a, b, c);
    SHOW(process_vm_readv(child, local, 0, remote, 4, 0));
    SHOW(process_vm_readv(child, local, 3, remote, 0, 0));
    SHOW(process_vm_readv(child, local, 2, remote, 4, 0));
}

static void parts(void)
{
    char buf[3 * PAGE];
    struct iovec local = {buf, 100};
    struct iovec remote[2] = {{area + PAGE, 10}, {area + 4 * PAGE, 10}};

    SHOW(get(buf, 2 * PAGE, area + 3 * PAGE, 2 * PAGE)); /* the hole */
    SHOW(get(buf, 10, area + 4 * PAGE, 10));
    SHOW(process_vm_readv(child, &local, 1, remote, 2, 0));
    SHOW(get(buf, 10, area + 5 * PAGE, 10)); /* read-only */
    SHOW(put(buf, 10, area + 5 * PAGE, 10));
    SHOW(get(buf, 10, area + 6 * PAGE, 10)); /* PROT_NONE */
    SHOW(get(buf, 10, NULL, 10));
    SHOW(get(buf, 10, (void *)-PAGE, 10));
    SHOW(get(NULL, 10, area, 10));
    SHOW(get((void *)-PAGE, 10, area, 10));
    SHOW(put(NULL, 10, area, 10));
    SHOW(put(area + 4 * PAGE, 10, area, 10)); /* mine is there still */
    munmap(area + 4 * PAGE, PAGE);
    SHOW(put(area + 4 * PAGE, 10, area, 10));
    SHOW(get(area + 4 * PAGE - 3, 10, area, 10));
}

static void errors(void)
{
    char buf[10];
    struct iovec v = {buf, 10}, negative = {buf, -1}, bad = {(void *)area, 10};
    pid_t gone = fork();

    if (gone == 0)
        _exit(0);
    DIE_UNLESS(waitpid(gone, NULL, 0) == gone);
    SHOW(process_vm_readv(child, &v, 1, &bad, 1, 1));
    SHOW(process_vm_readv(gone, &v, 1, &bad, 1, 0));
    SHOW(process_vm_readv(-1, &v, 1, &bad, 1, 0));
    SHOW(process_vm_readv(0, &v, 1, &bad, 1, 0));
    SHOW(process_vm_readv(child, &negative, 1, &bad, 1, 0));
    SHOW(process_vm_readv(child, &v, 1, &negative, 1, 0));
    SHOW(process_vm_readv(child, &v, 1025, &bad, 1, 0));
    SHOW(process_vm_readv(child, &v, 1, &bad, 1025, 0));
    SHOW(process_vm_readv(child, NULL, 1, &bad, 1, 0));
    SHOW(process_vm_readv(child, &v, 1, NULL, 1, 0));
    SHOW(process_vm_readv(gone, &v, 1, &v, 0, 0));
    SHOW(process_vm_readv(getpid(), &v, 1, &bad, 1, 0));
}

static void as_nobody(void *arg)
{
    char buf[4];

    (void)arg;
    DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    SHOW(get(buf, 4, area, 4));
    SHOW(put("none", 4, area, 4));
}

int main(void)
{
    area = map_anon(8);
    memset(area, 'p', 8 * PAGE);
    start_child();
    whole();
    many_pieces();
    parts();
    errors();
    if (geteuid() == 0)
        in_child("nobody", as_nobody, NULL);
    ask();
    DIE_UNLESS(write(to_child[1], "q", 1) == 1);
    wait(NULL);
    return 0;
}
