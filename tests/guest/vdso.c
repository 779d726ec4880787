/*
 * The vDSO: what it exports, the clocks in user mode, calls by __kernel_vsyscall with all their
 * arguments, restarted and stepped through, handlers that return through it, what fork, mremap and
 * munmap of it do.
 */
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <time.h>

CHANGES_THE_MACHINE("the clock");

static uint32_t base, vsyscall; /* AT_SYSINFO_EHDR, AT_SYSINFO */

struct wide_timespec {
    int64_t sec, nsec;
};

/* ---- The object ---- */

static const Elf32_Dyn *dynamic(uint32_t tag)
{
    const Elf32_Ehdr *e = (const void *)base;
    const Elf32_Phdr *p = (const void *)(base + e->e_phoff);
    const Elf32_Dyn *d;

    while (p->p_type != PT_DYNAMIC)
        p++;
    for (d = (const void *)(base + p->p_vaddr); d->d_tag != DT_NULL; d++)
        if ((uint32_t)d->d_tag == tag)
            return d;
    return NULL;
}

static const void *table(uint32_t tag)
{
    return (const void *)(base + dynamic(tag)->d_un.d_ptr);
}

static const char *version_of(unsigned symbol)
{
    unsigned index = ((const Elf32_Half *)table(DT_VERSYM))[symbol] & 0x7fff;
    const Elf32_Verdef *v = table(DT_VERDEF);

    while (v->vd_ndx != index)
        v = (const void *)((const char *)v + v->vd_next);
    return (const char *)table(DT_STRTAB) +
           ((const Elf32_Verdaux *)((const char *)v + v->vd_aux))->vda_name;
}

static void *find(const char *name)
{
    unsigned n = ((const uint32_t *)table(DT_HASH))[1];
    const Elf32_Sym *s = table(DT_SYMTAB);
    const char *strings = table(DT_STRTAB);

    for (unsigned i = 1; i < n; i++) {
        if (strcmp(strings + s[i].st_name, name) != 0)
            continue;
        printf("%s: %s, %s\n", name, version_of(i),
               ELF32_ST_TYPE(s[i].st_info) == STT_FUNC ? "function" : "other");
        return (void *)(base + s[i].st_value);
    }
    printf("%s: none\n", name);
    return NULL;
}

static void object(void)
{
    const Elf32_Ehdr *e = (const void *)base;

    printf("magic %d, type %d, machine %d\n", memcmp(e->e_ident, ELFMAG, SELFMAG), e->e_type,
           e->e_machine);
    printf("soname %s\n", (const char *)table(DT_STRTAB) + dynamic(DT_SONAME)->d_un.d_val);
    printf("AT_SYSINFO is the symbol: %d\n", find("__kernel_vsyscall") == (void *)vsyscall);
}

/* The line of /proc/self/maps that ends so. */
static bool area(const char *name, uint32_t *start, uint32_t *end, char rights[5])
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[256];
    bool found = false;

    *start = *end = 0;
    strcpy(rights, "none");
    while (!found && fgets(line, sizeof(line), f)) {
        found = strstr(line, name) != NULL;
        if (found)
            sscanf(line, "%x-%x %4s", start, end, rights);
    }
    fclose(f);
    return found;
}

static void show_areas(void)
{
    uint32_t start, end, clock_start, clock_end;
    char rights[5], clock_rights[5];

    printf("[vdso] %d", area("[vdso]", &start, &end, rights));
    printf(" %s at base %d; ", rights, start == base);
    printf("[vvar] %d", area("[vvar]", &clock_start, &clock_end, clock_rights));
    printf(" %s just below %d\n", clock_rights, clock_end == start);
}

/* ---- Clocks ---- */

static long (*v_gettime)(uint32_t, struct timespec *);
static long (*v_gettime64)(uint32_t, struct wide_timespec *);
static long (*v_getres)(uint32_t, struct timespec *);
static long (*v_gettimeofday)(struct timeval *, struct timezone *);
static long (*v_time)(time_t *);

static uint64_t ns_of(const struct timespec *ts)
{
    return (uint64_t)ts->tv_sec * 1000000000 + (uint32_t)ts->tv_nsec;
}

/* The call's answer lies between two of the vDSO's, and the other way round. */
static bool agree(uint32_t id, uint64_t slack)
{
    struct timespec a, b, c;
    struct wide_timespec w;

    for (int i = 0; i < 200; i++) {
        if (v_gettime(id, &a) || syscall(SYS_clock_gettime, id, &b) || v_gettime64(id, &w) ||
            syscall(SYS_clock_gettime, id, &c))
            return false;
        if (ns_of(&a) > ns_of(&b) + slack ||
            ns_of(&b) > (uint64_t)(w.sec * 1000000000 + w.nsec) + slack ||
            (uint64_t)(w.sec * 1000000000 + w.nsec) > ns_of(&c) + slack ||
            (uint32_t)a.tv_nsec >= 1000000000)
            return false;
    }
    return true;
}

