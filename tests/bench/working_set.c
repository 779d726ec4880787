/*
 * Uses every cache line of so many MiB, so many times.     working_set MIB ROUNDS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
    size_t words = argc > 2 ? (size_t)atoi(argv[1]) << 18 : 0;
    uint32_t sum = 0, *p;

    p = mmap(NULL, words * 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!words || p == MAP_FAILED)
        return 1;
    for (int round = 0; round < atoi(argv[2]); round++) {
        for (size_t i = 0; i < words; i += 16)
            sum += p[i]++;
    }
    printf("bench: sum %u\n", sum);
    return 0;
}
