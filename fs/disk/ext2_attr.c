/*
 * Extended attributes of ext2: in a block of the inode's own, or in what is left of a large inode.
 * They are read as a whole when the first is asked for, into the VFS's list, and written as a whole
 * into a block, which several inodes may share until one of them changes.
 *
 * Both places hold entries, sorted by kind, length and name in a block, and end with four zeros;
 * values are apart from them. Numbers from the disk are checked here.
 */
#include "fs/disk/disk.h"
#include "fs/disk/ext2.h"
#include "fs/vfs/xattr.h"
#include "libc/string.h"

#define MAGIC 0xea020000u

struct block_head {
    uint32_t magic, refs, blocks, hash, checksum, reserved[3];
};

struct entry {
    uint8_t name_len, kind;
    uint16_t value_at;
    uint32_t value_inode, value_size, hash;
    char name[];
};
_Static_assert(sizeof(struct entry) == 16 && sizeof(struct block_head) == 32, "on disk");

#define ENTRY_BYTES(len) ((sizeof(struct entry) + (len) + 3) & ~3u)
#define VALUE_BYTES(len) (((len) + 3) & ~3u)

static const struct kind {
    uint8_t number;
    const char *prefix;
} kinds[] = {
    {1, "user."},
    {2, "system.posix_acl_access"},
    {3, "system.posix_acl_default"},
    {4, "trusted."},
    {6, "security."},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *kind_of_number(uint8_t number)
{
    for (unsigned k = 0; k < KINDS; k++)
        if (kinds[k].number == number)
            return &kinds[k];
    return NULL;
}

static const struct kind *kind_of_name(const char *name)
{
    for (unsigned k = 0; k < KINDS; k++)
        if (strncmp(name, kinds[k].prefix, strlen(kinds[k].prefix)) == 0)
            return &kinds[k];
    return NULL;
}

/* ---- Reading ---- */

static int take_entry(struct inode *i, const struct entry *e, const uint8_t *value)
{
    const struct kind *kind = kind_of_number(e->kind);
    char name[XATTR_NAME_MAX + 1];
    size_t len;

    if (!kind || e->value_inode) {
        ext2_node(i)->foreign = true;
        return 0;
    }
    len = strlcpy(name, kind->prefix, sizeof(name));
    if (len + e->name_len > XATTR_NAME_MAX)
        return ext2_corrupt(ext2_super(i), "bad attributes of inode", i->ino);
    memcpy(name + len, e->name, e->name_len);
    name[len + e->name_len] = '\0';
    return xattr_keep(i, name, value, e->value_size);
}

/* The entries from at on in size bytes; places of values count from values_from. */
static int take_entries(struct inode *i, const uint8_t *buf, uint32_t at, uint32_t size,
                        uint32_t values_from)
{
    uint32_t values = 0; /* bytes, which no two entries share */
    int err = 0;

    while (!err && at + sizeof(uint32_t) <= size && *(const uint32_t *)(buf + at)) {
        const struct entry *e = (const struct entry *)(buf + at);
        bool fits = at + sizeof(*e) <= size && ENTRY_BYTES(e->name_len) <= size - at;
        uint32_t value = fits ? values_from + e->value_at : 0;

        if (fits && !e->value_inode)
            values += e->value_size < size ? e->value_size : size + 1;
        if (!fits || values > size ||
            (e->value_size && !e->value_inode && (value > size || e->value_size > size - value)))
            return ext2_corrupt(ext2_super(i), "bad attributes of inode", i->ino);
        err = take_entry(i, e, buf + value);
        at += ENTRY_BYTES(e->name_len);
    }
    return err;
}

static int load_block(struct inode *i, uint8_t *buf)
{
    struct ext2_super *s = ext2_super(i);
    const struct block_head *head = (const void *)buf;
    int err = ext2_meta_read(s, ext2_node(i)->file_acl, 0, buf, s->block_size);

    if (err)
        return err;
    if (head->magic != MAGIC || head->blocks != 1)
        return ext2_corrupt(s, "bad attributes of inode", i->ino);
    return take_entries(i, buf, sizeof(*head), s->block_size, 0);
}

/* Where the attributes of a large inode begin, from its end of the usual size on; 0: nowhere. */
static uint32_t inside_from(const struct ext2_super *s, const uint8_t *rest)
{
    uint32_t room = s->inode_size - EXT2_RAW_INODE, from = *(const uint16_t *)rest;

    if (from < 4 || from % 4 || from + 2 * sizeof(uint32_t) > room ||
        *(const uint32_t *)(rest + from) != MAGIC)
        return 0;
    return from;
}

static int load_inside(struct inode *i, uint8_t *buf)
{
    struct ext2_super *s = ext2_super(i);
    uint32_t from;
    int err = ext2_inode_rest(s, i->ino, buf, false);

    if (err)
        return err;
    from = inside_from(s, buf);
    ext2_node(i)->inside = from;
    if (!from)
        return 0;
    from += (uint32_t)sizeof(uint32_t);
    return take_entries(i, buf, from, s->inode_size - EXT2_RAW_INODE, from);
}

int ext2_attr_load(struct inode *i)
{
    struct ext2_super *s = ext2_super(i);
    uint8_t *buf;
    int err = 0;

    if (!s->attributes)
        return 0;
    buf = kalloc();
    if (!buf)
        return -ENOMEM;
    if (s->inode_size > EXT2_RAW_INODE + sizeof(uint32_t))
        err = load_inside(i, buf);
    if (!err && ext2_node(i)->file_acl)
        err = load_block(i, buf);
    kfree(buf);
    return err;
}

/* ---- Writing ---- */

static uint32_t rotated(uint32_t hash, unsigned by)
{
    return hash << by ^ hash >> (32 - by);
}

static uint32_t hash_entry(const struct entry *e, const uint8_t *value)
{
    uint32_t hash = 0;

    for (unsigned k = 0; k < e->name_len; k++)
        hash = rotated(hash, 5) ^ (uint8_t)e->name[k];
    for (uint32_t k = 0; k < VALUE_BYTES(e->value_size); k += 4)
        hash = rotated(hash, 16) ^ *(const uint32_t *)(value + k);
    return hash;
}

/* The order of entries in a block. */
static int compare(const struct xattr *a, const struct xattr *b)
{
    const struct kind *ka = kind_of_name(a->name), *kb = kind_of_name(b->name);
    size_t la = strlen(a->name), lb = strlen(b->name);

    if (ka != kb)
        return ka < kb ? -1 : 1;
    if (la != lb)
        return la < lb ? -1 : 1;
    return memcmp(a->name, b->name, la);
}

/* The first in that order that comes after last (NULL: of all). */
static const struct xattr *next_in_order(const struct inode *i, const struct xattr *last)
{
    const struct xattr *best = NULL;

    for (const struct xattr *x = i->xattrs; x; x = x->next)
        if ((!last || compare(x, last) > 0) && (!best || compare(x, best) < 0))
            best = x;
    return best;
}

/* All of the list, as the block has it. -ENOSPC: it is too small. */
static int build_block(const struct inode *i, uint8_t *buf)
{
    uint32_t size = ext2_super(i)->block_size, at = sizeof(struct block_head), value = size;
    struct block_head *head = (void *)buf;

    *head = (struct block_head){.magic = MAGIC, .refs = 1, .blocks = 1};
    for (const struct xattr *x = next_in_order(i, NULL); x; x = next_in_order(i, x)) {
        const struct kind *kind = kind_of_name(x->name);
        const char *name = x->name + strlen(kind->prefix);
        uint32_t len = (uint32_t)strlen(name);
        struct entry *e = (struct entry *)(buf + at);

        if (x->size > size ||
            at + ENTRY_BYTES(len) + sizeof(uint32_t) + VALUE_BYTES(x->size) > value)
            return -ENOSPC;
        value -= VALUE_BYTES(x->size);
        *e = (struct entry){.name_len = (uint8_t)len,
                            .kind = kind->number,
                            .value_at = x->size ? (uint16_t)value : 0,
                            .value_size = x->size};
        memcpy(e->name, name, len);
        if (x->size)
            memcpy(buf + value, x->piece[0], x->size);
        e->hash = hash_entry(e, buf + value);
        head->hash = rotated(head->hash, 16) ^ e->hash;
        at += ENTRY_BYTES(len);
        sched_point();
    }
    return 0;
}

/* How many inodes have the block: 0 where it is none of attributes. */
static uint32_t references(struct ext2_super *s, uint32_t block)
{
    struct block_head head;

    if (!block || ext2_meta_read(s, block, 0, &head, sizeof(head)) || head.magic != MAGIC)
        return 0;
    return head.refs;
}

void ext2_attr_drop(struct ext2_node *n)
{
    struct ext2_super *s = n->super;
    uint32_t refs = references(s, n->file_acl);

    if (refs == 1) {
        ext2_block_free(s, n->file_acl);
    } else if (refs) {
        refs--;
        (void)ext2_meta_write(s, n->file_acl, offsetof(struct block_head, refs), &refs, 4);
    }
}

/* [in an operation] The inode's block, perhaps 0, from now on. */
static void set_block(struct ext2_node *n, uint32_t block)
{
    uint32_t sectors = n->super->block_size / SECTOR_SIZE;

    if (n->file_acl)
        ext2_attr_drop(n);
    mutex_lock(&n->map);
    n->sectors += (block ? sectors : 0) - (n->file_acl ? sectors : 0);
    n->file_acl = block;
    mutex_unlock(&n->map);
}

/* [in an operation] buf is what the block says; it is written where the old one is, if that is the
 * inode's alone. */
static int write_block(struct ext2_node *n, const uint8_t *buf)
{
    struct ext2_super *s = n->super;
    uint32_t block = n->file_acl;
    int err = 0;

    if (references(s, block) == 1)
        return ext2_meta_write(s, block, 0, buf, s->block_size);
    err = ext2_check_room(s, 1);
    if (!err)
        err = ext2_block_alloc(s, ext2_own_group(n), false, &block);
    if (err)
        return err;
    err = ext2_meta_write(s, block, 0, buf, s->block_size);
    if (err)
        ext2_block_free(s, block);
    else
        set_block(n, block);
    return err;
}

/* [in an operation] What was inside the inode is in the block now. */
static int clear_inside(struct inode *i, uint8_t *buf)
{
    struct ext2_node *n = ext2_node(i);
    int err = n->inside ? ext2_inode_rest(n->super, i->ino, buf, false) : 0;

    if (err || !n->inside)
        return err;
    memset(buf + n->inside, 0, n->super->inode_size - EXT2_RAW_INODE - n->inside);
    err = ext2_inode_rest(n->super, i->ino, buf, true);
    if (!err)
        n->inside = 0;
    return err;
}

static int write_all(struct inode *i, uint8_t *buf)
{
    struct ext2_node *n = ext2_node(i);
    struct ext2_operation op;
    int err = ext2_begin_change(n->super, &op);

    if (err)
        return err;
    if (i->xattrs)
        err = write_block(n, buf);
    else if (n->file_acl)
        set_block(n, 0);
    if (!err)
        err = clear_inside(i, buf);
    if (!err)
        err = ext2_inode_write(i);
    ext2_end(n->super, &op);
    return err;
}

int ext2_attr_store(struct inode *i)
{
    uint8_t *buf;
    int err;

    if (!ext2_super(i)->attributes || ext2_node(i)->foreign)
        return -EOPNOTSUPP;
    buf = kalloc_zeroed();
    if (!buf)
        return -ENOMEM;
    err = build_block(i, buf);
    if (!err)
        err = write_all(i, buf);
    kfree(buf);
    return err;
}

/* Blocks, not pages, are what they take, and those are counted when they are allocated. */
int ext2_attr_charge(struct superblock *sb, int32_t pages)
{
    (void)sb, (void)pages;
    return 0;
}
