/*
 * Inodes of ISO 9660, and the contents of files.
 *
 * A file may lie in several sections of the disk, each of which begins at a block. Blocks are
 * smaller than pages and files begin anywhere, so pages are read by themselves, straight into their
 * frames. Nothing ever changes: an inode lives as long as it is in use, and is found again
 * meanwhile by its place.
 */
#include "fs/disk/disk.h"
#include "fs/disk/iso.h"
#include "libc/string.h"

/* As Linux numbers them. */
uint32_t iso_ino(struct iso_place place)
{
    return place.block << (ISO_BLOCK_SHIFT - 5) | place.at >> 5;
}

/* ---- The nodes in memory ---- */

static struct list *bucket_of(struct iso_super *s, struct iso_place place)
{
    return &s->buckets[iso_ino(place) % ISO_BUCKETS];
}

/* [cached] A reference, or NULL. */
static struct inode *find_node(struct iso_super *s, struct iso_place place)
{
    struct iso_node *n;

    list_for_each_entry (n, bucket_of(s, place), link)
        if (n->place.block == place.block && n->place.at == place.at && n->inode &&
            inode_try_ref(n->inode))
            return n->inode;
    return NULL;
}

/* A node is in use beyond its inode where it is mapped. */
bool iso_nodes_busy(struct iso_super *s)
{
    struct iso_node *n;
    bool busy = false;

    mutex_lock(&s->cached);
    for (unsigned b = 0; b < ISO_BUCKETS; b++)
        list_for_each_entry (n, &s->buckets[b], link)
            busy = busy || !n->inode || (n->inode->object && vm_object_areas(n->inode->object));
    mutex_unlock(&s->cached);
    return busy;
}

static void free_node(struct iso_node *n)
{
    mutex_lock(&n->super->cached);
    list_remove(&n->link);
    mutex_unlock(&n->super->cached);
    kmfree(n->path);
    kmfree(n);
}

void iso_inode_destroy(struct inode *i)
{
    struct iso_node *n = iso_node(i);

    mutex_lock(&n->super->cached);
    n->inode = NULL;
    mutex_unlock(&n->super->cached);
    if (!i->object)
        free_node(n);
}

/* ---- Contents ---- */

/* The section that has byte at of the file, and where in it. */
static const struct iso_section *find_section(const struct iso_node *n, uint64_t *at)
{
    const struct iso_section *s = n->section;

    for (; s < n->section + n->count && *at >= s->bytes; s++)
        *at -= s->bytes;
    return s < n->section + n->count ? s : NULL;
}

/* Fills the first pages of the run, up to the end of the file. */
static int fill(struct iso_node *n, const struct vm_run *run, unsigned pages, uint64_t size)
{
    uint64_t start = (uint64_t)run->index << PAGE_SHIFT, at = start;
    uint64_t end = start + ((uint64_t)pages << PAGE_SHIFT);
    int err = 0;

    end = end < size ? end : size;
    while (at < end && !err) {
        uint64_t within = at;
        const struct iso_section *s = find_section(n, &within);
        uint64_t sector, bytes;

        if (!s)
            return -EIO;
        bytes = s->bytes - within < end - at ? s->bytes - within : end - at;
        sector =
            ((uint64_t)s->block << (ISO_BLOCK_SHIFT - SECTOR_SHIFT)) + (within >> SECTOR_SHIFT);
        err = block_transfer(n->super->dev, BLOCK_READ, sector, run->page, (uint32_t)(at - start),
                             (uint32_t)(bytes + ISO_BLOCK - 1) & ~(ISO_BLOCK - 1));
        at += bytes;
    }
    return err;
}

static int iso_get(struct vm_object *o, struct vm_run *run)
{
    struct iso_node *n = vm_object_private(o);
    uint64_t size = vm_object_size(o);
    unsigned filled = run->count;
    int err = fill(n, run, filled, size);

    if (err && filled > 1) {
        filled = 1;
        err = fill(n, run, filled, size);
    }
    if (err)
        return err;
    disk_clear_behind(o, run, filled);
    return (int)filled;
}

static void iso_object_destroy(struct vm_object *o)
{
    free_node(vm_object_private(o));
}

static void iso_describe(struct vm_object *o, char *buf, size_t size, uint32_t *ino, uint32_t *dev)
{
    const struct iso_node *n = vm_object_private(o);

    *ino = n->ino;
    *dev = n->super->sb->dev;
    strlcpy(buf, n->path ? n->path : "", size);
}

static const struct pager iso_pager = {
    .name = "iso9660",
    .get = iso_get,
    .ahead = VM_RUN_MAX,
    .destroy = iso_object_destroy,
    .describe = iso_describe,
};

static struct file_ops iso_file_ops;

static int iso_mmap(struct file *f, struct vm_mapping *m)
{
    disk_keep_path(f->inode, &iso_node(f->inode)->path);
    return object_file_ops.mmap(f, m);
}

void iso_inode_init(void)
{
    iso_file_ops = object_file_ops;
    iso_file_ops.mmap = iso_mmap;
}

static uint64_t iso_blocks(const struct inode *i)
{
    uint64_t whole = (inode_size(i) + ISO_BLOCK - 1) >> ISO_BLOCK_SHIFT;

    return S_ISREG(i->mode) || S_ISDIR(i->mode) ? whole << (ISO_BLOCK_SHIFT - SECTOR_SHIFT) : 0;
}

static const struct inode_ops iso_file_inode_ops = {
    .blocks = iso_blocks,
    .destroy = iso_inode_destroy,
};

