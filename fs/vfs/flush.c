/*
 * Write-back that nobody asked for: a thread that takes a turn every dirty_writeback_centisecs and
 * writes what has been dirty for dirty_expire_centisecs, and that writes in between when more is
 * dirty than the background threshold (mm/dirty.h). It starts with the first mount or device that
 * is written to.
 *
 * Metadata of file systems that only memory has go with the old data, or when that time has passed.
 */
#include "fs/vfs/internal.h"
#include "kernel/time/time.h"
#include "mm/dirty.h"

static struct waitq kicked;

#define NSEC_PER_CENTISEC 10000000u

static uint64_t centisecs(uint32_t n)
{
    return (uint64_t)n * NSEC_PER_CENTISEC;
}

static void kick(void)
{
    wake_all(&kicked);
}

/* Sleeps until the turn that follows the one at last, or until there is something to write in the
 * background; whether it is a turn. A period of 0: there are none. */
static bool wait_for_turn(uint64_t last)
{
    struct vm_dirty_settings s;
    struct wait_entry e;
    uint64_t next;

    waitq_prepare(&kicked, &e, THREAD_SLEEPING);
    vm_dirty_get(&s);
    next = s.turn_centisecs ? last + centisecs(s.turn_centisecs) : TIME_NEVER;
    schedule_until(next);
    waitq_finish(&e);
    return s.turn_centisecs && time_mono_ns() >= next;
}

/* committed: when metadata were last written. */
static void turn(uint64_t *committed)
{
    struct vm_dirty_settings s;
    uint64_t now = time_mono_ns(), age;
    bool any;

    vm_dirty_get(&s);
    age = centisecs(s.expire_centisecs);
    any = now >= age && vm_write_back_old(now - age);
    if (!any && now - *committed < age)
        return;
    vfs_commit();
    *committed = now;
}

static void flush_main(void *arg)
{
    uint64_t last = time_mono_ns(), committed = last;

    (void)arg;
    for (;;) {
        if (wait_for_turn(last)) {
            last = time_mono_ns();
            turn(&committed);
        }
        vm_write_back_background();
    }
}

void flush_start(void)
{
    static bool started; /* atomic */

    if (__atomic_load_n(&started, __ATOMIC_RELAXED) ||
        __atomic_exchange_n(&started, true, __ATOMIC_SEQ_CST))
        return;
    waitq_init(&kicked);
    vm_dirty_tell(kick);
    if (!kthread_create("flush", flush_main, NULL)) {
        vm_dirty_tell(NULL);
        __atomic_store_n(&started, false, __ATOMIC_SEQ_CST);
    }
}
