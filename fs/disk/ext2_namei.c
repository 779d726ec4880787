/*
 * Names in ext2: looking up, making, linking, removing, moving.
 *
 * The VFS has locked the directories, and a directory that goes. Each change is an operation, which
 * the disk has whole or not at all where there is a log.
 */
#include "fs/disk/disk.h"
#include "fs/disk/ext2.h"
#include "libc/string.h"

static int ext2_lookup(struct inode *dir, struct dentry *d)
{
    struct ext2_place p;
    struct inode *i;
    int err = ext2_dir_find(dir, d->name, d->name_len, &p);

    if (err)
        return err;
    err = ext2_iget(dir->sb, p.ino, &i);
    if (err)
        return err;
    if (disk_is_second_name(i, d)) {
        inode_unref(i);
        return ext2_corrupt(ext2_super(dir), "a second name of directory", p.ino);
    }
    d->inode = i;
    return 0;
}

/* ---- Making ---- */

/* What was made gets no name after all. Consumes i. */
static int unmake(struct inode *i, int err)
{
    i->nlink = 0;
    ext2_inode_orphan(i);
    inode_unref(i);
    return err;
}

static int enter(struct inode *dir, struct dentry *d, struct inode *i)
{
    int err = ext2_dir_add(dir, d->name, d->name_len, i);

    if (err)
        return unmake(i, err);
    d->inode = i;
    return 0;
}

static int ext2_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t rdev)
{
    struct ext2_operation op;
    struct inode *i;
    int err;

    err = ext2_begin_change(ext2_super(dir), &op);
    if (err)
        return err;
    err = ext2_inode_make(dir, mode, rdev, &i);
    if (!err)
        err = enter(dir, d, i);
    ext2_end(ext2_super(dir), &op);
    return err;
}

static int ext2_create(struct inode *dir, struct dentry *d, uint32_t mode)
{
    return ext2_mknod(dir, d, S_IFREG | (mode & ~S_IFMT), 0);
}

/* It goes with its last user, or after a crash, unless it is linked by then. */
static int ext2_tmpfile(struct inode *dir, struct dentry *d, uint32_t mode)
{
    struct ext2_operation op;
    int err = ext2_begin_change(ext2_super(dir), &op);

    if (err)
        return err;
    err = ext2_inode_make(dir, S_IFREG | (mode & ~S_IFMT), 0, &d->inode);
    if (!err) {
        d->inode->nlink = 0;
        ext2_inode_orphan(d->inode);
    }
    ext2_end(ext2_super(dir), &op);
    return err;
}

static int make_dir(struct inode *dir, struct dentry *d, uint32_t mode)
{
    struct inode *i;
    int err = dir->nlink >= EXT2_LINK_MAX ? -EMLINK : ext2_inode_make(dir, mode, 0, &i);

    if (err)
        return err;
    err = ext2_dir_make(i, dir);
    if (err)
        return unmake(i, err);
    i->nlink = 2;
    err = ext2_inode_write(i);
    if (err)
        return unmake(i, err);
    dir->nlink++;
    err = enter(dir, d, i);
    if (err)
        dir->nlink--;
    return err;
}

static int ext2_mkdir(struct inode *dir, struct dentry *d, uint32_t mode)
{
    struct ext2_operation op;
    int err;

    err = ext2_begin_change(ext2_super(dir), &op);
    if (err)
        return err;
    err = make_dir(dir, d, mode);
    ext2_end(ext2_super(dir), &op);
    return err;
}

static int write_target(struct inode *i, const char *target, size_t len)
{
    struct ext2_node *n = ext2_node(i);
    uint32_t block;
    bool fresh;
    int err;

    i->bytes = (uint32_t)len;
    n->short_link = len < sizeof(n->block);
    if (n->short_link) {
        memcpy(n->block, target, len);
        return ext2_inode_write(i);
    }
    err = ext2_check_room(n->super, 1);
    if (err)
        return err;
    mutex_lock(&n->map);
    err = ext2_map_make(n, 0, false, &block, &fresh);
    mutex_unlock(&n->map);
    if (!err)
        err = ext2_meta_write(n->super, block, 0, target, (uint32_t)len);
    return err ? err : ext2_inode_write(i);
}

static int ext2_symlink(struct inode *dir, struct dentry *d, const char *target)
{
    struct ext2_super *s = ext2_super(dir);
    size_t len = strlen(target);
    struct ext2_operation op;
    struct inode *i;
    int err;

    if (len >= s->block_size)
        return -ENAMETOOLONG;
    err = ext2_begin_change(s, &op);
    if (err)
        return err;
    err = ext2_inode_make(dir, S_IFLNK | 0777, 0, &i);
    if (!err) {
        err = write_target(i, target, len);
        err = err ? unmake(i, err) : enter(dir, d, i);
    }
    ext2_end(s, &op);
    return err;
}

static int ext2_link(struct inode *dir, struct dentry *d, struct inode *target)
{
    struct ext2_operation op;
    int err;

    if (target->nlink >= EXT2_LINK_MAX)
        return -EMLINK;
    err = ext2_begin_change(ext2_super(dir), &op);
    if (err)
        return err;
    err = ext2_dir_add(dir, d->name, d->name_len, target);
    if (!err) {
        target->nlink++;
        inode_touch(target, false, false, true);
        ext2_inode_adopt(target);
        inode_ref(target);
        d->inode = target;
        (void)ext2_inode_write(target);
    }
    ext2_end(ext2_super(dir), &op);
    return err;
}

/* ---- Removing ---- */

/* One name of i is gone; of a directory, all. */
static void lose_name(struct inode *i)
{
    i->nlink = S_ISDIR(i->mode) || !i->nlink ? 0 : i->nlink - 1;
    inode_touch(i, false, false, true);
    if (i->nlink == 0)
        ext2_inode_orphan(i);
    else
        (void)ext2_inode_write(i);
}

