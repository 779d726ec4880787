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

int show_oom_score_adj(struct text *t, const struct target *who)
{
    struct proc *p = target_lock(who);
    int adj;

    if (!p)
        return -ESRCH;
    adj = p->oom_score_adj;
    spin_unlock(&proc_lock);
    text_printf(t, "%d\n", adj);
    return 0;
}

/* man 5 proc: -1000 to 1000; lowering it below what root has set takes root. */
int store_oom_score_adj(const char *text, size_t len, const struct target *who)
{
    char *end;
    long adj = strtol(text, &end, 10);
    struct proc *p;
    int err = 0;

    if (end == text || (size_t)(end - text) + (*end == '\n') < len)
        return -EINVAL;
    if (adj < OOM_SCORE_ADJ_MIN || adj > OOM_SCORE_ADJ_MAX)
        return -EINVAL;
    p = target_lock(who);
    if (!p)
        return -ESRCH;
    if (adj < p->oom_score_adj_min && !capable(CAP_SYS_RESOURCE)) {
        err = -EACCES;
    } else {
        p->oom_score_adj = (int16_t)adj;
        if (capable(CAP_SYS_RESOURCE))
            p->oom_score_adj_min = (int16_t)adj;
    }
    spin_unlock(&proc_lock);
    return err;
}
