/*
 * Page replacement: the clock hand that passes over all frames, asks the policy, and sees pages
 * off.
 *
 * Clean pages that can be had again are dropped: a file's, an anon's with a slot, those that
 * MADV_FREE gave up. Dirty ones are sent: a file's to its pager, those without a file to swap; they
 * leave in runs, outside vm_lock. What is locked, pinned or BUSY stays. Nothing here allocates.
 *
 * Two drive the hand: the pageout thread, from the low watermark to the high one, and whoever finds
 * that user pages are about to be refused (reclaim()).
 */
#include "mm/fork/share.h"
#include "mm/port.h"
#include "mm/reclaim/reclaim.h"
#include "mm/seen/trace.h"

#define BATCH    32u  /* frames that count as success */
#define STEP     64u  /* frames looked at without leaving vm_lock */
#define MAPPINGS 128u /* of one page looked at in one visit */
#define ROUNDS   5u   /* of the hand, after which all that may go has gone: policy.c */

/* When no more than this part of memory may go at all, it is what programs run in: to take that,
 * too, would only put off the end, and nobody would get to run. */
#define HOPE_PART 64u

#define PAUSE_FACTOR 4u
#define PAUSE_MIN_NS 4000000u
#define PAUSE_MAX_NS 50000000u

struct frame *reclaim_hand;
struct vm_events events;
static uint64_t hopeless_until; /* only a hint: no lock */

void reclaim_init(void)
{
    reclaim_hand = NULL;
    hopeless_until = 0;
    events = (struct vm_events){0};
    swapped_anons = swapped_pages = slots_on_their_way = 0;
    policy_init(frame_total());
    swap_init();
    dirty_init();
}

static bool is_locked(const struct pmap *pm, const pte_t *pte)
{
    const struct vma *v =
        vma_find(container_of(pm, struct vm_space, pmap), pmap_entry_address(pte));

    return v && (v->flags & VM_LOCKED);
}

bool frame_is_locked(const struct frame *f)
{
    struct mapping m = {0};

    if (f->kind == FRAME_OBJECT && f->object->kept)
        return true;
    while (pmap_next_mapping(f, &m))
        if (is_locked(m.pm, m.pte))
            return true;
    return false;
}

/* For one of those that have its table. */
static bool entry_is_locked(const pte_t *pte)
{
    const struct frame *table = table_of(pte);

    for (struct pmap *pm = table->table.pmap; pm; pm = share_next(table, pm))
        if (is_locked(pm, pte))
            return true;
    return false;
}

/* A page that very many map is not looked at whole. Those of its mappings go that were not used
 * since the last visit, some at a time; once few are left, it is a page as others are. */
static void thin(struct frame *f)
{
    struct mapping m = {0};

    for (unsigned looked = 0; looked < MAPPINGS / 2 && pmap_next_mapping(f, &m); looked++) {
        if (m.pm != table_of(m.pte)->table.pmap)
            continue; /* the first of those that share the entry has spoken for it */
        if (!entry_is_locked(m.pte) && !pmap_age(m.pte))
            m.pm = NULL; /* another may stand for the rest by now */
    }
}

/* ---- One page ---- */

/* What became of a page under the hand; one that GOES is in an outgoing run. */
enum fate { STAYS, FREED, GOES };

/* Drops a page given up by MADV_FREE. Only its one owner can have written to it, through a
 * mapping; without one it was never found dirty. */
static enum fate drop_lazy(struct frame *f)
{
    struct mapping m = {0};
    struct amap *amap;
    uint32_t page;

    if (f->anon->refs != 1 || !pmap_next_mapping(f, &m))
        return STAYS;
    amap = &container_of(m.pm, struct vm_space, pmap)->amap;
    page = pmap_entry_address(m.pte) >> PAGE_SHIFT;
    if (amap_leaf_shared(amap, page))
        return STAYS;
    pmap_remove_frame(f);
    if (f->flags & FRAME_DIRTY)
        return STAYS;
    amap_drop(amap, page);
    events.pglazyfreed++;
    return FREED;
}

