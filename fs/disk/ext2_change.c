/*
 * Changes of metadata on their way to the disk.
 *
 * Where there is a log, a block that is written to stays beside the page cache of the device until
 * the log has it: no place of metadata ever gets what the log has not. What operations write
 * gathers in super->running. A commit takes it whole when no operation is under way, so that the
 * log has each of them whole or not at all; it is super->leaving then, until it has reached the
 * page cache. Who reads finds the newest of the three.
 *
 * Whoever is within an operation and is short of memory begins to write no pages: for those he
 * would wait for operations elsewhere, which may wait for his.
 *
 * A change is only written to within an operation, and what runs is only taken between them: a
 * block that was copied to be changed cannot have left meanwhile.
 */
#include "fs/disk/ext2.h"
#include "kernel/thread/proc.h"
#include "libc/string.h"

#define MANY          (EXT2_LOG_BLOCKS / 4) /* changes that are not left to gather more */
#define PART_OF_RAM   64u                   /* and of memory, where that is small */
#define FAR_TOO_MANY  (2 * EXT2_LOG_BLOCKS) /* no commit succeeds */
#define CHANGE_BLOCKS 8u                    /* that a change of names may need */

struct ext2_change {
    struct list link;         /* ext2_changes.all */
    struct ext2_change *next; /* of the same hash */
    uint32_t block;
    uint8_t *bytes;
};

static void init_changes(struct ext2_changes *c)
{
    memset(c, 0, sizeof(*c));
    list_init(&c->all);
}

void ext2_changes_init(struct ext2_super *s)
{
    spin_init(&s->changing, "ext2 changes", LOCK_RANK_FS);
    init_changes(&s->running);
    init_changes(&s->leaving);
    list_init(&s->operations);
    waitq_init(&s->turn);
}

/* ---- Operations ---- */

/* [changing] */
static bool is_within(const struct ext2_super *s, const struct thread *t)
{
    const struct ext2_operation *op;

    list_for_each_entry (op, &s->operations, link)
        if (op->thread == t)
            return true;
    return false;
}

bool ext2_is_within(struct ext2_super *s)
{
    bool is;

    spin_lock(&s->changing);
    is = is_within(s, thread_current());
    spin_unlock(&s->changing);
    return is;
}

void ext2_begin(struct ext2_super *s, struct ext2_operation *op)
{
    op->thread = thread_current();
    spin_lock(&s->changing);
    while (s->closing && !is_within(s, op->thread)) {
        spin_unlock(&s->changing);
        wait_event(&s->turn, !__atomic_load_n(&s->closing, __ATOMIC_RELAXED));
        spin_lock(&s->changing);
    }
    list_add(&s->operations, &op->link);
    spin_unlock(&s->changing);
    op->thread->writing_out++;
}

void ext2_end(struct ext2_super *s, struct ext2_operation *op)
{
    bool last;

    op->thread->writing_out--;
    spin_lock(&s->changing);
    list_remove(&op->link);
    last = s->closing && list_empty(&s->operations);
    spin_unlock(&s->changing);
    if (last)
        wake_all(&s->turn);
}

void ext2_make_room(struct ext2_super *s, uint32_t blocks)
{
    if (ext2_wants_commit(s, blocks))
        (void)ext2_commit(s, true);
    else if (ext2_changes_many(s))
        (void)ext2_commit(s, false);
}

int ext2_begin_change(struct ext2_super *s, struct ext2_operation *op)
{
    ext2_make_room(s, CHANGE_BLOCKS);
    if (__atomic_load_n(&s->running.count, __ATOMIC_RELAXED) > FAR_TOO_MANY)
        return -EIO;
    ext2_begin(s, op);
    return 0;
}

/* ---- Blocks ---- */

/* [changing] */
static struct ext2_change *find(const struct ext2_changes *in, uint32_t block)
{
    struct ext2_change *c = in->hash[block % EXT2_CHANGE_HASH];

    while (c && c->block != block)
        c = c->next;
    return c;
}

/* [changing] */
static void insert(struct ext2_changes *in, struct ext2_change *c)
{
    c->next = in->hash[c->block % EXT2_CHANGE_HASH];
    in->hash[c->block % EXT2_CHANGE_HASH] = c;
    list_add_tail(&in->all, &c->link);
    in->count++;
}

/* [changing] */
static void take_out(struct ext2_changes *in, struct ext2_change *c)
{
    struct ext2_change **at = &in->hash[c->block % EXT2_CHANGE_HASH];

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    list_remove(&c->link);
    in->count--;
}

static void free_change(const struct ext2_super *s, struct ext2_change *c)
{
    if (s->block_size == PAGE_SIZE)
        kfree(c->bytes);
    else
        kmfree(c->bytes);
    kmfree(c);
}

bool ext2_change_read(struct ext2_super *s, uint32_t block, uint32_t at, void *buf, uint32_t len)
{
    struct ext2_change *c;

    if (!s->running.count && !s->leaving.count) /* what comes meanwhile may be missed */
        return false;
    spin_lock(&s->changing);
    c = find(&s->running, block);
    if (!c)
        c = find(&s->leaving, block);
    if (c)
        memcpy(buf, c->bytes + at, len);
    spin_unlock(&s->changing);
    return c != NULL;
}

