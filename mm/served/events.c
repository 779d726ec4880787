/*
 * What a server hears of its space: a fork, areas that move, pages and areas that go. served.h
 *
 * Each is told by the thread that did it, which goes on when the server has read it. News that must
 * not fail are reserved with the rest of a change, happen with it (asked.h), and are told at its
 * end, when areas and vm_lock are free for who serves. Until it has been told all, a server that
 * would give a page has to try again: it might give it to a place that is another now.
 */
#include "libc/errno.h"
#include "mm/port.h"
#include "mm/served/asked.h"
#include "mm/served/server.h"

struct news {
    struct list link;         /* [v] in its server's news */
    struct news *next;        /* of the same change */
    uint32_t known;           /* of its first: how many there are */
    struct vm_server *server; /* [v] NULL: gone */
    struct vm_served_event event;
    const struct vm_server *lent; /* [v] of a fork: the child's, while somebody reads of it */
    bool happened;                /* else it was reserved for nothing */
    bool due, read;               /* [v] */
};

/* [v] */
static struct news *add(struct change *c, struct vm_server *sv, struct vm_served_event e)
{
    struct news *n = kzalloc(sizeof(*n)), **at = &c->news;

    if (!n)
        return NULL;
    n->server = sv;
    n->event = e;
    list_add_tail(&sv->news, &n->link);
    while (*at)
        at = &(*at)->next;
    *at = n;
    c->news->known++;
    return n;
}

/* What it costs to look through all that a change has to tell, which it does for each area. */
static void spend_look(struct change *c)
{
    change_spend(c, c->news ? 1 + c->news->known / 16 : 1);
}

/* ---- Areas that go ---- */

static bool has_gone(const struct news *n, vaddr_t start, vaddr_t end)
{
    return n->event.kind == VM_SERVED_UNMAP && n->event.start == start && n->event.end == end;
}

static bool will_hear(const struct change *c, const struct vm_server *sv, vaddr_t start,
                      vaddr_t end)
{
    for (const struct news *n = c->news; n; n = n->next) {
        if (n->server == sv && has_gone(n, start, end))
            return true;
    }
    return false;
}

int served_reserve_unmap(struct change *c, vaddr_t start, vaddr_t end)
{
    const struct vm_served_event e = {.kind = VM_SERVED_UNMAP, .start = start, .end = end};
    struct vma *v = vma_find(c->space, start);

    for (; v && v->start < end; v = vma_next(c->space, v)) {
        spend_look(c);
        if (v->server && (v->server->flags & VM_SERVER_HEARS_UNMAP) &&
            !will_hear(c, v->server, start, end) && !add(c, v->server, e))
            return -ENOMEM;
    }
    return 0;
}

/* Whether pages of sv are to come to where an area goes: their marks are there already. */
static bool awaits_move(const struct change *c, const struct vm_server *sv, vaddr_t start)
{
    for (const struct news *n = c->news; n; n = n->next) {
        if (n->server == sv && n->event.kind == VM_SERVED_REMAP && n->event.to == start)
            return true;
    }
    return false;
}

void served_unmapped(struct change *c, vaddr_t start, vaddr_t end)
{
    for (struct news *n = c->news; n; n = n->next)
        n->happened |= has_gone(n, start, end);
    for (struct vma *v = vma_find(c->space, start); v && v->start < end;
         v = vma_next(c->space, v)) {
        if (!v->server || !awaits_move(c, v->server, start))
            served_forget(c, v, v->start < start ? start : v->start, v->end < end ? v->end : end);
        spend_look(c);
    }
}

