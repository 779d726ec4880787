/*
 * The queue of a disk: transfers come in, requests go to the driver, what completes is told to
 * those who wait.
 *
 * A transfer is in one place at a time: waiting (in the elevator, or in flushes), part of a request
 * in a slot, or done. A request that fails with several transfers in it is tried again one by one,
 * so that an error is told of those alone that it is about.
 */
#include "fs/block/internal.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "libc/ctype.h"
#include "libc/errno.h"

#define WAITING_MAX 128u /* runs: who wants to add to them sleeps */
#define TRIES       3u
#define LOST_NS     (1 * NSEC_PER_SEC) /* after so long, perhaps only the interrupt got lost */
#define TOLD_MAX    10u
#define TOLD_NS     (5 * NSEC_PER_SEC)
#define WATCH_NS    (1 * NSEC_PER_SEC)

#ifdef CONFIG_DEBUG
static uint32_t lose_at; /* atomic; 0: none */
#endif
static bool poll_only; /* irqpoll: disks are looked at by the clock, too */

static uint32_t busy_slots(const struct block_queue *q)
{
    return ~q->free_slots & (q->depth == 32 ? UINT32_MAX : (1u << q->depth) - 1);
}

/* ---- Figures ---- */

/* [q->lock] change more transfers are under way. */
static void count_flight(struct block_device *dev, uint64_t now, int change)
{
    struct block_stats *s = &dev->stats;

    if (s->in_flight) {
        s->busy_ns += now - s->changed;
        s->weighted_ns += (now - s->changed) * s->in_flight;
    }
    s->changed = now;
    s->in_flight += (uint32_t)change;
}

static void count_done(struct block_device *dev, const struct block_io *io, uint64_t now)
{
    struct block_stats *s = &dev->stats;

    count_flight(dev, now, -1);
    s->ios[io->op]++;
    s->sectors[io->op] += io->bytes >> SECTOR_SHIFT;
    s->ns[io->op] += now - io->since;
}

void queue_stats(struct block_device *dev, struct block_stats *out)
{
    spin_lock(&dev->queue->lock);
    count_flight(dev, time_mono_ns(), 0);
    *out = dev->stats;
    spin_unlock(&dev->queue->lock);
}

/* ---- Starting ---- */

static void start(struct block_queue *q, struct block_io *head, uint64_t now)
{
    unsigned tag = (unsigned)__builtin_ctz(q->free_slots);
    struct block_request *r = &q->slots[tag];

    q->free_slots &= ~(1u << tag);
    r->op = head->flushing ? BLOCK_FLUSH : head->op;
    r->flags = q->has_fua ? head->flags : 0;
    r->sector = head->at;
    r->bytes = r->op == BLOCK_FLUSH ? 0 : head->run_bytes;
    r->segments = r->op == BLOCK_FLUSH ? 0 : head->run_segments;
    r->since = now;
    r->expired = false;
    /* The run, with its head in front: one ring. */
    list_init(&r->ios);
    list_add(&head->run, &r->ios);
    list_remove(&head->run);
    list_add(&r->ios, &head->sorted);
    if (!q->watch.armed)
        timer_start(&q->watch, now + (poll_only ? NSEC_PER_TICK : WATCH_NS));
    q->driver->submit(q, r);
}

static struct block_io *take_next(struct block_queue *q, uint64_t now)
{
    struct block_io *io;

    if (list_empty(&q->flushes))
        return elevator_take(&q->waiting, now);
    io = list_first_entry(&q->flushes, struct block_io, sorted);
    list_remove(&io->sorted);
    return io;
}

/* [q->lock] Gives the driver what it can take. */
static void dispatch(struct block_queue *q)
{
    uint64_t now = time_mono_ns();
    struct block_io *io;

    while (q->free_slots && !q->recovering && (!q->plugged || q->waiting.runs >= WAITING_MAX)) {
        io = take_next(q, now);
        if (!io)
            break;
        start(q, io, now);
    }
}

/* [q->lock] */
static void enqueue(struct block_queue *q, struct block_io *io)
{
    list_init(&io->run);
    if (io->op == BLOCK_FLUSH || io->flushing) {
        list_add_tail(&q->flushes, &io->sorted);
    } else if (elevator_add(&q->waiting, io)) {
        io->dev->stats.merges[io->op]++;
        if (io->dev != &q->whole)
            q->whole.stats.merges[io->op]++;
    }
}

