/*
 * The boot archive loader on the real in-memory file system and the real page cache: what tree an
 * image makes, what the files hold when they are read, and what is refused.
 */
#include "arch/clock_page.h"
#include <stdarg.h>
#include <string.h>
#include "tests/host/program.h"
#include "fs/notify/notify.h"
#include "fs/ram/ramfs.h"
#include "fs/vfs/acl.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/mount.h"
#include "fs/vfs/vfs.h"
#include "fs/vfs/xattr.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "libc/errno.h"
#include "mm/mm.h"
#include "tests/host/check.h"

#define RAM (16u << 20)

/* ---- What the kernel around it does ---- */

static char last_log[2048]; /* what was said since the last load */
const struct file_ops object_file_ops;
static struct fs_type *rootfs;

void klog(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    (void)level;
    va_start(ap, fmt);
    vsnprintf(last_log + strlen(last_log), sizeof(last_log) - strlen(last_log), fmt, ap);
    va_end(ap);
}

/* No file here has attributes, or a list of who may. */
void acl_free_all(struct inode *i)
{
    (void)i;
    EXPECT(false);
}

int acl_permits(const struct inode *i, unsigned want, const struct access_ids *who)
{
    (void)i, (void)want, (void)who;
    EXPECT(false);
    return 1;
}

void xattr_free_all(struct inode *i)
{
    EXPECT(i->xattrs == NULL);
}

int xattr_drop_caps(struct inode *i)
{
    EXPECT(i->xattrs == NULL);
    return 0;
}

void fs_register(struct fs_type *t)
{
    if (strcmp(t->name, "rootfs") == 0)
        rootfs = t;
}

/* Nothing is mounted, and nobody asks for the path of an inode. */
void mount_gone(struct mount *m)
{
    (void)m;
    EXPECT(false);
}

struct path mount_that_shows(struct dentry *d)
{
    EXPECT(false);
    return (struct path){.dentry = d};
}

struct clock_moment clock_real_coarse(void)
{
    return (struct clock_moment){.sec = 1700000000};
}

void mutex_init(struct mutex *m, enum mutex_rank rank)
{
    memset(m, 0, sizeof(*m));
    m->rank = rank;
}

void notify_gone(struct inode *i)
{
    (void)i;
}

struct path fs_context_root(void)
{
    EXPECT(false);
    return (struct path){0};
}

void dentry_tree_free(struct dentry *root);

/* ---- Images ---- */

static uint8_t *image;
static uint32_t image_size;

static void put(const void *bytes, uint32_t n)
{
    if (n)
        memcpy(image + image_size, bytes, n);
    image_size += n;
}

static void pad(void)
{
    while (image_size % 4)
        image[image_size++] = 0;
}

struct entry {
    uint32_t ino, mode, uid, gid, nlink, mtime, rdev_major, rdev_minor;
};

static void add(struct entry e, const char *name, const void *data, uint32_t size)
{
    char header[111];

    snprintf(header, sizeof(header), "070701%08X%08x%08x%08X%08x%08x%08x%08x%08x%08x%08x%08x%08x",
             e.ino, e.mode, e.uid, e.gid, e.nlink ? e.nlink : 1, e.mtime, size, 0, 8, e.rdev_major,
             e.rdev_minor, (unsigned)strlen(name) + 1, 0);
    put(header, 110);
    put(name, (uint32_t)strlen(name) + 1);
    pad();
    put(data, size);
    pad();
}

static void add_file(const char *name, const char *text)
{
    add((struct entry){.mode = S_IFREG | 0644, .mtime = 7}, name, text, (uint32_t)strlen(text));
}

static void add_dir(const char *name)
{
    add((struct entry){.mode = S_IFDIR | 0755, .mtime = 7}, name, NULL, 0);
}

static void add_link(const char *name, const char *target)
{
    add((struct entry){.mode = S_IFLNK | 0777}, name, target, (uint32_t)strlen(target));
}

static void add_trailer(void)
{
    add((struct entry){0}, "TRAILER!!!", NULL, 0);
}

/* Everything put so far becomes one gzip member. */
static void compress_image(void)
{
    FILE *f = popen("gzip -c > /tmp/test_cpio.gz", "w");

    fwrite(image, 1, image_size, f);
    pclose(f);
    f = fopen("/tmp/test_cpio.gz", "rb");
    image_size = (uint32_t)fread(image, 1, 4u << 20, f);
    fclose(f);
    remove("/tmp/test_cpio.gz");
}

