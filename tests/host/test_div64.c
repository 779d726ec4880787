/* Division of 64-bit numbers as the kernel does it: quotient and rest, checked by multiplication.
 */
#include <stdbool.h>
#include <stdint.h>
#include "tests/host/check.h"

uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *rest);
int64_t __divdi3(int64_t n, int64_t d);
int64_t __moddi3(int64_t n, int64_t d);

static bool divides(uint64_t n, uint64_t d)
{
    uint64_t rest, quotient = __udivmoddi4(n, d, &rest);

    return rest < d && quotient * d + rest == n &&
           (quotient >> 32 == 0 || (uint32_t)(quotient >> 32) * (d >> 32) == 0);
}

/* Around every power of two, where carries and estimates go wrong. */
TEST(borders)
{
    unsigned bad = 0;

    for (unsigned i = 0; i < 64; i++) {
        for (unsigned j = 0; j < 64; j++) {
            for (int di = -2; di <= 2; di++) {
                for (int dj = -2; dj <= 2; dj++) {
                    uint64_t n = (1ull << i) + (uint64_t)di, d = (1ull << j) + (uint64_t)dj;
                    bad += d != 0 && !divides(n, d);
                }
            }
        }
    }
    EXPECT(bad == 0);
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Of every length; every third dividend is next to a multiple of the divisor. */
TEST(random_numbers)
{
    uint64_t state = 88172645463325252ull;
    unsigned bad = 0;

    for (unsigned i = 0; i < 200000; i++) {
        uint64_t n = next(&state) >> next(&state) % 64, d = next(&state) >> next(&state) % 64;
        if (i % 3 == 0)
            n = d * (next(&state) >> next(&state) % 64) - (i & 1);
        bad += d != 0 && !divides(n, d);
    }
    EXPECT(bad == 0);
}

/* C rounds towards zero, and the rest has the dividend's sign. */
TEST(signs)
{
    EXPECT(__divdi3(7, 2) == 3 && __moddi3(7, 2) == 1);
    EXPECT(__divdi3(-7, 2) == -3 && __moddi3(-7, 2) == -1);
    EXPECT(__divdi3(7, -2) == -3 && __moddi3(7, -2) == 1);
    EXPECT(__divdi3(-7, -2) == 3 && __moddi3(-7, -2) == -1);
    EXPECT(__divdi3(INT64_MIN, 1) == INT64_MIN && __moddi3(INT64_MIN, 3) == -2);
    EXPECT(__divdi3(INT64_MIN, INT64_MIN) == 1);
}

int main(void)
{
    return run_tests(NULL, NULL);
}