static int check(const struct block_io *io)
{
    const struct block_device *dev = io->dev;

    if (io->op == BLOCK_FLUSH)
        return io->bytes ? -EINVAL : 0;
    if (!io->bytes || io->bytes > BLOCK_IO_MAX || io->bytes % dev->block_size ||
        io->sector % (dev->block_size >> SECTOR_SHIFT))
        return -EINVAL;
    if (io->op == BLOCK_WRITE && block_is_read_only(dev))
        return -EROFS;
    if (io->sector > dev->sectors || (io->bytes >> SECTOR_SHIFT) > dev->sectors - io->sector)
        return -EIO;
    return 0;
}

/* Sleeps while too many wait. */
static void throttle(struct block_queue *q)
{
    bool full;

    spin_lock(&q->lock);
    full = q->waiting.runs >= WAITING_MAX && !q->dead;
    if (full) {
        q->throttled = true;
        dispatch(q);
    }
    spin_unlock(&q->lock);
    if (full)
        wait_event(&q->room, !*(volatile bool *)&q->throttled);
}

/* Of a disk that is memory. */
static void move_now(struct block_queue *q, struct block_io *io)
{
    io->at = io->dev->start + io->sector;
    io->since = time_mono_ns();
    io->status = q->driver->move(q, io);
    spin_lock(&q->lock);
    count_flight(io->dev, io->since, 1);
    count_done(io->dev, io, time_mono_ns());
    spin_unlock(&q->lock);
    io->done(io);
}

void block_submit(struct block_io *io)
{
    struct block_queue *q = io->dev->queue;

    io->status = check(io);
    if (io->status || (io->op == BLOCK_FLUSH && !q->has_cache)) {
        io->done(io);
        return;
    }
    if (q->driver->move) {
        move_now(q, io);
        return;
    }
    if (q->waiting.runs >= WAITING_MAX)
        throttle(q);
    io->at = io->dev->start + io->sector;
    io->tries = 0;
    io->alone = io->flushing = false;
    spin_lock(&q->lock);
    if (q->dead) {
        spin_unlock(&q->lock);
        io->status = -EIO;
        io->done(io);
        return;
    }
    io->since = time_mono_ns();
    count_flight(io->dev, io->since, 1);
    if (io->dev != &q->whole)
        count_flight(&q->whole, io->since, 1);
    enqueue(q, io);
    dispatch(q);
    spin_unlock(&q->lock);
}

void block_discard_page(struct block_device *dev, uint64_t sector)
{
    const struct block_driver *driver = dev->queue->driver;

    if (driver->discard)
        driver->discard(dev->queue, dev->start + sector);
}

void block_plug(struct block_device *dev)
{
    spin_lock(&dev->queue->lock);
    dev->queue->plugged++;
    spin_unlock(&dev->queue->lock);
}

void block_unplug(struct block_device *dev)
{
    struct block_queue *q = dev->queue;

    spin_lock(&q->lock);
    KASSERT(q->plugged > 0);
    if (--q->plugged == 0)
        dispatch(q);
    spin_unlock(&q->lock);
}

/* ---- Completing ---- */

/* [q->lock] A transfer of a request that ended with status: to be told (added to over), or back to
 * waiting. -EAGAIN: it was not its fault. */
static void settle(struct block_queue *q, struct block_io *io, int status, bool several,
                   struct list *over)
{
    uint64_t now;

    if (!status && (io->flags & BLOCK_FUA) && !q->has_fua && q->has_cache && !io->flushing) {
        io->flushing = true;
        enqueue(q, io);
        return;
    }
    if (status && status != -EAGAIN)
        io->tries = (uint8_t)(io->tries + !several);
    if (status && io->tries < TRIES && !q->dead) {
        io->alone = true;
        enqueue(q, io);
        return;
    }
    io->status = status == -EAGAIN ? -EIO : status;
    now = time_mono_ns();
    count_done(io->dev, io, now);
    if (io->dev != &q->whole)
        count_done(&q->whole, io, now);
    list_add_tail(over, &io->sorted);
}

