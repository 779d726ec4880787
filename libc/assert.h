/*
 * Assertions. KASSERT is always compiled in; DEBUG_ASSERT only in debug builds
 * (CONFIG_DEBUG), for checks too dear for every run. Each environment (kernel,
 * host tests) supplies assert_failed().
 */
#ifndef LIBC_ASSERT_H
#define LIBC_ASSERT_H

_Noreturn void assert_failed(const char *expr, const char *file, int line);

#define KASSERT(cond)                                                                              \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                          \
            assert_failed(#cond, __FILE__, __LINE__);                                              \
    } while (0)

#ifdef CONFIG_DEBUG
#define DEBUG_ASSERT(cond) KASSERT(cond)
#else
#define DEBUG_ASSERT(cond) ((void)0)
#endif

#endif
