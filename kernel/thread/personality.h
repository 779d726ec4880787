/* The flags of personality(2) that have an effect. */
#ifndef KERNEL_PERSONALITY_H
#define KERNEL_PERSONALITY_H

#include "kernel/thread/proc.h"

#define UNAME26            0x0020000u /* the release begins with 2.6 */
#define ADDR_NO_RANDOMIZE  0x0040000u
#define MMAP_PAGE_ZERO     0x0100000u /* exec maps page 0, where that is allowed */
#define ADDR_COMPAT_LAYOUT 0x0200000u /* exec: mappings go up from a third of the space */
#define READ_IMPLIES_EXEC  0x0400000u
#define STICKY_TIMEOUTS    0x4000000u /* select does not tell what time is left */
#define PER_CLEAR_ON_SETID 0x0740000u /* what a set-user-ID program does not inherit */

static inline bool personality_has(uint32_t flag)
{
    return proc_current()->personality & flag;
}

#endif