static void clocks(void)
{
    static const struct {
        const char *name;
        uint32_t id;
    } ids[] = {{"REALTIME", 0},         {"MONOTONIC", 1},
               {"PROCESS_CPUTIME", 2},  {"THREAD_CPUTIME", 3},
               {"MONOTONIC_RAW", 4},    {"REALTIME_COARSE", 5},
               {"MONOTONIC_COARSE", 6}, {"BOOTTIME", 7},
               {"REALTIME_ALARM", 8},   {"TAI", 11}};
    struct timespec r, s;

    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        bool same = v_getres(ids[i].id, &r) == 0 && syscall(SYS_clock_getres, ids[i].id, &s) == 0 &&
                    ns_of(&r) == ns_of(&s);
        printf("%s: agree %d, resolution %d\n", ids[i].name, agree(ids[i].id, 0), same);
    }
    SHOW(v_gettime(10, &r) == -EINVAL);
    SHOW(v_gettime(99, &r) == -EINVAL);
    SHOW(v_gettime64(0x7fffffff, (void *)&r) == -EINVAL);
    SHOW(v_getres(99, &r) == -EINVAL);
    SHOW(v_getres(1, NULL));
}

static bool day_agrees(void)
{
    struct timeval a, b, c;
    struct timezone z = {7, 7};

    for (int i = 0; i < 200; i++) {
        if (syscall(SYS_gettimeofday, &a, NULL) || v_gettimeofday(&b, &z) ||
            syscall(SYS_gettimeofday, &c, NULL))
            return false;
        if (timercmp(&a, &b, >) || timercmp(&b, &c, >) || b.tv_usec >= 1000000)
            return false;
    }
    printf("zone %d %d\n", z.tz_minuteswest, z.tz_dsttime);
    return true;
}

static void days(void)
{
    struct timezone z = {60, 1}, none = {0, 0};
    struct timeval tv;
    time_t before, now, stored;

    printf("gettimeofday agrees: %d\n", day_agrees());
    SHOW(v_gettimeofday(NULL, NULL));
    SHOW(syscall(SYS_settimeofday, NULL, &z));
    SHOW(v_gettimeofday(NULL, &z));
    printf("%d %d\n", z.tz_minuteswest, z.tz_dsttime);
    SHOW(syscall(SYS_settimeofday, NULL, &none));
    v_gettimeofday(&tv, NULL);
    before = tv.tv_sec;
    now = v_time(&stored);
    printf("time: %d %d\n", now - before <= 1, now == stored || now + 1 == stored);
    SHOW(v_time(NULL) - now <= 1);
}

/* Setting the clock moves the page's real time, and not its monotonic one. */
static void set_clock(void)
{
    struct timespec old, wanted = {.tv_sec = 1000000000}, got, mono, later;

    DIE_UNLESS(v_gettime(CLOCK_REALTIME, &old) == 0 && v_gettime(CLOCK_MONOTONIC, &mono) == 0);
    SHOW(syscall(SYS_clock_settime, CLOCK_REALTIME, &wanted));
    v_gettime(CLOCK_REALTIME, &got);
    v_gettime(CLOCK_MONOTONIC, &later);
    printf("set: %d, monotonic goes on: %d\n", got.tv_sec - wanted.tv_sec <= 5,
           ns_of(&later) >= ns_of(&mono) && later.tv_sec - mono.tv_sec <= 5);
    printf("agrees after it: %d\n", agree(CLOCK_REALTIME, 0));
    SHOW(syscall(SYS_clock_settime, CLOCK_REALTIME, &old));
}

/* ---- Calls ---- */

