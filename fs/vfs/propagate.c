/*
 * Propagation of mounts and unmounts among groups. See propagate.h.
 *
 * A tree that is mounted in a shared mount becomes shared itself. Groups take turns: the members of
 * one get copies that are peers of its source; a slave without a group gets one that follows it;
 * the first member of a slave's group gets one that follows it and has a group of its own, which is
 * the source when that group has its turn. All copies are made before the first is seen.
 */
#include "fs/vfs/internal.h"
#include "fs/vfs/propagate.h"

static struct list groups = LIST_INIT(groups); /* [mount_lock] by id */

/* ---- Groups ---- */

/* The group after which a new one comes in the list, by the lowest number that is free. */
static struct list *free_place(uint32_t *id)
{
    struct mount_group *g;

    *id = 1;
    list_for_each_entry (g, &groups, link) {
        if (g->id != *id)
            break;
        ++*id;
    }
    return g->link.prev;
}

static int join_new(struct mount *m)
{
    struct mount_group *g = kzalloc(sizeof(*g));

    if (!g)
        return -ENOMEM;
    list_init(&g->members);
    list_init(&g->slaves);
    list_add(free_place(&g->id), &g->link);
    list_add_tail(&g->members, &m->peer);
    m->group = g;
    return 0;
}

static void follow(struct mount *m, struct mount_group *master)
{
    if (m->master)
        list_remove(&m->slave);
    m->master = master;
    if (master)
        list_add_tail(&master->slaves, &m->slave);
}

/* With its last member a group ends, and its slaves follow what that followed. */
static void leave(struct mount *m)
{
    struct mount_group *g = m->group;

    if (!g)
        return;
    list_remove(&m->peer);
    m->group = NULL;
    if (!list_empty(&g->members))
        return;
    while (!list_empty(&g->slaves))
        follow(list_first_entry(&g->slaves, struct mount, slave), m->master);
    list_remove(&g->link);
    kmfree(g);
}

static bool has_peers(const struct mount *m)
{
    return m->group && m->group->members.next != m->group->members.prev;
}

static void change(struct mount *m, enum propagation to)
{
    if (to == SLAVE && has_peers(m))
        follow(m, m->group);
    if (to != SHARED)
        leave(m);
    if (to == PRIVATE || to == UNBINDABLE)
        follow(m, NULL);
    if (to != SLAVE)
        m->unbindable = to == UNBINDABLE;
}

/* Takes back what share_all did. */
static void unshare_all(struct mount *top)
{
    for (struct mount *m = top; m; m = mount_next(m, top)) {
        if (m->shared_now)
            leave(m);
        m->shared_now = false;
    }
}

/* Every mount of the tree that has no group gets one; on failure none of them keeps it. */
static int share_all(struct mount *top, bool deep)
{
    int err = 0;

    for (struct mount *m = top; m; m = mount_next(m, top))
        m->shared_now = false;
    for (struct mount *m = top; m && !err; m = deep ? mount_next(m, top) : NULL) {
        if (!m->group) {
            err = join_new(m);
            m->shared_now = !err;
        }
        sched_point();
    }
    if (err)
        unshare_all(top);
    return err;
}

int propagation_set(struct mount *top, enum propagation to, bool deep)
{
    int err = to == SHARED ? share_all(top, deep) : 0;

    for (struct mount *m = top; m && !err; m = deep ? mount_next(m, top) : NULL)
        change(m, to);
    return err;
}

void propagation_end(struct mount *m)
{
    change(m, PRIVATE);
}

bool propagation_has_unbindable(struct mount *top)
{
    for (struct mount *m = top; m; m = mount_next(m, top))
        if (m->unbindable)
            return true;
    return false;
}

int propagation_relate(struct mount *copy, struct mount *of, enum relation how)
{
    follow(copy, how == PEER ? of->master : of->group);
    if (how == FOLLOWER_SHARED)
        return join_new(copy);
    if (how == PEER && of->group) {
        copy->group = of->group;
        list_add(&of->peer, &copy->peer); /* behind it, as on Linux */
    }
    return 0;
}

/* ---- Turns ---- */

struct turns {
    struct mount_group *first, *last;
};

static void queue(struct turns *t, struct mount_group *g, struct mount *source, struct mount *seat)
{
    g->queued = true;
    g->source = source;
    g->seat = seat;
    g->next = NULL;
    if (t->last)
        t->last->next = g;
    else
        t->first = g;
    t->last = g;
}

static void end_turns(struct turns *t)
{
    for (struct mount_group *g = t->first; g; g = g->next)
        g->queued = false;
}