static bool was_used(struct frame *f)
{
    bool used = pmap_test_accessed(f) || (f->flags & FRAME_REFERENCED);

    f->flags &= ~FRAME_REFERENCED;
    return used;
}

static bool policy_lets_go(struct frame *f)
{
    uint8_t state = frame_age(f);
    bool goes = policy_pass(&state, was_used(f));

    events.pgactivate += state > POLICY_REFAULT && frame_age(f) <= POLICY_REFAULT;
    events.pgdeactivate += state <= POLICY_REFAULT && frame_age(f) > POLICY_REFAULT;
    frame_set_age(f, state);
    return goes;
}

static bool is_clean(const struct frame *f)
{
    if (f->kind == FRAME_ANON && !f->anon->slot)
        return false;
    return !(f->flags & FRAME_DIRTY) && !pmap_test_dirty(f);
}

/* Slots are short, and this page is in memory: it needs none. */
static void give_slot_back(struct frame *f)
{
    if (f->kind != FRAME_ANON || !f->anon->slot)
        return;
    if (is_clean(f) && !swap_tight())
        return;
    swap_free(f->anon->slot);
    f->anon->slot = 0;
    f->flags |= FRAME_DIRTY;
}

static enum fate see_off(struct frame *f, struct outgoing *out)
{
    if (is_clean(f))
        return page_evict(f) ? FREED : STAYS;
    if (!out->may_write)
        return STAYS;
    if (f->kind == FRAME_OBJECT && f->object->pager->put) {
        if (!f->object->refs)
            return STAYS;
        out->object = f->object;
        object_gather(f, &out->run);
        return GOES;
    }
    out->object = NULL;
    return swap_gather(f, &out->swap) ? GOES : STAYS;
}

static bool may_go(const struct frame *f)
{
    return (f->kind == FRAME_ANON || f->kind == FRAME_OBJECT) && !f->pins &&
           !(f->flags & (FRAME_BUSY | FRAME_WRITING));
}

/* Whether f could only go to swap. */
static bool is_homeless(const struct frame *f)
{
    if (f->kind == FRAME_ANON)
        return !f->anon->slot && !frame_is_lazy(f);
    return !f->object->pager->put && (f->flags & FRAME_DIRTY);
}

static enum fate look(struct frame *f, struct outgoing *out)
{
    out->hopes += (f->flags & (FRAME_BUSY | FRAME_WRITING)) != 0;
    if (!may_go(f) || (!out->swap_room && is_homeless(f)))
        return STAYS;
    if (pmap_most_mappings(f) > MAPPINGS) {
        out->hopes++;
        thin(f);
        return STAYS;
    }
    if (frame_is_lazy(f)) {
        if (!(f->flags & FRAME_DIRTY) && !pmap_test_dirty(f))
            return was_used(f) || frame_is_locked(f) ? STAYS : drop_lazy(f);
        f->flags &= ~FRAME_LAZY;
    }
    if (!policy_lets_go(f)) {
        out->hopes++;
        give_slot_back(f);
        return STAYS;
    }
    return frame_is_locked(f) ? STAYS : see_off(f, out);
}

/* ---- The hand ---- */

struct pass {
    uint32_t looked, freed;
    uint32_t hopes;   /* of this round: see struct outgoing */
    bool whole;       /* this round began with the first frame */
    bool hopeless;    /* in a whole round there was next to nothing to hope for */
    bool round, over; /* it ends, has ended, with the last frame */
};

static void record_run(const struct swap_run *run)
{
    for (unsigned i = 0; i < run->count; i++) {
        struct vm_pageout_event e;

        trace_page(&e, frame_of(run->page[i]));
        e.fate = VM_PAGE_SENT;
        e.slot = run->slot + i;
        ring_add(&pageout_ring, &e);
    }
}

