/*
 * /proc/faults and /proc/pageout: the traces of mm/ as text, one line for each page fault, or for
 * each page that the clock hand passed by. Written, they are their switches: 1 starts an empty
 * trace, 0 stops it, -1 gives its memory back; for pageout, "round" makes the hand pass once. For
 * faults, "hold" has every fault of a program wait for whoever wrote it, "step" lets one go by, and
 * "go", or closing the file, ends that (kernel/thread/faultgate.h).
 */
#include "arch/uaccess.h"
#include "fs/proc/procfs.h"
#include "kernel/thread/faultgate.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/see.h"
#include "mm/swap.h"

static const char *const area_name[] = {
    [VM_AREA_NONE] = "none",
    [VM_AREA_ANON] = "anon",
    [VM_AREA_HEAP] = "heap",
    [VM_AREA_STACK] = "stack",
    [VM_AREA_FILE] = "file",
    [VM_AREA_SHARED_FILE] = "shared-file",
    [VM_AREA_SHARED_ANON] = "shared-anon",
};

/* The row of the fault table (mm/fault.c) and what was done. */
static const struct {
    const char *row, *name;
} case_name[] = {
    [VM_CASE_ZERO_READ] = {"0", "zero-frame"},
    [VM_CASE_ZERO_WRITE] = {"0", "zeroed"},
    [VM_CASE_OWN] = {"1A", "own"},
    [VM_CASE_SHARE] = {"1A", "share"},
    [VM_CASE_COPY] = {"1B", "copy"},
    [VM_CASE_CACHED] = {"2A", "cached"},
    [VM_CASE_COPY_FILE] = {"2B", "copy-file"},
    [VM_CASE_SPURIOUS] = {"-", "spurious"},
    [VM_CASE_BAD_ADDRESS] = {"-", "maperr"},
    [VM_CASE_BAD_ACCESS] = {"-", "accerr"},
    [VM_CASE_PAST_END] = {"-", "past-end"},
    [VM_CASE_NO_MEMORY] = {"-", "no-memory"},
};

static int header_line(char *buf, size_t size)
{
    return snprintf(buf, size,
                    "# time pid parent access address area start prot row case frame "
                    "around cycles flags from waited cpu; trace %s\n",
                    vm_trace_is_on() ? "on" : "off");
}

#define PLACE_ROOM 48

/* Where it had to be had from. */
static const char *origin(const struct vm_fault_event *e, char *place)
{
    if (!e->slot)
        return e->flags & VM_EVENT_MAJOR ? "file" : "-";
    vm_swap_place(e->slot, place, PLACE_ROOM);
    return place;
}

/* The first row that was needed; the case tells how it ended. */
static const char *row_of(const struct vm_fault_event *e)
{
    if (e->slot)
        return "1S";
    return e->flags & VM_EVENT_MAJOR ? "2S" : case_name[e->why].row;
}

static int event_line(const struct vm_fault_event *e, char *buf, size_t size)
{
    char place[PLACE_ROOM];

    return snprintf(
        buf, size, "%u.%06u %d %d %s %08x %s %08x %c%c%c %s %s %x %u %u %s%s%s%s %s %u %u\n",
        (uint32_t)(e->time_ns / NSEC_PER_SEC), (uint32_t)(e->time_ns % NSEC_PER_SEC) / 1000, e->pid,
        e->parent, e->flags & VM_EVENT_WRITE ? "write" : "read", e->addr, area_name[e->kind],
        e->area, e->prot & VM_PROT_READ ? 'r' : '-', e->prot & VM_PROT_WRITE ? 'w' : '-',
        e->prot & VM_PROT_EXEC ? 'x' : '-', row_of(e), case_name[e->why].name, e->frame, e->around,
        e->cycles, e->flags & VM_EVENT_MAJOR ? "M" : "", e->flags & VM_EVENT_GREW ? "G" : "",
        e->flags & VM_EVENT_MAPPED ? "P" : "", e->flags & ~VM_EVENT_WRITE ? "" : "-",
        origin(e, place), e->waited, e->cpu);
}

/* Item 0 is the heading, the events have numbers from 1 on. */
static int fault_line(void *unused, uint64_t *item, char *buf, size_t size)
{
    struct vm_fault_event e;
    uint64_t next = *item;
    uint32_t lost;

    (void)unused;
    if (*item == 0)
        return header_line(buf, size);
    if (vm_trace_read(&next, &e, 1, &lost) == 0)
        return 0;
    if (lost && *item > 1) {
        *item = next - 2;
        return snprintf(buf, size, "# %u lost\n", lost);
    }
    *item = next - 1;
    return event_line(&e, buf, size);
}

static long faults_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f;
    return lines_read(NULL, fault_line, ubuf, len, pos);
}

