/*
 * Directories of ISO 9660: which name a record has, looking up, listing.
 *
 * Names are Rock Ridge's, or Joliet's (UCS-2, given as UTF-8), or those of ISO 9660 itself as Linux
 * shows them: small letters without the version.
 */
#include "fs/disk/disk.h"
#include "fs/disk/iso.h"
#include "libc/ctype.h"
#include "libc/string.h"

/* What one directory record, or several about the same file, say in a directory. */
struct entry {
    struct iso_place place; /* of the file */
    bool hidden;            /* not to be seen here */
    uint32_t mode;          /* type */
    size_t len;
    char name[NAME_MAX];
};

/* ---- Names ---- */

/* ";1" is the version, and a dot before it that nothing follows is no part of the name. */
static size_t without_version(const char *name, size_t n)
{
    if (n > 2 && name[n - 2] == ';' && name[n - 1] == '1')
        n -= 2;
    return n > 1 && name[n - 1] == '.' ? n - 1 : n;
}

static void set_plain_name(struct entry *e, const struct iso_raw_record *r)
{
    e->len = without_version((const char *)r->name, r->name_len);
    for (size_t i = 0; i < e->len; i++) {
        char c = (char)r->name[i];

        e->name[i] = c == ';' || c == '/' ? '.' : (char)tolower(c);
    }
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3f));
    out[2] = (char)(0x80 | (c & 0x3f));
    return 3;
}

static void set_joliet_name(struct entry *e, const struct iso_raw_record *r)
{
    size_t n = 0;

    for (unsigned i = 0; i + 1 < r->name_len && n + 3 <= NAME_MAX; i += 2) {
        uint32_t c = (uint32_t)r->name[i] << 8 | r->name[i + 1];

        n += put_utf8(e->name + n, c == '/' || c == 0 ? '_' : c);
    }
    e->len = without_version(e->name, n);
}

static bool is_a_name(const char *name, size_t len)
{
    if (len == 0 || (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))))
        return false;
    return !memchr(name, '/', len) && !memchr(name, '\0', len);
}

static void set_name(struct entry *e, const struct iso_reader *r, const struct iso_rock *rock)
{
    if (rock->name_len) {
        e->len = rock->name_len;
        memcpy(e->name, rock->name, e->len);
    } else if (r->s->names == ISO_JOLIET) {
        set_joliet_name(e, r->record);
    } else {
        set_plain_name(e, r->record);
    }
}

/* ---- Entries ---- */

static void set_place(struct entry *e, const struct iso_reader *r, const struct iso_rock *rock)
{
    e->place = r->place;
    e->mode = iso_mode(r->record, rock);
    if (rock->child) {
        e->place = (struct iso_place){rock->child, 0};
        e->mode = S_IFDIR;
    } else if (S_ISDIR(e->mode)) {
        e->place = (struct iso_place){load_le32(r->record->extent) + r->record->attributes, 0};
    }
}

/* Past all records about the file. */
static int step_over(struct iso_reader *r)
{
    bool more;
    int n;

    do {
        more = r->record->flags & ISO_FL_MORE;
        iso_reader_step(r);
        n = more ? iso_reader_load(r) : 1;
    } while (more && n == 1);
    return n < 0 ? n : 0;
}

/* The entry at the reader's place, which moves behind it: 1, and 0 at the end of the directory. */
static int next_entry(struct iso_reader *r, struct entry *e)
{
    struct iso_rock rock;
    int n = iso_reader_load(r), err;

    if (n != 1)
        return n;
    err = iso_rock_read(r, &rock, NULL, 0);
    if (err < 0)
        return err;
    set_name(e, r, &rock);
    set_place(e, r, &rock);
    e->hidden = iso_is_dots(r->record) || rock.relocated ||
                (r->record->flags & ISO_FL_ASSOCIATED) || !is_a_name(e->name, e->len);
    err = step_over(r);
    return err ? err : 1;
}

/* Opens a directory at a place within it, in bytes. */
static int begin(struct iso_reader *r, const struct inode *dir, uint64_t at)
{
    const struct iso_section *all = &iso_node(dir)->section[0];
    uint32_t blocks = (all->bytes + ISO_BLOCK - 1) >> ISO_BLOCK_SHIFT;
    struct iso_place place = {all->block + (uint32_t)(at >> ISO_BLOCK_SHIFT),
                              (uint32_t)at & (ISO_BLOCK - 1)};

    return iso_reader_begin(r, iso_super(dir), place, all->block + blocks);
}

static int find(struct inode *dir, const struct dentry *d, struct entry *out)
{
    struct iso_reader r;
    int n = begin(&r, dir, 0);

    while (!n && (n = next_entry(&r, out)) == 1) {
        if (!out->hidden && out->len == d->name_len && memcmp(out->name, d->name, out->len) == 0)
            break;
        n = 0;
        sched_point();
    }
    iso_reader_end(&r);
    return n == 1 ? 0 : n ? n : -ENOENT;
}

static int iso_lookup(struct inode *dir, struct dentry *d)
{
    struct entry e;
    struct inode *i;
    int err = find(dir, d, &e);

    if (!err)
        err = iso_iget(dir->sb, e.place, S_ISDIR(e.mode), &i);
    if (err)
        return err;
    if (disk_is_second_name(i, d)) {
        inode_unref(i);
        return iso_corrupt(iso_super(dir), "a second name of directory", e.place.block);
    }
    d->inode = i;
    return 0;
}

/* Positions are 2 and the offset of a record. */
static uint64_t position(const struct iso_reader *r, const struct inode *dir)
{
    uint32_t blocks = r->place.block - iso_node(dir)->section[0].block;

    return ((uint64_t)blocks << ISO_BLOCK_SHIFT) + r->place.at + 2;
}

static int iso_iterate(struct file *f, struct dir_context *ctx)
{
    struct iso_reader r;
    struct entry e;
    int n = begin(&r, f->inode, ctx->pos - 2);

    while (!n && (n = next_entry(&r, &e)) == 1) {
        n = e.hidden || dir_emit(ctx, e.name, e.len, iso_ino(e.place), e.mode) ? 0 : 1;
        if (!n)
            ctx->pos = position(&r, f->inode);
        sched_point();
    }
    iso_reader_end(&r);
    return n < 0 ? n : 0;
}

const struct inode_ops iso_dir_ops = {
    .lookup = iso_lookup,
    .iterate = iso_iterate,
    .destroy = iso_inode_destroy,
};
