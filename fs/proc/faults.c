/*
 * /proc/faults: the fault trace of mm/ as text, one line for each page fault. Written, it is the
 * switch: 1 starts an empty trace, 0 stops it, -1 gives its memory back.
 */
#include "arch/uaccess.h"
#include "fs/proc/procfs.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/see.h"

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
                    "around cycles flags; trace %s\n",
                    vm_trace_is_on() ? "on" : "off");
}

static int event_line(const struct vm_fault_event *e, char *buf, size_t size)
{
    return snprintf(buf, size, "%u.%06u %d %d %s %08x %s %08x %c%c%c %s %s %x %u %u %s%s%s%s\n",
                    (uint32_t)(e->time_ns / NSEC_PER_SEC),
                    (uint32_t)(e->time_ns % NSEC_PER_SEC) / 1000, e->pid, e->parent,
                    e->flags & VM_EVENT_WRITE ? "write" : "read", e->addr, area_name[e->kind],
                    e->area, e->prot & VM_PROT_READ ? 'r' : '-',
                    e->prot & VM_PROT_WRITE ? 'w' : '-', e->prot & VM_PROT_EXEC ? 'x' : '-',
                    case_name[e->why].row, case_name[e->why].name, e->frame, e->around, e->cycles,
                    e->flags & VM_EVENT_MAJOR ? "M" : "", e->flags & VM_EVENT_GREW ? "G" : "",
                    e->flags & VM_EVENT_MAPPED ? "P" : "", e->flags & ~VM_EVENT_WRITE ? "" : "-");
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

static long faults_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    char text[8] = "";
    int err = 0;

    (void)f;
    if (len == 0 || len >= sizeof(text))
        return -EINVAL;
    if (copy_from_user(text, ubuf, len))
        return -EFAULT;
    if (text[len - 1] == '\n')
        text[len - 1] = '\0';
    if (strcmp(text, "1") == 0)
        err = vm_trace_start();
    else if (strcmp(text, "0") == 0)
        vm_trace_stop();
    else if (strcmp(text, "-1") == 0)
        vm_trace_drop();
    else
        err = -EINVAL;
    if (err)
        return err;
    *pos += len;
    return (long)len;
}

const struct file_ops faults_ops = {
    .read = faults_read,
    .write = faults_write,
};