static int find_for(struct inode *dir, const struct dentry *d, struct ext2_place *p)
{
    int err = ext2_dir_find(dir, d->name, d->name_len, p);

    return !err && d->inode && p->ino != d->inode->ino ? -EIO : err;
}

static int ext2_unlink(struct inode *dir, struct dentry *d)
{
    struct ext2_operation op;
    struct ext2_place p;
    int err;

    err = ext2_begin_change(ext2_super(dir), &op);
    if (err)
        return err;
    err = find_for(dir, d, &p);
    if (!err)
        err = ext2_dir_remove(dir, &p);
    if (!err)
        lose_name(d->inode);
    ext2_end(ext2_super(dir), &op);
    return err;
}

static int ext2_rmdir(struct inode *dir, struct dentry *d)
{
    int empty = ext2_dir_is_empty(d->inode), err;
    struct ext2_operation op;
    struct ext2_place p;

    if (empty <= 0)
        return empty < 0 ? empty : -ENOTEMPTY;
    err = ext2_begin_change(ext2_super(dir), &op);
    if (err)
        return err;
    err = find_for(dir, d, &p);
    if (!err) {
        dir->nlink -= dir->nlink > 2;
        err = ext2_dir_remove(dir, &p);
        if (err)
            dir->nlink++;
        else
            lose_name(d->inode);
    }
    ext2_end(ext2_super(dir), &op);
    return err;
}

/* ---- Moving ---- */

/* The new name: another's entry that changes hands, or one more. */
static int take_name(struct inode *newdir, struct dentry *new, struct inode *i)
{
    struct ext2_place p;
    int err;

    if (!new->inode)
        return ext2_dir_add(newdir, new->name, new->name_len, i);
    if (S_ISDIR(new->inode->mode)) {
        err = ext2_dir_is_empty(new->inode);
        if (err <= 0)
            return err < 0 ? err : -ENOTEMPTY;
    }
    err = find_for(newdir, new, &p);
    return err ? err : ext2_dir_set(newdir, &p, i);
}

/* A directory knows where it lies. */
static int set_parent(struct inode *i, struct inode *newdir)
{
    struct ext2_place p;
    int err = ext2_dir_find(i, "..", 2, &p);

    return err ? err : ext2_dir_set(i, &p, newdir);
}

static int move(struct inode *olddir, struct dentry *old, struct inode *newdir, struct dentry *new)
{
    struct inode *i = old->inode;
    bool moves = S_ISDIR(i->mode) && olddir != newdir;
    bool replaces_dir = new->inode &&S_ISDIR(new->inode->mode);
    struct ext2_place p;
    int err;

    if (moves && !replaces_dir && newdir->nlink >= EXT2_LINK_MAX)
        return -EMLINK;
    err = take_name(newdir, new, i);
    if (!err)
        err = find_for(olddir, old, &p);
    if (!err)
        err = ext2_dir_remove(olddir, &p);
    if (!err && moves)
        err = set_parent(i, newdir);
    if (err)
        return err;
    newdir->nlink += moves;
    newdir->nlink -= replaces_dir;
    olddir->nlink -= moves;
    inode_touch(i, false, false, true);
    if (new->inode)
        lose_name(new->inode);
    (void)ext2_inode_write(i);
    (void)ext2_inode_write(newdir);
    return ext2_inode_write(olddir);
}

static int ext2_rename(struct inode *olddir, struct dentry *old, struct inode *newdir,
                       struct dentry *new)
{
    struct ext2_operation op;
    int err;

    err = ext2_begin_change(ext2_super(olddir), &op);
    if (err)
        return err;
    err = move(olddir, old, newdir, new);
    ext2_end(ext2_super(olddir), &op);
    return err;
}

/* ---- Links ---- */

static int ext2_readlink(struct inode *i, char *buf, size_t size)
{
    struct ext2_node *n = ext2_node(i);
    uint32_t len = i->bytes < size ? i->bytes : (uint32_t)size, block;
    int err;

    if (n->short_link) {
        memcpy(buf, n->block, len);
        return (int)len;
    }
    if (i->bytes >= n->super->block_size)
        return -EIO;
    err = ext2_map_find(n, 0, &block);
    if (err || !block)
        return err ? err : -EIO;
    err = ext2_meta_read(n->super, block, 0, buf, len);
    return err ? err : (int)len;
}

const struct inode_ops ext2_dir_ops = {
    .lookup = ext2_lookup,
    .create = ext2_create,
    .tmpfile = ext2_tmpfile,
    .mkdir = ext2_mkdir,
    .mknod = ext2_mknod,
    .symlink = ext2_symlink,
    .link = ext2_link,
    .unlink = ext2_unlink,
    .rmdir = ext2_rmdir,
    .rename = ext2_rename,
    .iterate = ext2_dir_iterate,
    .blocks = ext2_blocks,
    .setattr = ext2_setattr,
    .load_xattrs = ext2_attr_load,
    .store_xattrs = ext2_attr_store,
    .fsync = ext2_fsync,
    .destroy = ext2_inode_destroy,
};

const struct inode_ops ext2_link_ops = {
    .readlink = ext2_readlink,
    .blocks = ext2_blocks,
    .setattr = ext2_setattr,
    .load_xattrs = ext2_attr_load,
    .store_xattrs = ext2_attr_store,
    .destroy = ext2_inode_destroy,
};

const struct inode_ops ext2_special_ops = {
    .blocks = ext2_blocks,
    .setattr = ext2_setattr,
    .load_xattrs = ext2_attr_load,
    .store_xattrs = ext2_attr_store,
    .destroy = ext2_inode_destroy,
};
