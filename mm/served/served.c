/*
 * Areas that a program serves: who waits for a page, and how it is given. mm/served.h
 *
 * A fault asks served_asks() before it decides by its table; if a server has to be asked first,
 * server_await() sleeps in bring_in()'s way. An area points to its server, without a reference: the
 * server's end goes over the areas of its space, and a space that dies tells its servers. What a
 * server protects it remembers by page, so that page tables stay a cache.
 */
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/port.h"
#include "mm/served/asked.h"
#include "mm/served/server.h"

struct waiter { /* on the stack of who sleeps */
    struct list link;
    struct vm_served_fault fault;
    bool woken;
};

static void *const mark = &all_spaces; /* any item will do */

/* ---- For faults, [v] ---- */

/* What Linux calls so: files in memory and what is shared without a name, not System V's. */
static bool is_shared_memory(const struct vm_object *o)
{
    return o->pager->zero_behind && !o->pager->unmapped;
}

/* A page that the object would make of zeros. */
static bool is_missing(const struct vm_object *o, uint32_t index)
{
    return index < object_page_count(o) && !radix_get(&o->pages, index) &&
           object_zero_behind(o, index);
}

bool served_asks(const struct vma *v, vaddr_t page, bool write)
{
    uint32_t index = page >> PAGE_SHIFT;

    if (!amap_get(&v->space->amap, index))
        return (v->served & VM_SERVE_MISSING) &&
               (!v->object || is_missing(v->object, vma_page_index(v, page)));
    return write && (v->served & VM_SERVE_WRITES) && radix_get(&v->server->protected, index);
}

/* Stores to what may be protected have to fault. */
uint8_t served_rights(const struct vma *v, bool write, uint8_t prot)
{
    return !write && (v->served & VM_SERVE_WRITES) ? prot & ~VM_PROT_WRITE : prot;
}

static struct vma *served_area(const struct need *n)
{
    vaddr_t page = page_down(n->index);
    struct vma *v = vma_find(n->space, page);

    return v && v->start <= page && v->server && served_asks(v, page, n->write) ? v : NULL;
}

/* Sleeps until w is woken; vm_lock is held before and after. */
static int sleep_until_woken(struct waiter *w)
{
    int err = 0;

    while (!w->woken && !err) {
        err = mm_port->sleep_served(w, &vm_lock);
        spin_lock(&vm_lock);
    }
    if (w->woken)
        return 0;
    list_remove(&w->link);
    return err;
}

int server_await(const struct need *n)
{
    struct waiter w = {.fault = {.addr = n->index, .write = n->write}};
    const struct vma *v;
    struct vm_server *sv;
    int err = 0, parent;

    mm_port->identify(&w.fault.tid, &parent);
    spin_lock(&vm_lock);
    v = served_area(n);
    sv = v ? v->server : NULL;
    if (sv && ((sv->flags & VM_SERVER_REFUSES) ||
               ((sv->flags & VM_SERVER_USER_ONLY) && !mm_port->for_user()))) {
        err = -EFAULT;
    } else if (sv) {
        w.fault.protected = amap_get(&n->space->amap, n->index >> PAGE_SHIFT) != NULL;
        list_add_tail(&sv->waiting, &w.link);
        sv->tell(sv->arg);
        err = sleep_until_woken(&w);
    }
    spin_unlock(&vm_lock);
    return err;
}

void server_space_dies(struct vm_space *s)
{
    while (!list_empty(&s->servers)) {
        struct vm_server *sv = list_first_entry(&s->servers, struct vm_server, link);

        list_remove(&sv->link);
        sv->space = NULL;
    }
}

/* ---- A server's life ---- */

static void tell_nobody(void *arg)
{
    (void)arg;
}

struct vm_server *server_make(struct vm_space *s, unsigned flags)
{
    struct vm_server *sv = kzalloc(sizeof(*sv));

