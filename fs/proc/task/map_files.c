/*
 * /proc/PID/map_files: a link for each mapped file, named by the addresses of its area, for who may
 * look into the process. The links are texts: unlike Linux's they do not lead to a file that has no
 * name any more. man 5 proc.
 */
#include "fs/proc/procfs.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

static bool is_file(const struct vm_area_info *a)
{
    return a->object && a->name[0] == '/';
}

/* "start-end" in hexadecimal digits, without zeros in front. */
static bool parse_range(const char *name, vaddr_t *start, vaddr_t *end)
{
    char again[24], *rest;

    *start = strtoul(name, &rest, 16);
    if (*rest != '-')
        return false;
    *end = strtoul(rest + 1, &rest, 16);
    snprintf(again, sizeof(again), "%x-%x", *start, *end);
    return strcmp(name, again) == 0;
}

int map_files_find(const struct target *who, const char *name, struct target *out, uint32_t *mode)
{
    struct vm_area_info a;
    vaddr_t start, end;
    int err;
    struct vm_space *s;

    if (!parse_range(name, &start, &end))
        return -ENOENT;
    s = target_space(who, true, &err);
    if (!s)
        return err ? err : -ENOENT;
    if (!vm_next_area(s, start, &a) || a.start != start || a.end != end || !is_file(&a))
        err = -ENOENT;
    vm_space_unref(s);
    *out = *who;
    out->fd = (int32_t)(start >> PAGE_SHIFT) + 1;
    *mode = (a.prot & VM_PROT_READ ? 0400 : 0) | (a.prot & VM_PROT_WRITE ? 0200 : 0);
    return err;
}

static int show_map_file(struct text *t, const struct target *who)
{
    vaddr_t start = (vaddr_t)(who->fd - 1) << PAGE_SHIFT;
    struct vm_area_info a;
    int err;
    struct vm_space *s = target_space(who, true, &err);

    if (!s)
        return err ? err : -ENOENT;
    if (vm_next_area(s, start, &a) && a.start == start && is_file(&a))
        text_printf(t, "%s", a.name);
    else
        err = -ENOENT;
    vm_space_unref(s);
    return err;
}

const struct proc_entry map_file_entry = LINK_ENTRY("", show_map_file);

int map_files_next(const struct target *who, uint64_t *at, char *name, size_t size)
{
    int err, n = 0;
    struct vm_space *s = target_space(who, true, &err);
    struct vm_area_info a;

    while (s && !n && *at < UINT32_MAX && vm_next_area(s, (vaddr_t)*at, &a)) {
        if (is_file(&a))
            n = snprintf(name, size, "%x-%x", a.start, a.end);
        *at = a.end;
        sched_point();
    }
    if (s)
        vm_space_unref(s);
    return err ? err : n;
}
