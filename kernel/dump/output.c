/* A core file as it grows: bytes are collected in a page, holes are left where they can be. */
#include "fs/event/pipe.h"
#include "kernel/dump/dump.h"
#include "kernel/thread/proc.h"
#include "libc/string.h"

static long write_some(struct core_output *o, const uint8_t *data, uint32_t n)
{
    if (!o->pipe)
        return o->file->ops->write_kernel(o->file, data, n, &o->at);
    if (pipe_write_page(o->file, data, n))
        return -1;
    o->at += n;
    return (long)n;
}

static void flush(struct core_output *o)
{
    uint32_t done = 0;

    while (!o->failed && done < o->used) {
        long n = fatal_signal_pending() ? -1 : write_some(o, o->page + done, o->used - done);

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

static void emit_zeros(struct core_output *o, uint32_t n)
{
    static const uint8_t zeros[64];

    for (uint32_t part; n && !o->failed; n -= part) {
        part = n < sizeof(zeros) ? n : sizeof(zeros);
        core_emit(o, zeros, part);
    }
}

void core_skip(struct core_output *o, uint32_t n)
{
    if (o->pipe) {
        emit_zeros(o, n);
        return;
    }
    flush(o);
    o->at += n;
    o->skipped = o->skipped || n;
    sched_point();
    if (fatal_signal_pending())
        o->failed = true;
}

void core_align(struct core_output *o, uint32_t unit)
{
    emit_zeros(o, -(uint32_t)(o->at + o->used) % unit);
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
