/*
 * The log of ext2: changes are written to it, as a whole, before any goes to its place, so that
 * after a power cut e2fsck -p, or the next mount, finds all of a commit or nothing.
 *
 * It is the journal of ext3, with as little of that as will do: a commit is descriptors, blocks and
 * a record that ends it; then the blocks go to their places by way of the page cache. A checkpoint
 * waits for them there. Only after one is used again what the commits before it freed: so nothing
 * of the log can ever be replayed over what a block has become since, and none is revoked.
 *
 * A file system that has no journal is lent one, from its first writing to its unmounting, if it
 * has room. What is larger than the log goes to its place without it, as does everything where
 * there is none.
 */
#include "fs/disk/ext2_log.h"
#include "kernel/machine/random.h"
#include "kernel/time/time.h"
#include "libc/string.h"

#define ROOM_FACTOR 4u /* a log is made where so many times its blocks are free */
#define UUID_SIZE   16u

/* ---- Writing ---- */

/* A block that shares its page in the cache with others goes through that, or theirs would bring
 * its old contents along. */
static int write_shared(struct ext2_super *s, struct ext2_log *log, uint32_t place, uint32_t bytes)
{
    uint64_t at = (uint64_t)place << s->block_shift, end = at + bytes;
    uint32_t first = (uint32_t)(at >> PAGE_SHIFT);

    for (unsigned i = 0; at < end; i++) {
        uint32_t n = end - at < PAGE_SIZE ? (uint32_t)(end - at) : PAGE_SIZE;

        if (vm_object_write_kernel(s->cache, at, log->pages[i], n) != (long)n)
            return -EIO;
        at += n;
    }
    return vm_object_sync_range(s->cache, first, (uint32_t)((end - 1) >> PAGE_SHIFT) + 1);
}

/* So many blocks of log->pages. */
static int write_pages(struct ext2_super *s, struct ext2_log *log, uint32_t place, uint32_t count)
{
    if (s->block_size < PAGE_SIZE)
        return write_shared(s, log, place, count << s->block_shift);
    return block_write(s->dev, (uint64_t)place << (s->block_shift - SECTOR_SHIFT), log->pages,
                       count);
}

static int write_staged(struct ext2_super *s, struct ext2_log *log)
{
    uint32_t count = log->staged;

    log->staged = 0;
    return count ? write_pages(s, log, log->place, count) : 0;
}

/* The next block of the log, to be filled in; it is written with those that follow it on the disk.
 */
static int stage(struct ext2_super *s, struct ext2_log *log, uint8_t **out)
{
    uint32_t most = sizeof(log->pages) / sizeof(log->pages[0]) << (PAGE_SHIFT - s->block_shift);
    uint32_t place = log->blocks[log->at], offset;
    int err = 0;

    if (log->staged == most || (log->staged && place != log->place + log->staged))
        err = write_staged(s, log);
    if (log->staged == 0)
        log->place = place;
    offset = log->staged++ << s->block_shift;
    *out = (uint8_t *)log->pages[offset >> PAGE_SHIFT] + (offset & (PAGE_SIZE - 1));
    log->at = log->at + 1 < log->count ? log->at + 1 : 1;
    return err;
}

static uint8_t *put_header(uint8_t *to, uint32_t type, uint32_t sequence)
{
    struct journal_header h = {big(JOURNAL_MAGIC), big(type), big(sequence)};

    memcpy(to, &h, sizeof(h));
    return to + sizeof(h);
}

static bool is_magic(const uint8_t *bytes)
{
    return *(const uint32_t *)bytes == big(JOURNAL_MAGIC);
}

/* Tags that one descriptor has room for. */
static uint32_t tags_in(const struct ext2_super *s)
{
    return (s->block_size - sizeof(struct journal_header) - UUID_SIZE) / sizeof(struct journal_tag);
}

/* A descriptor of the changes from c on. */
static void describe(struct ext2_super *s, uint8_t *to, struct ext2_change *c)
{
    uint8_t *const end = to + s->block_size;
    const uint8_t *bytes;

    to = put_header(to, JOURNAL_DESCRIPTOR, s->log->sequence);
    for (uint32_t n = 1; c; n++) {
        struct journal_tag tag = {.block = big(ext2_change_block(c, &bytes))};
        uint32_t flags = n > 1 ? TAG_SAME_UUID : 0;

        flags |= is_magic(bytes) ? TAG_ESCAPED : 0;
        c = ext2_change_next(s, c);
        flags |= !c || n == tags_in(s) ? TAG_LAST : 0;
        tag.flags = big(flags);
        memcpy(to, &tag, sizeof(tag));
        to += sizeof(tag);
        if (n == 1) {
            memset(to, 0, UUID_SIZE);
            to += UUID_SIZE;
        }
        if (flags & TAG_LAST)
            break;
    }
    memset(to, 0, (size_t)(end - to));
}

