/* The path walk: links, dots, slashes, limits, what is no directory, who may search. */
#include "guest.h"

#define STAT(path)  TRY(stat(path, &st))
#define LSTAT(path) TRY(lstat(path, &st))

static struct stat st;

static void make_tree(void)
{
    DIE_UNLESS(mkdir("t", 0755) == 0 && chdir("t") == 0);
    DIE_UNLESS(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0);
    close(make_file("d/f", 10));
    DIE_UNLESS(symlink("d", "ld") == 0 && symlink("f", "d/lf") == 0);
    DIE_UNLESS(symlink("nowhere", "dangling") == 0 && symlink("self", "self") == 0);
    DIE_UNLESS(symlink("d/e/..//lf", "deep") == 0 && symlink("d/", "slashed") == 0);
}

static void dots_and_slashes(void)
{
    STAT(".");
    STAT("./d//e/./../f");
    STAT("d/e/../../d/f");
    STAT("d/f/");
    STAT("d/f/.");
    STAT("d/f/..");
    STAT("d/");
    STAT("d///");
    STAT("d/none");
    STAT("none/none");
    STAT("d/f/none");
    STAT("");
    STAT("/");
    STAT("///");
    STAT("/..");
    STAT("/../../.");
    STAT("d/...");
}

static void links(void)
{
    STAT("ld/f");
    STAT("ld");
    STAT("ld/lf");
    STAT("ld/lf/");
    STAT("deep");
    STAT("slashed/f");
    STAT("dangling");
    STAT("dangling/");
    LSTAT("dangling");
    LSTAT("dangling/");
    STAT("self");
    LSTAT("self");
    LSTAT("self/");
    LSTAT("ld");
    printf("is a link: %d\n", S_ISLNK(st.st_mode));
    LSTAT("ld/");
    printf("is a directory: %d\n", S_ISDIR(st.st_mode));
    LSTAT("slashed");
    printf("length of the link: %ld\n", (long)st.st_size);
}

/* 40 links are followed, 41 are not. */
static void chain_of_links(void)
{
    char from[16], to[16];

    close(make_file("c0", 1));
    for (int i = 1; i <= 41; i++) {
        snprintf(from, sizeof(from), "c%d", i - 1);
        snprintf(to, sizeof(to), "c%d", i);
        DIE_UNLESS(symlink(from, to) == 0);
    }
    STAT("c39");
    STAT("c40");
    STAT("c41");
}

/* The same count for links in the middle of a path. */
static void links_in_the_middle(void)
{
    char path[256] = "";

    DIE_UNLESS(symlink(".", "here") == 0);
    for (int i = 0; i < 40; i++)
        strcat(path, "here/");
    strcat(path, "c0");
    TRY(stat(path, &st));
    memmove(path + 5, path, strlen(path) + 1);
    TRY(stat(path, &st));
}

static void limits(void)
{
    static char path[6000];

    memset(path, 'n', 255);
    TRY(stat(path, &st));
    TRY(mkdir(path, 0700));
    path[255] = 'n';
    TRY(stat(path, &st));
    TRY(mkdir(path, 0700));
    memset(path, '/', 4094);
    strcpy(path + 4094, "x");
    TRY(stat(path, &st));
    memset(path, '/', 4095);
    strcpy(path + 4095, "x");
    TRY(stat(path, &st));
    memset(path, 'x', 4096);
    TRY(symlink(path, "long"));
    path[4095] = 0;
    TRY(symlink(path, "long"));
    TRY(stat("long", &st));
    TRY(stat((char *)8, &st));
    TRY(syscall(SYS_stat64, "d", 8));
}

/* A link body and what follows it may be longer together than a path may be. */
static void long_together(void)
{
    static char target[4096], path[4096];

    for (int i = 0; i < 2000; i++)
        strcat(target, "./");
    strcat(target, "d");
    DIE_UNLESS(symlink(target, "long_d") == 0);
    strcpy(path, "long_d");
    for (int i = 0; i < 2000; i++)
        strcat(path, "/.");
    strcat(path, "/f");
    TRY(stat(path, &st));
}