/* [q->lock] */
static void settle_request(struct block_queue *q, struct block_request *r, int status,
                           struct list *over)
{
    bool several = r->ios.next != r->ios.prev;
    struct block_io *io, *next;

    KASSERT(!(q->free_slots & 1u << r->tag));
    q->free_slots |= 1u << r->tag;
    list_for_each_entry_safe (io, next, &r->ios, sorted) {
        list_remove(&io->sorted);
        settle(q, io, status, several, over);
    }
}

/* [q->lock] Whether those who wait for room are to be woken. */
static bool has_room(struct block_queue *q)
{
    if (!q->throttled || q->waiting.runs >= WAITING_MAX / 2)
        return false;
    q->throttled = false;
    return true;
}

/* More than a page is asked for again page by page by those who want it, and what fails then is
 * told. A disk that fails for good must not flood the log: some errors in some seconds are enough.
 */
static void log_error(const struct block_io *io)
{
    struct block_queue *q = io->dev->queue;
    uint64_t now = time_mono_ns();

    if (now - q->told_since > TOLD_NS) {
        if (q->told > TOLD_MAX)
            klog(LOG_ERR, "%s: %u more errors\n", q->whole.name, q->told - TOLD_MAX);
        q->told_since = now;
        q->told = 0;
    }
    if (q->told++ < TOLD_MAX)
        klog(LOG_ERR, "%s: %s of %u bytes at sector %llu failed (error %d)\n", io->dev->name,
             io->op == BLOCK_READ    ? "read"
             : io->op == BLOCK_WRITE ? "write"
                                     : "flush",
             io->bytes, (unsigned long long)io->sector, io->status);
}

static void tell(struct list *over)
{
    struct block_io *io;

    while (!list_empty(over)) {
        io = list_first_entry(over, struct block_io, sorted);
        list_remove(&io->sorted);
        if (io->status && io->bytes <= PAGE_SIZE)
            log_error(io);
        io->done(io);
    }
}

/* Debug builds, blocklose=N: the N-th completion of the machine gets lost, for tests of what finds
 * it.
 */
static bool is_lost(void)
{
#ifdef CONFIG_DEBUG
    return __atomic_load_n(&lose_at, __ATOMIC_RELAXED) &&
           __atomic_sub_fetch(&lose_at, 1, __ATOMIC_RELAXED) == 0;
#else
    return false;
#endif
}

void block_complete(struct block_request *r, int status)
{
    struct block_queue *q = r->queue;
    struct list over = LIST_INIT(over);
    bool room;

    if (is_lost())
        return;
    spin_lock(&q->lock);
    settle_request(q, r, status, &over);
    dispatch(q);
    room = has_room(q);
    spin_unlock(&q->lock);
    if (room)
        wake_all(&q->room);
    tell(&over);
}

/* ---- What takes too long ---- */

/* [q->lock] Whether a request is under way for longer than that; marks it when told so. */
static bool any_older(struct block_queue *q, uint64_t age, bool mark)
{
    uint64_t now = time_mono_ns();
    bool found = false;

    for (uint32_t left = busy_slots(q); left; left &= left - 1) {
        struct block_request *r = &q->slots[__builtin_ctz(left)];

        if (now < r->since + age)
            continue;
        found = true;
        r->expired |= mark;
    }
    return found;
}

/* From the timer. */
static void watch(void *arg)
{
    struct block_queue *q = arg;
    bool lost, stuck, again;

    spin_lock(&q->lock);
    lost = !q->recovering && any_older(q, poll_only ? 0 : LOST_NS, false);
    spin_unlock(&q->lock);
    if (lost)
        q->driver->poll(q);
    spin_lock(&q->lock);
    stuck = !q->recovering && any_older(q, (uint64_t)q->timeout_ms * 1000000, true);
    again = busy_slots(q) != 0;
    spin_unlock(&q->lock);
    if (stuck) {
        klog(LOG_WARN, "%s: a request takes too long, resetting\n", q->whole.name);
        block_want_reset(q);
    }
    if (again)
        timer_start(&q->watch, time_mono_ns() + (poll_only ? NSEC_PER_TICK : WATCH_NS));
}

void block_want_reset(struct block_queue *q)
{
    spin_lock(&q->lock);
    q->want_reset = true;
    spin_unlock(&q->lock);
    recovery_wake();
}