/* ---- Trees ---- */

static struct superblock sb;

static void before(void)
{
    machine_with_mm(RAM);
    ramfs_init();
    sb = (struct superblock){.type = rootfs, .dev = 1};
    EXPECT_EQ(rootfs->mount(&sb, "rootfs", NULL), 0);
    image = malloc(4u << 20);
    image_size = 0;
    last_log[0] = '\0';
}

static void after(void)
{
    if (sb.root) {
        dentry_tree_free(sb.root);
        rootfs->unmount(&sb);
    }
    EXPECT_EQ(mm_check(), 0);
    machine_off();
    free(image);
}

static int load_at(const void *data, size_t size)
{
    last_log[0] = '\0';
    return cpio_load(sb.root, &(struct boot_archive){data, size}, 1);
}

static int load(void)
{
    return load_at(image, image_size);
}

/* The dentry of a path (borrowed: the tree holds it), or NULL. */
static struct dentry *at(const char *path)
{
    struct dentry *d = sb.root;

    while (d && *path) {
        size_t n = strcspn(path, "/");

        if (d->inode->ops->fill)
            EXPECT_EQ(d->inode->ops->fill(d), 0);
        d = dentry_find(d, path, n);
        if (d)
            dentry_unref(d);
        path += n + (path[n] == '/');
    }
    return d;
}

static struct inode *file(const char *path)
{
    static struct inode nothing;
    struct dentry *d = at(path);

    if (!d)
        fprintf(stderr, "there is no %s\n", path);
    EXPECT(d != NULL);
    return d ? d->inode : &nothing;
}

static void expect_text(const char *path, const char *text)
{
    char buf[256] = "";
    struct inode *i = file(path);
    long n = i->object ? vm_object_read_kernel(i->object, 0, buf, sizeof(buf) - 1) : -1;

    EXPECT_EQ(n, strlen(text));
    EXPECT(strcmp(buf, text) == 0);
}

static void expect_target(const char *path, const char *target)
{
    char buf[256] = "";
    struct inode *i = file(path);

    if (i->ops && i->ops->readlink)
        EXPECT_EQ(i->ops->readlink(i, buf, sizeof(buf)), strlen(target));
    EXPECT(strcmp(buf, target) == 0);
}

static void expect_refused(const char *reason)
{
    EXPECT_EQ(load(), -EINVAL);
    if (!strstr(last_log, reason))
        fprintf(stderr, "said: %s", last_log);
    EXPECT(strstr(last_log, reason) != NULL);
}

/* What is wrong was said, and there is something in it all the same. */
static void expect_skipped(const char *reason)
{
    EXPECT_EQ(load(), 0);
    if (!strstr(last_log, reason))
        fprintf(stderr, "said: %s", last_log);
    EXPECT(strstr(last_log, reason) != NULL && strstr(last_log, "skipped") != NULL);
}

/* ---- What is accepted ---- */

TEST(every_kind_of_file)
{
    add_dir("etc");
    add((struct entry){.mode = S_IFREG | 04751, .uid = 10, .gid = 0xABCDEF, .mtime = 0x12345678},
        "etc/passwd", "root", 4);
    add_link("etc/link", "passwd");
    add((struct entry){.mode = S_IFCHR | 0622, .rdev_major = 5, .rdev_minor = 1}, "console", NULL,
        0);
    add((struct entry){.mode = S_IFIFO | 0600}, "fifo", NULL, 0);
    add_trailer();
    EXPECT_EQ(load(), 0);
    EXPECT_EQ(file("etc")->nlink, 2);
    EXPECT_EQ(file("etc/passwd")->mode, S_IFREG | 04751);
    EXPECT_EQ(file("etc/passwd")->uid, 10);
    EXPECT_EQ(file("etc/passwd")->gid, 0xabcdef);
    EXPECT_EQ(file("etc/passwd")->mtime.sec, 0x12345678);
    EXPECT_EQ(file("console")->rdev, MKDEV(5, 1));
    EXPECT_EQ(file("fifo")->mode, S_IFIFO | 0600);
    expect_text("etc/passwd", "root");
    expect_target("etc/link", "passwd");
}

