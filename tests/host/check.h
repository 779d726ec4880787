/*
 * The least of a test framework: TEST(name) { ... EXPECT(...) ... }, registered by itself, run in
 * order by run_tests(), which prints one line a test and the closing "N passed, N failed".
 */
#ifndef TESTS_HOST_CHECK_H
#define TESTS_HOST_CHECK_H

#include <stdio.h>
#include <stdlib.h>

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};

extern struct test *tests, **tests_end;
extern int test_failures; /* in the test that runs */

#define TEST(ident)                                                                                \
    static void test_##ident(void);                                                                \
    static struct test entry_##ident = {#ident, test_##ident, NULL};                               \
    __attribute__((constructor)) static void register_##ident(void)                                \
    {                                                                                              \
        *tests_end = &entry_##ident;                                                               \
        tests_end = &entry_##ident.next;                                                           \
    }                                                                                              \
    static void test_##ident(void)

#define EXPECT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond);                     \
            test_failures++;                                                                       \
        }                                                                                          \
    } while (0)

#define EXPECT_EQ(got, want)                                                                       \
    do {                                                                                           \
        long long got_ = (long long)(got), want_ = (long long)(want);                              \
        if (got_ != want_) {                                                                       \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_,       \
                    want_);                                                                        \
            test_failures++;                                                                       \
        }                                                                                          \
    } while (0)

/* Runs every test, or the one that the environment calls ONLY, before and after as given (may be
 * NULL). The exit status. */
int run_tests(void (*before)(void), void (*after)(void));

#endif
