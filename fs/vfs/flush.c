/*
 * Periodic write-back: a thread that syncs all mounts and devices every so often, so that a power
 * cut loses seconds of work at most. It starts with the first mount that can be written to.
 *
 * What is dirty goes at each turn, however young: that is within what dirty_expire_centisecs
 * promises.
 */
#include "fs/block/block.h"
#include "fs/block/file.h"
#include "fs/vfs/internal.h"
#include "kernel/base/panic.h"
#include "kernel/time/time.h"

#define NSEC_PER_CENTISEC 10000000u
#define LOOK_CENTISECS    50u /* how long a change of the period may go unseen */

uint32_t flush_centisecs = 500;

/* Sleeps for the period; it may change meanwhile. 0: for ever. */
static void wait_for_turn(void)
{
    uint64_t start = time_mono_ns();

    for (;;) {
        uint32_t period = __atomic_load_n(&flush_centisecs, __ATOMIC_RELAXED);
        uint64_t now = time_mono_ns();

        if (period && now - start >= (uint64_t)period * NSEC_PER_CENTISEC)
            return;
        thread_current()->state = THREAD_SLEEPING;
        schedule_until(now + (uint64_t)LOOK_CENTISECS * NSEC_PER_CENTISEC);
    }
}

static void flush_main(void *arg)
{
    (void)arg;
    for (;;) {
        wait_for_turn();
        vfs_sync();
        block_sync_all();
    }
}

void flush_start(void)
{
    static bool started; /* [mount_lock] */

    if (started)
        return;
    started = kthread_create("flush", flush_main, NULL) != NULL;
}