TEST(defaults_are_there_and_can_be_overridden)
{
    add_file("init", "");
    add((struct entry){.mode = S_IFCHR | 0666, .rdev_major = 4, .rdev_minor = 64}, "dev/console",
        NULL, 0);
    add_trailer();
    EXPECT_EQ(load(), 0);
    EXPECT_EQ(file("root")->mode, S_IFDIR | 0700);
    EXPECT_EQ(file("dev/console")->rdev, MKDEV(4, 64));
}

TEST(nothing_is_read_before_it_is_touched)
{
    struct mem_stats m;

    add_file("a", "not yet");
    add_trailer();
    EXPECT_EQ(load(), 0);
    mm_stats(&m);
    EXPECT_EQ(m.cached, 0);
    EXPECT_EQ(vm_object_size(file("a")->object), 7);
    expect_text("a", "not yet");
    mm_stats(&m);
    EXPECT_EQ(m.cached, 1);
}

TEST(pages_end_in_zeros)
{
    uint8_t page[PAGE_SIZE], data[PAGE_SIZE + 1];
    struct inode *i;

    memset(data, 0xee, sizeof(data));
    add((struct entry){.mode = S_IFREG | 0644}, "a", data, sizeof(data));
    add_file("b", "the neighbour");
    add_trailer();
    EXPECT_EQ(load(), 0);
    i = file("a");
    EXPECT_EQ(i->ops->truncate(i, 2 * PAGE_SIZE), 0);
    EXPECT_EQ(vm_object_read_kernel(i->object, PAGE_SIZE, page, PAGE_SIZE), PAGE_SIZE);
    EXPECT_EQ(page[0], 0xee);
    for (unsigned n = 1; n < PAGE_SIZE; n++)
        EXPECT_EQ(page[n], 0);
}

TEST(what_was_cut_off_does_not_come_back)
{
    struct inode *i;
    char buf[10];

    add_file("a", "0123456789");
    add_trailer();
    EXPECT_EQ(load(), 0);
    i = file("a");
    EXPECT_EQ(i->ops->truncate(i, 3), 0);
    EXPECT_EQ(i->ops->truncate(i, sizeof(buf)), 0);
    EXPECT_EQ(vm_object_read_kernel(i->object, 0, buf, sizeof(buf)), sizeof(buf));
    EXPECT(memcmp(buf, "012\0\0\0\0\0\0", sizeof(buf)) == 0);
}

TEST(hard_links_share_what_the_last_one_brings)
{
    struct entry e = {.ino = 5, .mode = S_IFREG | 0755, .nlink = 3};

    add(e, "a", NULL, 0);
    add(e, "d/b", NULL, 0);
    add(e, "c", "data", 4);
    add((struct entry){.ino = 5, .mode = S_IFREG | 0644, .nlink = 1}, "other", "x", 1);
    add_trailer();
    add(e, "next", "not linked", 10);
    add_trailer();
    EXPECT_EQ(load(), 0);
    EXPECT(file("a") == file("c") && file("d/b") == file("c"));
    EXPECT_EQ(file("a")->nlink, 3);
    expect_text("a", "data");
    EXPECT(file("other") != file("a"));
    EXPECT(file("next") != file("a")); /* links end with their archive */
}

TEST(names_are_cleaned_and_parents_made)
{
    add_file("./a", "1");
    add_file("/b", "2");
    add_file("x//y/./z/c", "3");
    add_dir("x/y/");
    add((struct entry){.mode = S_IFDIR | 0711}, ".", NULL, 0);
    add_trailer();
    EXPECT_EQ(load(), 0);
    expect_text("a", "1");
    expect_text("b", "2");
    expect_text("x/y/z/c", "3");
    EXPECT_EQ(file("x")->mode, S_IFDIR | 0755);
    EXPECT_EQ(sb.root->inode->mode, S_IFDIR | 0711);
}

TEST(entries_go_through_symbolic_links)
{
    add_dir("usr/lib");
    add_link("lib", "usr/lib");
    add_link("usr/abs", "/usr/lib");
    add_file("lib/a", "a");
    add_file("usr/abs/b", "b");
    add_trailer();
    EXPECT_EQ(load(), 0);
    expect_text("usr/lib/a", "a");
    expect_text("usr/lib/b", "b");
}