/* ---- Links ---- */

static int iso_readlink(struct inode *i, char *buf, size_t size)
{
    struct iso_node *n = iso_node(i);
    struct iso_rock rock;
    struct iso_reader r;
    int len = iso_reader_begin(&r, n->super, n->place, n->super->blocks);

    if (!len)
        len = iso_reader_load(&r);
    if (len == 1)
        len = iso_rock_read(&r, &rock, buf, size);
    else if (!len)
        len = -EIO;
    iso_reader_end(&r);
    return len;
}

static const struct inode_ops iso_link_ops = {
    .readlink = iso_readlink,
    .blocks = iso_blocks,
    .destroy = iso_inode_destroy,
};

/* ---- From the disk ---- */

/* The sections of the file whose first record is loaded; how many, or -errno. */
static int read_sections(struct iso_reader *r, struct iso_section *to)
{
    unsigned count = 0;
    bool more;
    int n = 1;

    do {
        const struct iso_raw_record *raw = r->record;

        if (count == ISO_SECTIONS_MAX || raw->unit || raw->gap)
            return iso_corrupt(r->s, "interleaved, or too many sections: block", r->place.block);
        more = raw->flags & ISO_FL_MORE;
        to[count].block = load_le32(raw->extent) + raw->attributes;
        to[count].bytes = load_le32(raw->size);
        if (more && to[count].bytes % ISO_BLOCK)
            return iso_corrupt(r->s, "a section with half a block: block", r->place.block);
        count++;
        iso_reader_step(r);
        n = more ? iso_reader_load(r) : 1;
    } while (more && n == 1);
    return n < 0 ? n : n == 0 ? -EIO : (int)count;
}

/* What the record says, and then Rock Ridge. */
static void fill_inode(struct inode *i, const struct iso_raw_record *raw,
                       const struct iso_rock *rock)
{
    uint32_t date = iso_time(raw->date);

    i->mode = iso_mode(raw, rock);
    i->nlink = rock->has_mode && rock->nlink ? rock->nlink : 1;
    i->uid = rock->uid;
    i->gid = rock->gid;
    i->mtime.sec = rock->mtime ? rock->mtime : date;
    i->atime.sec = rock->atime ? rock->atime : date;
    i->ctime.sec = rock->ctime ? rock->ctime : date;
    i->rdev = rock->has_device ? rock->rdev : 0;
}

static int set_operations(struct inode *i)
{
    struct iso_node *n = iso_node(i);
    uint64_t size = 0;

    for (unsigned k = 0; k < n->count; k++)
        size += n->section[k].bytes;
    i->bytes = S_ISDIR(i->mode) ? (uint32_t)size : 0;
    i->ops = S_ISDIR(i->mode)   ? &iso_dir_ops
             : S_ISLNK(i->mode) ? &iso_link_ops
                                : &iso_file_inode_ops;
    if (!S_ISREG(i->mode))
        return 0;
    i->fops = &iso_file_ops;
    i->object = vm_object_create(&iso_pager, n, size);
    return i->object ? 0 : -ENOMEM;
}

/* [cached] */
static int new_node(struct iso_super *s, struct iso_place place, const struct iso_section *list,
                    unsigned count, struct inode **out)
{
    struct inode *i = inode_bare(s->sb, 0);
    struct iso_node *n = i ? kzalloc(sizeof(*n) + count * sizeof(*list)) : NULL;

    if (!n) {
        if (i)
            inode_unref(i);
        return -ENOMEM;
    }
    memcpy(n->section, list, count * sizeof(*list));
    n->count = count;
    n->super = s;
    n->inode = i;
    n->place = place;
    i->ino = n->ino = iso_ino(place);
    i->private = n;
    *out = i;
    return 0;
}

/* [cached] */
static int load_from(struct iso_reader *r, struct iso_place place, struct inode **out)
{
    const struct iso_raw_record raw = *r->record;
    struct iso_section *list = (struct iso_section *)(r->frame + ISO_BLOCK);
    struct iso_rock rock;
    int n = iso_rock_read(r, &rock, NULL, 0);

    if (n >= 0)
        n = read_sections(r, list);
    if (n < 0)
        return n;
    n = new_node(r->s, place, list, (unsigned)n, out);
    if (n)
        return n;
    fill_inode(*out, &raw, &rock);
    n = set_operations(*out);
    if (n) {
        kmfree((*out)->private);
        (*out)->ops = NULL;
        inode_unref(*out);
        return n;
    }
    list_add_tail(bucket_of(r->s, place), &iso_node(*out)->link);
    return 0;
}

/* [cached] */
static int load(struct iso_super *s, struct iso_place place, bool is_dir, struct inode **out)
{
    struct iso_reader r;
    int n = iso_reader_begin(&r, s, place, s->blocks);

    if (!n)
        n = iso_reader_load(&r);
    if (!n || (n == 1 && (r.place.block != place.block || r.place.at != place.at)))
        n = iso_corrupt(s, "no record in block", place.block);
    if (n == 1)
        n = is_dir && !(r.record->flags & ISO_FL_DIR)
                ? iso_corrupt(s, "no directory at block", place.block)
                : load_from(&r, place, out);
    iso_reader_end(&r);
    return n;
}

int iso_iget(struct superblock *sb, struct iso_place place, bool is_dir, struct inode **out)
{
    struct iso_super *s = sb->private;
    int err = 0;

    mutex_lock(&s->cached);
    *out = find_node(s, place);
    if (!*out)
        err = load(s, place, is_dir, out);
    mutex_unlock(&s->cached);
    return err;
}