static __attribute__((noinline)) enum fate look_traced(struct frame *f, struct outgoing *out)
{
    struct vm_pageout_event e;
    enum fate fate;

    if (!may_go(f))
        return STAYS;
    trace_page(&e, f);
    fate = look(f, out);
    e.after = fate == FREED ? 0 : frame_age(f);
    e.fate = fate == FREED        ? VM_PAGE_DROPPED
             : fate == GOES       ? VM_PAGE_SENT
             : e.used             ? VM_PAGE_SPARED
             : e.after < e.before ? VM_PAGE_AGED
                                  : VM_PAGE_STAYED;
    if (fate == GOES && !out->object)
        record_run(&out->swap);
    else
        ring_add(&pageout_ring, &e);
    return fate;
}

/* As on Linux shared memory counts with what is anonymous. */
static enum fate look_counted(struct frame *f, struct outgoing *out)
{
    bool anon = f->kind == FRAME_ANON;
    enum fate fate;

    if (!anon && f->kind != FRAME_OBJECT)
        return STAYS;
    anon = anon || f->object->pager->shared_memory;
    out->scanned++;
    ++*(anon ? &events.pgscan_anon : &events.pgscan_file);
    fate = pageout_ring.on ? look_traced(f, out) : look(f, out);
    if (fate == FREED)
        ++*(anon ? &events.pgsteal_anon : &events.pgsteal_file);
    return fate;
}

/* The hand begins anew. */
static void next_round(struct pass *p, struct outgoing *out)
{
    p->hopeless = p->whole && p->freed + p->hopes + out->hopes < BATCH + frame_total() / HOPE_PART;
    p->whole = true;
    p->hopes = out->hopes = 0;
    p->over = p->round;
}

/* The hand passes until a run is to be written or a step is over. [v] */
static enum fate pass_step(struct pass *p, struct outgoing *out)
{
    for (unsigned n = 0; n < STEP && !p->over; n++) {
        enum fate fate = STAYS;

        p->looked++;
        reclaim_hand = frame_next(reclaim_hand);
        n += reclaim_hand && may_go(reclaim_hand) ? pmap_most_mappings(reclaim_hand) / 2 : 0;
        if (reclaim_hand)
            fate = look_counted(reclaim_hand, out);
        else
            next_round(p, out);
        p->freed += fate == FREED;
        if (fate == GOES)
            return fate;
    }
    return STAYS;
}

/* What was written and is still clean and unused has nothing more to wait for. [v] */
static unsigned evict_run(const struct vm_object *o, const struct vm_run *run)
{
    unsigned freed = 0;

    for (unsigned i = 0; i < run->count; i++) {
        struct frame *f = frame_of(run->page[i]);
        if (f->kind == FRAME_OBJECT && f->object == o && may_go(f) &&
            pmap_most_mappings(f) <= MAPPINGS / VM_RUN_MAX && is_clean(f) && !pmap_is_accessed(f) &&
            !(f->flags & FRAME_REFERENCED) && !frame_is_locked(f))
            freed += page_evict(f);
    }
    return freed;
}

/* object_put drops the reference that keeps the object: here is another while its pages are looked
 * at.
 */
static unsigned put_out(struct outgoing *out)
{
    unsigned freed;

    vm_object_ref(out->object);
    (void)object_put(out->object, &out->run);
    spin_lock(&vm_lock);
    freed = evict_run(out->object, &out->run);
    spin_unlock(&vm_lock);
    vm_object_unref(out->object);
    return freed;
}

unsigned reclaim_send(struct outgoing *out)
{
    return out->object ? put_out(out) : swap_out(&out->swap);
}

/* One bounded step. Sleeps, not [v]. */
static void step(struct pass *p, bool direct)
{
    uint32_t freed = p->freed, sent = 0;
    struct outgoing out = {.may_write = !port_writing_out(0)};
    enum fate fate;

    spin_lock(&vm_lock);
    out.swap_room = swap_room();
    fate = pass_step(p, &out);
    p->hopes += out.hopes;
    spin_unlock(&vm_lock);
    if (fate == GOES)
        sent = reclaim_send(&out);
    p->freed += sent;
    *(out.object ? &events.pgsteal_file : &events.pgsteal_anon) += sent;
    *(direct ? &events.pgscan_direct : &events.pgscan_kswapd) += out.scanned;
    *(direct ? &events.pgsteal_direct : &events.pgsteal_kswapd) += p->freed - freed;
}