TEST(a_later_entry_overrides)
{
    add_file("a", "old");
    add_file("b", "file");
    add_link("c", "somewhere");
    add_dir("d");
    add_trailer();
    add_file("a", "newer");
    add_link("b", "link");
    add_file("c", "file");
    add_file("d", "no more a directory");
    add_trailer();
    EXPECT_EQ(load(), 0);
    expect_text("a", "newer");
    expect_target("b", "link");
    expect_text("c", "file");
    expect_text("d", "no more a directory");
    EXPECT_EQ(sb.root->inode->nlink, 4); /* itself, its parent, dev, root */
}

TEST(plain_and_compressed_archives_one_after_the_other)
{
    uint8_t *whole = malloc(1u << 20);
    uint32_t n;

    add_file("early", "1");
    add_file("both", "plain");
    add_trailer();
    memcpy(whole, image, n = image_size);
    memset(whole + n, 0, 515);
    n += 515;
    image_size = 0;
    add_dir("far/away");
    add_file("far/away/late", "2");
    add_link("far/link", "away");
    add_file("both", "compressed");
    add_trailer();
    compress_image();
    memcpy(whole + n, image, image_size);
    n += image_size;
    memset(whole + n, 0, 100);
    image_size = n + 100;
    memcpy(image, whole, image_size);
    free(whole);
    EXPECT_EQ(load(), 0);
    expect_text("early", "1");
    expect_text("far/away/late", "2");
    expect_target("far/link", "away");
    expect_text("both", "compressed");
}

TEST(headers_and_names_across_frames)
{
    char name[64], path[64], text[64];

    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof(name), "dir%d/a-name-of-some-length-%d", i % 7, i);
        snprintf(text, sizeof(text), "contents %d", i);
        add_file(name, text);
        snprintf(path, sizeof(path), "dir%d/link%d", i % 7, i);
        add_link(path, name);
    }
    add_trailer();
    compress_image();
    EXPECT_EQ(load(), 0);
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof(name), "dir%d/a-name-of-some-length-%d", i % 7, i);
        snprintf(text, sizeof(text), "contents %d", i);
        expect_text(name, text);
        snprintf(path, sizeof(path), "dir%d/link%d", i % 7, i);
        expect_target(path, name);
    }
}

/* ---- Names that are made when somebody asks ---- */

static uint32_t used_inodes(void)
{
    return ((struct ramfs_super *)sb.private)->used_inodes;
}

/* d, in which names wait (borrowed). */
static struct dentry *waiting(void)
{
    struct dentry *d = at("d");

    EXPECT(d && d->inode->ops->fill && d->inode->private);
    return d;
}

static void put_names_off(void)
{
    add_dir("d");
    add_file("d/a", "old");
    add_link("d/l", "a");
    add_file("d/a", "newer");
    add_file("elsewhere", "");
    add_file("d/last", "in a run of its own");
    add_trailer();
    EXPECT_EQ(load(), 0);
}

TEST(names_that_wait_count_as_there)
{
    uint32_t used, bytes;
    struct dentry *d;

    put_names_off();
    d = waiting();
    used = used_inodes();
    bytes = d->inode->bytes;
    EXPECT(list_empty(&d->children));
    EXPECT_EQ(sb.root->inode->ops->rmdir(sb.root->inode, d), -ENOTEMPTY);
    expect_text("d/a", "newer");
    expect_target("d/l", "a");
    expect_text("d/last", "in a run of its own");
    EXPECT(!d->inode->ops->fill && !d->inode->private);
    EXPECT_EQ(used_inodes(), used - 1); /* a came twice */
    EXPECT_EQ(d->inode->bytes, bytes - 20);
    EXPECT_EQ(d->child_count, 3);
}

TEST(what_looks_into_a_directory_has_its_names_made)
{
    add_file("d/a", "1");
    add_link("d/here", ".");
    add_file("d/here/b", "2");
    add_file("d/c", "3");
    add((struct entry){.ino = 5, .mode = S_IFREG | 0755, .nlink = 2}, "d/e", "4", 1);
    add((struct entry){.ino = 5, .mode = S_IFREG | 0755, .nlink = 2}, "f", NULL, 0);
    add_file("d/a", "5");
    add_dir("d/sub");
    add_file("d/sub", "no directory any more");
    add_trailer();
    EXPECT_EQ(load(), 0);
    expect_text("d/a", "5");
    expect_text("d/b", "2");
    expect_text("d/c", "3");
    EXPECT(file("d/e") == file("f"));
    expect_text("d/sub", "no directory any more");
    EXPECT_EQ(file("d")->nlink, 2);
}