/* ---- Mounting ---- */

/* What is being mounted: on this name of every mount that gets a copy. */
struct spread {
    struct turns turns;
    struct dentry *at;
    struct list copies; /* by link; where each goes is in its copy */
};

static bool shows(const struct mount *m, struct dentry *d)
{
    return m->root->inode->sb == d->inode->sb && dentry_is_below(d, m->root);
}

/* m gets a copy of source, if it shows the place at all. */
static int give_copy(struct spread *s, struct mount *m, struct mount *source, enum relation how,
                     struct mount **out)
{
    struct mount *copy;
    int err;

    *out = NULL;
    if (!shows(m, s->at))
        return 0;
    err = mount_copy(source, source->root, true, how, &copy);
    if (err)
        return err;
    copy->copy = m;
    list_add(&s->copies, &copy->link); /* the last is shown first, as on Linux */
    *out = copy;
    return 0;
}

/* From the one after its seat on, and around, as Linux goes around its ring. */
static int to_members(struct spread *s, struct mount_group *g)
{
    struct mount *copy;
    int err = 0;

    if (!g->seat)
        return 0;
    for (struct list *at = g->seat->peer.next; at != &g->seat->peer && !err; at = at->next) {
        struct mount *m = list_entry(at, struct mount, peer);

        if (at != &g->members && !m->fresh)
            err = give_copy(s, m, g->source, PEER, &copy);
        sched_point();
    }
    return err;
}

/* The first member of g that can have a copy of source has one. */
static int seat_group(struct spread *s, struct mount_group *g, struct mount *source)
{
    struct mount *m, *copy = NULL, *seat = NULL;
    int err = 0;

    list_for_each_entry (m, &g->members, peer) {
        if (err || copy)
            break;
        if (m->fresh)
            continue;
        err = give_copy(s, m, source, FOLLOWER_SHARED, &copy);
        seat = copy ? m : NULL;
    }
    queue(&s->turns, g, copy ? copy : source, seat);
    return err;
}

static int to_slaves(struct spread *s, struct mount_group *g)
{
    struct mount *m, *copy;
    int err = 0;

    list_for_each_entry (m, &g->slaves, slave) {
        if (err)
            break;
        if (m->fresh)
            continue;
        if (!m->group)
            err = give_copy(s, m, g->source, FOLLOWER, &copy);
        else if (!m->group->queued)
            err = seat_group(s, m->group, g->source);
        sched_point();
    }
    return err;
}

static void drop_copies(struct spread *s)
{
    while (!list_empty(&s->copies))
        mount_take_out(list_first_entry(&s->copies, struct mount, link));
}

/* A copy goes where it belongs; what is mounted there already is on top of it then. */
static void place_copy(struct mount *copy, struct dentry *at)
{
    struct path where = {copy->copy, at}, top = {copy, copy->root};
    struct dentry *left = NULL;
    struct mount *there;

    list_remove(&copy->link);
    spin_lock(&dentry_lock);
    there = mount_on(&where);
    path_to_top(&top);
    if (there)
        left = mount_unlink(there);
    mount_link(copy, &where);
    if (there)
        mount_link(there, &top);
    spin_unlock(&dentry_lock);
    dentry_unref(left);
    mount_show(copy);
}

int propagation_mount(struct mount *top, const struct path *where)
{
    struct mount_group *g = where->mount->group;
    struct spread s = {.at = where->dentry};
    int err = top->root->unlinked ? -ENOENT : g ? share_all(top, true) : 0;

    list_init(&s.copies);
    if (err)
        return err;
    if (g)
        queue(&s.turns, g, top, where->mount);
    for (struct mount_group *turn = s.turns.first; turn && !err; turn = turn->next) {
        err = to_members(&s, turn);
        if (!err)
            err = to_slaves(&s, turn);
    }
    end_turns(&s.turns);
    if (!err)
        err = mount_attach(top, where);
    if (err) {
        drop_copies(&s);
        if (g)
            unshare_all(top);
        return err;
    }
    mount_show(top);
    while (!list_empty(&s.copies))
        place_copy(list_first_entry(&s.copies, struct mount, link), s.at);
    return 0;
}

/* ---- Unmounting ---- */

static struct mount *chain(struct mount *list, struct mount *m, const struct mount *but)
{
    if (m == but)
        return list;
    m->receiver = list;
    return m;
}

/* All that what happens in m spreads to, chained by receiver. */
static struct mount *receivers(struct mount *m)
{
    struct turns t = {NULL, NULL};
    struct mount *list = NULL, *o;

