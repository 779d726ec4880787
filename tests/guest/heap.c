/* brk and sbrk: growing, shrinking, odd values; a fresh page is zero even if it was there before.
 */
#include "guest.h"

static uintptr_t raw_brk(uintptr_t to)
{
    return syscall(SYS_brk, to);
}

static void fresh_pages_are_zero(void)
{
    char *start = sbrk(0), *aligned;

    aligned = (char *)(((uintptr_t)start + PAGE - 1) & -PAGE);
    DIE_UNLESS(brk(aligned + 8 * PAGE) == 0);
    printf("zero at first: %d\n", all_bytes(aligned, 8 * PAGE, 0));
    memset(aligned, 'x', 8 * PAGE);
    DIE_UNLESS(brk(aligned + 2 * PAGE) == 0);
    printf("kept below: %d\n", all_bytes(aligned, 2 * PAGE, 'x'));
    PROBE_READ(aligned + 2 * PAGE);
    DIE_UNLESS(brk(aligned + 8 * PAGE) == 0);
    printf("zero again: %d\n", all_bytes(aligned + 2 * PAGE, 6 * PAGE, 0));
    printf("still kept: %d\n", all_bytes(aligned, 2 * PAGE, 'x'));
    DIE_UNLESS(brk(aligned) == 0);
}

/* Within one page the bytes past the break stay, as Linux has it. */
static void within_a_page(void)
{
    char *p = (char *)(((uintptr_t)sbrk(0) + PAGE - 1) & -PAGE);

    DIE_UNLESS(brk(p + 100) == 0);
    memset(p, 'y', 200);
    DIE_UNLESS(brk(p + 50) == 0);
    DIE_UNLESS(brk(p + 200) == 0);
    printf("partial page: %c %c\n", p[49], p[150]);
    PROBE_WRITE(p + PAGE - 1);
    PROBE_WRITE(p + PAGE);
    DIE_UNLESS(brk(p) == 0);
}

static void odd_values(void)
{
    uintptr_t now = raw_brk(0);

    printf("zero asks: %d\n", raw_brk(0) == now);
    printf("one: %d\n", raw_brk(1) == now);
    printf("below the start: %d\n", raw_brk(0x1000) == now);
    printf("into the kernel: %d\n", raw_brk(0xfffff000) == now);
    printf("all ones: %d\n", raw_brk(-1) == now);
    printf("one byte more: %d\n", raw_brk(now + 1) == now + 1);
    printf("and back: %d\n", raw_brk(now) == now);
}

/* The heap does not grow into a mapping that is in its way. */
static void into_a_mapping(void)
{
    char *p = (char *)(((uintptr_t)sbrk(0) + PAGE - 1) & -PAGE);
    char *obstacle = mmap(p + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    DIE_UNLESS(obstacle == p + 8 * PAGE);
    strcpy(obstacle, "obstacle");
    TRY(brk(p + 4 * PAGE));
    TRY(brk(p + 9 * PAGE));
    TRY(brk(p + 32 * PAGE));
    printf("obstacle: %s\n", obstacle);
    munmap(obstacle, PAGE);
    TRY(brk(p + 32 * PAGE));
    TRY(brk(p));
}

static void data_limit(void)
{
    struct rlimit limit = {1 << 20, RLIM_INFINITY};
    char *p = sbrk(0);

    DIE_UNLESS(setrlimit(RLIMIT_DATA, &limit) == 0);
    TRY(brk(p + (4 << 20)));
    limit.rlim_cur = RLIM_INFINITY;
    DIE_UNLESS(setrlimit(RLIMIT_DATA, &limit) == 0);
    TRY(brk(p + (4 << 20)));
    TRY(brk(p));
}

static void in_the_child(void *arg)
{
    char *p = sbrk(PAGE * 4);

    DIE_UNLESS(p == arg);
    memset(p, 'c', PAGE * 4);
    printf("child's heap: %d\n", all_bytes(p, PAGE * 4, 'c'));
}

static void across_fork(void)
{
    char *p = sbrk(0);

    in_child("heap of a child", in_the_child, p);
    printf("parent's break unmoved: %d\n", sbrk(0) == p);
    DIE_UNLESS(sbrk(PAGE * 4) == p);
    printf("parent's pages are its own: %d\n", all_bytes(p, PAGE * 4, 0));
}

static void use_malloc(void)
{
    char *blocks[200];
    unsigned sum = 0;

    for (int i = 0; i < 200; i++) {
        DIE_UNLESS((blocks[i] = malloc(i * 97 + 1)));
        memset(blocks[i], i, i * 97 + 1);
    }
    for (int i = 0; i < 200; i += 2)
        free(blocks[i]);
    for (int i = 1; i < 200; i += 2)
        for (int j = 0; j < i * 97 + 1; j++)
            sum += (unsigned char)blocks[i][j];
    printf("malloc sum %u\n", sum);
}

int main(void)
{
    catch_faults();
    fresh_pages_are_zero();
    within_a_page();
    odd_values();
    into_a_mapping();
    data_limit();
    across_fork();
    use_malloc();
    return 0;
}
