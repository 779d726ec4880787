/* Access control lists on tmpfs: what is a list, whom it lets in, what new files get of it, and
 * that /dev and memory files have attributes, too. */
#include "mounts.h"
#include <grp.h>
#include <sys/xattr.h>

CHANGES_THE_MACHINE("the tree of mounts");

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define NO_ID   0xffffffffu

enum { UO = 1, U = 2, GO = 4, G = 8, M = 16, O = 32 };

struct entry {
    unsigned short tag, perm;
    unsigned id;
};

struct list {
    unsigned version;
    struct entry entry[12];
};

static size_t make_list(struct list *l, const struct entry *e, int n)
{
    l->version = 2;
    memcpy(l->entry, e, n * sizeof(*e));
    return 4 + n * sizeof(*e);
}

#define SET(path, name, ...)                                                                       \
    do {                                                                                           \
        const struct entry e_[] = {__VA_ARGS__};                                                   \
        struct list l_;                                                                            \
        size_t n_ = make_list(&l_, e_, sizeof(e_) / sizeof(e_[0]));                                \
        errno = 0;                                                                                 \
        setxattr(path, name, &l_, n_, 0);                                                          \
        printf("%s %s %s: %s\n", path, name, #__VA_ARGS__, error_name(errno));                     \
    } while (0)

static void show(const char *path)
{
    static const char *const names[] = {ACCESS, DEFAULT};
    struct list l;
    struct stat st;

    DIE_UNLESS(stat(path, &st) == 0);
    printf("  %s: mode %o\n", path, st.st_mode);
    for (int k = 0; k < 2; k++) {
        ssize_t n = getxattr(path, names[k], &l, sizeof(l));

        if (n < 0) {
            printf("  %s: %s\n", names[k], error_name(errno));
            continue;
        }
        printf("  %s: version %u,", names[k], l.version);
        for (int i = 0; i < (n - 4) / 8; i++)
            printf(" %u:%d:%o", l.entry[i].tag, (int)l.entry[i].id, l.entry[i].perm);
        printf("\n");
    }
}

static void values(void)
{
    struct list l = {2, {{0}}};
    char names[200];
    ssize_t n;

    SHOW(getxattr("f", ACCESS, NULL, 0));
    SHOW(getxattr("f", DEFAULT, NULL, 0));
    SHOW(setxattr("f", ACCESS, &l, 3, 0));
    SHOW(setxattr("f", ACCESS, &l, 0, 0));
    SHOW(setxattr("f", ACCESS, &l, 4, 0));
    SHOW(setxattr("f", ACCESS, &l, 11, 0));
    SHOW(setxattr("f", ACCESS, (void *)8, 12, 0));
    l.version = 1;
    SHOW(setxattr("f", ACCESS, &l, 12, 0));
    SHOW(setxattr("f", ACCESS, &l, 12, 8));
    SET("f", ACCESS, {UO, 7, 0}, {GO, 5, 0}, {O, 4, 0});
    show("f");
    SET("f", ACCESS, {UO, 7, 0}, {GO, 5, 0});
    SET("f", ACCESS, {UO, 8, 0}, {GO, 5, 0}, {O, 4, 0});
    SET("f", ACCESS, {UO, 7, 0}, {U, 7, 1000}, {GO, 5, 0}, {O, 4, 0});
    SET("f", ACCESS, {UO, 7, 0}, {GO, 5, 0}, {U, 7, 1000}, {M, 7, 0}, {O, 4, 0});
    SET("f", ACCESS, {UO, 7, 0}, {U, 7, NO_ID}, {GO, 5, 0}, {M, 7, 0}, {O, 4, 0});
    SET("f", ACCESS, {UO, 7, 0}, {GO, 5, 0}, {M, 7, 0}, {M, 7, 0}, {O, 4, 0});
    SET("f", ACCESS, {UO, 7, 0}, {GO, 5, 0}, {O, 4, 0}, {O, 4, 0});
    SET("f", ACCESS, {UO, 7, 0}, {64, 5, 0}, {O, 4, 0});
    SET("f", ACCESS, {UO, 6, 3}, {U, 7, 1001}, {U, 4, 1000}, {GO, 5, 4}, {G, 6, 50}, {M, 6, 0},
        {O, 1, 0});
    show("f");
    n = listxattr("f", names, sizeof(names));
    printf("%zd: %s\n", n, n > 0 ? names : "");
    SHOW(getxattr("f", ACCESS, &l, 10));
    SHOW(getxattr("f", ACCESS, NULL, 0));
    SHOW(chmod("f", 0740));
    show("f");
    SHOW(setxattr("f", ACCESS, &l, 0, 0));
    SHOW(removexattr("f", ACCESS));
    SHOW(removexattr("f", ACCESS));
    show("f");
    SET("f", ACCESS, {UO, 6, 0}, {GO, 5, 0}, {M, 4, 0}, {O, 1, 0});
    show("f");
    SET("f", DEFAULT, {UO, 7, 0}, {GO, 5, 0}, {O, 4, 0});
    SHOW(removexattr("f", DEFAULT));
    SHOW(symlink("f", "link"));
    SHOW(lsetxattr("link", ACCESS, &l, 12, 0));
    SHOW(lgetxattr("link", ACCESS, &l, 12));
    SHOW(setxattr("f", "system.nothing", "x", 1, 0));
}

struct user {
    const char *what;
    unsigned uid, gid, other_group;
};

static void tries(void *arg)
{
    const struct user *u = arg;
    gid_t group = u->other_group;

    DIE_UNLESS(setgroups(group ? 1 : 0, &group) == 0 && setgid(u->gid) == 0 && setuid(u->uid) == 0);
    printf(" %s:%s%s%s", u->what, access("f", R_OK) ? "" : " read",
           access("f", W_OK) ? "" : " write", access("f", X_OK) ? "" : " run");
    printf("%s\n", access("in/f", F_OK) ? "" : " inside");
}

static void who(void)
{
    static struct user users[] = {
        {"owner", 1000, 1000, 0},
        {"named", 1001, 1001, 0},
        {"named, of the group", 1001, 2000, 0},
        {"group", 1002, 2000, 0},
        {"its members", 1002, 1002, 2000},
        {"named group", 1002, 3000, 0},
        {"both groups", 1002, 3000, 2000},
        {"others", 1003, 1003, 0},
    };

    for (unsigned i = 0; i < sizeof(users) / sizeof(users[0]); i++)
        in_child("user", tries, &users[i]);
}

static void permissions(void)
{
    DIE_UNLESS(mkdir("in", 0700) == 0 && chown("f", 1000, 2000) == 0 && chmod(".", 0755) == 0);
    touch("in/f");
    SET("f", ACCESS, {UO, 6, 0}, {U, 3, 1001}, {GO, 4, 0}, {G, 2, 3000}, {M, 7, 0}, {O, 1, 0});
    SET("in", ACCESS, {UO, 7, 0}, {U, 1, 1001}, {GO, 0, 0}, {M, 1, 0}, {O, 0, 0});
    who();
    SET("f", ACCESS, {UO, 6, 0}, {U, 7, 1001}, {GO, 7, 0}, {G, 7, 3000}, {M, 4, 0}, {O, 2, 0});
    who();
    SHOW(chmod("f", 0707));
    who();
    SHOW(chmod("f", 0));
    who();
}

static void inheriting(void)
{
    umask(027);
    SET("d", DEFAULT, {UO, 7, 0}, {U, 6, 1001}, {GO, 5, 0}, {M, 7, 0}, {O, 4, 0});
    show("d");
    close(open("d/file", O_CREAT | O_RDWR, 0666));
    show("d/file");
    close(open("d/narrow", O_CREAT | O_RDWR, 0600));
    show("d/narrow");
    SHOW(mkdir("d/dir", 0777));
    show("d/dir");
    SHOW(mknod("d/fifo", S_IFIFO | 0666, 0));
    show("d/fifo");
    SHOW(symlink("x", "d/link"));
    SET("d", DEFAULT, {UO, 6, 0}, {GO, 6, 0}, {O, 6, 0});
    close(open("d/plain", O_CREAT | O_RDWR, 0777));
    show("d/plain");
    SHOW(removexattr("d", DEFAULT));
    close(open("d/masked", O_CREAT | O_RDWR, 0777));
    show("d/masked");
    umask(022);
}

static void not_the_owner(void *unused)
{
    struct list l;

    (void)unused;
    DIE_UNLESS(setuid(1005) == 0);
    SET("d", ACCESS, {UO, 7, 0}, {GO, 5, 0}, {O, 4, 0});
    SET("d", ACCESS, {UO, 7, 0}, {GO, 5, 0});
    SHOW(removexattr("d", DEFAULT));
    SHOW(getxattr("d", DEFAULT, &l, sizeof(l)));
}

/* A list bars the way to what lies below, though the mode lets everybody through. */
static void walks(void *unused)
{
    (void)unused;
    DIE_UNLESS(setuid(1001) == 0);
    SHOW(access("way/in", F_OK));
    SHOW(open("way/in/file", O_RDONLY) >= 0);
}

static void barred(void)
{
    DIE_UNLESS(mkdir("way", 0755) == 0 && mkdir("way/in", 0755) == 0);
    close(open("way/in/file", O_CREAT | O_RDWR, 0644));
    in_child("open to all", walks, NULL);
    SET("way", ACCESS, {UO, 7, 0}, {U, 0, 1001}, {GO, 5, 0}, {M, 5, 0}, {O, 5, 0});
    show("way");
    in_child("barred", walks, NULL);
}

static void elsewhere(void)
{
    int fd = memfd_create("m", 0);
    char got[10];

    SHOW(fsetxattr(fd, "user.a", "x", 1, 0));
    SHOW(fsetxattr(fd, "trusted.a", "x", 1, 0));
    SHOW(fgetxattr(fd, "trusted.a", got, sizeof(got)));
    SHOW(fgetxattr(fd, ACCESS, got, sizeof(got)));
    DIE_UNLESS(mkdir("dev", 0755) == 0 && mount("dev", "dev", "devtmpfs", 0, NULL) == 0);
    SHOW(setxattr("dev/null", "trusted.a", "x", 1, 0));
    SHOW(getxattr("dev/null", "trusted.a", got, sizeof(got)));
    SHOW(removexattr("dev/null", "trusted.a"));
    SHOW(getxattr("dev/null", ACCESS, got, sizeof(got)));
    DIE_UNLESS(umount("dev") == 0);
    SHOW(getxattr("/proc", ACCESS, got, sizeof(got)));
    SHOW(setxattr("/proc", ACCESS, got, 4, 0));
}

int main(void)
{
    begin();
    close(open("f", O_CREAT | O_RDWR, 0644));
    DIE_UNLESS(mkdir("d", 0755) == 0);
    values();
    permissions();
    inheriting();
    barred();
    in_child("not the owner", not_the_owner, NULL);
    elsewhere();
    end();
    return 0;
}