TEST(a_name_that_is_there_already_is_replaced_at_once)
{
    struct dentry *dev, *console;
    const struct inode *i;

    add_dir("dev");
    add_file("dev/a", "");
    add((struct entry){.mode = S_IFCHR | 0600, .rdev_major = 4, .rdev_minor = 64}, "dev/console",
        NULL, 0);
    add_file("dev/b", "");
    add_trailer();
    EXPECT_EQ(load(), 0);
    dev = dentry_find(sb.root, "dev", 3);
    console = dentry_find(dev, "console", 7); /* as who looks finds it, whatever else waits */
    i = console->inode;
    EXPECT_EQ(i->rdev, MKDEV(4, 64));
    EXPECT(dev->inode->ops->fill);
    EXPECT(file("dev/b") && file("dev/console") == i);
    dentry_unref(console);
    dentry_unref(dev);
}

TEST(without_memory_the_rest_still_waits)
{
    struct dentry *d;
    unsigned failures = 0;
    int err;

    put_names_off();
    d = waiting();
    do {
        mm_inject_failure(++failures);
        err = d->inode->ops->fill(d);
        mm_inject_failure(0);
        EXPECT(err == 0 || err == -ENOMEM);
        EXPECT_EQ(!err, !d->inode->private);
    } while (d->inode->private && failures < 100);
    EXPECT(failures > 3 && failures < 100);
    expect_text("d/a", "newer");
    expect_target("d/l", "a");
    expect_text("d/last", "in a run of its own");
    EXPECT_EQ(d->child_count, 3);
}

/* ---- What is refused ---- */

TEST(no_archive)
{
    expect_refused("empty");
    memset(image, 0, image_size = 1000);
    expect_refused("empty");
    memcpy(image, "#!/bin/sh", 9);
    expect_refused("neither");
}

TEST(other_compression)
{
    static const char *const starts[][2] = {
        {"\xfd\x37\x7a\x58\x5a\0", "with xz"},
        {"\x28\xb5\x2f\xfd\0\0", "with zstd"},
        {"\x02\x21\x4c\x18\0\0", "with lz4"},
        {"\x89LZO\0\0", "with lzo"},
        {"BZh91A", "with bzip2"},
        {"\x5d\0\0\x80\0\0", "with lzma"},
    };

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        memset(image, 0xff, image_size = 100);
        memcpy(image, starts[i][0], 6);
        expect_refused(starts[i][1]);
    }
    memcpy(image, "BZ", image_size = 2);
    expect_refused("neither");
}

TEST(bad_magic_and_digits)
{
    add_file("a", "text");
    image[5] = '7'; /* 070707: the old portable format */
    expect_refused("magic");
    image[5] = '1';
    image[20] = 'g';
    expect_refused("hexadecimal");
    image[20] = '@';
    expect_refused("hexadecimal");
    image[20] = ':';
    expect_refused("hexadecimal");
    image[20] = '\0';
    expect_refused("hexadecimal");
}

static void field(unsigned n, const char *digits)
{
    memcpy(image + 6 + 8 * n, digits, 8);
}

TEST(sizes_that_do_not_fit)
{
    add_file("a", "text");
    add_trailer();
    field(6, "ffffffff");
    expect_refused("contents");
    field(6, "fffffff0");
    expect_refused("contents");
    field(6, "00000004");
    field(11, "ffffffff");
    expect_refused("length of a file name");
    field(11, "00000000");
    expect_refused("length of a file name");
    field(11, "00001000");
    expect_refused("truncated in a file name");
    field(11, "00000001");
    expect_refused("not terminated");
}

TEST(names_that_lead_out)
{
    add_file("../a", "");
    expect_refused("\"..\"");
    image_size = 0;
    add_file("a/../../b", "");
    expect_refused("\"..\"");
    image_size = 0;
    add_dir("..");
    expect_refused("\"..\"");
    image_size = 0;
    add_link("loop", "loop");
    add_file("loop/a", "");
    expect_skipped("symbolic links");
    image_size = 0;
    add_link("up", "../../..");
    add_file("up/a", "");
    expect_skipped("\"..\"");
}

TEST(names_that_are_too_long)
{
    char name[400];

    memset(name, 'n', sizeof(name));
    name[256] = '\0';
    add_file(name, "");
    expect_refused("too long");
    image_size = 0;
    name[256] = '/';
    name[399] = '\0';
    add_file(name, "");
    expect_refused("too long");
}

