/*
 * What a core is called: /proc/sys/kernel/core_pattern and core_uses_pid. man 5 core.
 * A pattern that begins with "|" is a program that reads the core, with its arguments.
 */
#include "fs/proc/procfs.h"
#include "kernel/base/init.h"
#include "kernel/dump/dump.h"
#include "kernel/machine/uts.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

static struct mutex pattern_lock = MUTEX_INIT(pattern_lock, MUTEX_RANK_SETTING);
static char pattern[CORE_PATTERN_SIZE] = "core"; /* [pattern_lock] */
static uint32_t uses_pid;

/* ---- Making it up ---- */

/* Text for a part of a name: no slashes, and neither "." nor "..". */
static void put_escaped(struct text *t, const char *s)
{
    if (strcmp(s, ".") == 0 || strcmp(s, "..") == 0) {
        text_printf(t, "!%s", s + 1);
        return;
    }
    for (; *s; s++)
        text_printf(t, "%c", *s == '/' ? '!' : *s);
}

/* The program's path, or with last_only what comes behind its last slash. */
static void put_program(struct text *t, bool last_only)
{
    struct proc *p = proc_current();
    char *page = kalloc(), *path, *slash;

    path = page && p->exe && p->exe->dentry
               ? path_print(&(struct path){p->exe->mount, p->exe->dentry}, page, PAGE_SIZE)
               : NULL;
    slash = path ? strrchr(path, '/') : NULL;
    put_escaped(t, !path ? p->comm : last_only && slash ? slash + 1 : path);
    if (page)
        kfree(page);
}

static void put_hostname(struct text *t)
{
    char name[UTS_NAME_MAX + 1];

    uts_get_hostname(name);
    put_escaped(t, name);
}

/* What a "%" and this letter stand for; nothing, if it is unknown. */
static void put_item(struct text *t, char letter, int signo)
{
    const struct proc *p = proc_current();

    switch (letter) {
    case '%':
        text_printf(t, "%%");
        break;
    case 'p':
    case 'P':
        text_printf(t, "%d", (int)p->pid);
        break;
    case 'i':
    case 'I':
        text_printf(t, "%d", (int)thread_current()->tid);
        break;
    case 'u':
        text_printf(t, "%u", (unsigned)p->cred.uid);
        break;
    case 'g':
        text_printf(t, "%u", (unsigned)p->cred.gid);
        break;
    case 'd':
        text_printf(t, "%u", p->dumpable);
        break;
    case 's':
        text_printf(t, "%d", signo);
        break;
    case 't':
        text_printf(t, "%llu", (unsigned long long)(time_real_ns() / NSEC_PER_SEC));
        break;
    case 'h':
        put_hostname(t);
        break;
    case 'e':
        put_escaped(t, p->comm);
        break;
    case 'f':
        put_program(t, true);
        break;
    case 'E':
        put_program(t, false);
        break;
    case 'c':
        text_printf(t, "%u", (unsigned)p->rlimits[RLIMIT_CORE].cur);
        break;
    case 'C':
        text_printf(t, "%u", (unsigned)cpu_self()->id);
        break;
    }
}

static void put_name(struct text *t, const char *from, int signo)
{
    bool has_pid = false;

    for (; *from; from++) {
        if (*from != '%') {
            text_write(t, from, 1);
            continue;
        }
        if (!*++from)
            break; /* a "%" at the end stands for nothing */
        has_pid = has_pid || *from == 'p';
        put_item(t, *from, signo);
    }
    if (!has_pid && uses_pid)
        text_printf(t, ".%d", (int)proc_current()->pid);
}

bool core_is_piped(void)
{
    return pattern[0] == '|';
}

/* Words of from, each with its end. A space after a "%" belongs to that. */
static void put_words(struct text *t, const char *from, int signo)
{
    bool within = false;

    for (; *from; from++) {
        if (*from == ' ' || *from == '\t') {
            if (within)
                text_write(t, "", 1);
            within = false;
            continue;
        }
        within = true;
        if (*from != '%') {
            text_write(t, from, 1);
            continue;
        }
        if (!*++from)
            break;
        put_item(t, *from, signo);
    }
    if (within)
        text_write(t, "", 1);
}

int core_words(char *page, char *argv[CORE_WORDS + 1], int signo)
{
    char from[CORE_PATTERN_SIZE];
    struct text t;
    size_t n, at = 0;
    unsigned words = 0;
    bool whole;

    mutex_lock(&pattern_lock);
    strlcpy(from, pattern, sizeof(from));
    mutex_unlock(&pattern_lock);
    text_init(&t);
    put_words(&t, from + 1, signo);
    whole = !t.failed;
    n = text_copy(&t, page, PAGE_SIZE);
    text_free(&t);
    if (!whole || n == 0 || n == PAGE_SIZE)
        return whole ? -ENAMETOOLONG : -ENOMEM;
    for (; at < n && words < CORE_WORDS; at += strlen(page + at) + 1)
        argv[words++] = page + at;
    argv[words] = NULL;
    return 0;
}

int core_name(char *buf, size_t size, int signo)
{
    char from[CORE_PATTERN_SIZE];
    struct text t;
    size_t n;
    int err;

    mutex_lock(&pattern_lock);
    strlcpy(from, pattern, sizeof(from));
    mutex_unlock(&pattern_lock);
    text_init(&t);
    put_name(&t, from, signo);
    err = t.failed ? -ENOMEM : 0;
    n = text_copy(&t, buf, size);
    text_free(&t);
    if (n == 0 || n == size)
        return -ENAMETOOLONG;
    buf[n] = '\0';
    return err;
}

/* ---- Setting it ---- */

static int show_pattern(struct text *t, const struct target *who)
{
    (void)who;
    mutex_lock(&pattern_lock);
    text_printf(t, "%s\n", pattern);
    mutex_unlock(&pattern_lock);
    return 0;
}

static int store_pattern(const char *text, size_t len, const struct target *who)
{
    const char *end = memchr(text, '\n', len);
    size_t n = end ? (size_t)(end - text) : len;

    (void)who;
    if (n >= sizeof(pattern))
        return -EINVAL;
    mutex_lock(&pattern_lock);
    memcpy(pattern, text, n);
    pattern[n] = '\0';
    mutex_unlock(&pattern_lock);
    return 0;
}

SYSCTL_WORD(static, uses_pid, uses_pid, 0, UINT32_MAX)

static void pattern_init(void)
{
    static const struct proc_entry entries[] = {
        STORE_ENTRY("core_pattern", 0644, show_pattern, store_pattern),
        STORE_ENTRY("core_uses_pid", 0644, show_uses_pid, store_uses_pid),
    };

    sysctl_add(&entries[0]);
    sysctl_add(&entries[1]);
}
INIT_AT(INIT_DEVICE, pattern_init);
