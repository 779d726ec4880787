/*
 * Failure injection: chosen allocations of a running system fail as if memory were out, frames and
 * small objects alike. What is done for init or for the kernel's own threads is spared: they are
 * not what is tested, and nobody could go on without them.
 *
 * Armed by boot options (failnth=, failevery=, failsites, failfor=) or through
 * /proc/sys/kernel/inject. An allocation's site is the path of calls that leads to it; with "sites"
 * each fails once, when it is first reached. Counts are kept without a lock: a race may lose one.
 */
#include "kernel/thread/inject.h"
#include "arch/thread.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define SITES_MAX (PAGE_SIZE / sizeof(uint32_t))
#define PATH      7u /* return addresses that make a site */

enum mode { OFF, NTH, EVERY, SITES };

static struct inject {
    enum mode mode;
    uint32_t n, seed;
    char comm[COMM_LEN]; /* only processes of this name; "": all */
    uint32_t reached, failed, sites;
    uint32_t *table;             /* hashes of sites, a frame; NULL: never armed */
    const struct thread *blamed; /* whose last failure was made up */
} inject;

/* Whether the hash is a new one. A full table knows everything. */
static bool note_site(uint32_t hash)
{
    uint32_t at = hash % SITES_MAX, tries = 0;

    hash |= 1; /* 0 is free */
    while (inject.table[at] && inject.table[at] != hash && tries++ < SITES_MAX)
        at = (at + 1) % SITES_MAX;
    if (inject.table[at] || inject.sites + 1 == SITES_MAX)
        return false;
    inject.table[at] = hash;
    inject.sites++;
    return true;
}

/* The frames of this stack are linked through EBP. */
static uint32_t site_hash(const struct thread *t)
{
    const uint32_t *bp = __builtin_frame_address(0);
    uint32_t low = t->arch.kstack_top - KSTACK_SIZE, hash = 0;

    for (unsigned i = 0; i < PATH; i++) {
        if ((uint32_t)bp < low || (uint32_t)bp >= t->arch.kstack_top - 2 * sizeof(uint32_t))
            break;
        hash = (hash ^ bp[1]) * 0x01000193u;
        bp = (const uint32_t *)bp[0];
    }
    return hash;
}

static bool is_meant(const struct thread *t)
{
    const struct proc *p = t ? t->proc : NULL;

    return p && p->space && p != init_proc &&
           (!inject.comm[0] || strcmp(inject.comm, p->comm) == 0);
}

static uint32_t next_random(void)
{
    inject.seed = inject.seed * 1664525u + 1013904223u;
    return inject.seed >> 8;
}

static bool decide(bool fresh)
{
    switch (inject.mode) {
    case NTH:
        return inject.n && --inject.n == 0;
    case EVERY:
        return next_random() % inject.n == 0;
    case SITES:
        return fresh;
    default:
        return false;
    }
}

bool inject_decides(void)
{
    const struct thread *t = thread_current();
    bool fresh;

    if (!is_meant(t))
        return false;
    inject.reached++;
    fresh = note_site(site_hash(t));
    if (!decide(fresh))
        return false;
    inject.failed++;
    inject.blamed = t;
    return true;
}

bool inject_is_to_blame(void)
{
    bool mine = inject.blamed == thread_current();

    if (mine)
        inject.blamed = NULL;
    return mine;
}

/* ---- Arming ---- */

/* Whether the text begins with the word, which *text then is behind. */
static bool skip_word(const char **text, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(*text, word, n) != 0)
        return false;
    *text += n;
    return true;
}

static int parse_word(const char **text, struct inject *to)
{
    char *end = NULL;
    size_t n = 0;

    if (skip_word(text, "off")) {
        to->mode = OFF;
    } else if (skip_word(text, "sites")) {
        to->mode = SITES;
    } else if (skip_word(text, "nth=") || skip_word(text, "every=")) {
        to->mode = (*text)[-2] == 'h' ? NTH : EVERY;
        to->n = (uint32_t)strtol(*text, &end, 10);
        if (*end == ',')
            to->seed = (uint32_t)strtol(end + 1, &end, 10);
        if (end == *text || !to->n)
            return -EINVAL;
        *text = end;
    } else if (skip_word(text, "for=")) {
        while ((*text)[n] && !isspace((*text)[n]))
            n++;
        strlcpy(to->comm, *text, n < COMM_LEN ? n + 1 : COMM_LEN);
        *text += n;
    } else {
        return -EINVAL;
    }
    return **text && !isspace(**text) ? -EINVAL : 0;
}

int inject_set(const char *text)
{
    struct inject to = {.mode = OFF, .table = inject.table};
    int err = 0;

    while (!err) {
        while (isspace(*text))
            text++;
        if (!*text)
            break;
        err = parse_word(&text, &to);
    }
    if (err)
        return err;
    vm_set_failing(false);
    if (!to.table)
        to.table = kalloc();
    if (!to.table)
        return -ENOMEM;
    if (to.mode != OFF) {
        memset(to.table, 0, PAGE_SIZE);
    } else {
        to.reached = inject.reached;
        to.failed = inject.failed;
        to.sites = inject.sites;
    }
    inject = to;
    vm_set_failing(to.mode != OFF);
    return 0;
}

void inject_show(char *buf, size_t size)
{
    static const char *const modes[] = {
        [OFF] = "off", [NTH] = "nth", [EVERY] = "every", [SITES] = "sites"};

    snprintf(buf, size, "mode %s\nreached %u\nsites %u\nfailed %u\n", modes[inject.mode],
             inject.reached, inject.sites, inject.failed);
}

void inject_boot_options(void)
{
    const char *const options[][2] = {{BOOT_NAME("failnth"), "nth="},
                                      {BOOT_NAME("failevery"), "every="},
                                      {BOOT_NAME("failfor"), "for="}};
    char text[96] = "", value[32];

    if (boot_flag("failsites"))
        strlcat(text, "sites ", sizeof(text));
    for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (!boot_find_option(options[i][0], value, sizeof(value)))
            continue;
        strlcat(text, options[i][1], sizeof(text));
        strlcat(text, value, sizeof(text));
        strlcat(text, " ", sizeof(text));
    }
    if (text[0] && inject_set(text))
        klog(LOG_WARN, "failure injection: cannot make sense of %s\n", text);
}