TEST(a_file_below_a_file)
{
    add_file("a", "");
    add_file("a/b", "");
    add_trailer();
    expect_skipped("no directory");
}

TEST(what_lies_around_damage_is_had)
{
    char name[300];
    uint32_t second;

    memset(name, 'n', sizeof(name));
    name[256] = '\0';
    add_file("before", "1");
    add_file(name, "");
    add_file("../out", "");
    add_file("after", "2");
    add_trailer();
    expect_skipped("too long");
    expect_text("before", "1");
    expect_text("after", "2");
    second = image_size;
    add_file("third", "3");
    memcpy(image + second, "junk", 4);
    expect_skipped("neither a newc");
    expect_text("after", "2");
    EXPECT(at("third") == NULL);
}

TEST(later_images_override)
{
    uint32_t first;

    add_file("a", "old");
    add_file("b", "kept");
    add_trailer();
    while (image_size % 4096)
        image[image_size++] = 0;
    first = image_size;
    add_file("a", "new one");
    add_trailer();
    EXPECT_EQ(
        cpio_load(sb.root,
                  (struct boot_archive[]){{image, first}, {image + first, image_size - first}}, 2),
        0);
    expect_text("a", "new one");
    expect_text("b", "kept");
}

TEST(cut_anywhere)
{
    uint32_t whole;

    add_file("a", "some text");
    add_link("b", "a");
    add_trailer();
    whole = image_size;
    for (uint32_t n = 1; n < whole; n++) {
        uint8_t *exact = malloc(n);
        int err;

        memcpy(exact, image, n);
        err = load_at(exact, n);
        EXPECT(err == 0 || err == -EINVAL);
        if (err == 0)
            EXPECT(last_log[0] != '\0' || n > whole - 4);
        dentry_tree_free(sb.root);
        rootfs->unmount(&sb);
        free(exact);
        EXPECT_EQ(rootfs->mount(&sb, "rootfs", NULL), 0);
    }
}

TEST(damaged_images)
{
    add_dir("d");
    for (int i = 0; i < 8; i++) {
        char name[16];

        snprintf(name, sizeof(name), i % 2 ? "d/l%d" : "f%d", i);
        add((struct entry){.ino = 9, .mode = S_IFREG | 0600, .nlink = 1 + i % 3}, name, "data", 4);
    }
    add_link("l", "d");
    add_file("l/x", "x");
    add_trailer();
    srand(2);
    for (int round = 0; round < 3000; round++) {
        uint8_t *copy = malloc(image_size);
        int n = 1 + rand() % 4;

        memcpy(copy, image, image_size);
        while (n-- > 0)
            copy[(uint32_t)rand() % image_size] = "0123456789abcdef./\0g"[rand() % 20];
        load_at(copy, image_size);
        dentry_tree_free(sb.root);
        rootfs->unmount(&sb);
        free(copy);
        if (round % 200 == 199) /* what a failed load leaves is never given back */
            machine_with_mm(RAM);
        EXPECT_EQ(rootfs->mount(&sb, "rootfs", NULL), 0);
    }
}

/* As many files as fit in an image, each in a directory of its own or in one of 100; on a small
 * machine. */
static int load_many(bool own)
{
    static char name[32];

    for (int i = 0; image_size < (4u << 20) - 400; i++) {
        snprintf(name, sizeof(name), "d%d/file%d", own ? i : i % 100, i);
        add_file(name, "");
    }
    add_trailer();
    dentry_tree_free(sb.root);
    rootfs->unmount(&sb);
    machine_with_mm(1u << 20);
    EXPECT_EQ(rootfs->mount(&sb, "rootfs", NULL), 0);
    return load();
}

TEST(too_little_memory)
{
    EXPECT_EQ(load_many(true), -ENOMEM);
    EXPECT(strstr(last_log, "not enough memory") != NULL);
}

TEST(too_little_memory_for_all_names_at_once)
{
    struct dentry *d;
    int full = 0;

    EXPECT_EQ(load_many(false), 0);
    list_for_each_entry (d, &sb.root->children, sibling)
        full += d->inode->ops->fill && d->inode->ops->fill(d) == -ENOMEM;
    EXPECT(full > 0 && full < 100);
    EXPECT(strstr(last_log, "not enough memory") == NULL);
}

int main(void)
{
    return run_tests(before, after);
}