static void dirfds(void)
{
    int d = open("d", O_RDONLY | O_DIRECTORY), f = open("d/f", O_RDONLY);

    TRY(fstatat(d, "f", &st, 0));
    TRY(fstatat(d, "../d/f", &st, 0));
    TRY(fstatat(f, "f", &st, 0));
    TRY(fstatat(f, "/", &st, 0));
    TRY(fstatat(99, "f", &st, 0));
    TRY(fstatat(99, "/", &st, 0));
    TRY(fstatat(d, "", &st, 0));
    TRY(fstatat(d, "", &st, AT_EMPTY_PATH));
    TRY(fstatat(d, "lf", &st, AT_SYMLINK_NOFOLLOW));
    TRY(fstatat(d, "f", &st, 0x40000000));
    close(d);
    close(f);
}

static void directories_of_the_process(void)
{
    char buf[4096];
    size_t base = strlen(getcwd(buf, sizeof(buf)));

    SHOW(chdir("d/e"));
    printf("cwd: %s\n", getcwd(buf, sizeof(buf)) + base);
    SHOW(chdir("../f"));
    SHOW(chdir("none"));
    SHOW(chdir("../../ld"));
    printf("cwd: %s\n", getcwd(buf, sizeof(buf)) + base);
    SHOW(syscall(SYS_getcwd, buf, 3));
    SHOW(syscall(SYS_getcwd, 8, 4096));
    SHOW(mkdir("gone", 0700));
    SHOW(chdir("gone"));
    SHOW(rmdir("../gone"));
    SHOW(syscall(SYS_getcwd, buf, sizeof(buf)));
    TRY(stat(".", &st));
    TRY(stat("..", &st));
    SHOW(open("x", O_CREAT | O_WRONLY, 0600));
    SHOW(mkdir("x", 0700));
    SHOW(chdir(".."));
    printf("cwd: %s\n", getcwd(buf, sizeof(buf)) + base);
    int fd = open("e", O_RDONLY);
    SHOW(fchdir(fd));
    SHOW(fchdir(99));
    SHOW(chdir("../.."));
    close(fd);
}

static void as_nobody(void *unused)
{
    (void)unused;
    DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    STAT("p/x");
    STAT("p/f");
    STAT("p/x/f");
    TRY(open("p", O_RDONLY));
    TRY(open("p/f", O_RDONLY));
    TRY(open("p/f", O_WRONLY));
    TRY(open("q/f", O_RDONLY));
    TRY(open("q/none", O_RDONLY));
    TRY(open("q/none", O_WRONLY | O_CREAT, 0600));
    SHOW(chdir("p"));
    SHOW(chdir("q"));
    SHOW(chdir(".."));
    SHOW(access("q", X_OK));
    SHOW(access("q", R_OK));
    SHOW(access("p/f", F_OK));
    SHOW(unlink("p/f"));
    SHOW(unlink("s/f"));
    SHOW(rename("s/f", "s/g"));
    SHOW(chmod("s/f", 0777));
    SHOW(link("s/f", "s/h"));
}

static void permissions(void)
{
    if (getuid() != 0)
        return;
    umask(0);
    DIE_UNLESS(mkdir("p", 0700) == 0 && mkdir("p/x", 0777) == 0 && mkdir("q", 0711) == 0 &&
               mkdir("s", 01777) == 0);
    close(make_file("p/f", 1));
    close(make_file("q/f", 1));
    close(make_file("s/f", 1));
    DIE_UNLESS(chmod("q/f", 0644) == 0 && chmod("s/f", 0644) == 0);
    SHOW(access("p/f", X_OK));
    SHOW(access("p/f", R_OK | W_OK));
    SHOW(access("p", X_OK));
    SHOW(access("p", 8));
    in_child("nobody", as_nobody, NULL);
}

int main(void)
{
    umask(022);
    make_tree();
    dots_and_slashes();
    links();
    chain_of_links();
    links_in_the_middle();
    limits();
    long_together();
    dirfds();
    directories_of_the_process();
    permissions();
    return 0;
}
