/*
 * set_thread_area and get_thread_area: GDT entries 6 to 8 switch with the thread. A user_desc is
 * turned into a descriptor [SDM 3A 3.4.5] that cannot harm: always user level, here always data.
 */
#include "kernel/thread/tls.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

/* The two ways to say "nothing": all zero, and what modify_ldt deletes with. */
static bool desc_is_empty(const struct user_desc *d)
{
    uint32_t flags = d->flags & UD_ALL;

    return !d->base && !d->limit && (flags == 0 || flags == (UD_READ_ONLY | UD_NOT_PRESENT));
}

static bool desc_is_ok(const struct user_desc *d)
{
    if (desc_is_empty(d))
        return true;
    /* 32-bit data segments only, expand-down or not; see Linux's tls_desc_okay for the reasons. */
    return (d->flags & UD_32BIT) && !(d->flags & UD_NOT_PRESENT) &&
           (d->flags & UD_CONTENTS) >> UD_CONTENTS_SHIFT <= 1;
}

uint64_t user_desc_pack(const struct user_desc *d)
{
    uint32_t low = (d->base << 16) | (d->limit & 0xffff);
    uint32_t high = (d->base & 0xff000000u) | ((d->base >> 16) & 0xff) | (d->limit & 0xf0000u);

    high |= 0x7100; /* user, code or data, accessed */
    high |= (d->flags & UD_NOT_PRESENT) ? 0 : 0x8000;
    high |= (d->flags & UD_READ_ONLY) ? 0 : 0x200; /* writable; of code: readable */
    high |= ((d->flags & UD_CONTENTS) >> UD_CONTENTS_SHIFT) << 10;
    high |= (d->flags & UD_USEABLE) ? 1u << 20 : 0;
    high |= (d->flags & UD_32BIT) ? 1u << 22 : 0;
    high |= (d->flags & UD_PAGES) ? 1u << 23 : 0;
    return (uint64_t)high << 32 | low;
}

static void desc_unpack(uint64_t packed, struct user_desc *d)
{
    uint32_t low = (uint32_t)packed, high = (uint32_t)(packed >> 32);

    d->base = (low >> 16) | (high & 0xff) << 16 | (high & 0xff000000u);
    d->limit = (low & 0xffff) | (high & 0xf0000);
    d->flags = (high >> 22 & 1) | (high >> 10 & 3) << UD_CONTENTS_SHIFT;
    d->flags |= (high & 0x200) ? 0 : UD_READ_ONLY;
    d->flags |= (high & 1u << 23) ? UD_PAGES : 0;
    d->flags |= (high & 0x8000) ? 0 : UD_NOT_PRESENT;
    d->flags |= (high & 1u << 20) ? UD_USEABLE : 0;
}

static int free_entry(const struct thread *t)
{
    for (int i = 0; i < TLS_ENTRIES; i++) {
        if (!t->arch.tls[i])
            return TLS_FIRST + i;
    }
    return -ESRCH;
}

int tls_put(struct thread *t, uint32_t entry, const struct user_desc *d)
{
    if (!desc_is_ok(d) || entry < TLS_FIRST || entry >= TLS_FIRST + TLS_ENTRIES)
        return -EINVAL;
    t->arch.tls[entry - TLS_FIRST] = desc_is_empty(d) ? 0 : user_desc_pack(d);
    if (t == thread_current())
        arch_load_tls(&t->arch);
    return 0;
}

int tls_get(const struct thread *t, uint32_t entry, struct user_desc *out)
{
    if (entry < TLS_FIRST || entry >= TLS_FIRST + TLS_ENTRIES)
        return -EINVAL;
    out->entry = entry;
    desc_unpack(t->arch.tls[entry - TLS_FIRST], out);
    return 0;
}

int tls_set(struct thread *t, void __user *udesc, bool may_choose)
{
    struct user_desc d;
    int entry;

    if (copy_from_user(&d, udesc, sizeof(d)))
        return -EFAULT;
    if (!desc_is_ok(&d))
        return -EINVAL;
    entry = (int)d.entry;
    if (entry == -1 && may_choose) {
        entry = free_entry(t);
        if (entry < 0)
            return entry;
        if (put_user_u32(udesc, (uint32_t)entry))
            return -EFAULT;
    }
    return tls_put(t, (uint32_t)entry, &d);
}

long sys_set_thread_area(void __user *udesc)
{
    return tls_set(thread_current(), udesc, true);
}

long sys_get_thread_area(void __user *udesc)
{
    struct user_desc d;
    uint32_t entry;
    int err;

    if (get_user_u32(&entry, udesc))
        return -EFAULT;
    err = tls_get(thread_current(), entry, &d);
    return err ? err : copy_to_user(udesc, &d, sizeof(d));
}