static long switch_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos,
                         int (*turn)(struct file *f, const char *word))
{
    char text[8] = "";
    int err;

    if (len == 0 || len >= sizeof(text))
        return -EINVAL;
    if (copy_from_user(text, ubuf, len))
        return -EFAULT;
    if (text[len - 1] == '\n')
        text[len - 1] = '\0';
    err = turn(f, text);
    if (err)
        return err;
    *pos += len;
    return (long)len;
}

/* Open files that have started the trace: it goes on for them, whoever else ends it. atomic */
static uint32_t wanted_by;

static int faults_start(struct file *f)
{
    int err = vm_trace_start();

    if (!err && !f->private) {
        f->private = &wanted_by;
        __atomic_add_fetch(&wanted_by, 1, __ATOMIC_RELAXED);
    }
    return err;
}

/* Whether others still want it. */
static bool faults_give_up(struct file *f)
{
    uint32_t mine = f->private ? 1 : 0;

    f->private = NULL;
    return __atomic_sub_fetch(&wanted_by, mine, __ATOMIC_RELAXED) != 0;
}

static int faults_turn(struct file *f, const char *word)
{
    const bool stop = strcmp(word, "0") == 0, drop = strcmp(word, "-1") == 0;

    if (strcmp(word, "1") == 0)
        return faults_start(f);
    if ((stop || drop) && faults_give_up(f))
        return 0;
    if (strcmp(word, "hold") == 0)
        return fault_gate_hold(f);
    if (strcmp(word, "step") == 0)
        return fault_gate_pass(f, 1);
    if (stop)
        vm_trace_stop();
    else if (drop)
        vm_trace_drop();
    else if (strcmp(word, "go") == 0)
        fault_gate_open(f);
    else
        return -EINVAL;
    return 0;
}

static long faults_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    return switch_write(f, ubuf, len, pos, faults_turn);
}

static void faults_release(struct file *f)
{
    fault_gate_open(f);
    faults_give_up(f); /* what it started stays on */
}

const struct file_ops faults_ops = {
    .read = faults_read,
    .write = faults_write,
    .release = faults_release,
};

/* ---- pageout ---- */

static int pageout_header(char *buf, size_t size)
{
    pfn_t hand;
    bool on;

    vm_pageout_state(&on, &hand);
    return snprintf(buf, size,
                    "# time pid frame kind page used before after fate to; hand %x; trace %s\n",
                    hand, on ? "on" : "off");
}

static int pageout_event(const struct vm_pageout_event *e, char *buf, size_t size)
{
    static const char *const fate[] = {[VM_PAGE_SPARED] = "spared",
                                       [VM_PAGE_AGED] = "aged",
                                       [VM_PAGE_STAYED] = "stayed",
                                       [VM_PAGE_DROPPED] = "dropped",
                                       [VM_PAGE_SENT] = "sent"};
    char place[PLACE_ROOM] = "-";
    bool leaves = e->fate == VM_PAGE_SENT || e->fate == VM_PAGE_DROPPED;

    if (e->slot && leaves)
        vm_swap_place(e->slot, place, sizeof(place));
    else if (leaves && e->kind == VM_FRAME_FILE)
        strlcpy(place, "file", sizeof(place));
    return snprintf(
        buf, size, "%u.%06u %d %x %s %05x %s %u %u %s %s\n", (uint32_t)(e->time_ns / NSEC_PER_SEC),
        (uint32_t)(e->time_ns % NSEC_PER_SEC) / 1000, e->pid, e->frame,
        e->kind == VM_FRAME_ANON   ? "anon"
        : e->kind == VM_FRAME_FILE ? "file"
                                   : "shmem",
        e->page, e->used ? "used" : "unused", e->before, e->after, fate[e->fate], place);
}

static int pageout_line(void *unused, uint64_t *item, char *buf, size_t size)
{
    struct vm_pageout_event e;
    uint64_t next = *item;
    uint32_t lost;

    (void)unused;
    if (*item == 0)
        return pageout_header(buf, size);
    if (vm_pageout_read(&next, &e, 1, &lost) == 0)
        return 0;
    if (lost && *item > 1) {
        *item = next - 2;
        return snprintf(buf, size, "# %u lost\n", lost);
    }
    *item = next - 1;
    return pageout_event(&e, buf, size);
}

static long pageout_file_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f;
    return lines_read(NULL, pageout_line, ubuf, len, pos);
}

static int pageout_turn(struct file *f, const char *word)
{
    (void)f;
    if (strcmp(word, "1") == 0)
        return vm_pageout_trace(true);
    if (strcmp(word, "0") == 0)
        return vm_pageout_trace(false);
    if (strcmp(word, "-1") == 0)
        vm_pageout_trace_drop();
    else if (strcmp(word, "round") == 0)
        vm_pageout_round();
    else
        return -EINVAL;
    return 0;
}

static long pageout_file_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    return switch_write(f, ubuf, len, pos, pageout_turn);
}

const struct file_ops pageout_ops = {
    .read = pageout_file_read,
    .write = pageout_file_write,
};
