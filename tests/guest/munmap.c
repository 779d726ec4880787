/* munmap: over holes, in the middle, unaligned, wrapping; what is left keeps its pages. */
#include "guest.h"

#define show(p, pages) show_pages("pages", p, pages)

int main(void)
{
    char *p = letters(12);

    catch_faults();
    TRY(munmap(p + 5 * PAGE, PAGE));
    show(p, 12);
    TRY(munmap(p + 4 * PAGE, 3 * PAGE));
    show(p, 12);
    TRY(munmap(p + 4 * PAGE, 3 * PAGE));
    TRY(munmap(p + 10 * PAGE, 1));
    show(p, 12);
    TRY(munmap(p, PAGE + 1));
    show(p, 12);
    TRY(munmap(p + 1, PAGE));
    TRY(munmap(p, 0));
    TRY(munmap(p, -PAGE));
    TRY(munmap(p, -1));
    TRY(munmap((void *)0xfffff000, PAGE));
    TRY(munmap((void *)0xfffff000, 2 * PAGE));
    TRY(munmap((void *)PAGE, PAGE));
    show(p, 12);
    TRY(munmap(p, 12 * PAGE));
    show(p, 12);

    p = letters(8);
    mprotect(p + 3 * PAGE, 2 * PAGE, PROT_READ);
    TRY(munmap(p + 2 * PAGE, 2 * PAGE));
    show(p, 8);
    PROBE_WRITE(p + 4 * PAGE);
    PROBE_WRITE(p + 5 * PAGE);

    /* A hole is filled again with zero pages. */
    DIE_UNLESS(mmap(p + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 2 * PAGE);
    show(p, 8);

    /* Many pieces. */
    p = map_anon(512);
    memset(p, 'z', 512 * PAGE);
    for (int i = 0; i < 512; i += 2)
        DIE_UNLESS(munmap(p + i * PAGE, PAGE) == 0);
    show(p, 8);
    show(p + 504 * PAGE, 8);
    TRY(munmap(p, 512 * PAGE));
    show(p + 252 * PAGE, 8);
    return 0;
}
