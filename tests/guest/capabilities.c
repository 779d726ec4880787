/* Capability sets: dropping, the rules of capset, what changes of ids and exec do to them, the
 * bounding and ambient sets, securebits; what each one permits; supplementary groups. */
#include "guest.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/fsuid.h>

#define BIT(c) (1ull << (c))

struct sets {
    uint64_t e, p, i;
};

static struct sets get(void)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];

    DIE_UNLESS(syscall(SYS_capget, &h, d) == 0);
    return (struct sets){d[0].effective | (uint64_t)d[1].effective << 32,
                         d[0].permitted | (uint64_t)d[1].permitted << 32,
                         d[0].inheritable | (uint64_t)d[1].inheritable << 32};
}

static int set(uint64_t e, uint64_t p, uint64_t i)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {
        {(uint32_t)e, (uint32_t)p, (uint32_t)i},
        {(uint32_t)(e >> 32), (uint32_t)(p >> 32), (uint32_t)(i >> 32)}};

    return (int)syscall(SYS_capset, &h, d);
}

static void show(const char *what)
{
    struct sets s = get();

    printf("%s: e %llx p %llx i %llx, bits %x\n", what, (unsigned long long)s.e,
           (unsigned long long)s.p, (unsigned long long)s.i, prctl(PR_GET_SECUREBITS));
}

static void show_status(const char *what)
{
    char line[200];
    FILE *f = fopen("/proc/self/status", "r");

    printf("%s:", what);
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "Cap", 3) == 0)
            printf(" %.*s", (int)strcspn(line, "\n"), line);
    putchar('\n');
    fclose(f);
}

/* ---- capset ---- */

static void rules(void *arg)
{
    (void)arg;
    TRY(set(BIT(CAP_KILL), 0, 0));
    TRY(set(0, BIT(CAP_KILL) | BIT(CAP_CHOWN), BIT(CAP_KILL)));
    show("kept two");
    TRY(set(BIT(CAP_FOWNER), BIT(CAP_KILL), 0));
    TRY(set(0, BIT(CAP_KILL) | BIT(CAP_FOWNER), 0));
    TRY(set(0, BIT(CAP_KILL), BIT(CAP_KILL) | BIT(CAP_FOWNER)));
    TRY(set(BIT(CAP_KILL), BIT(CAP_KILL), BIT(CAP_KILL)));
    show("one in effect");
    TRY(prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
    TRY(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT));
    TRY(set(0, 0, 0));
    show("none");
    show_status("status");
}

static void headers(void *arg)
{
    struct __user_cap_header_struct h = {0x1234, 0};
    struct __user_cap_data_struct d[2];

    (void)arg;
    TRY(syscall(SYS_capget, &h, NULL));
    printf("version %x\n", h.version);
    h.version = 1;
    TRY(syscall(SYS_capget, &h, d));
    TRY(syscall(SYS_capset, &h, d));
    h.pid = -1;
    TRY(syscall(SYS_capget, &h, d));
    TRY(syscall(SYS_capset, &h, d));
    h.pid = 99999999;
    TRY(syscall(SYS_capget, &h, d));
    h.pid = 1;
    TRY(syscall(SYS_capset, &h, d));
    h.pid = 0;
    TRY(syscall(SYS_capget, NULL, d));
    TRY(syscall(SYS_capset, &h, NULL));
    h.version = _LINUX_CAPABILITY_VERSION_1;
    TRY(syscall(SYS_capget, &h, d));
    TRY(syscall(SYS_capset, &h, d));
    show("by version 1");
}

/* ---- Ids ---- */

static void leave_root(void *arg)
{
    (void)arg;
    DIE_UNLESS(seteuid(1000) == 0);
    show("euid 1000");
    DIE_UNLESS(seteuid(0) == 0);
    show("euid 0 again");
    DIE_UNLESS(setresuid(1000, 1000, 1000) == 0);
    show("all 1000");
    TRY(setuid(0));
    TRY(set(0, BIT(CAP_KILL), 0));
}

static void keep(void *arg)
{
    (void)arg;
    TRY(prctl(PR_SET_KEEPCAPS, 2));
    TRY(prctl(PR_SET_KEEPCAPS, 1));
    SHOW(prctl(PR_GET_KEEPCAPS));
    DIE_UNLESS(setresuid(1000, 1000, 1000) == 0);
    show("kept");
    TRY(kill(getppid(), 0));
    TRY(set(BIT(CAP_KILL) | BIT(CAP_SETUID), BIT(CAP_KILL) | BIT(CAP_SETUID), 0));
    TRY(kill(getppid(), 0));
    TRY(setuid(0));
    show("root with two");
}