static long call6(uint32_t entry, long nr, long a, long b, long c, long d, long e, long f)
{
    struct {
        long entry, f;
    } rest = {(long)entry, f};
    long ret;

    __asm__ volatile("push %%ebp\n\t"
                     "push (%%eax)\n\t"
                     "mov 4(%%eax), %%ebp\n\t"
                     "mov %[nr], %%eax\n\t"
                     "call *(%%esp)\n\t"
                     "add $4, %%esp\n\t"
                     "pop %%ebp"
                     : "=a"(ret)
                     : "a"(&rest), [nr] "i"(SYS_mmap2), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory", "cc");
    (void)nr;
    return ret;
}

static long call3(uint32_t entry, long nr, long a, long b, long c)
{
    long ret, b_out = b, c_out = c;

    __asm__ volatile("call *%[entry]"
                     : "=a"(ret), "+c"(b_out), "+d"(c_out)
                     : "0"(nr), "b"(a), [entry] "S"(entry)
                     : "memory", "cc");
    if (b_out != b || c_out != c)
        printf("registers were lost\n");
    return ret;
}

static void calls(void)
{
    char buf[4] = "", *file;
    int fd = open("/proc/self/exe", O_RDONLY);

    printf("getpid: %d\n", call3(vsyscall, SYS_getpid, 0, 0, 0) == getpid());
    printf("missing: %ld\n", call3(vsyscall, 100000, 1, 2, 3));
    printf("bad pointer: %ld\n", call3(vsyscall, SYS_write, 1, 16, 5));
    file = (char *)call6(vsyscall, SYS_mmap2, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    printf("six arguments: %d\n", memcmp(file, ELFMAG, SELFMAG) == 0);
    printf("the sixth: %d\n",
           pread(fd, buf, 4, PAGE) == 4 &&
               memcmp((char *)call6(vsyscall, SYS_mmap2, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 1),
                      buf, 4) == 0);
    close(fd);
}

static volatile int handled;
static uint32_t expected_return;

static void handler(int signo)
{
    (void)signo;
    handled++;
}

static void old_handler(int signo)
{
    void **frame = __builtin_frame_address(0);

    (void)signo;
    handled += (uint32_t)frame[1] == expected_return;
}

struct kernel_action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

/* A handler without SA_RESTORER goes back through the vDSO. */
static void handlers(void)
{
    struct kernel_action a = {.handler = old_handler};

    handled = 0;
    expected_return = (uint32_t)find("__kernel_sigreturn");
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, &a, NULL, 8));
    SHOW(kill(getpid(), SIGUSR1));
    a.flags = SA_SIGINFO;
    expected_return = (uint32_t)find("__kernel_rt_sigreturn");
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, &a, NULL, 8));
    SHOW(kill(getpid(), SIGUSR1));
    printf("handled %d\n", handled);
}

/* A read by the vDSO that a signal interrupts, with and without SA_RESTART. */
static void interrupted(bool restart)
{
    struct sigaction a = {.sa_handler = handler, .sa_flags = restart ? SA_RESTART : 0};
    struct sigaction alarm_action = a;
    int p[2];
    char c = 0;
    long n;

    DIE_UNLESS(pipe(p) == 0 && sigaction(SIGUSR2, &a, NULL) == 0 &&
               sigaction(SIGALRM, &alarm_action, NULL) == 0);
    handled = 0;
    pid_t child = fork();
    if (child == 0) {
        pid_t parent = getppid();
        char path[64], state = 0;

        do { /* until it sleeps */
            FILE *f;
            snprintf(path, sizeof(path), "/proc/%d/stat", parent);
            f = fopen(path, "r");
            if (fscanf(f, "%*d %*s %c", &state) != 1)
                state = 0;
            fclose(f);
            usleep(1000);
        } while (state != 'S');
        kill(parent, SIGUSR2);
        usleep(50000);
        _exit(write(p[1], "x", 1) != 1);
    }
    n = call3(vsyscall, SYS_read, p[0], (long)&c, 1);
    printf("restart %d: %ld '%c', handled %d\n", restart, n, c ? c : '-', handled);
    waitpid(child, NULL, 0);
    close(p[0]);
    close(p[1]);
}

/* ---- Stepping ---- */

static volatile int steps, through;

static void on_trap(int signo, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;
    uint32_t eip = (uint32_t)uc->uc_mcontext.gregs[REG_EIP];

    (void)signo;
    (void)info;
    steps++;
    if (eip >= base && eip < base + PAGE)
        through++;
}

/* A program that sets TF and makes a call is back from it with TF still set. */
static void own_steps(void)
{
    struct sigaction a = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    long ret = SYS_getppid;

    DIE_UNLESS(sigaction(SIGTRAP, &a, NULL) == 0);
    __asm__ volatile("pushf\n\t"
                     "orl $0x100, (%%esp)\n\t"
                     "popf\n\t"
                     "call *%%esi\n\t"
                     "pushf\n\t"
                     "andl $~0x100, (%%esp)\n\t"
                     "popf"
                     : "+a"(ret)
                     : "S"(vsyscall)
                     : "memory", "cc");
    printf("own steps: %d, in the vDSO %d, the result %d\n", steps > 5, through > 5,
           ret == getppid());
}

/* A tracer that steps a child through a call. */
static void traced_steps(void)
{
    pid_t child = fork();
    int status, stops = 0, inside = 0;
    struct user_regs_struct r;

    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        _exit(call3(vsyscall, SYS_getppid, 0, 0, 0) == getppid() ? 5 : 6);
    }
    waitpid(child, &status, 0);
    while (WIFSTOPPED(status) && stops < 100000) {
        ptrace(PTRACE_GETREGS, child, 0, &r);
        inside += (uint32_t)r.eip >= base && (uint32_t)r.eip < base + PAGE;
        if (ptrace(PTRACE_SINGLESTEP, child, 0, 0))
            break;
        waitpid(child, &status, 0);
        stops++;
    }
    print_status("stepped child", status);
    printf("through the vDSO: %d\n", inside > 5);
}

