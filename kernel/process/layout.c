/*
 * Where the parts of a new program lie. Each is moved by an amount of its own that nobody can
 * foresee, so that a program's mistake does not tell an attacker where to jump: the stack down, the
 * mappings below it, a position-independent program up, the heap away from the program's end.
 *
 * Off by norandmaps on the command line, /proc/sys/kernel/randomize_va_space, personality(2). The
 * old layout, mappings upwards, is for who asks by personality or /proc/sys/vm/legacy_va_layout.
 */
#include "kernel/base/boot.h"
#include "kernel/machine/random.h"
#include "kernel/process/exec.h"
#include "kernel/thread/personality.h"

#define STACK_RANGE   (8u << 20) /* as Linux i386 */
#define STACK_ALIGN   16u        /* [i386 ABI] */
#define STACK_WITHIN  (8u << 10) /* beyond the pages, in steps of STACK_ALIGN */
#define MMAP_RANGE    (8u << 20)
#define PROGRAM_RANGE (8u << 20)
#define BRK_RANGE     (32u << 20) /* as Linux i386 */

/* A multiple of step below range; both are powers of two. */
static uint32_t random_offset(uint32_t range, uint32_t step)
{
    uint32_t r;

    random_bytes(&r, sizeof(r));
    return r & (range - 1) & ~(step - 1);
}

void layout_choose(struct layout *l, uint32_t personality)
{
    uint32_t level = personality & ADDR_NO_RANDOMIZE ? RANDOMIZE_NOTHING : randomize_va_space;

    *l = (struct layout){
        .stack_top = STACK_TOP,
        .upwards = (personality & ADDR_COMPAT_LAYOUT) || legacy_va_layout,
    };
    if (level == RANDOMIZE_NOTHING)
        return;
    l->stack_top -= random_offset(STACK_RANGE, PAGE_SIZE);
    l->stack_within = random_offset(STACK_WITHIN, STACK_ALIGN);
    l->mmap_shift = random_offset(MMAP_RANGE, PAGE_SIZE);
    if (!l->upwards)
        l->mmap_shift += STACK_TOP - l->stack_top;
    l->program = random_offset(PROGRAM_RANGE, PAGE_SIZE);
    if (level >= RANDOMIZE_BRK)
        l->brk = random_offset(BRK_RANGE, PAGE_SIZE);
}
