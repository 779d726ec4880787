/*
 * Sockets that only queues refer to: a socket that was sent over itself, two that lie in each
 * other's queues. Their reference counts never fall to nothing by themselves.
 *
 * Carriers are the sockets with sockets in their queue. A carrier that somebody has open (its file
 * has more references than there are in queues) is reached; what lies in the queue of a reached one
 * is reached; a connection that waits for accept is reached if its listener is. Carriers that are
 * not reached in the end lose the rights in their queues.
 *
 * All this goes in steps, between which net_lock is free and programs go on. So whatever is put
 * into a queue or taken out of one meanwhile counts as reached (collect_reach): what nobody can
 * reach stays so, and what somebody gets hold of is looked into before the end.
 */
#include "fs/net/unix.h"

#define THRESHOLD_LEAST 64u

static struct mutex collecting = MUTEX_INIT(collecting, MUTEX_RANK_COLLECT);
static volatile bool wanted; /* something was closed since the running collection began */

static struct list carriers = LIST_INIT(carriers); /* [net_lock] by carrier_link */
static bool marking;                       /* [net_lock] those that are reached go on gray */
static struct list gray = LIST_INIT(gray); /* [net_lock] reached, with rights to look at */
static uint32_t pass;                      /* [collecting] over the carriers */

uint32_t collect_inflight;
uint32_t collect_threshold = THRESHOLD_LEAST;
uint32_t collect_round = 1;

void collect_reach(struct socket *s)
{
    if (s->reached == collect_round)
        return;
    s->reached = collect_round;
    if (marking && !list_empty(&s->rights))
        list_add_tail(&gray, &s->gray_link);
}

void collect_carrier(struct socket *s)
{
    list_add_tail(&carriers, &s->carrier_link);
}

/* [net_lock held] Whether a descriptor, or a call under way, leads to s. */
static bool is_open(const struct socket *s)
{
    return !s->file || !s->inflight || s->file->refs != s->inflight;
}

/* [net_lock held] */
static bool is_reached(const struct socket *s)
{
    if (s->reached == collect_round)
        return true;
    if (s->listener)
        return s->listener->reached == collect_round || is_open(s->listener);
    return is_open(s);
}

/*
 * Calls step(s) for each carrier once; how many times it was true. The ring is turned by one at
 * each step. Those that become carriers meanwhile may be left out.
 */
static uint32_t for_each_carrier(bool (*step)(struct socket *s))
{
    uint32_t count = 0;
    struct socket *s;

    pass++;
    for (;;) {
        spin_lock(&net_lock);
        s = list_empty(&carriers) ? NULL : list_first_entry(&carriers, struct socket, carrier_link);
        if (!s || s->visited == pass)
            break;
        s->visited = pass;
        list_remove(&s->carrier_link);
        list_add_tail(&carriers, &s->carrier_link);
        socket_ref(s);
        count += step(s);
        spin_unlock(&net_lock);
        socket_put(s);
        sched_point();
    }
    spin_unlock(&net_lock);
    return count;
}

/* [net_lock held] */
static bool mark_reached(struct socket *s)
{
    if (s->reached == collect_round || !is_reached(s))
        return false;
    collect_reach(s);
    return true;
}

/* Looks at all that the gray ones have in their queues: one struct rights at a time. */
static void mark_contents(void)
{
    struct socket *s;
    struct rights *r;

    spin_lock(&net_lock);
    while (!list_empty(&gray)) {
        s = list_first_entry(&gray, struct socket, gray_link);
        r = list_empty(&s->rights) ? NULL : list_first_entry(&s->rights, struct rights, link);
        if (r && r->scanned != collect_round) {
            r->scanned = collect_round;
            list_remove(&r->link);
            list_add_tail(&s->rights, &r->link);
            rights_reach(r);
        } else {
            list_remove(&s->gray_link);
        }
        spin_unlock(&net_lock);
        sched_point();
        spin_lock(&net_lock);
    }
    spin_unlock(&net_lock);
}

/* [net_lock held; dropped meanwhile] The rights in the queue of one that nobody reaches go. */
static bool sweep(struct socket *s)
{
    struct rights *r;

    while (!is_reached(s) && !list_empty(&s->rights)) {
        r = list_first_entry(&s->rights, struct rights, link);
        r->packet->rights = NULL;
        rights_unqueue(r);
        spin_unlock(&net_lock);
        rights_free(r);
        sched_point();
        spin_lock(&net_lock);
    }
    return false;
}

static void start_marking(void)
{
    spin_lock(&net_lock);
    collect_round++;
    marking = true;
    spin_unlock(&net_lock);
}

static bool all_is_marked(void)
{
    spin_lock(&net_lock);
    marking = !list_empty(&gray);
    spin_unlock(&net_lock);
    return !marking;
}

static void collect_once(void)
{
    start_marking();
    do {
        do
            mark_contents();
        while (for_each_carrier(mark_reached));
    } while (!all_is_marked());
    for_each_carrier(sweep);
    collect_threshold = 2 * collect_inflight + THRESHOLD_LEAST;
}

void collect(void)
{
    wanted = true;
    if (!mutex_trylock(&collecting))
        return; /* who is at it, perhaps this thread, goes on */
    while (wanted) {
        wanted = false;
        collect_once();
    }
    mutex_unlock(&collecting);
}
