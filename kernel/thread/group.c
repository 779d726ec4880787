/*
 * Which processes belong to a process group or a session: two tables by id, under proc_lock. A
 * process is in both from its link to its unlink; who joins comes last in a chain.
 */
#include "kernel/thread/proc.h"

#define CHAINS 256u /* a power of two */

static struct list groups[CHAINS];   /* [proc_lock] struct proc by pgid */
static struct list sessions[CHAINS]; /* [proc_lock] and by sid */

struct list *proc_group_chain(int32_t pgid)
{
    return &groups[(uint32_t)pgid % CHAINS];
}

static struct list *session_chain(int32_t sid)
{
    return &sessions[(uint32_t)sid % CHAINS];
}

void proc_set_group(struct proc *p, int32_t pgid)
{
    list_remove(&p->group_link);
    p->pgid = pgid;
    list_add_tail(proc_group_chain(pgid), &p->group_link);
}

void proc_set_session(struct proc *p, int32_t sid)
{
    list_remove(&p->session_link);
    p->sid = sid;
    list_add_tail(session_chain(sid), &p->session_link);
}

void proc_leave_groups(struct proc *p)
{
    list_remove(&p->group_link);
    list_remove(&p->session_link);
}

struct proc *proc_first_of_group(int32_t pgid)
{
    struct proc *p;

    for_each_of_group(p, pgid) return p;
    return NULL;
}

bool proc_names_group(int32_t id)
{
    struct proc *p;

    list_for_each_entry (p, session_chain(id), session_link)
        if (p->sid == id)
            return true;
    return proc_first_of_group(id) != NULL;
}

void proc_groups_init(void)
{
    for (unsigned i = 0; i < CHAINS; i++) {
        list_init(&groups[i]);
        list_init(&sessions[i]);
    }
}
