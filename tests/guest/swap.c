/*
 * More memory than a small machine has, with contents that compress: private, shared by fork and
 * then written by the child, and shared memory. Everything is still what it was. tests/boot/
 * test_swap.py runs it with compressed swap on 32 MiB; elsewhere it just fits.
 */
#include "guest.h"

#define PAGES 8192u /* 32 MiB */
#define WORDS (PAGE / 4)

static uint32_t *memory;

/* Every fourth word differs from all others, so a page compresses to about a third. */
static uint32_t word(uint32_t page, uint32_t i, uint32_t salt)
{
    return i % 4 ? page : (page * WORDS + i) * 2654435761u ^ salt;
}

static void fill(uint32_t page, uint32_t salt)
{
    for (uint32_t i = 0; i < WORDS; i++)
        memory[page * WORDS + i] = word(page, i, salt);
}

static uint32_t wrong(uint32_t page, uint32_t salt)
{
    uint32_t bad = 0;

    for (uint32_t i = 0; i < WORDS; i++)
        bad += memory[page * WORDS + i] != word(page, i, salt);
    return bad;
}

/* All pages, in an order that jumps. */
static uint32_t wrong_in_all(uint32_t first, uint32_t salt)
{
    uint32_t bad = 0;

    for (uint32_t n = 0, page = 0; n < PAGES; n++, page = (page + 3001) % PAGES) {
        if (page >= first)
            bad += wrong(page, salt);
    }
    return bad;
}

static void exercise(const char *name, int flags)
{
    int status;

    memory = (uint32_t *)map(PAGES * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    for (uint32_t page = 0; page < PAGES; page++)
        fill(page, 1);
    printf("%s: %u words wrong\n", name, wrong_in_all(0, 1));
    if (fork() == 0) {
        for (uint32_t page = 0; page < PAGES / 8; page++)
            fill(page, 2);
        printf("%s, child: %u words wrong\n", name, wrong_in_all(PAGES / 8, 1));
        _exit(0);
    }
    DIE_UNLESS(wait(&status) > 0 && status == 0);
    for (uint32_t page = 0; page < PAGES / 8; page++)
        DIE_UNLESS(wrong(page, flags & MAP_SHARED ? 2 : 1) == 0);
    printf("%s, after it: %u words wrong\n", name, wrong_in_all(PAGES / 8, 1));
    munmap(memory, PAGES * PAGE);
}

int main(void)
{
    exercise("private", MAP_PRIVATE);
    exercise("shared", MAP_SHARED);
    return 0;
}