static int write_changes(struct ext2_super *s)
{
    struct ext2_change *c = NULL;
    uint32_t n = 0;
    uint8_t *to;
    int err = 0;

    while (!err && (c = ext2_change_next(s, c)) != NULL) {
        const uint8_t *bytes;

        if (n++ % tags_in(s) == 0) {
            err = stage(s, s->log, &to);
            describe(s, to, c);
        }
        if (!err)
            err = stage(s, s->log, &to);
        (void)ext2_change_block(c, &bytes);
        memcpy(to, bytes, s->block_size);
        if (is_magic(bytes))
            memset(to, 0, sizeof(uint32_t));
        sched_point();
    }
    return err ? err : write_staged(s, s->log);
}

/* What is before the record on the medium, with the data that the changes speak of; small blocks
 * of data are in the page cache of the device. */
static int write_before_record(struct ext2_super *s)
{
    return s->log && s->block_size == PAGE_SIZE ? block_flush(s->dev) : block_sync(s->dev);
}

static int write_record(struct ext2_super *s)
{
    uint8_t *to;
    int err = stage(s, s->log, &to);

    memset(put_header(to, JOURNAL_COMMIT, s->log->sequence), 0,
           s->block_size - sizeof(struct journal_header));
    if (!err)
        err = write_staged(s, s->log);
    return err ? err : block_flush(s->dev);
}

static uint32_t room(const struct ext2_log *log)
{
    uint32_t all = log->count - 1;

    return all - 1 - (log->at + all - log->tail) % all;
}

static int write_commit(struct ext2_super *s)
{
    struct ext2_log *log = s->log;
    uint32_t at = log->at;
    int err = write_changes(s);

    if (!err)
        err = write_before_record(s);
    if (!err)
        err = write_record(s);
    if (err) {
        log->at = at;
        log->staged = 0;
    } else {
        log->sequence++;
    }
    return err;
}

static int commit_leaving(struct ext2_super *s)
{
    uint32_t needs = s->leaving.count + s->leaving.count / tags_in(s) + 2;
    bool logged;
    int err = 0;

    if (needs > room(s->log))
        err = ext2_log_checkpoint(s);
    logged = !err && needs <= room(s->log);
    if (logged)
        err = write_commit(s);
    if (err)
        ext2_changes_return(s);
    else
        err = ext2_changes_settle(s);
    return err || logged ? err : block_sync(s->dev);
}

int ext2_log_commit(struct ext2_super *s)
{
    ext2_changes_close(s, false);
    return s->leaving.count ? commit_leaving(s) : write_before_record(s);
}

int ext2_log_write_head(struct ext2_super *s, struct ext2_log *log, uint32_t start)
{
    struct journal_head head = {.header = {big(JOURNAL_MAGIC), big(JOURNAL_HEAD), 0},
                                .block_size = big(s->block_size),
                                .blocks = big(log->count),
                                .first = big(1),
                                .sequence = big(log->sequence),
                                .start = big(start),
                                .users = big(1)};
    int err;

    memset(log->pages[0], 0, PAGE_SIZE);
    memcpy(log->pages[0], &head, sizeof(head));
    err = write_pages(s, log, log->blocks[0], 1);
    return err ? err : block_flush(s->dev);
}

int ext2_log_checkpoint(struct ext2_super *s)
{
    int err = block_sync(s->dev);

    if (err || !s->log || s->log->tail == s->log->at)
        return err;
    err = ext2_log_write_head(s, s->log, s->log->at);
    if (!err)
        s->log->tail = s->log->at;
    return err;
}

/* ---- Opening ---- */

void ext2_log_free(struct ext2_log *log)
{
    for (unsigned i = 0; i < sizeof(log->pages) / sizeof(log->pages[0]); i++)
        if (log->pages[i])
            kfree(log->pages[i]);
    if (log->blocks)
        kfree(log->blocks);
    kmfree(log);
}

static struct ext2_log *new_log(void)
{
    struct ext2_log *log = kzalloc(sizeof(*log));
    bool all;

