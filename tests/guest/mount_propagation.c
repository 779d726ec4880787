/* Shared, slave, private and unbindable mounts: what appears where, and what goes with what. */
#include "mounts.h"

CHANGES_THE_MACHINE("the tree of mounts");

static void make_dirs(const char *const *names)
{
    for (; *names; names++)
        DIE_UNLESS(mkdir(*names, 0755) == 0);
}

static void clear(const char *title)
{
    show_table(title, "/t/");
    while (umount2("a", MNT_DETACH) == 0 || umount2("b", MNT_DETACH) == 0 ||
           umount2("c", MNT_DETACH) == 0 || umount2("d", MNT_DETACH) == 0)
        ;
    show_table("cleared", "/t/");
}

static void new_base(const char *at)
{
    char path[64];

    DIE_UNLESS(mount("base", at, "tmpfs", 0, NULL) == 0);
    for (const char *n = "xyz"; *n; n++) {
        snprintf(path, sizeof(path), "%s/%c", at, *n);
        DIE_UNLESS(mkdir(path, 0755) == 0);
    }
}

static void types(void)
{
    TRY(mount(NULL, "a", NULL, MS_SHARED, NULL));
    new_base("a");
    TRY(mount(NULL, "a/x", NULL, MS_SHARED, NULL));
    TRY(mount(NULL, "a", NULL, MS_SHARED | MS_PRIVATE, NULL));
    TRY(mount(NULL, "a", NULL, MS_SHARED | MS_RDONLY, NULL));
    TRY(mount(NULL, "a", NULL, MS_SLAVE, NULL));
    show_table("slave of nothing", "/t/");
    TRY(mount(NULL, "a", NULL, MS_SHARED, NULL));
    TRY(mount("a", "b", NULL, MS_BIND, NULL));
    TRY(mount("a", "c", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "c", NULL, MS_SLAVE, NULL));
    TRY(mount("c", "d", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "d", NULL, MS_SHARED | MS_SILENT, NULL));
    show_table("all kinds", "/t/");
    TRY(mount(NULL, "a", NULL, MS_PRIVATE, NULL));
    show_table("one peer left", "/t/");
    TRY(mount(NULL, "b", NULL, MS_PRIVATE, NULL));
    show_table("none left", "/t/");
    TRY(mount(NULL, "d", NULL, MS_UNBINDABLE, NULL));
    TRY(mount("d", "d/x", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "d", NULL, MS_SLAVE, NULL));
    show_table("still unbindable", "/t/");
    TRY(mount(NULL, "d", NULL, MS_PRIVATE, NULL));
    clear("types");
}

static void spreading(void)
{
    new_base("a");
    TRY(mount(NULL, "a", NULL, MS_SHARED, NULL));
    TRY(mount("a", "b", NULL, MS_BIND, NULL));
    TRY(mount("a", "c", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "c", NULL, MS_SLAVE, NULL));
    TRY(mount("c", "d", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "d", NULL, MS_SHARED, NULL));
    TRY(mount("new", "b/x", "tmpfs", MS_NOSUID, NULL));
    show_table("from a peer", "/t/");
    touch("c/x/file");
    printf("same: %d %d %d\n", same_file("a/x/file", "c/x/file"), same_file("d/x/file", "c/x/file"),
           same_file("b/x/file", "c/x/file"));
    TRY(mount("new", "d/y", "tmpfs", 0, NULL));
    TRY(mount("new", "c/z", "tmpfs", 0, NULL));
    show_table("from slaves", "/t/");
    TRY(umount("c/x"));
    show_table("a slave's own unmount", "/t/");
    TRY(umount("a/x"));
    show_table("and a peer's", "/t/");
    TRY(umount("a/z"));
    clear("spread");
}

