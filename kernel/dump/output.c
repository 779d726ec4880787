/* A core file as it grows: bytes are collected in a page, holes are left where they can be. */
#include "kernel/dump/dump.h"
#include "kernel/thread/proc.h"
#include "libc/string.h"

static void flush(struct core_output *o)
{
    uint32_t done = 0;

    while (!o->failed && done < o->used) {
        long n = fatal_signal_pending()
                     ? -1
                     : o->file->ops->write_kernel(o->file, o->page + done, o->used - done, &o->at);

        if (n <= 0)
            o->failed = true;
        else
            done += (uint32_t)n;
        sched_point();
    }
    o->used = 0;
}

void core_emit(struct core_output *o, const void *data, uint32_t n)
{
    const uint8_t *from = data;

    if (o->written + n > o->limit)
        o->failed = true;
    while (!o->failed && n) {
        uint32_t room = PAGE_SIZE - o->used, part = n < room ? n : room;

        memcpy(o->page + o->used, from, part);
        o->used += part;
        o->written += part;
        from += part;
        n -= part;
        o->skipped = false;
        if (o->used == PAGE_SIZE)
            flush(o);
    }
}

void core_skip(struct core_output *o, uint32_t n)
{
    flush(o);
    o->at += n;
    o->skipped = o->skipped || n;
    sched_point();
    if (fatal_signal_pending())
        o->failed = true;
}

void core_align(struct core_output *o, uint32_t unit)
{
    static const uint8_t zeros[64];
    uint32_t n = -(uint32_t)(o->at + o->used) % unit;

    for (uint32_t part; n && !o->failed; n -= part) {
        part = n < sizeof(zeros) ? n : sizeof(zeros);
        core_emit(o, zeros, part);
    }
}

void core_finish(struct core_output *o)
{
    flush(o);
    if (o->skipped && !o->failed) {
        o->at--;
        core_emit(o, "", 1);
        flush(o);
    }
}
