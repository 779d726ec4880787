/*
 * Several threads and processes open, close, read, duplicate, rename, remove, mount and look at the
 * same files at once. Every answer is one that some order of the calls allows: a descriptor is
 * given to one thread at a time and leads to what was opened, a name that is replaced is always
 * there, one that is moved is in one place or the other; and what had a name or a descriptor is
 * given back.
 */
#include "hammer.h"
#include <dirent.h>
#include <ftw.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>

CHANGES_THE_MACHINE("the tree of mounts");

#define WORKERS 3
#define ROUNDS  1500
#define FDS     256

#define AT "/t/hammer"

static uint32_t owners[FDS]; /* atomic: which worker has the descriptor, from 1 on */
static ino_t own_file[WORKERS];

static void make(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

    DIE_UNLESS(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static ino_t inode_of(const char *path)
{
    struct stat st;

    DIE_UNLESS(stat(path, &st) == 0);
    return st.st_ino;
}

static unsigned open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    DIE_UNLESS(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* ---- Descriptors ---- */

static void took(int fd, uint32_t me)
{
    MUST(fd >= 0 && fd < FDS && !__atomic_exchange_n(&owners[fd], me + 1, __ATOMIC_ACQ_REL));
}

static void give(int fd, uint32_t me)
{
    MUST(__atomic_exchange_n(&owners[fd], 0, __ATOMIC_ACQ_REL) == me + 1);
    MUST(close(fd) == 0);
}

/* It is a descriptor of the worker's own file, whose first letter says whose. */
static void look(int fd, uint32_t me)
{
    struct stat st;
    char c = 0;

    MUST(fstat(fd, &st) == 0 && st.st_ino == own_file[me]);
    MUST(pread(fd, &c, 1, 0) == 1 && c == (char)('a' + me));
    MUST(lseek(fd, 1, SEEK_SET) == 1);
}

static int another(int fd, uint32_t *seed)
{
    switch (rnd(seed) % 4) {
    case 0:
        return dup(fd);
    case 1:
        return fcntl(fd, F_DUPFD, 40);
    case 2:
        return fcntl(fd, F_DUPFD_CLOEXEC, 100);
    default:
        return open("/dev/null", O_RDWR | O_CLOEXEC);
    }
}

static void *use_descriptors(void *arg)
{
    uint32_t me = (uint32_t)(uintptr_t)arg, seed = me + 1;
    char path[] = AT "/0";

    path[sizeof(path) - 2] = (char)('0' + me);
    for (unsigned i = 0; i < ROUNDS; i++) {
        int fd = open(path, O_RDONLY), more;

        took(fd, me);
        look(fd, me);
        more = another(fd, &seed);
        took(more, me);
        if (rnd(&seed) % 2)
            MUST(dup3(fd, more, O_CLOEXEC) == more && fcntl(more, F_GETFD) == FD_CLOEXEC);
        else
            MUST(dup2(fd, more) == more && fcntl(more, F_GETFD) == 0);
        MUST(fcntl(more, F_SETFD, FD_CLOEXEC) == 0 && fcntl(more, F_GETFD) == FD_CLOEXEC);
        MUST((fcntl(more, F_GETFL) & O_ACCMODE) == O_RDONLY);
        give(fd, me);
        look(more, me);
        give(more, me);
    }
    return NULL;
}

/* A child that has the very table, or a copy of it, and looks at what comes and goes there. */
static int looks(void *arg)
{
    int null = open("/dev/null", O_RDWR);

    (void)arg;
    for (unsigned i = 0; i < 50; i++) {
        close(dup(null));
        (void)open_descriptors();
    }
    close(null);
    _exit(0);
}

static char child_stack[32768] __attribute__((aligned(16)));

static void *make_children(void *arg)
{
    (void)arg;
    while (!over) {
        pid_t child = fork();

        if (child == 0)
            looks(NULL);
        MUST(child > 0 && waitpid(child, NULL, 0) == child);
    }
    return NULL;
}

static void *share_table(void *arg)
{
    (void)arg;
    while (!over) {
        int fd;
        pid_t child = clone(looks, child_stack + sizeof(child_stack), CLONE_FILES | SIGCHLD, NULL);

        MUST(child > 0);
        fd = open("/dev/zero", O_RDONLY);
        took(fd, WORKERS);
        give(fd, WORKERS);
        MUST(waitpid(child, NULL, 0) == child);
    }
    return NULL;
}

static void descriptors(void)
{
    pthread_t workers[WORKERS], others[2];
    unsigned before = open_descriptors();
    char path[] = AT "/0", text[] = "a";

    for (unsigned i = 0; i < WORKERS; i++) {
        path[sizeof(path) - 2] = (char)('0' + i);
        text[0] = (char)('a' + i);
        make(path, text);
        own_file[i] = inode_of(path);
    }
    others[0] = start(make_children, NULL);
    for (unsigned i = 0; i < WORKERS; i++)
        workers[i] = start(use_descriptors, number(i));
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    over = 1;
    pthread_join(others[0], NULL);
    over = 0;
    others[1] = start(share_table, NULL);
    usleep(100000);
    over = 1;
    pthread_join(others[1], NULL);
    over = 0;
    MUST(open_descriptors() == before);
    show_wrong("descriptors");
}

/* ---- Contents ---- */

#define RECORDS 6000

static int log_fd;                   /* one position for all readers */
static unsigned char taken[RECORDS]; /* atomic: how often a record was read */

static void *append_records(void *arg)
{
    int fd = open("log", O_WRONLY | O_APPEND);
    uint32_t seed = 5;

    (void)arg;
    for (uint32_t n = 0; n < RECORDS;) {
        uint32_t out[700], count = 1 + rnd(&seed) % 700;

        if (count > RECORDS - n)
            count = RECORDS - n;
        for (uint32_t i = 0; i < count; i++)
            out[i] = n + i;
        MUST(write(fd, out, count * sizeof(*out)) == (ssize_t)(count * sizeof(*out)));
        n += count;
        sched_yield();
    }
    MUST(close(fd) == 0);
    over = 1;
    return NULL;
}

/* Each record goes to one reader, in order. */
static void *read_records(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg + 9, next = 0;
    bool last = false;

    for (;;) {
        uint32_t in[900];
        ssize_t n = read(log_fd, in, (1 + rnd(&seed) % 900) * sizeof(*in));

        if (n == 0 && last)
            return NULL;
        last = n == 0 && over;
        MUST(n >= 0 && n % (ssize_t)sizeof(*in) == 0);
        for (ssize_t i = 0; i < n / (ssize_t)sizeof(*in); i++) {
            MUST(in[i] >= next && in[i] < RECORDS && !taken[in[i] % RECORDS]++);
            next = in[i] + 1;
        }
    }
}

/* A file of one letter that shrinks and grows: besides that there are only holes. */
static void *read_shrinking(void *arg)
{
    int fd = open("shrinks", O_RDONLY);
    char buf[3 * PAGE];

    (void)arg;
    while (!over) {
        ssize_t n = pread(fd, buf, sizeof(buf), 0);

        MUST(n >= 0);
        for (ssize_t i = 0; i < n; i++)
            MUST(buf[i] == 'x' || buf[i] == 0);
        MUST(lseek(fd, 0, SEEK_END) <= (off_t)sizeof(buf));
    }
    MUST(close(fd) == 0);
    return NULL;
}

static void *shrink(void *arg)
{
    int fd = open("shrinks", O_RDWR);
    static char x[3 * PAGE];
    uint32_t seed = 3;

    (void)arg;
    memset(x, 'x', sizeof(x));
    while (!over) {
        MUST(pwrite(fd, x, sizeof(x), 0) == sizeof(x));
        MUST(ftruncate(fd, rnd(&seed) % sizeof(x)) == 0);
        MUST(pwrite(fd, x, 100, 2 * PAGE) == 100);
    }
    MUST(close(fd) == 0);
    return NULL;
}

static void contents(void)
{
    pthread_t t[5];

    make("log", "");
    make("shrinks", "");
    log_fd = open("log", O_RDONLY);
    t[0] = start(shrink, NULL);
    t[1] = start(read_shrinking, NULL);
    for (unsigned i = 0; i < 2; i++)
        t[2 + i] = start(read_records, number(i));
    t[4] = start(append_records, NULL);
    for (unsigned i = 0; i < 5; i++)
        pthread_join(t[i], NULL);
    over = 0;
    close(log_fd);
    for (unsigned i = 0; i < RECORDS; i++)
        MUST(taken[i] == 1);
    show_wrong("contents");
}

/* ---- Names ---- */

static ino_t first, second; /* what "replaced" may be */
static ino_t below, above;  /* what "mnt/f" may be */

/* The directory that a and b change places in is always at one of the two; what is in it, too. */
static void *move_names(void *arg)
{
    (void)arg;
    while (!over) {
        MUST(rename("moved", "elsewhere/moved") == 0);
        MUST(rename("elsewhere/moved", "moved") == 0);
        MUST(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2 /* RENAME_EXCHANGE */) == 0);
        MUST(link("one", "spare") == 0 && rename("spare", "replaced") == 0);
        MUST(link("two", "spare") == 0 && rename("spare", "replaced") == 0);
    }
    return NULL;
}

static void *make_names(void *arg)
{
    (void)arg;
    while (!over) {
        int fd = open("made", O_CREAT | O_EXCL | O_RDWR, 0644);
        struct stat st;

        MUST(fd >= 0 && mkdir("dir", 0755) == 0 && symlink("made", "link") == 0);
        MUST(unlink("made") == 0 && rmdir("dir") == 0 && unlink("link") == 0);
        MUST(fstat(fd, &st) == 0 && st.st_nlink == 0 && close(fd) == 0);
        MUST(chmod("closed", 0) == 0 && chmod("closed", 0755) == 0);
    }
    return NULL;
}

static void *mount_names(void *arg)
{
    (void)arg;
    while (!over) {
        MUST(mount("above", "mnt", NULL, MS_BIND, NULL) == 0);
        while (umount("mnt"))
            MUST(errno == EBUSY);
    }
    return NULL;
}

/* A descriptor that has to be what ino says, or either of two. */
static void one_of(int fd, ino_t ino, ino_t or)
{
    struct stat st;

    MUST(fd >= 0);
    MUST(fstat(fd, &st) == 0 && (st.st_ino == ino || st.st_ino == or));
    MUST(close(fd) == 0);
}

static void may_be_missing(int fd, ino_t ino)
{
    if (fd >= 0)
        one_of(fd, ino, ino);
    else
        MUST(errno == ENOENT);
}

static void look_at_names(unsigned rounds)
{
    const ino_t moved = inode_of("inner"), in_a = inode_of("one"), in_b = inode_of("two");
    struct stat st;

    for (unsigned i = 0; i < rounds; i++) {
        one_of(open("replaced", O_RDONLY), first, second);
        one_of(open("./a/../a/f", O_RDONLY), in_a, in_b);
        MUST(stat("b/f", &st) == 0 && (st.st_ino == in_a || st.st_ino == in_b));
        MUST(access("b/f", R_OK) == 0 && access("b/none", F_OK) == -1 && errno == ENOENT);
        may_be_missing(open("moved/inner", O_RDONLY), moved);
        may_be_missing(open(AT "/elsewhere/moved/inner", O_RDWR), moved);
        one_of(open("mnt/f", O_RDONLY), below, above);
        MUST(open("mnt/../none", O_RDONLY) == -1 && errno == ENOENT);
        MUST(open("one/f", O_RDONLY) == -1 && errno == ENOTDIR);
        MUST(open("closed/f", O_RDONLY) == -1 && (errno == ENOENT || errno == EACCES));
        if (stat("made", &st) == 0)
            MUST(S_ISREG(st.st_mode) && st.st_size == 0);
        else
            MUST(errno == ENOENT);
        if (stat("link", &st))
            MUST(errno == ENOENT);
        if (lstat("dir", &st) == 0)
            MUST(S_ISDIR(st.st_mode));
        else
            MUST(errno == ENOENT);
    }
}

/* The same names over and over, without anything that takes longer in between. */
static void look_closely(void)
{
    while (!over) {
        one_of(open("replaced", O_RDONLY), first, second);
        one_of(open("a/f", O_RDONLY), first, second);
        one_of(open("mnt/f", O_RDONLY), below, above);
        MUST(access("replaced", R_OK) == 0);
    }
}

static void *look_in_thread(void *arg)
{
    if (arg)
        look_closely();
    else
        look_at_names(ROUNDS / 3);
    return NULL;
}

static void look_in_child(void *arg)
{
    (void)arg;
    wrong = 0;
    MUST(setgid(1000) == 0 && setuid(1000) == 0);
    look_at_names(ROUNDS / 3);
    _exit(wrong ? 1 : 0);
}

static void make_tree(void)
{
    static const char *const dirs[] = {"a", "b", "moved", "elsewhere", "mnt", "above", "closed"};

    for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        DIE_UNLESS(mkdir(dirs[i], 0755) == 0);
    make("one", "1");
    make("two", "2");
    make("inner", "3");
    make("mnt/f", "4");
    make("above/f", "5");
    DIE_UNLESS(chmod("inner", 0666) == 0);
    DIE_UNLESS(link("two", "replaced") == 0 && link("one", "a/f") == 0);
    DIE_UNLESS(link("two", "b/f") == 0 && link("inner", "moved/inner") == 0);
    first = inode_of("one");
    second = inode_of("two");
    below = inode_of("mnt/f");
    above = inode_of("above/f");
}

static void names(void)
{
    void *(*const changers[])(void *) = {move_names, make_names, mount_names};
    pthread_t lookers[2], others[3];
    unsigned before = open_descriptors();

    make_tree();
    for (unsigned i = 0; i < 3; i++)
        others[i] = start(changers[i], NULL);
    for (unsigned i = 0; i < 2; i++)
        lookers[i] = start(look_in_thread, number(i));
    in_child("another user", look_in_child, NULL);
    pthread_join(lookers[0], NULL);
    over = 1;
    pthread_join(lookers[1], NULL);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(others[i], NULL);
    over = 0;
    MUST(open_descriptors() == before);
    show_wrong("names");
}

/* ---- The last use of a file is that of whoever closes it last ---- */

static int shared_fd;

static void *use_last(void *arg)
{
    char c = 0;

    (void)arg;
    for (unsigned i = 0; i < 20; i++)
        if (pread(shared_fd, &c, 1, 0) == 1)
            MUST(c == 'x');
        else
            MUST(errno == EBADF);
    return NULL;
}

static void last_uses(void)
{
    for (unsigned i = 0; i < 60; i++) {
        pthread_t t;

        make("last", "x");
        shared_fd = open("last", O_RDONLY);
        t = start(use_last, NULL);
        MUST(unlink("last") == 0);
        MUST(close(shared_fd) == 0);
        pthread_join(t, NULL);
    }
    show_wrong("last uses");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type;
    return at->level ? remove(path) : 0;
}

int main(void)
{
    struct statfs before, after;

    DIE_UNLESS(mkdir("/t", 0755) == 0 || errno == EEXIST);
    DIE_UNLESS(mkdir(AT, 0755) == 0);
    DIE_UNLESS(mount("none", AT, "tmpfs", 0, "size=4m,mode=755") == 0);
    DIE_UNLESS(chdir(AT) == 0);
    descriptors();
    contents();
    for (unsigned i = 0; i < WORKERS; i++) {
        char name[] = {(char)('0' + i), '\0'};

        unlink(name);
    }
    DIE_UNLESS(unlink("log") == 0 && unlink("shrinks") == 0);
    DIE_UNLESS(statfs(".", &before) == 0);
    names();
    last_uses();
    nftw(AT, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    DIE_UNLESS(statfs(".", &after) == 0);
    printf("inodes lost: %ld\n", (long)(before.f_ffree - after.f_ffree));
    DIE_UNLESS(chdir("/") == 0);
    TRY(umount(AT));
    TRY(rmdir(AT));
    return 0;
}