    if (m->group)
        queue(&t, m->group, NULL, NULL);
    for (struct mount_group *g = t.first; g; g = g->next) {
        list_for_each_entry (o, &g->members, peer)
            list = chain(list, o, m);
        list_for_each_entry (o, &g->slaves, slave) {
            if (!o->group)
                list = chain(list, o, m);
            else if (!o->group->queued)
                queue(&t, o->group, NULL, NULL);
        }
        sched_point();
    }
    end_turns(&t);
    return list;
}

/* What is mounted in r where m is in its parent, or NULL. */
static struct mount *counterpart(struct mount *r, const struct mount *m)
{
    struct path where = {r, m->at};
    struct mount *there;

    spin_lock(&dentry_lock);
    there = mount_on(&where);
    spin_unlock(&dentry_lock);
    return there;
}

/* The only one below m, if it covers all of it: it stays when m goes. */
static struct mount *cover_of(const struct mount *m)
{
    struct mount *c;

    if (list_empty(&m->children) || m->children.next != m->children.prev)
        return NULL;
    c = list_first_entry(&m->children, struct mount, sibling);
    return c->at == m->root ? c : NULL;
}

bool propagation_busy(struct mount *m)
{
    if (m->refs > 1 || !list_empty(&m->children))
        return true;
    for (struct mount *r = m->parent ? receivers(m->parent) : NULL; r; r = r->receiver) {
        const struct mount *c = counterpart(r, m);

        if (c && c->refs > 1 && (list_empty(&c->children) || cover_of(c)))
            return true;
    }
    return false;
}

/* Whether all that is mounted below m goes too, or covers it. */
static bool may_go(const struct mount *m)
{
    const struct mount *c;

    if (cover_of(m))
        return true;
    list_for_each_entry (c, &m->children, sibling)
        if (!c->going)
            return false;
    return true;
}

/* Marks what goes with m elsewhere; it is put on list. */
static void mark_counterparts(const struct mount *m, struct list *list)
{
    for (struct mount *r = m->parent ? receivers(m->parent) : NULL; r; r = r->receiver) {
        struct mount *c = counterpart(r, m);

        if (!c || c->going || !may_go(c))
            continue;
        c->going = true;
        list_remove(&c->link);
        list_add_tail(list, &c->link);
    }
}

/* The cover of m takes its place. */
static void lower_cover(struct mount *m)
{
    struct mount *cover = cover_of(m);
    struct dentry *left, *place;

    if (!cover || cover->going)
        return;
    spin_lock(&dentry_lock);
    struct path where = {m->parent, m->at};

    left = mount_unlink(cover);
    place = mount_unlink(m);
    mount_link(cover, &where);
    spin_unlock(&dentry_lock);
    dentry_unref(left);
    dentry_unref(place);
}

/* The last in the order of mount_next. */
static struct mount *deepest(struct mount *m)
{
    while (!list_empty(&m->children))
        m = list_entry(m->children.prev, struct mount, sibling);
    return m;
}

/* The one before m in that order; NULL before top. */
static struct mount *before(struct mount *m, const struct mount *top)
{
    if (m == top)
        return NULL;
    if (m->sibling.prev == &m->parent->children)
        return m->parent;
    return deepest(list_entry(m->sibling.prev, struct mount, sibling));
}

void propagation_umount(struct mount *top)
{
    struct list with = LIST_INIT(with);
    struct mount *m;

    for (m = top; m; m = mount_next(m, top))
        m->going = true;
    for (m = deepest(top); m; m = before(m, top))
        mark_counterparts(m, &with);
    mount_take_out(top);
    while (!list_empty(&with)) {
        m = list_first_entry(&with, struct mount, link);
        lower_cover(m);
        mount_take_out(m);
    }
}

/* ---- Showing ---- */

static bool is_below_root(struct mount *m, const struct path *root)
{
    struct path p = {m, m->root};

    while (p.mount != root->mount && p.mount->parent)
        p = (struct path){p.mount->parent, p.mount->at};
    return p.mount == root->mount && dentry_is_below(p.dentry, root->dentry);
}

uint32_t propagation_source(struct mount *m, const struct path *root)
{
    struct mount_group *g = m->master;
    struct mount *member;

    while (g) {
        list_for_each_entry (member, &g->members, peer)
            if (is_below_root(member, root))
                return g->id;
        g = list_first_entry(&g->members, struct mount, peer)->master;
    }
    return 0;
}
