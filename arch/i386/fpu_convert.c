/*
 * Between the two layouts of x87 state: FXSAVE, and the 108 bytes of FSAVE that i387 signal frames
 * have. They differ in the tag word (FXSAVE only says which registers are in use, FSAVE also what
 * kind of value each holds) and in how far apart the registers are. [SDM 1 8.1.10, 10.5.1]
 */
#include "arch/thread.h"
#include "libc/string.h"

struct fsave {
    uint32_t cwd, swd, twd, fip, fcs, foo, fos;
    uint8_t st[8][10];
};
_Static_assert(sizeof(struct fsave) == 108, "FSAVE");

struct fxsave {
    uint16_t cwd, swd;
    uint8_t twd, reserved;
    uint16_t fop;
    uint32_t fip;
    uint16_t fcs, reserved2;
    uint32_t foo;
    uint16_t fos, reserved3;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16];
    uint8_t xmm[8][16];
    uint8_t rest[224];
};
_Static_assert(sizeof(struct fxsave) == 512, "FXSAVE");

#define ALL_EMPTY 0xffffu

enum tag { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static enum tag tag_of(const uint8_t st[10])
{
    uint64_t significand;
    uint16_t exponent;

    memcpy(&significand, st, 8);
    memcpy(&exponent, st + 8, 2);
    exponent &= 0x7fff;
    if (exponent == 0 && significand == 0)
        return TAG_ZERO;
    if (exponent == 0 || exponent == 0x7fff || !(significand >> 63))
        return TAG_SPECIAL;
    return TAG_VALID;
}

/* st[i] is register (top + i) mod 8; the tag word goes by register. */
static uint32_t full_tags(const struct fxsave *fx)
{
    unsigned top = (fx->swd >> 11) & 7;
    uint32_t tags = 0;

    if (fx->twd == 0) /* the rule: programs use SSE */
        return ALL_EMPTY;
    for (unsigned reg = 0; reg < 8; reg++) {
        enum tag tag = TAG_EMPTY;
        if (fx->twd & (1u << reg))
            tag = tag_of(fx->st[(reg - top) & 7]);
        tags |= (uint32_t)tag << (2 * reg);
    }
    return tags;
}

void fpu_fxsave_to_fsave(void *fsave108, const void *fxsave512)
{
    const struct fxsave *fx = fxsave512;
    struct fsave f = {
        .cwd = fx->cwd | 0xffff0000u,
        .swd = fx->swd | 0xffff0000u,
        .twd = full_tags(fx) | 0xffff0000u,
        .fip = fx->fip,
        .fcs = fx->fcs | (uint32_t)fx->fop << 16,
        .foo = fx->foo,
        .fos = fx->fos | 0xffff0000u,
    };

    for (unsigned i = 0; i < 8; i++)
        memcpy(f.st[i], fx->st[i], 10);
    memcpy(fsave108, &f, sizeof(f));
}

/* Only the x87 part of fxsave512 changes. */
void fpu_fsave_to_fxsave(void *fxsave512, const void *fsave108)
{
    struct fxsave *fx = fxsave512;
    struct fsave f;

    memcpy(&f, fsave108, sizeof(f));
    fx->cwd = (uint16_t)f.cwd;
    fx->swd = (uint16_t)f.swd;
    fx->twd = 0;
    if ((f.twd & ALL_EMPTY) != ALL_EMPTY)
        for (unsigned reg = 0; reg < 8; reg++)
            if (((f.twd >> (2 * reg)) & 3) != TAG_EMPTY)
                fx->twd |= (uint8_t)(1u << reg);
    fx->reserved = 0;
    fx->fop = (uint16_t)(f.fcs >> 16);
    fx->fip = f.fip;
    fx->fcs = (uint16_t)f.fcs;
    fx->foo = f.foo;
    fx->fos = (uint16_t)f.fos;
    for (unsigned i = 0; i < 8; i++)
        memcpy(fx->st[i], f.st[i], 10);
}
