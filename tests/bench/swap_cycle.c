/*
 * Sends pages of its own to swap and takes them back, so many MiB of them; `stay`: does all the
 * rest of it, for what that costs.     swap_cycle MIB go|stay
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE         4096u
#define MADV_PAGEOUT 21

static long swapped_out(void)
{
    FILE *f = fopen("/proc/vmstat", "r");
    char line[80];
    long n = 0;

    while (f && fgets(line, sizeof(line), f))
        sscanf(line, "pswpout %ld", &n);
    return n;
}

int main(int argc, char **argv)
{
    size_t bytes = argc > 2 ? (size_t)atoi(argv[1]) << 20 : 0;
    uint32_t *p, x = 1, sum = 0;
    long before = swapped_out();

    p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!bytes || p == MAP_FAILED)
        return 1;
    for (size_t i = 0; i < bytes / 4; i++)
        p[i] = i % 6 ? 77 : (x = x * 1664525 + 1013904223);
    if (strcmp(argv[2], "go") == 0 && madvise(p, bytes, MADV_PAGEOUT))
        return 1;
    for (size_t i = 0; i < bytes / 4; i += PAGE / 4)
        sum += p[i];
    printf("bench: %ld pages out, sum %u\n", swapped_out() - before, sum);
    return 0;
}