    if (!log)
        return NULL;
    log->blocks = kalloc();
    all = log->blocks != NULL;
    for (unsigned i = 0; i < sizeof(log->pages) / sizeof(log->pages[0]); i++) {
        log->pages[i] = kalloc();
        all = all && log->pages[i];
    }
    if (all)
        return log;
    ext2_log_free(log);
    return NULL;
}

/* A node of the journal's inode. kmfree frees it. */
static struct ext2_node *journal_node(struct ext2_super *s)
{
    struct ext2_node *n = kzalloc(sizeof(*n));

    if (n)
        ext2_node_init(n, s, EXT2_LOG_INO);
    return n;
}

static int find_blocks(struct ext2_node *n, struct ext2_log *log)
{
    int err = 0;

    for (uint32_t i = 0; i < log->count && !err; i++) {
        err = ext2_map_find(n, i, &log->blocks[i]);
        if (!err && !log->blocks[i])
            err = -EINVAL;
        sched_point();
    }
    return err;
}

static int read_inode(struct ext2_super *s, struct ext2_log *log)
{
    struct ext2_node *n = journal_node(s);
    struct ext2_raw_inode raw;
    int err = n ? ext2_raw_read(s, EXT2_LOG_INO, &raw) : -ENOMEM;

    if (!err && (!S_ISREG(raw.mode) || raw.size_high || (raw.flags & EXT4_FL_EXTENTS)))
        err = -EINVAL;
    if (!err) {
        log->count = raw.size >> s->block_shift;
        log->temporary = raw.generation == JOURNAL_OWNER;
        memcpy(n->block, raw.block, sizeof(n->block));
        err = log->count == EXT2_LOG_BLOCKS ? find_blocks(n, log) : -EINVAL;
    }
    kmfree(n);
    return err;
}

/* It may have been written past the page cache. */
static int read_head(struct ext2_super *s, struct ext2_log *log, struct journal_head *head)
{
    int err = block_transfer(s->dev, BLOCK_READ,
                             (uint64_t)log->blocks[0] << (s->block_shift - SECTOR_SHIFT),
                             log->pages, 0, s->block_size);

    if (err)
        return err;
    memcpy(head, log->pages[0], sizeof(*head));
    if (head->header.magic != big(JOURNAL_MAGIC) || head->header.type != big(JOURNAL_HEAD) ||
        head->block_size != big(s->block_size) || head->blocks != big(log->count) ||
        head->first != big(1) || head->compat || head->incompat || head->ro_compat)
        return -EINVAL;
    log->sequence = big(head->sequence);
    return 0;
}

int ext2_log_open(struct ext2_super *s, const struct ext2_raw_super *raw, struct ext2_log **out,
                  struct journal_head *head)
{
    struct ext2_log *log;
    int err;

    if (raw->journal_ino != EXT2_LOG_INO)
        return -EINVAL;
    log = new_log();
    if (!log)
        return -ENOMEM;
    err = read_inode(s, log);
    if (!err)
        err = read_head(s, log, head);
    if (!err)
        *out = log;
    else
        ext2_log_free(log);
    return err;
}

/* ---- Making ---- */

static int make_blocks(struct ext2_node *n, struct ext2_log *log)
{
    const struct ext2_super *s = n->super;
    bool fresh;
    int err = 0;

    n->last_block = s->first_data + s->groups / 2 * s->blocks_per_group;
    for (uint32_t i = 0; i < log->count && !err; i++) {
        mutex_lock(&n->map);
        err = ext2_map_make(n, i, true, &log->blocks[i], &fresh);
        mutex_unlock(&n->map);
        sched_point();
    }
    return err;
}

/* What the blocks had before could look like commits. */
static int clear_blocks(struct ext2_super *s, struct ext2_log *log)
{
    uint8_t *to;
    int err = 0;

    log->at = 1;
    for (uint32_t i = 1; i < log->count && !err; i++) {
        err = stage(s, log, &to);
        memset(to, 0, s->block_size);
        sched_point();
    }
    return err ? err : write_staged(s, log);
}

static int write_inode(struct ext2_node *n, struct ext2_log *log)
{
    uint32_t now = (uint32_t)(time_real_ns() / NSEC_PER_SEC);
    struct ext2_raw_inode raw = {.mode = S_IFREG | 0600,
                                 .links = 1,
                                 .size = log->count << n->super->block_shift,
                                 .atime = now,
                                 .ctime = now,
                                 .mtime = now,
                                 .sectors = n->sectors,
                                 .generation = JOURNAL_OWNER};

    memcpy(raw.block, n->block, sizeof(raw.block));
    return ext2_raw_write(n->super, EXT2_LOG_INO, &raw);
}