static void no_fixup(void *arg)
{
    (void)arg;
    TRY(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED));
    TRY(prctl(PR_SET_SECUREBITS, 0));
    TRY(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP_LOCKED));
    TRY(prctl(PR_SET_SECUREBITS, 0x100));
    DIE_UNLESS(setresuid(1000, 1000, 1000) == 0);
    show("all kept");
}

static void of_files(void *arg)
{
    (void)arg;
    setfsuid(1000);
    show("fsuid 1000");
    setfsuid(0);
    show("fsuid 0");
}

static void keep_locked(void *arg)
{
    (void)arg;
    TRY(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED));
    TRY(prctl(PR_SET_KEEPCAPS, 0));
    SHOW(prctl(PR_GET_KEEPCAPS));
}

/* ---- Bounding and ambient ---- */

static void ambient(void *arg)
{
    (void)arg;
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
    TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    DIE_UNLESS(set(get().e, get().p, BIT(CAP_KILL) | BIT(CAP_CHOWN)) == 0);
    TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
    TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 1, 0));
    TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 41, 0, 0));
    TRY(prctl(PR_CAP_AMBIENT, 9, CAP_CHOWN, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
    show_status("raised");
    TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_CHOWN, 0, 0));
    TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
    show_status("one lowered");
    DIE_UNLESS(set(get().e, get().p, 0) == 0);
    show_status("not inheritable any more");
    TRY(prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE));
    DIE_UNLESS(set(get().e, get().p, BIT(CAP_KILL)) == 0);
    TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
}

static void bounding(void *arg)
{
    (void)arg;
    SHOW(prctl(PR_CAPBSET_READ, CAP_NET_RAW));
    TRY(prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
    TRY(prctl(PR_CAPBSET_DROP, CAP_CHOWN));
    SHOW(prctl(PR_CAPBSET_READ, CAP_NET_RAW));
    TRY(prctl(PR_CAPBSET_READ, 41));
    TRY(prctl(PR_CAPBSET_DROP, 41));
    DIE_UNLESS(set(get().e & ~BIT(CAP_CHOWN), get().p & ~BIT(CAP_CHOWN), 0) == 0);
    TRY(set(get().e, get().p, BIT(CAP_CHOWN)));
    show_status("two fewer");
}

/* ---- exec: the child shows what it got ---- */

static void run_self(void)
{
    execl("/proc/self/exe", "capabilities", "shown", NULL);
    _exit(1);
}

static void exec_plain(void *arg)
{
    (void)arg;
    set(BIT(CAP_SETUID), BIT(CAP_SETUID), 0);
    run_self();
}

static void exec_bounded(void *arg)
{
    (void)arg;
    for (int c = CAP_KILL; c <= 40; c++)
        prctl(PR_CAPBSET_DROP, c);
    run_self();
}

static void exec_noroot(void *arg)
{
    (void)arg;
    prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_KEEP_CAPS);
    run_self();
}

static void exec_user(void *arg)
{
    (void)arg;
    prctl(PR_SET_KEEPCAPS, 1);
    DIE_UNLESS(setresuid(1000, 1000, 1000) == 0);
    run_self();
}

static void exec_ambient(void *arg)
{
    (void)arg;
    prctl(PR_SET_KEEPCAPS, 1);
    DIE_UNLESS(setresuid(1000, 1000, 1000) == 0);
    DIE_UNLESS(set(BIT(CAP_KILL), BIT(CAP_KILL) | BIT(CAP_CHOWN), BIT(CAP_KILL)) == 0);
    DIE_UNLESS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0);
    run_self();
}