/*
 * Who is writing pages out, which makes memory free, may need some for it: a block map, say. It
 * comes from the reserve, then from pages that can be dropped; he never begins to write another, or
 * a few dirty files would be as deep in the stack as there are.
 */
static bool serve_writer(void)
{
    struct pass p = {0};

    while (frame_scarce() && p.looked < frame_total() && !p.freed) {
        step(&p, true);
        port_yield();
    }
    return !frame_scarce();
}

/*
 * All of memory was looked at and had next to nothing to give: for some time, in proportion to what
 * that took, nobody need look again. Else a crowd that is short of memory would do nothing but
 * look, and who is to die for it would not get to run.
 */
static void give_up(uint64_t began)
{
    uint64_t now = mm_port->now(), pause = (now - began) * PAUSE_FACTOR;

    if (pause >= PAUSE_MIN_NS)
        hopeless_until = now + (pause < PAUSE_MAX_NS ? pause : PAUSE_MAX_NS);
}

/*
 * False when all of memory has less than a batch to give. What is left then is the few pages that
 * are in use this very moment: an instruction and its operand would take turns for ever.
 */
bool reclaim(void)
{
    struct pass p = {0};
    uint64_t began;

    if (port_writing_out(0))
        return serve_writer();
    began = mm_port->now();
    if (began < hopeless_until)
        return false;
    events.allocstall++;
    port_stalled(true);
    while (p.looked < ROUNDS * frame_total() && p.freed < BATCH && !p.hopeless) {
        step(&p, true);
        port_yield();
    }
    port_stalled(false);
    if (p.freed < BATCH)
        give_up(began);
    return p.freed >= BATCH;
}

void vm_pageout_round(void)
{
    struct pass p = {.round = true};

    spin_lock(&vm_lock);
    reclaim_hand = NULL;
    spin_unlock(&vm_lock);
    while (!p.over) {
        step(&p, true);
        port_yield();
    }
}

void reclaim_frame(struct frame *f)
{
    if (!may_go(f))
        return;
    (void)was_used(f);
    frame_set_age(f, 0);
    if (is_clean(f) && !frame_is_locked(f))
        (void)page_evict(f);
}

bool reclaim_gather(struct frame *f, struct outgoing *out)
{
    if (!may_go(f) || frame_is_lazy(f) || pmap_most_mappings(f) > MAPPINGS || frame_is_locked(f))
        return false;
    (void)was_used(f);
    frame_set_age(f, 0);
    out->may_write = true;
    return see_off(f, out) == GOES;
}

int object_get(struct vm_object *o, struct vm_run *run)
{
    bool refault = frame_age(frame_of(run->page[0])) != 0;
    int got;

    if (refault)
        port_stalled(true);
    got = o->pager->get(o, run);
    if (refault)
        port_stalled(false);
    return got;
}

/* ---- The thread ---- */

static const char pageout_chan;

void pageout_wake(void)
{
    port_wakeup(&pageout_chan);
}

bool vm_pageout_step(void)
{
    struct pass p = {0};

    while (p.looked < frame_total() && p.freed < BATCH && !frame_plenty()) {
        step(&p, false);
        port_yield();
    }
    return p.freed > 0;
}

_Noreturn void vm_pageout_thread(void)
{
    bool progress = true;

    for (;;) {
        spin_lock(&vm_lock);
        if (frame_plenty() || !progress)
            port_sleep(&pageout_chan, &vm_lock);
        else
            spin_unlock(&vm_lock);
        events.pageoutrun++;
        progress = vm_pageout_step();
    }
}

void vm_events(struct vm_events *out)
{
    spin_lock(&vm_lock);
    *out = events;
    spin_unlock(&vm_lock);
}

void vm_event_oom_kill(void)
{
    spin_lock(&vm_lock);
    events.oom_kill++;
    spin_unlock(&vm_lock);
}