/* Everything it had goes back. */
static void drop_journal(struct ext2_node *n)
{
    const struct ext2_raw_inode zeros = {0};

    (void)ext2_raw_write(n->super, EXT2_LOG_INO, &zeros);
    mutex_lock(&n->map);
    ext2_map_cut(n, 0, UINT64_MAX);
    mutex_unlock(&n->map);
    n->super->lent = 0;
}

static int make_journal(struct ext2_super *s, struct ext2_log *log)
{
    struct ext2_node *n = journal_node(s);
    struct ext2_operation op;
    int err;

    if (!n)
        return -ENOMEM;
    log->count = EXT2_LOG_BLOCKS;
    log->temporary = true;
    random_bytes(&log->sequence, sizeof(log->sequence));
    ext2_begin(s, &op);
    err = make_blocks(n, log);
    s->lent = n->sectors / (s->block_size / SECTOR_SIZE);
    if (!err)
        err = clear_blocks(s, log);
    if (!err)
        err = ext2_log_write_head(s, log, 0);
    if (!err)
        err = write_inode(n, log);
    if (err)
        drop_journal(n);
    ext2_end(s, &op);
    kmfree(n);
    return err;
}

static bool is_roomy(const struct ext2_super *s, const struct ext2_raw_super *raw)
{
    return raw->rev > 0 && s->free_blocks > s->reserved + ROOM_FACTOR * EXT2_LOG_BLOCKS;
}

/* ---- Beginning and end ---- */

/* The disk says whether it has a journal, and whether that is needed. */
static int tell(struct ext2_super *s, bool has, bool needs)
{
    struct ext2_raw_super raw;
    int err = ext2_super_read(s, &raw);

    if (err)
        return err;
    raw.compat &= ~EXT3_FEATURE_JOURNAL;
    raw.compat |= has ? EXT3_FEATURE_JOURNAL : 0;
    raw.incompat &= ~EXT3_FEATURE_RECOVER;
    raw.incompat |= needs ? EXT3_FEATURE_RECOVER : 0;
    raw.journal_ino = has ? EXT2_LOG_INO : 0;
    err = ext2_super_write(s, &raw);
    return err ? err : block_sync(s->dev);
}

static int get_log(struct ext2_super *s, struct ext2_log **out)
{
    struct ext2_raw_super raw;
    struct journal_head head;
    int err = ext2_super_read(s, &raw);

    if (err)
        return err;
    if (raw.compat & EXT3_FEATURE_JOURNAL)
        return ext2_log_open(s, &raw, out, &head);
    if (!is_roomy(s, &raw))
        return -ENOSPC;
    *out = new_log();
    err = *out ? make_journal(s, *out) : -ENOMEM;
    if (!err)
        err = block_sync(s->dev);
    if (err && *out)
        ext2_log_free(*out);
    return err;
}

void ext2_log_start(struct ext2_super *s)
{
    struct ext2_log *log;

    if (get_log(s, &log))
        return;
    log->at = log->tail = 1;
    if (ext2_log_write_head(s, log, 1) || tell(s, true, true)) {
        ext2_log_free(log);
        return;
    }
    s->log = log;
}

static int return_journal(struct ext2_super *s)
{
    struct ext2_node *n = journal_node(s);
    struct ext2_operation op;
    struct ext2_raw_inode raw;
    int err = n ? ext2_raw_read(s, EXT2_LOG_INO, &raw) : -ENOMEM;

    if (!err) {
        memcpy(n->block, raw.block, sizeof(n->block));
        ext2_begin(s, &op);
        drop_journal(n);
        ext2_end(s, &op);
    }
    kmfree(n);
    return err ? err : block_sync(s->dev);
}

int ext2_log_stop(struct ext2_super *s)
{
    struct ext2_log *log = s->log;
    int err;

    if (!log)
        return 0;
    ext2_changes_close(s, true);
    err = ext2_changes_settle(s);
    if (!err)
        err = block_sync(s->dev);
    if (!err)
        err = ext2_log_write_head(s, log, 0);
    if (err) {
        s->log = log;
        return err;
    }
    err = tell(s, !log->temporary, false);
    if (!err && log->temporary)
        err = return_journal(s);
    ext2_log_free(log);
    return err;
}