static void exec_no_new_privs(void *arg)
{
    (void)arg;
    set(BIT(CAP_SETPCAP), BIT(CAP_SETPCAP), 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    run_self();
}

/* ---- What they permit ---- */

static void with_only(uint64_t caps)
{
    prctl(PR_SET_KEEPCAPS, 1);
    DIE_UNLESS(setresgid(1000, 1000, 1000) == 0 && setgroups(0, NULL) == 0);
    DIE_UNLESS(setresuid(1000, 1000, 1000) == 0 && set(caps, caps, 0) == 0);
}

static void permits(void *arg)
{
    unsigned cap = *(unsigned *)arg;
    struct rlimit l;

    with_only(cap < 64 ? BIT(cap) : 0);
    TRY(kill(getppid(), 0));
    TRY(open("secret", O_RDONLY));
    TRY(open("secret", O_WRONLY));
    TRY(open("closed/inner", O_RDONLY));
    TRY(access("secret", R_OK));
    TRY(chmod("secret", 0600));
    TRY(chown("secret", 1000, -1));
    TRY(unlink("sticky/mine"));
    TRY(mknod("node", S_IFCHR | 0600, 0x103));
    TRY(sethostname("x", -1));
    TRY(chroot("."));
    TRY(setgroups(0, NULL));
    TRY(setresgid(0, -1, -1));
    TRY(setpriority(PRIO_PROCESS, 0, -1));
    getrlimit(RLIMIT_CORE, &l);
    TRY(setuid(0));
}

static void make_files(void)
{
    int fd = open("secret", O_CREAT | O_RDWR, 0600);

    close(fd);
    mkdir("closed", 0700);
    close(open("closed/inner", O_CREAT | O_RDWR, 0644));
    mkdir("sticky", 01777);
    chmod("sticky", 01777);
    close(open("sticky/mine", O_CREAT | O_RDWR, 0644));
    chmod(".", 0777);
}

static void show_permits(void)
{
    static const struct {
        const char *name;
        unsigned cap;
    } caps[] = {{"none", 64},
                {"CHOWN", CAP_CHOWN},
                {"DAC_OVERRIDE", CAP_DAC_OVERRIDE},
                {"DAC_READ_SEARCH", CAP_DAC_READ_SEARCH},
                {"FOWNER", CAP_FOWNER},
                {"KILL", CAP_KILL},
                {"SETUID", CAP_SETUID},
                {"SETGID", CAP_SETGID},
                {"MKNOD", CAP_MKNOD},
                {"SYS_CHROOT", CAP_SYS_CHROOT},
                {"SYS_ADMIN", CAP_SYS_ADMIN},
                {"SYS_NICE", CAP_SYS_NICE}};

    for (unsigned i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
        make_files();
        unlink("node");
        printf("-- %s\n", caps[i].name);
        in_child(caps[i].name, permits, (void *)&caps[i].cap);
        chown("secret", 0, 0);
    }
}

/* ---- Groups ---- */

static void groups(void *arg)
{
    gid_t some[] = {5, 3, 70000, 3}, got[8], *many = calloc(65537, sizeof(*many));
    uint16_t old[8];
    int n;

    (void)arg;
    TRY(syscall(SYS_setgroups32, 4, some));
    n = (int)syscall(SYS_getgroups32, 8, got);
    for (int i = 0; i < n; i++)
        printf(" %d", got[i]);
    n = (int)syscall(SYS_getgroups, 8, old);
    for (int i = 0; i < n; i++)
        printf(" %d", old[i]);
    putchar('\n');
    SHOW(syscall(SYS_getgroups32, 0, got));
    SHOW(syscall(SYS_getgroups32, 3, got));
    SHOW(syscall(SYS_getgroups32, -1, got));
    SHOW(syscall(SYS_getgroups32, 8, 16));
    for (int i = 0; i < 65537; i++)
        many[i] = (gid_t)(65537 - i);
    SHOW(syscall(SYS_setgroups32, 65537, many));
    SHOW(syscall(SYS_setgroups32, 65536, many));
    SHOW(syscall(SYS_getgroups32, 65536, many));
    printf("%d %d %d\n", many[0], many[1], many[65535]);
    SHOW(syscall(SYS_setgroups32, 4, 16));
    SHOW(syscall(SYS_setgroups32, -1, some));
    some[1] = -1;
    SHOW(syscall(SYS_setgroups32, 4, some));
    SHOW(syscall(SYS_getgroups32, 0, got));
    SHOW(syscall(SYS_setgroups32, 0, NULL));
    DIE_UNLESS(setuid(1000) == 0);
    SHOW(syscall(SYS_setgroups32, 0, NULL));
    free(many);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(void *);
    } tests[] = {
        {"capset", rules},
        {"headers", headers},
        {"setuid", leave_root},
        {"keepcaps", keep},
        {"no fixup", no_fixup},
        {"fsuid", of_files},
        {"keepcaps locked", keep_locked},
        {"ambient", ambient},
        {"bounding", bounding},
        {"exec", exec_plain},
        {"exec bounded", exec_bounded},
        {"exec noroot", exec_noroot},
        {"exec of a user", exec_user},
        {"exec with ambient", exec_ambient},
        {"exec without new", exec_no_new_privs},
        {"groups", groups},
    };

    (void)argv;
    if (argc > 1) {
        show("program");
        show_status("program");
        return 0;
    }
    /* What sandboxes take away is taken away everywhere. */
    prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE);
    set(get().e & ~BIT(CAP_SYS_RESOURCE), get().p & ~BIT(CAP_SYS_RESOURCE), 0);
    show("start");
    for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        in_child(tests[i].name, tests[i].fn, NULL);
    show_permits();
    return 0;
}
