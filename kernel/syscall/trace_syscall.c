/*
 * System calls in the form of strace(1): name(arguments) = result. How the arguments of the common
 * calls look is in a table; the others show three in hexadecimal.
 */
#include "arch/uaccess.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/trace.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define STRING_SHOWN 32

/* One letter for each argument: d decimal, x hexadecimal, o octal, s string, b buffer whose length
 * is the next argument, p pointer. */
struct form {
    const char *name, *args;
};

static const struct form forms[] = {
    {"_llseek", "dddpd"},
    {"access", "so"},
    {"brk", "x"},
    {"chdir", "s"},
    {"chmod", "so"},
    {"clock_gettime", "dp"},
    {"clock_gettime64", "dp"},
    {"clone", "xpppp"},
    {"close", "d"},
    {"creat", "so"},
    {"dup", "d"},
    {"dup2", "dd"},
    {"dup3", "ddx"},
    {"execve", "spp"},
    {"exit", "d"},
    {"exit_group", "d"},
    {"fcntl64", "ddx"},
    {"fork", ""},
    {"fstat64", "dp"},
    {"fstatat64", "dspx"},
    {"ftruncate64", "dxx"},
    {"futex", "pddppd"},
    {"getcwd", "pd"},
    {"getdents64", "dpd"},
    {"getegid32", ""},
    {"geteuid32", ""},
    {"getgid32", ""},
    {"getpid", ""},
    {"getppid", ""},
    {"getrandom", "pdx"},
    {"gettid", ""},
    {"getuid32", ""},
    {"ioctl", "dxp"},
    {"kill", "dd"},
    {"lseek", "ddd"},
    {"lstat64", "sp"},
    {"madvise", "xdd"},
    {"mkdir", "so"},
    {"mmap2", "xdxxdx"},
    {"mount", "sssxp"},
    {"mprotect", "xdx"},
    {"mremap", "xddxx"},
    {"munmap", "xd"},
    {"nanosleep", "pp"},
    {"open", "sxo"},
    {"openat", "dsxo"},
    {"pause", ""},
    {"pipe", "p"},
    {"pipe2", "px"},
    {"poll", "pdd"},
    {"pread64", "dpdd"},
    {"pwrite64", "dbdd"},
    {"read", "dpd"},
    {"readlink", "spd"},
    {"readlinkat", "dspd"},
    {"rename", "ss"},
    {"rmdir", "s"},
    {"rt_sigaction", "dppd"},
    {"rt_sigprocmask", "dppd"},
    {"rt_sigreturn", ""},
    {"sched_yield", ""},
    {"set_thread_area", "p"},
    {"set_tid_address", "p"},
    {"setpgid", "dd"},
    {"stat64", "sp"},
    {"statx", "dsxxp"},
    {"symlink", "ss"},
    {"ugetrlimit", "dp"},
    {"umask", "o"},
    {"uname", "p"},
    {"unlink", "s"},
    {"unlinkat", "dsx"},
    {"vfork", ""},
    {"wait4", "dpxp"},
    {"waitpid", "dpx"},
    {"write", "dbd"},
    {"writev", "dpd"},
};

static const char *form_of(const char *name)
{
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (strcmp(forms[i].name, name) == 0)
            return forms[i].args;
    return "xxx";
}

static void add_text(struct trace_call *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void add_text(struct trace_call *c, const char *fmt, ...)
{
    size_t room = sizeof(c->text) - (size_t)c->length;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(c->text + c->length, room, fmt, ap);
    va_end(ap);
    c->length += n < (int)room ? n : (int)room - 1;
}

/* Up to n bytes of a buffer or, with a terminator, of a string, in C's notation. */
static void add_bytes(struct trace_call *c, uint32_t at, uint32_t n, bool terminated)
{
    char bytes[STRING_SHOWN];
    uint32_t shown = n < sizeof(bytes) ? n : sizeof(bytes), i;

    if (!at) {
        add_text(c, "NULL");
        return;
    }
    shown -= (uint32_t)copy_from_user_partial(bytes, (const void __user *)at, shown);
    if (!shown && n) {
        add_text(c, "0x%x", (unsigned)at);
        return;
    }
    add_text(c, "\"");
    for (i = 0; i < shown && !(terminated && bytes[i] == '\0'); i++) {
        uint8_t b = (uint8_t)bytes[i];
        if (b == '\n')
            add_text(c, "\\n");
        else if (b < 32 || b > 126 || b == '"' || b == '\\')
            add_text(c, "\\%o", b);
        else
            add_text(c, "%c", b);
    }
    add_text(c, i == shown && n > shown ? "\"..." : "\"");
}

static void add_argument(struct trace_call *c, char form, const uint32_t *arg)
{
    switch (form) {
    case 'd':
        add_text(c, "%d", (int)*arg);
        break;
    case 'o':
        add_text(c, "0%o", (unsigned)*arg);
        break;
    case 's':
        add_bytes(c, *arg, UINT32_MAX, true);
        break;
    case 'b':
        add_bytes(c, *arg, arg[1], false);
        break;
    default:
        add_text(c, form == 'p' && *arg == 0 ? "NULL" : "0x%x", (unsigned)*arg);
    }
}

void trace_syscall_begin(struct trace_call *c, const char *name, uint32_t nr,
                         const uint32_t args[6])
{
    const char *form = name ? form_of(name) : "xxxxxx";

    c->length = 0;
    if (name)
        add_text(c, "%s(", name);
    else
        add_text(c, "syscall_%u(", (unsigned)nr);
    for (unsigned i = 0; i < 6 && form[i]; i++) {
        if (i)
            add_text(c, ", ");
        add_argument(c, form[i], &args[i]);
    }
    add_text(c, ")");
    if (name && strncmp(name, "exit", 4) == 0)
        klog(LOG_DEBUG, "strace: %d %s = ?\n", (int)thread_current()->tid, c->text);
}

void trace_syscall_end(struct trace_call *c, long result)
{
    int tid = (int)thread_current()->tid;

    if (result < 0 && result > -4096)
        klog(LOG_DEBUG, "strace: %d %s = -1 (error %ld)\n", tid, c->text, -result);
    else if (result > 0xffff || result < 0)
        klog(LOG_DEBUG, "strace: %d %s = 0x%lx\n", tid, c->text, result);
    else
        klog(LOG_DEBUG, "strace: %d %s = %ld\n", tid, c->text, result);
}
