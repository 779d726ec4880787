/*
 * /proc/PID/oom_score and oom_score_adj: how likely a process is to be killed when memory runs out,
 * and the say that its owner has in it. The choice itself is kernel/oom/oom.c's.
 */
#include "fs/proc/procfs.h"
#include "libc/errno.h"
#include "libc/printf.h"

int show_oom_score(struct text *t, const struct target *who)
{
    struct proc *p = target_lock(who);
    uint32_t score;

    if (!p)
        return -ESRCH;
    score = oom_score(p);
    spin_unlock(&proc_lock);
    text_printf(t, "%u\n", score);
    return 0;
}

static int get_adj(const struct target *who, int *adj)
{
    struct proc *p = target_lock(who);

    if (!p)
        return -ESRCH;
    *adj = p->oom_score_adj;
    spin_unlock(&proc_lock);
    return 0;
}

int show_oom_score_adj(struct text *t, const struct target *who)
{
    int adj, err = get_adj(who, &adj);

    if (!err)
        text_printf(t, "%d\n", adj);
    return err;
}

/* The scale that Linux had before: -17 to 15, of which -17 is never. */
#define ADJ_NEVER (-17)
#define ADJ_MOST  15

int show_oom_adj(struct text *t, const struct target *who)
{
    int adj, err = get_adj(who, &adj);

    if (!err)
        text_printf(t, "%d\n",
                    adj == OOM_SCORE_ADJ_MAX ? ADJ_MOST : adj * -ADJ_NEVER / OOM_SCORE_ADJ_MAX);
    return err;
}

/* A number from least to most, alone on its line. */
static int parse(const char *text, size_t len, long least, long most, long *out)
{
    char *end;

    *out = strtol(text, &end, 10);
    if (end == text || (size_t)(end - text) + (*end == '\n') < len)
        return -EINVAL;
    return *out < least || *out > most ? -EINVAL : 0;
}

/* below_now: to go below what it is takes root; else only below what root has set. */
static int set_adj(const struct target *who, long adj, bool below_now)
{
    struct proc *p = target_lock(who);
    int err = 0;

    if (!p)
        return -ESRCH;
    if (adj < (below_now ? p->oom_score_adj : p->oom_score_adj_min) && !capable(CAP_SYS_RESOURCE)) {
        err = -EACCES;
    } else {
        p->oom_score_adj = (int16_t)adj;
        if (capable(CAP_SYS_RESOURCE))
            p->oom_score_adj_min = (int16_t)adj;
    }
    spin_unlock(&proc_lock);
    return err;
}

/* man 5 proc: -1000 to 1000; lowering it below what was set with CAP_SYS_RESOURCE takes that. */
int store_oom_score_adj(const char *text, size_t len, const struct target *who)
{
    long adj;
    int err = parse(text, len, OOM_SCORE_ADJ_MIN, OOM_SCORE_ADJ_MAX, &adj);

    return err ? err : set_adj(who, adj, false);
}

int store_oom_adj(const char *text, size_t len, const struct target *who)
{
    long adj;
    int err = parse(text, len, ADJ_NEVER, ADJ_MOST, &adj);

    if (err)
        return err;
    return set_adj(who, adj == ADJ_MOST ? OOM_SCORE_ADJ_MAX : adj * OOM_SCORE_ADJ_MAX / -ADJ_NEVER,
                   true);
}
