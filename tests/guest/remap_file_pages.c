/* remap_file_pages, as Linux emulates it: a shared mapping's pages shown in another order. */
#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)

int main(void)
{
    int fd = make_file("f", 8 * PAGE);
    char *p = map(8 * PAGE, RW, MAP_SHARED, fd, 0), *q, *anon;

    catch_faults();
    SHOW(remap_file_pages(p, PAGE, 0, 5, 0));
    SHOW(remap_file_pages(p + 2 * PAGE, 2 * PAGE, 0, 0, 0));
    show_pages("another order", p, 8);
    p[2 * PAGE] = 'W';
    show_pages("the same frames", p, 8);
    SHOW(remap_file_pages(p + 4 * PAGE, 100, 0, 1, 0)); /* less than a page */
    SHOW(remap_file_pages(p + 4 * PAGE + 1, PAGE, 0, 1, 0));
    show_pages("rounded down", p, 8);
    SHOW(remap_file_pages(p + 6 * PAGE, PAGE, 0, 100, 0));
    show_pages("past the end", p, 8);
    SHOW(remap_file_pages(p, PAGE, PROT_READ, 0, 0));
    SHOW(remap_file_pages(p, 0, 0, 0, 0));
    SHOW(remap_file_pages(p, -PAGE, 0, 0, 0));
    SHOW(remap_file_pages((void *)(16 * PAGE), PAGE, 0, 0, 0));
    q = map(2 * PAGE, RW, MAP_PRIVATE, fd, 0);
    SHOW(remap_file_pages(q, PAGE, 0, 1, 0));
    anon = map_anon(2);
    SHOW(remap_file_pages(anon, PAGE, 0, 1, 0));
    anon = map(2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strcpy(anon, "0");
    strcpy(anon + PAGE, "1");
    SHOW(remap_file_pages(anon, PAGE, 0, 1, 0));
    show_pages("shared memory", anon, 2);
    q = map(4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    SHOW(remap_file_pages(q, PAGE, 0, 3, 0));
    show_pages("read-only", q, 4);
    PROBE_WRITE(q);
    close(fd);
    return 0;
}
