/* Tables of words, most of which are 0. */
#ifndef LIBC_WORDS_H
#define LIBC_WORDS_H

#include <stdint.h>

/* Whether one of the eight words from p on is not 0. */
#define any_of_eight(p)                                                                            \
    ((uintptr_t)(p)[0] | (uintptr_t)(p)[1] | (uintptr_t)(p)[2] | (uintptr_t)(p)[3] |               \
     (uintptr_t)(p)[4] | (uintptr_t)(p)[5] | (uintptr_t)(p)[6] | (uintptr_t)(p)[7])

/* The first word of [from, end) that is not 0, or end. Words are numbers or pointers. */
#define first_used(from, end)                                                                      \
    ({                                                                                             \
        __typeof__(from) at_ = (from);                                                             \
        if (at_ < (end) && !*at_) {                                                                \
            while ((end)-at_ > 8 && !any_of_eight(at_))                                            \
                at_ += 8;                                                                          \
            while (at_ < (end) && !*at_)                                                           \
                at_++;                                                                             \
        }                                                                                          \
        at_;                                                                                       \
    })

#endif