static void part_of_it(void)
{
    new_base("a");
    TRY(mount(NULL, "a", NULL, MS_SHARED, NULL));
    DIE_UNLESS(mkdir("a/x/in", 0755) == 0);
    TRY(mount("a/x", "b", NULL, MS_BIND, NULL));
    TRY(mount("a/y", "c", NULL, MS_BIND, NULL));
    TRY(mount("new", "a/x/in", "tmpfs", 0, NULL));
    TRY(mount("new", "a/z", "tmpfs", 0, NULL));
    show_table("where the place shows", "/t/");
    TRY(umount("b/in"));
    clear("part");
}

static void trees(void)
{
    new_base("a");
    TRY(mount(NULL, "a", NULL, MS_SHARED, NULL));
    TRY(mount("a", "b", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "b", NULL, MS_SLAVE, NULL));
    new_base("c");
    TRY(mount("one", "c/x", "tmpfs", 0, NULL));
    TRY(mount("two", "c/y", "tmpfs", 0, NULL));
    TRY(mount(NULL, "c/y", NULL, MS_UNBINDABLE, NULL));
    TRY(mount("c", "a/x", NULL, MS_BIND, NULL));
    TRY(mount("c", "a/y", NULL, MS_BIND | MS_REC, NULL));
    show_table("bound deep", "/t/");
    TRY(mount("c", "a/z", NULL, MS_MOVE, NULL));
    TRY(mount(NULL, "c/y", NULL, MS_PRIVATE, NULL));
    TRY(mount("c", "a/z", NULL, MS_MOVE, NULL));
    show_table("moved in", "/t/");
    TRY(mount("a/z", "c", NULL, MS_MOVE, NULL));
    TRY(umount("a/z"));
    TRY(umount2("a/z", MNT_DETACH));
    show_table("and gone", "/t/");
    TRY(umount("a/y/x"));
    TRY(umount("a/y"));
    clear("trees");
}

static void covering(void)
{
    int fd;

    new_base("a");
    TRY(mount(NULL, "a", NULL, MS_SHARED, NULL));
    TRY(mount("a", "b", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "b", NULL, MS_SLAVE, NULL));
    TRY(mount("own", "b/x", "tmpfs", 0, NULL));
    touch("b/x/own");
    TRY(mount("later", "a/x", "tmpfs", 0, NULL));
    touch("a/x/later");
    TRY(access("b/x/own", F_OK));
    TRY(access("b/x/later", F_OK));
    show_table("beneath", "/t/");
    TRY(umount("a/x"));
    show_table("and away", "/t/");
    TRY(access("b/x/own", F_OK));
    TRY(umount("b/x"));
    TRY(mount("new", "a/y", "tmpfs", 0, NULL));
    DIE_UNLESS(mkdir("a/y/in", 0755) == 0);
    TRY(mount("keeps", "b/y/in", "tmpfs", 0, NULL));
    TRY(umount("a/y"));
    show_table("kept by what is in it", "/t/");
    TRY(umount("b/y/in"));
    TRY(umount("b/y"));
    TRY(mount("new", "a/y", "tmpfs", 0, NULL));
    fd = open("b/y", O_RDONLY);
    TRY(umount("a/y"));
    TRY(umount2("a/y", MNT_DETACH));
    show_table("detached", "/t/");
    close(fd);
    TRY(mount("new", "a/y", "tmpfs", 0, NULL));
    TRY(mount("over", "a/y", "tmpfs", 0, NULL));
    show_table("twice", "/t/");
    TRY(umount("b/y"));
    TRY(umount("a/y"));
    TRY(umount("a/y"));
    clear("covers");
}