    if (!sv)
        return NULL;
    sv->space = s;
    sv->flags = flags;
    sv->tell = tell_nobody;
    list_init(&sv->waiting);
    list_init(&sv->told);
    list_init(&sv->news);
    list_add_tail(&s->servers, &sv->link);
    return sv;
}

struct vm_server *vm_server_new(struct vm_space *s)
{
    struct vm_server *sv;

    spin_lock(&vm_lock);
    sv = server_make(s, 0);
    spin_unlock(&vm_lock);
    return sv;
}

void vm_server_tells(struct vm_server *sv, void (*tell)(void *arg), void *arg)
{
    spin_lock(&vm_lock);
    sv->tell = tell;
    sv->arg = arg;
    spin_unlock(&vm_lock);
}

void vm_server_flags(struct vm_server *sv, unsigned flags)
{
    spin_lock(&vm_lock);
    sv->flags = flags;
    spin_unlock(&vm_lock);
}

/* Its space, with a reference; NULL: it is gone. */
static struct vm_space *space_of(struct vm_server *sv)
{
    struct vm_space *s;

    spin_lock(&vm_lock);
    s = sv->space;
    if (s)
        s->refs++;
    spin_unlock(&vm_lock);
    return s;
}

/* A change of its space begins, vm_lock is held then. -ESRCH, -ENOMEM */
static int begin(struct vm_server *sv, struct change *c, unsigned spares)
{
    struct vm_space *s = space_of(sv);
    int err = s ? change_begin(c, s, spares) : -ESRCH;

    if (err && s)
        vm_space_unref(s);
    return err;
}

static void finish(struct change *c)
{
    struct vm_space *s = c->space;

    change_end(c);
    vm_space_unref(s);
}

/* [v] */
static void wake_in(struct list *waiters, vaddr_t start, vaddr_t end)
{
    struct waiter *w, *next;

    list_for_each_entry_safe (w, next, waiters, link) {
        if (w->fault.addr < start || w->fault.addr >= end)
            continue;
        list_remove(&w->link);
        w->woken = true;
        port_wakeup(w);
    }
}

static void wake(struct vm_server *sv, vaddr_t start, vaddr_t end)
{
    wake_in(&sv->waiting, start, end);
    wake_in(&sv->told, start, end);
}

int server_mark(struct vm_server *sv, uint32_t page)
{
    return radix_get(&sv->protected, page) ? 0 : radix_set(&sv->protected, page, mark);
}

void server_forget(struct vm_server *sv, struct change *c, uint32_t first, uint32_t end)
{
    while (radix_next(&sv->protected, &first) && first < end) {
        (void)radix_clear(&sv->protected, first);
        change_spend(c, 1);
    }
}

void vm_server_end(struct vm_server *sv)
{
    struct change c = {.budget = STEP_UNITS};
    struct vma *v;

    if (begin(sv, &c, 0) == 0) {
        list_for_each_entry (v, &c.space->vmas, link) {
            if (v->server == sv) {
                v->server = NULL;
                v->served = 0;
            }
            change_spend(&c, 1);
        }
        finish(&c);
    }
    spin_lock(&vm_lock);
    if (sv->space)
        list_remove(&sv->link);
    wake(sv, 0, USER_TOP);
    news_server_ends(sv);
    server_forget(sv, &c, 0, UINT32_MAX);
    spin_unlock(&vm_lock);
    kmfree(sv);
}

/* ---- What it is told ---- */

bool vm_server_wanted(struct vm_server *sv)
{
    bool wanted;

    spin_lock(&vm_lock);
    wanted = !list_empty(&sv->waiting) || news_due(sv);
    spin_unlock(&vm_lock);
    return wanted;
}

