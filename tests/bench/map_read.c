/*
 * Touches every page of a mapped file once: in order, or (random) in an order that no read-ahead
 * could guess, with MADV_RANDOM.     map_read FILE order|random
 */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u

int main(int argc, char **argv)
{
    int fd = argc > 2 ? open(argv[1], O_RDONLY) : -1;
    volatile uint8_t sum = 0;
    struct stat st;
    uint32_t pages;
    uint8_t *p;

    if (fd < 0 || fstat(fd, &st))
        return 1;
    pages = (uint32_t)st.st_size / PAGE; /* a power of two */
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return 1;
    if (strcmp(argv[2], "random") == 0) {
        madvise(p, (size_t)st.st_size, MADV_RANDOM);
        for (uint32_t i = 0; i < pages; i++)
            sum += p[(i * 1031 + 17) % pages * PAGE];
    } else {
        for (uint32_t i = 0; i < pages; i++)
            sum += p[i * PAGE];
    }
    return 0;
}