void served_forget(struct change *c, const struct vma *v, vaddr_t start, vaddr_t end)
{
    if (v->server && (v->served & VM_SERVE_WRITES))
        server_forget(v->server, c, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

bool served_remove(struct change *c, const struct vma *v, vaddr_t start, vaddr_t end, int *err)
{
    struct news *n;

    *err = 0;
    if (!v->server || !(v->server->flags & VM_SERVER_HEARS_REMOVE))
        return false;
    n = add(c, v->server,
            (struct vm_served_event){.kind = VM_SERVED_REMOVE, .start = start, .end = end});
    if (n)
        n->happened = true;
    else
        *err = -ENOMEM;
    return true;
}

/* ---- Areas that move ---- */

/* What is in the way of a move is told of before it, the rest of the old place after it. */
static void put_before_rest(struct change *c, struct news *moving)
{
    struct news **at = &c->news;

    while (*at != moving && (*at)->event.start == moving->event.to)
        at = &(*at)->next;
    for (struct news **last = at; *last; last = &(*last)->next) {
        if (*last == moving) {
            *last = moving->next;
            break;
        }
    }
    moving->next = *at;
    *at = moving;
}

/* Marks of the new place are those of the old one, and what was there: who takes away an area in
 * the way will not see the difference. */
static int reserve_marks(struct change *c, const struct vma *v, const struct served_move *m)
{
    uint32_t page = m->from >> PAGE_SHIFT;
    const uint32_t end = page + (m->moved >> PAGE_SHIFT), by = (m->to - m->from) >> PAGE_SHIFT;

    while ((v->served & VM_SERVE_WRITES) && radix_next(&v->server->protected, &page) &&
           page < end) {
        if (server_mark(v->server, page + by))
            return -ENOMEM;
        page++;
        change_spend(c, 1);
    }
    return 0;
}

int served_reserve_move(struct change *c, const struct vma *v, const struct served_move *m)
{
    const struct vm_served_event e = {
        .kind = VM_SERVED_REMAP, .start = m->from, .end = m->from + m->told, .to = m->to};
    struct news *n;

    if (!v->server || !(v->server->flags & VM_SERVER_HEARS_REMAP))
        return 0;
    n = add(c, v->server, e);
    if (!n)
        return -ENOMEM;
    put_before_rest(c, n);
    return reserve_marks(c, v, m);
}

/* [steps] */
static void move_marks(struct change *c, const struct vma *moved, const struct served_move *m)
{
    struct radix *marks = &moved->server->protected;
    const uint32_t first = m->from >> PAGE_SHIFT, by = (m->to - m->from) >> PAGE_SHIFT,
                   pages = m->moved >> PAGE_SHIFT;
    uint32_t page = moved->start >> PAGE_SHIFT;

    if (!(moved->served & VM_SERVE_WRITES))
        return;
    for (; radix_next(marks, &page) && page < moved->end >> PAGE_SHIFT; page++) {
        if (page - by - first >= pages || !radix_get(marks, page - by))
            (void)radix_clear(marks, page);
        change_spend(c, 1);
    }
    server_forget(moved->server, c, first, first + pages);
}

void served_moved(struct change *c, struct vma *moved, const struct served_move *m)
{
    if (!moved->server)
        return;
    if (!(moved->server->flags & VM_SERVER_HEARS_REMAP)) {
        moved->server = NULL;
        moved->served = 0;
        return;
    }
    for (struct news *n = c->news; n; n = n->next)
        n->happened |= n->event.kind == VM_SERVED_REMAP;
    move_marks(c, moved, m);
}

/* ---- Forks ---- */

static struct vm_server *heir_of(const struct change *c, const struct vm_server *sv)
{
    for (const struct news *n = c->news; n; n = n->next) {
        if (n->server == sv)
            return n->event.child;
    }
    return NULL;
}

static int inherit_marks(struct change *c, const struct vm_server *from, const struct vma *copy)
{
    uint32_t page = copy->start >> PAGE_SHIFT;

    for (; radix_next(&from->protected, &page) && page < copy->end >> PAGE_SHIFT; page++) {
        if (server_mark(copy->server, page))
            return -ENOMEM;
        change_spend(c, 1);
    }
    return 0;
}

int served_inherit(struct change *c, struct vma *copy, struct vm_space *child)
{
    struct vm_server *sv = copy->server, *heir;

    copy->server = NULL;
    if (!(sv->flags & VM_SERVER_HEARS_FORK)) {
        copy->served = 0;
        return 0;
    }
    spend_look(c);
    heir = heir_of(c, sv);
    if (!heir) {
        heir = server_make(child, sv->flags);
        if (!heir)
            return -ENOMEM;
        if (!add(c, sv, (struct vm_served_event){.kind = VM_SERVED_FORK, .child = heir})) {
            list_remove(&heir->link);
            kmfree(heir);
            return -ENOMEM;
        }
    }
    copy->server = heir;
    return copy->served & VM_SERVE_WRITES ? inherit_marks(c, sv, copy) : 0;
}

void served_forked(struct change *c, bool done)
{
    for (struct news *n = c->news; n; n = n->next)
        n->happened = done;
}

/* ---- Telling ---- */

/* [v, let go meanwhile] Until the server has read it, is gone, or the thread is to die. */
static void tell(struct news *n)
{
    n->due = true;
    if (n->server)
        n->server->tell(n->server->arg);
    while (n->server && !n->read) {
        int err = mm_port->sleep_served(n, &vm_lock);

        spin_lock(&vm_lock);
        if (err)
            break;
    }
}

void served_tell(struct change *c)
{
    struct news *n = c->news;

    while (n) {
        struct news *next = n->next;
        struct vm_server *orphan;

        spin_lock(&vm_lock);
        if (n->happened)
            tell(n);
        if (n->server)
            list_remove(&n->link);
        orphan = n->event.child;
        spin_unlock(&vm_lock);
        if (orphan)
            vm_server_end(orphan);
        kmfree(n);
        n = next;
    }
}

void news_server_ends(struct vm_server *sv)
{
    while (!list_empty(&sv->news)) {
        struct news *n = list_first_entry(&sv->news, struct news, link);

        list_remove(&n->link);
        n->server = NULL;
        port_wakeup(n);
    }
}

int served_tell_removal(struct vm_space *s, vaddr_t start, vaddr_t end)
{
    const struct vma *v;
    struct change c;
    int err = change_begin(&c, s, 0);

    if (err)
        return err;
    v = vma_find(s, start);
    if (v && v->start <= start)
        (void)served_remove(&c, v, start, end, &err);
    change_end(&c);
    return err;
}

/* ---- Being told ---- */

static struct news *first_due(const struct vm_server *sv)
{
    struct news *n;

    list_for_each_entry (n, &sv->news, link) {
        if (n->due && !n->lent)
            return n;
    }
    return NULL;
}

bool news_due(const struct vm_server *sv)
{
    return first_due(sv) != NULL;
}

/* [v] */
static void is_read(struct news *n)
{
    n->read = true;
    list_remove(&n->link);
    n->server = NULL;
    port_wakeup(n);
}

bool vm_server_next_event(struct vm_server *sv, struct vm_served_event *out)
{
    struct news *n;

    spin_lock(&vm_lock);
    n = first_due(sv);
    if (n) {
        *out = n->event;
        n->lent = n->event.child;
        n->event.child = NULL;
        if (!n->lent)
            is_read(n);
    }
    spin_unlock(&vm_lock);
    return n != NULL;
}

void vm_server_adopted(struct vm_server *sv, struct vm_server *child, bool adopted)
{
    struct news *n;
    bool back = false;

    spin_lock(&vm_lock);
    list_for_each_entry (n, &sv->news, link) {
        if (n->lent != child)
            continue;
        back = !adopted;
        n->event.child = back ? child : NULL;
        n->lent = NULL;
        if (adopted)
            is_read(n);
        break;
    }
    spin_unlock(&vm_lock);
    if (!adopted && !back)
        vm_server_end(child);
}

bool vm_server_busy(struct vm_server *sv)
{
    bool busy;

    spin_lock(&vm_lock);
    busy = !list_empty(&sv->news);
    spin_unlock(&vm_lock);
    return busy;
}