void vm_server_waiting(struct vm_server *sv, unsigned *unknown, unsigned *all)
{
    const struct list *l;

    *unknown = *all = 0;
    spin_lock(&vm_lock);
    for (l = sv->waiting.next; l != &sv->waiting; l = l->next)
        ++*unknown;
    for (l = sv->told.next; l != &sv->told; l = l->next)
        ++*all;
    spin_unlock(&vm_lock);
    *all += *unknown;
}

bool vm_server_next(struct vm_server *sv, struct vm_served_fault *out)
{
    struct waiter *w;
    bool found;

    spin_lock(&vm_lock);
    found = !list_empty(&sv->waiting);
    if (found) {
        w = list_first_entry(&sv->waiting, struct waiter, link);
        list_remove(&w->link);
        list_add_tail(&sv->told, &w->link);
        *out = w->fault;
    }
    spin_unlock(&vm_lock);
    return found;
}

void vm_serve_wake(struct vm_server *sv, vaddr_t start, size_t len)
{
    spin_lock(&vm_lock);
    wake(sv, start, start + len);
    spin_unlock(&vm_lock);
}

/* ---- Which areas ---- */

struct registration {
    struct vm_server *server;
    uint8_t how;
};

static int check_area(const struct vma *v, uint32_t pages, void *arg)
{
    const struct registration *r = arg;

    (void)pages;
    if (!r->how)
        return 0;
    if (v->object && (!is_shared_memory(v->object) || (r->how & VM_SERVE_WRITES)))
        return -EINVAL;
    if (!(v->maxprot & VM_PROT_WRITE))
        return -EPERM;
    return v->server && v->server != r->server ? -EBUSY : 0;
}

static void apply_area(struct change *c, struct vma *v, void *arg)
{
    const struct registration *r = arg;

    if (!r->how && v->server != r->server)
        return;
    server_forget(r->server, c, v->start >> PAGE_SHIFT, v->end >> PAGE_SHIFT);
    v->server = r->how ? r->server : NULL;
    v->served = r->how;
}

static const struct area_edit registering = {
    .over_holes = true, .check = check_area, .apply = apply_area};

/* [v] The first refusal in the range, before anything has changed; -EINVAL: there is no area. */
static int check_range(struct vm_space *s, vaddr_t start, vaddr_t end, struct registration *r)
{
    struct vma *v = vma_find(s, start);
    int err = 0;

    if (!v || v->start >= end)
        return -EINVAL;
    for (; v && v->start < end && !err; v = vma_next(s, v))
        err = check_area(v, 0, r);
    return err;
}

int vm_server_register(struct vm_server *sv, vaddr_t start, size_t len, uint8_t how)
{
    struct registration r = {sv, how};
    vaddr_t end = start + len;
    struct change c;
    int err = begin(sv, &c, 2);

    if (err)
        return err;
    err = check_range(c.space, start, end, &r);
    if (!err) {
        err = edit_areas(c.space, &c, start, end, &registering, &r);
        if (err == -ENOMEM && c.space->areas < vm_max_areas)
            err = 0; /* there are holes, which do not matter */
    }
    if (!how)
        wake(sv, start, end);
    finish(&c);
    return err;
}

int vm_server_has(struct vm_server *sv, vaddr_t start, size_t len)
{
    const struct vma *v;
    int err = -ESRCH;

    spin_lock(&vm_lock);
    if (sv->space) {
        v = vma_find(sv->space, start);
        err = v && v->start <= start && v->server == sv && len <= v->end - start ? 0 : -ENOENT;
    }
    spin_unlock(&vm_lock);
    return err;
}

/* ---- Giving pages ---- */