static void chains(void)
{
    new_base("a");
    TRY(mount(NULL, "a", NULL, MS_SHARED, NULL));
    TRY(mount("a", "b", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "b", NULL, MS_SLAVE, NULL));
    TRY(mount(NULL, "b", NULL, MS_SHARED, NULL));
    TRY(mount("b", "c", NULL, MS_BIND, NULL));
    TRY(mount("b", "d", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "d", NULL, MS_SLAVE, NULL));
    TRY(mount("new", "a/x", "tmpfs", 0, NULL));
    show_table("a chain", "/t/");
    TRY(mount("new", "c/y", "tmpfs", 0, NULL));
    show_table("from its middle", "/t/");
    TRY(umount("b"));
    TRY(umount2("b", MNT_DETACH));
    show_table("without one of the middle", "/t/");
    TRY(umount2("c", MNT_DETACH));
    show_table("without both", "/t/");
    TRY(umount("a/x"));
    clear("chains");
}

static void into_itself(void)
{
    new_base("a");
    TRY(mount(NULL, "a", NULL, MS_SHARED, NULL));
    TRY(mount("in", "a/x", "tmpfs", 0, NULL));
    TRY(mount("a", "a/x", NULL, MS_BIND | MS_REC, NULL));
    show_table("once", "/t/");
    TRY(mount("a", "a/x", NULL, MS_BIND | MS_REC, NULL));
    TRY(mount("a", "a/y", NULL, MS_BIND, NULL));
    show_table("again", "/t/");
    TRY(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
    TRY(mount(NULL, "b", NULL, MS_SLAVE, NULL));
    TRY(mount("b", "a/z", NULL, MS_BIND, NULL));
    show_lines("and from a slave", "/t/", true);
    while (umount2("a", MNT_DETACH) == 0 || umount2("b", MNT_DETACH) == 0)
        ;
    show_table("cleared", "/t/");
}

static void roots(void *unused)
{
    (void)unused;
    DIE_UNLESS(chroot("d") == 0 && chdir("/") == 0);
    DIE_UNLESS(mkdir("/proc", 0755) == 0 && mount("p", "/proc", "proc", 0, NULL) == 0);
    show_table("from inside", "/");
    DIE_UNLESS(umount2("/proc", MNT_DETACH) == 0 && rmdir("/proc") == 0);
}

static void from_inside(void)
{
    DIE_UNLESS(mount("inside", "d", "tmpfs", 0, NULL) == 0);
    DIE_UNLESS(mkdir("d/1", 0755) == 0 && mkdir("d/2", 0755) == 0);
    new_base("a");
    TRY(mount(NULL, "a", NULL, MS_SHARED, NULL));
    TRY(mount("a", "d/1", NULL, MS_BIND, NULL));
    TRY(mount("a", "b", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "b", NULL, MS_SLAVE, NULL));
    TRY(mount(NULL, "b", NULL, MS_SHARED, NULL));
    TRY(mount("b", "d/2", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "d/2", NULL, MS_SLAVE, NULL));
    in_child("roots", roots, NULL);
    clear("inside");
}

static int pivot_root(const char *new, const char *old)
{
    return (int)syscall(SYS_pivot_root, new, old);
}

static void pivots(void *unused)
{
    (void)unused;
    DIE_UNLESS(chroot("a") == 0 && chdir("/") == 0);
    TRY(mount("new", "/x", "tmpfs", 0, NULL));
    DIE_UNLESS(mkdir("/x/old", 0755) == 0);
    TRY(mount(NULL, "/", NULL, MS_SHARED, NULL));
    TRY(pivot_root("/x", "/x/old"));
    TRY(mount(NULL, "/", NULL, MS_PRIVATE, NULL));
    TRY(mount(NULL, "/x", NULL, MS_SHARED, NULL));
    TRY(pivot_root("/x", "/x/old"));
    TRY(mount(NULL, "/x", NULL, MS_PRIVATE, NULL));
    TRY(pivot_root("/x", "/x/old"));
    TRY(access("/old/x", F_OK));
}

int main(void)
{
    begin();
    make_dirs((const char *const[]){"a", "b", "c", "d", NULL});
    types();
    spreading();
    part_of_it();
    trees();
    covering();
    chains();
    into_itself();
    from_inside();
    new_base("a");
    in_child("pivots", pivots, NULL);
    show_table("at the end", "/t");
    end();
    return 0;
}
