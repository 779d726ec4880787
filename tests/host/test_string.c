/* libc/string.c where an object ends at the end of its page: what looks for a byte reads no
 * further. */
#include "libc/string.h"
#include <stdint.h>
#include <sys/mman.h>
#include "tests/host/check.h"

#define PAGE 4096

/* The end of a page behind which there is nothing. */
static char *end_of_page(void)
{
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT(p != MAP_FAILED && mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
    return p + PAGE;
}

TEST(a_byte_is_found_at_the_very_end)
{
    char *end = end_of_page();

    memset(end - 64, 'a', 64);
    for (int at = 1; at <= 16; at++) {
        end[-at] = 'x';
        for (int from = at; from <= 40; from++)
            EXPECT(memchr(end - from, 'x', INT32_MAX) == end - at);
        end[-at] = 'a';
    }
}

TEST(no_byte_behind_n_is_found)
{
    char *end = end_of_page();

    memset(end - 64, 'a', 64);
    for (int n = 0; n <= 40; n++)
        for (int from = n; from <= 60; from++) {
            if (from > n)
                end[-from + n] = 'x';
            EXPECT(memchr(end - from, 'x', (size_t)n) == NULL);
            if (from > n)
                end[-from + n] = 'a';
        }
}

TEST(a_string_at_the_very_end_has_its_length)
{
    char *end = end_of_page();

    memset(end - 64, 'a', 64);
    end[-1] = '\0';
    for (int from = 1; from <= 40; from++) {
        EXPECT_EQ(strnlen(end - from, INT32_MAX), from - 1);
        EXPECT_EQ(strnlen(end - from, 5), from - 1 < 5 ? from - 1 : 5);
    }
}

int main(void)
{
    return run_tests(NULL, NULL);
}