/* [v] Reserve all, then commit. */
static int give(struct vm_server *sv, struct vma *v, vaddr_t va, const void *page, bool protect)
{
    uint32_t index = va >> PAGE_SHIFT;
    struct vm_space *s = v->space;
    struct anon **slot = amap_reserve(&s->amap, index);
    pte_t *entry = slot ? pmap_reserve(&s->pmap, va) : NULL;
    struct anon *a = !entry ? NULL : page ? anon_new() : anon_new_zeroed();
    bool marked = radix_get(&sv->protected, index) != NULL;

    if (a && protect && server_mark(sv, index)) {
        anon_unref(a);
        a = NULL;
    }
    if (!a) {
        if (entry)
            pmap_drop_empty(&s->pmap, va);
        return -ENOMEM;
    }
    if (!protect && marked)
        (void)radix_clear(&sv->protected, index);
    if (page)
        memcpy(frame_kva(a->frame), page, PAGE_SIZE);
    amap_set(slot, a);
    if (!v->prot) {
        pmap_drop_empty(&s->pmap, va);
        return 0;
    }
    (void)pmap_enter_at(&s->pmap, entry, va, a->frame,
                        protect ? v->prot & ~VM_PROT_WRITE : v->prot); /* else a fault will */
    return 0;
}

static int serve_once(struct vm_server *sv, vaddr_t va, const void *page, bool protect)
{
    struct vm_object *shared = NULL;
    uint32_t index = 0;
    struct change c;
    struct vma *v;
    int err = begin(sv, &c, 0);

    if (err)
        return err;
    v = vma_find(c.space, va);
    if (!list_empty(&sv->news)) {
        err = -EAGAIN;
    } else if (!v || va < v->start || v->server != sv ||
               (protect && !(v->served & VM_SERVE_WRITES))) {
        err = -ENOENT;
    } else if (!vma_is_private(v)) {
        shared = v->object;
        shared->refs++;
        index = vma_page_index(v, va);
    } else if (v->object && vma_page_index(v, va) >= object_page_count(v->object)) {
        err = -EFAULT;
    } else if (amap_get(&c.space->amap, va >> PAGE_SHIFT)) {
        err = -EEXIST;
    } else {
        err = give(sv, v, va, page, protect);
    }
    finish(&c);
    if (!shared)
        return err;
    err = vm_object_make(shared, index, page);
    vm_object_unref(shared);
    return err;
}

int vm_serve(struct vm_server *sv, vaddr_t va, const void *page, bool protect)
{
    int err = serve_once(sv, va, page, protect);

    return err == -ENOMEM && reclaim() ? serve_once(sv, va, page, protect) : err;
}

/* ---- Protecting ---- */

/* [steps] */
static int mark_page(struct vm_server *sv, struct change *c, uint32_t page, bool protect)
{
    bool marked = radix_get(&sv->protected, page) != NULL;
    int err = 0;

    if (!protect && marked)
        (void)radix_clear(&sv->protected, page);
    else if (protect && amap_get(&c->space->amap, page))
        err = server_mark(sv, page);
    change_spend(c, 1);
    return err;
}

/* [steps] The part of a range that lies in v. */
static int protect_in(struct vm_server *sv, struct change *c, const struct vma *v, vaddr_t start,
                      vaddr_t end, bool protect)
{
    vaddr_t at = start;
    int err = 0;

    if (v->server != sv || !(v->served & VM_SERVE_WRITES))
        return -ENOENT;
    for (vaddr_t va = start; va < end && !err; va += PAGE_SIZE)
        err = mark_page(sv, c, va >> PAGE_SHIFT, protect);
    while (protect && (at = pmap_protect_step(&c->space->pmap, at, end, &c->budget)) < end)
        change_pause(c);
    return err;
}

int vm_serve_protect(struct vm_server *sv, vaddr_t start, size_t len, bool protect)
{
    vaddr_t end = start + len, at = start;
    struct change c;
    struct vma *v;
    int err = begin(sv, &c, 0);

    if (err)
        return err;
    for (v = vma_find(c.space, start); at < end && !err; v = vma_next(c.space, v)) {
        vaddr_t to = v && v->end < end ? v->end : end;

        err = v && v->start <= at ? protect_in(sv, &c, v, at, to, protect) : -ENOENT;
        at = to;
    }
    finish(&c);
    return err;
}
