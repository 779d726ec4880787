/*
 * After a power cut: what the log has, and may not have reached its place, is put there, commit by
 * commit, up to the first that is not whole. e2fsck does the same.
 *
 * Only logs as ext2_log.c writes them: without features, of its size.
 */
#include "fs/disk/ext2_log.h"
#include "kernel/base/log.h"
#include "libc/string.h"

#define SEQUENCE_GAP 16u /* to what an unfinished commit has left in the log */

struct replay {
    struct ext2_super *s;
    struct ext2_log *log;
    uint32_t at, sequence; /* the next block, of the commit that it has to belong to */
    uint32_t looked;       /* blocks, of which there are so many */
    uint8_t *descriptor, *bytes;
};

static int read_next(struct replay *r, uint8_t *to)
{
    uint32_t block = r->log->blocks[r->at];

    r->at = r->at + 1 < r->log->count ? r->at + 1 : 1;
    r->looked++;
    sched_point();
    return ext2_meta_read(r->s, block, 0, to, r->s->block_size);
}

static bool is_next(const struct replay *r, const uint8_t *block, uint32_t type)
{
    const struct journal_header *h = (const void *)block;

    return h->magic == big(JOURNAL_MAGIC) && h->type == big(type) &&
           h->sequence == big(r->sequence);
}

static int put(struct replay *r, const struct journal_tag *tag)
{
    uint32_t block = big(tag->block);
    int err = read_next(r, r->bytes);

    if (big(tag->flags) & TAG_ESCAPED) {
        uint32_t magic = big(JOURNAL_MAGIC);

        memcpy(r->bytes, &magic, sizeof(magic));
    }
    if (!err && !ext2_is_block(r->s, block) && block != 0)
        err = ext2_corrupt(r->s, "the log names no block:", block);
    return err ? err : ext2_meta_write(r->s, block, 0, r->bytes, r->s->block_size);
}

/* Over the blocks of the descriptor that was read; puts: into their places. */
static int pass_tags(struct replay *r, bool puts)
{
    uint32_t at = sizeof(struct journal_header), flags = 0;
    struct journal_tag tag;
    int err = 0;

    while (!err && !(flags & TAG_LAST) && at + sizeof(tag) <= r->s->block_size) {
        memcpy(&tag, r->descriptor + at, sizeof(tag));
        flags = big(tag.flags);
        at += (uint32_t)sizeof(tag) + (flags & TAG_SAME_UUID ? 0 : 16);
        err = puts ? put(r, &tag) : read_next(r, r->bytes);
    }
    return err;
}

/* One commit: 1, or 0: it is not whole. */
static int pass_commit(struct replay *r, bool puts)
{
    int err = 0;

    while (!err && r->looked < r->log->count) {
        err = read_next(r, r->descriptor);
        if (!err && is_next(r, r->descriptor, JOURNAL_COMMIT))
            return 1;
        if (err || !is_next(r, r->descriptor, JOURNAL_DESCRIPTOR))
            break;
        err = pass_tags(r, puts);
    }
    return err;
}

static int replay_all(struct replay *r)
{
    int whole = 1;

    while (whole == 1) {
        uint32_t at = r->at, looked = r->looked;

        whole = pass_commit(r, false);
        if (whole != 1)
            break;
        r->at = at;
        r->looked = looked;
        whole = pass_commit(r, true);
        r->sequence++;
    }
    return whole;
}

/* The log is empty, and the disk says so. */
static int finish(struct ext2_super *s, struct ext2_log *log)
{
    struct ext2_raw_super raw;
    int err = block_sync(s->dev);

    if (!err)
        err = ext2_log_write_head(s, log, 0);
    if (!err)
        err = ext2_super_read(s, &raw);
    if (err)
        return err;
    raw.incompat &= ~EXT3_FEATURE_RECOVER;
    err = ext2_super_write(s, &raw);
    return err ? err : block_sync(s->dev);
}

int ext2_replay(struct ext2_super *s, const struct ext2_raw_super *raw)
{
    struct replay r = {.s = s, .descriptor = kalloc(), .bytes = kalloc()};
    struct journal_head head;
    int err = r.descriptor && r.bytes ? ext2_log_open(s, raw, &r.log, &head) : -ENOMEM;

    if (!err && block_is_read_only(s->dev))
        err = -EROFS;
    block_drop_cache(s->dev); /* where the log is, it may be old */
    if (!err) {
        r.at = big(head.start);
        r.sequence = r.log->sequence;
        err = r.at >= r.log->count ? -EINVAL : r.at ? replay_all(&r) : 0;
    }
    if (!err) {
        klog(LOG_INFO, "%s (%s): recovered from its log: %u commits\n", ext2_name(s), s->dev->name,
             r.sequence - r.log->sequence);
        r.log->sequence = r.sequence + SEQUENCE_GAP;
        err = finish(s, r.log);
    }
    if (r.log)
        ext2_log_free(r.log);
    if (r.descriptor)
        kfree(r.descriptor);
    if (r.bytes)
        kfree(r.bytes);
    return err;
}