/* ---- What may happen to it ---- */

static void write_to_code(__attribute__((unused)) void *none)
{
    *(volatile uint32_t *)base = 0;
}

static void write_to_clock(__attribute__((unused)) void *none)
{
    uint32_t start, end;
    char rights[5];

    area("[vvar]", &start, &end, rights);
    SHOW(mprotect((void *)start, PAGE, PROT_READ | PROT_WRITE));
    *(volatile uint32_t *)start = 0;
}

/* The child's own copy: others do not see it. */
static void change_code(__attribute__((unused)) void *none)
{
    uint32_t start, end;
    char rights[5];

    area("[vdso]", &start, &end, rights);
    SHOW(mprotect((void *)start, end - start, PROT_READ | PROT_WRITE | PROT_EXEC));
    *(volatile uint32_t *)base = 0;
    printf("changed: %x\n", *(volatile uint32_t *)base);
}

static long raw_call(long nr, long a, long b, long c, long d, long e)
{
    long ret;

    __asm__ volatile("int $0x80"
                     : "=a"(ret)
                     : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory");
    return ret;
}

/* Nothing of the C library from here on, which calls through it. */
static void move_it(__attribute__((unused)) void *none)
{
    struct kernel_action a = {.handler = old_handler};
    uint32_t start, end, to;
    char rights[5];
    long pid = getpid();

    find("__kernel_sigreturn");
    area("[vdso]", &start, &end, rights);
    to = (uint32_t)mmap(NULL, end - start, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if ((uint32_t)raw_call(SYS_mremap, (long)start, (long)(end - start), (long)(end - start), 3,
                           (long)to) != to)
        raw_call(SYS_exit_group, 2, 0, 0, 0, 0);
    handled = 0;
    expected_return += to - base;
    if (call3(vsyscall + (to - base), SYS_getpid, 0, 0, 0) != pid)
        raw_call(SYS_exit_group, 3, 0, 0, 0, 0);
    raw_call(SYS_rt_sigaction, SIGUSR1, (long)&a, 0, 8, 0);
    raw_call(SYS_kill, pid, SIGUSR1, 0, 0, 0);
    raw_call(SYS_exit_group, handled == 1 ? 4 : 5, 0, 0, 0, 0);
}

static void unmap_it(__attribute__((unused)) void *none)
{
    uint32_t start, end;
    char rights[5];
    long pid = getpid();

    area("[vdso]", &start, &end, rights);
    raw_call(SYS_munmap, (long)start, (long)(end - start), 0, 0, 0);
    raw_call(SYS_exit_group, raw_call(SYS_getpid, 0, 0, 0, 0, 0) == pid ? 7 : 8, 0, 0, 0, 0);
}

static void call_where_none_is(__attribute__((unused)) void *none)
{
    uint32_t start, end;
    char rights[5];

    area("[vdso]", &start, &end, rights);
    raw_call(SYS_munmap, (long)start, (long)(end - start), 0, 0, 0);
    call3(vsyscall, SYS_getpid, 0, 0, 0);
    raw_call(SYS_exit_group, 9, 0, 0, 0, 0);
}

static void fates(void)
{
    in_child("write to the code", write_to_code, NULL);
    in_child("write to the clock", write_to_clock, NULL);
    in_child("a copy of the code", change_code, NULL);
    printf("here it is as it was: %x\n", *(volatile uint32_t *)base);
    expected_return = (uint32_t)find("__kernel_sigreturn");
    in_child("moved", move_it, NULL);
    in_child("unmapped", unmap_it, NULL);
    in_child("called where none is", call_where_none_is, NULL);
    show_areas();
}

/* sysenter with a stack that is none, which __kernel_vsyscall itself never does: its caller's. */
static void no_stack(__attribute__((unused)) void *none)
{
    __asm__ volatile("xor %%esp, %%esp\n\tjmp *%0" : : "r"(vsyscall), "a"(SYS_getpid) : "memory");
}

int main(void)
{
    base = getauxval(AT_SYSINFO_EHDR);
    vsyscall = getauxval(AT_SYSINFO);
    object();
    show_areas();
    v_gettime = find("__vdso_clock_gettime");
    v_gettime64 = find("__vdso_clock_gettime64");
    v_getres = find("__vdso_clock_getres");
    v_gettimeofday = find("__vdso_gettimeofday");
    v_time = find("__vdso_time");
    clocks();
    days();
    set_clock();
    calls();
    handlers();
    interrupted(true);
    interrupted(false);
    own_steps();
    traced_steps();
    fates();
    in_child("without a stack", no_stack, NULL);
    return 0;
}