/* The block as it is, to be changed; all of it will be: without its contents. */
static int new_change(struct ext2_super *s, uint32_t block, bool all, struct ext2_change **out)
{
    struct ext2_change *c = kmalloc(sizeof(*c));
    int err;

    if (!c)
        return -ENOMEM;
    c->block = block;
    c->bytes = s->block_size == PAGE_SIZE ? kalloc() : kmalloc(s->block_size);
    err = !c->bytes ? -ENOMEM : all ? 0 : ext2_meta_read(s, block, 0, c->bytes, s->block_size);
    if (!err) {
        *out = c;
        return 0;
    }
    if (c->bytes)
        free_change(s, c);
    else
        kmfree(c);
    return err;
}

/* False: the block is not among the changes, and fresh was NULL. Else fresh is NULL if it was
 * needed. */
static bool change(struct ext2_super *s, uint32_t block, uint32_t at, const void *buf, uint32_t len,
                   struct ext2_change **fresh)
{
    struct ext2_change *c;

    spin_lock(&s->changing);
    KASSERT(is_within(s, thread_current()));
    c = find(&s->running, block);
    if (!c && *fresh) {
        c = *fresh;
        *fresh = NULL;
        insert(&s->running, c);
    }
    if (c)
        memcpy(c->bytes + at, buf, len);
    spin_unlock(&s->changing);
    return c != NULL;
}

int ext2_change_write(struct ext2_super *s, uint32_t block, uint32_t at, const void *buf,
                      uint32_t len)
{
    struct ext2_change *fresh = NULL;
    int err = 0;

    while (!err && !change(s, block, at, buf, len, &fresh))
        err = new_change(s, block, len == s->block_size, &fresh);
    if (fresh)
        free_change(s, fresh);
    return err;
}

bool ext2_changes_many(struct ext2_super *s)
{
    uint32_t count = __atomic_load_n(&s->running.count, __ATOMIC_RELAXED);

    return count > MANY || count > vm_total_frames() / PART_OF_RAM;
}

/* ---- Leaving ---- */

static bool is_quiet(struct ext2_super *s)
{
    bool is;

    spin_lock(&s->changing);
    is = list_empty(&s->operations);
    spin_unlock(&s->changing);
    return is;
}

/* [changing] */
static void move_all(struct ext2_changes *from, struct ext2_changes *to)
{
    struct ext2_change *c, *next;

    *to = *from;
    list_init(&to->all);
    list_for_each_entry_safe (c, next, &from->all, link) {
        list_remove(&c->link);
        list_add_tail(&to->all, &c->link);
    }
    init_changes(from);
}

void ext2_changes_close(struct ext2_super *s, bool last)
{
    KASSERT(!s->leaving.count);
    spin_lock(&s->changing);
    s->closing = true;
    spin_unlock(&s->changing);
    wait_event(&s->turn, is_quiet(s));
    mutex_lock(&s->alloc);
    ext2_age(s);
    spin_lock(&s->changing);
    move_all(&s->running, &s->leaving);
    if (last)
        s->log = NULL;
    s->closing = false;
    spin_unlock(&s->changing);
    mutex_unlock(&s->alloc);
    wake_all(&s->turn);
}

/* To the page cache; it is read there from now on. */
static int settle(struct ext2_super *s, struct ext2_change *c)
{
    uint64_t at = (uint64_t)c->block << s->block_shift;
    long n = vm_object_write_kernel(s->cache, at, c->bytes, s->block_size);

    if (n != (long)s->block_size)
        return n == -ENOMEM ? -ENOMEM : -EIO;
    spin_lock(&s->changing);
    take_out(&s->leaving, c);
    spin_unlock(&s->changing);
    free_change(s, c);
    return 0;
}

int ext2_changes_settle(struct ext2_super *s)
{
    struct ext2_change *c, *next;
    int err = 0, one;

    list_for_each_entry_safe (c, next, &s->leaving.all, link) {
        one = settle(s, c);
        err = err ? err : one;
        sched_point();
    }
    ext2_changes_return(s);
    return err;
}

/* What was changed once more meanwhile is newer. */
void ext2_changes_return(struct ext2_super *s)
{
    struct ext2_change *c, *next;

    list_for_each_entry_safe (c, next, &s->leaving.all, link) {
        bool newer;

        spin_lock(&s->changing);
        take_out(&s->leaving, c);
        newer = find(&s->running, c->block) != NULL;
        if (!newer)
            insert(&s->running, c);
        spin_unlock(&s->changing);
        if (newer)
            free_change(s, c);
    }
}

struct ext2_change *ext2_change_next(struct ext2_super *s, struct ext2_change *c)
{
    struct list *next = c ? c->link.next : s->leaving.all.next;

    return next == &s->leaving.all ? NULL : container_of(next, struct ext2_change, link);
}

uint32_t ext2_change_block(const struct ext2_change *c, const uint8_t **bytes)
{
    *bytes = c->bytes;
    return c->block;
}
