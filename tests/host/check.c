/* The runner behind check.h. */
#include "tests/host/check.h"
#include <string.h>

struct test *tests, **tests_end = &tests;
int test_failures;

int run_tests(void (*before)(void), void (*after)(void))
{
    const char *only = getenv("ONLY");
    int passed = 0, failed = 0;

    for (const struct test *t = tests; t; t = t->next) {
        if (only && strcmp(only, t->name) != 0)
            continue;
        test_failures = 0;
        if (before)
            before();
        t->run();
        if (after)
            after();
        printf("%s %s\n", test_failures ? "FAIL" : "ok  ", t->name);
        *(test_failures ? &failed : &passed) += 1;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
