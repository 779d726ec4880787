/*
 * Directory records of ISO 9660. They follow each other in blocks of 2,048 bytes, none across the
 * end of a block; a length of 0 says that the block has no more.
 */
#include "fs/disk/disk.h"
#include "fs/disk/iso.h"
#include "kernel/thread/proc.h"
#include "libc/date.h"

#define NOTHING_LOADED UINT32_MAX
#define RECORD_MIN     34u

int iso_corrupt(struct iso_super *s, const char *what, uint32_t where)
{
    return disk_corrupt("ISOFS", s->dev, &s->told, what, where);
}

int iso_read(struct iso_super *s, struct iso_place place, void *buf, uint32_t len)
{
    if (place.block >= s->blocks || place.at > ISO_BLOCK || len > ISO_BLOCK - place.at)
        return iso_corrupt(s, "no such place in block", place.block);
    return disk_read(s->cache, ((uint64_t)place.block << ISO_BLOCK_SHIFT) + place.at, buf, len);
}

int iso_reader_begin(struct iso_reader *r, struct iso_super *s, struct iso_place place,
                     uint32_t end)
{
    *r = (struct iso_reader){.s = s, .place = place, .end = end, .loaded = NOTHING_LOADED};
    r->frame = kalloc();
    return r->frame ? 0 : -ENOMEM;
}

void iso_reader_end(struct iso_reader *r)
{
    if (r->frame)
        kfree(r->frame);
}

static int load_block(struct iso_reader *r)
{
    int err;

    if (r->loaded == r->place.block)
        return 0;
    r->loaded = NOTHING_LOADED;
    err = iso_read(r->s, (struct iso_place){r->place.block, 0}, r->frame, ISO_BLOCK);
    if (!err)
        r->loaded = r->place.block;
    return err;
}

static void next_block(struct iso_reader *r)
{
    r->place = (struct iso_place){r->place.block + 1, 0};
}

static bool is_sound(const struct iso_raw_record *raw, uint32_t at)
{
    return raw->len >= RECORD_MIN && raw->len <= ISO_BLOCK - at && raw->name_len > 0 &&
           ISO_RECORD_HEAD + raw->name_len <= raw->len;
}

int iso_reader_load(struct iso_reader *r)
{
    while (r->place.block < r->end) {
        int err = fatal_signal_pending() ? -EINTR : load_block(r);

        if (err)
            return err;
        r->record = (const struct iso_raw_record *)(r->frame + r->place.at);
        if (r->place.at <= ISO_BLOCK - RECORD_MIN && r->record->len) {
            if (is_sound(r->record, r->place.at))
                return 1;
            return iso_corrupt(r->s, "bad record in block", r->place.block);
        }
        next_block(r);
        sched_point();
    }
    return 0;
}

void iso_reader_step(struct iso_reader *r)
{
    r->place.at += r->record->len;
}

uint32_t iso_time(const uint8_t date[7])
{
    uint32_t year = 1900u + date[0];
    int32_t zone = (int8_t)date[6] * 15 * 60;
    int64_t sec;

    if (year < 1970 || date[1] < 1 || date[1] > 12 || date[2] < 1 || date[2] > 31 || date[3] > 23 ||
        date[4] > 59 || date[5] > 60)
        return 0;
    sec = (int64_t)days_since_1970(year, date[1], date[2]) * 86400 - zone;
    sec += date[3] * 3600 + date[4] * 60 + date[5];
    return sec < 0 || sec > UINT32_MAX ? 0 : (uint32_t)sec;
}