bool queue_begin_reset(struct block_queue *q)
{
    bool wanted;

    spin_lock(&q->lock);
    wanted = q->want_reset;
    q->want_reset = false;
    q->recovering = wanted;
    spin_unlock(&q->lock);
    return wanted;
}

/* [q->lock] Nothing that waits will ever be done. */
static void fail_waiting(struct block_queue *q, struct list *over)
{
    struct block_io *io, *head, *next;

    while ((head = take_next(q, 0))) {
        struct list all = LIST_INIT(all);

        list_add(&head->run, &all);
        list_remove(&head->run);
        list_add(&all, &head->sorted);
        list_for_each_entry_safe (io, next, &all, sorted) {
            list_remove(&io->sorted);
            settle(q, io, -EIO, false, over);
        }
    }
}

void queue_end_reset(struct block_queue *q, int err)
{
    struct list over = LIST_INIT(over);

    spin_lock(&q->lock);
    q->dead = err != 0;
    for (uint32_t left = busy_slots(q); left; left &= left - 1) {
        struct block_request *r = &q->slots[__builtin_ctz(left)];

        settle_request(q, r, r->expired ? -EIO : -EAGAIN, &over);
    }
    if (q->dead)
        fail_waiting(q, &over);
    q->recovering = false;
    dispatch(q);
    q->throttled = false;
    spin_unlock(&q->lock);
    wake_all(&q->room);
    tell(&over);
}

/* ---- Setting up ---- */

static void read_lose_option(void)
{
#ifdef CONFIG_DEBUG
    static bool known;
    char value[12];

    if (!known && boot_option("blocklose", value, sizeof(value)))
        for (const char *p = value; isdigit(*p); p++)
            lose_at = lose_at * 10 + (uint32_t)(*p - '0');
    known = true;
#endif
}

void queue_init(struct block_queue *q)
{
    KASSERT(q->depth >= 1 && q->depth <= BLOCK_DEPTH_MAX && q->max_bytes >= BLOCK_IO_MAX);
    poll_only = boot_flag("irqpoll");
    read_lose_option();
    spin_init(&q->lock, "block", LOCK_RANK_BLOCK);
    elevator_init(&q->waiting, q->max_bytes, q->max_segments, q->whole_pages);
    list_init(&q->flushes);
    waitq_init(&q->room);
    timer_init(&q->watch, watch, q);
    q->free_slots = q->depth == 32 ? UINT32_MAX : (1u << q->depth) - 1;
    for (unsigned i = 0; i < q->depth; i++)
        q->slots[i] = (struct block_request){.queue = q, .tag = (uint8_t)i};
    if (!q->timeout_ms)
        q->timeout_ms = 10000;
}

/* ---- The pieces of a request ---- */

void block_cursor_init(struct block_cursor *c, const struct block_request *r)
{
    *c = (struct block_cursor){r, list_first_entry(&r->ios, struct block_io, sorted), 0};
}

/* The piece at the cursor: what is left of its page, or of its transfer. */
static uint32_t piece(const struct block_cursor *c, paddr_t *pa)
{
    uint32_t at = c->io->offset + c->within, within = at & (PAGE_SIZE - 1);
    uint32_t len = PAGE_SIZE - within, left = c->io->bytes - c->within;

    *pa = virt_to_phys(c->io->pages[at >> PAGE_SHIFT]) + within;
    return len < left ? len : left;
}

static void advance(struct block_cursor *c, uint32_t n)
{
    c->within += n;
    if (c->within < c->io->bytes)
        return;
    c->io = c->io->sorted.next == &c->request->ios ? NULL : list_next_entry(c->io, sorted);
    c->within = 0;
}

bool block_cursor_next(struct block_cursor *c, uint32_t max, paddr_t *pa, uint32_t *len)
{
    paddr_t next;
    uint32_t n;

    if (!c->io)
        return false;
    *len = 0;
    while (c->io && *len < max) {
        n = piece(c, &next);
        if (*len && next != *pa + *len)
            break;
        if (!*len)
            *pa = next;
        if (n > max - *len)
            n = max - *len;
        *len += n;
        advance(c, n);
    }
    return true;
}
