/*
 * Sets of registers, as PTRACE_GETREGSET and its elder relatives carry them, and as notes of a core
 * file do.
 */
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "kernel/ptrace/regset.h"
#include "kernel/thread/tls.h"
#include "libc/errno.h"
#include "libc/string.h"

#define FXSAVE_MXCSR 24
#define SET_MAX      FPU_AREA

/* ---- General registers ---- */

static int get_general(const struct tracee *x, void *buf)
{
    uint32_t *words = buf;

    for (unsigned n = 0; n < USER_AREA_REGISTERS; n++)
        words[n] = ptrace_get_register(x, n);
    return 0;
}

/* Up to the first that is refused. */
static int put_general(struct tracee *x, const void *buf, uint32_t size)
{
    const uint32_t *words = buf;
    int err = 0;

    for (unsigned n = 0; n < size / 4 && !err; n++)
        err = ptrace_put_register(x, n, words[n]);
    return err;
}

/* ---- Floating point ---- */

static int get_fsave(const struct tracee *x, void *buf)
{
    uint8_t area[FPU_AREA] __attribute__((aligned(16)));

    fpu_peek(&x->thread->arch, area);
    if (fpu_has_fxsr())
        fpu_fxsave_to_fsave(buf, area);
    else
        memcpy(buf, area, REGSET_FSAVE_SIZE);
    return 0;
}

static int put_fsave(struct tracee *x, const void *buf, uint32_t size)
{
    uint8_t area[FPU_AREA] __attribute__((aligned(16))), image[REGSET_FSAVE_SIZE];

    (void)get_fsave(x, image);
    memcpy(image, buf, size);
    fpu_peek(&x->thread->arch, area);
    if (fpu_has_fxsr())
        fpu_fsave_to_fxsave(area, image);
    else
        memcpy(area, image, sizeof(image));
    fpu_poke(&x->thread->arch, area);
    return 0;
}

static int get_fxsave(const struct tracee *x, void *buf)
{
    if (!fpu_has_fxsr())
        return -ENODEV;
    fpu_peek(&x->thread->arch, buf);
    return 0;
}

static int put_fxsave(struct tracee *x, const void *buf, uint32_t size)
{
    uint32_t mxcsr;

    if (!fpu_has_fxsr())
        return -ENODEV;
    memcpy(&mxcsr, (const uint8_t *)buf + FXSAVE_MXCSR, sizeof(mxcsr));
    if (size != FPU_AREA || (mxcsr & ~fpu_mxcsr_mask()))
        return -EINVAL;
    fpu_poke(&x->thread->arch, buf);
    return 0;
}

/* Nothing is saved by XSAVE here. */
static int get_xstate(const struct tracee *x, void *buf)
{
    (void)x, (void)buf;
    return -ENODEV;
}

static int put_xstate(struct tracee *x, const void *buf, uint32_t size)
{
    (void)x, (void)buf, (void)size;
    return -ENODEV;
}

/* ---- Segments ---- */

static int get_tls(const struct tracee *x, void *buf)
{
    struct user_desc *d = buf;

    for (unsigned i = 0; i < TLS_ENTRIES; i++)
        (void)tls_get(x->thread, TLS_FIRST + i, &d[i]);
    return 0;
}

static int put_tls(struct tracee *x, const void *buf, uint32_t size)
{
    const struct user_desc *d = buf;
    int err = 0;

    for (unsigned i = 0; i < size / sizeof(*d) && !err; i++)
        err = tls_put(x->thread, TLS_FIRST + i, &d[i]);
    return err;
}

static int get_ports(const struct tracee *x, void *buf)
{
    (void)x, (void)buf;
    return -ENXIO;
}

static int put_ports(struct tracee *x, const void *buf, uint32_t size)
{
    (void)x, (void)buf, (void)size;
    return -EOPNOTSUPP;
}

/* ---- The table ---- */

static const struct regset {
    uint32_t type;
    uint16_t size, unit; /* bytes in all; what comes and goes is a multiple of unit */
    int (*get)(const struct tracee *x, void *buf);
    int (*put)(struct tracee *x, const void *buf, uint32_t size);
} sets[] = {
    {NT_PRSTATUS, USER_AREA_REGISTERS * 4, 4, get_general, put_general},
    {NT_PRFPREG, REGSET_FSAVE_SIZE, 4, get_fsave, put_fsave},
    {NT_PRXFPREG, FPU_AREA, 4, get_fxsave, put_fxsave},
    {NT_X86_XSTATE, FPU_AREA, 8, get_xstate, put_xstate},
    {NT_386_TLS, TLS_ENTRIES * sizeof(struct user_desc), sizeof(struct user_desc), get_tls,
     put_tls},
    {NT_386_IOPERM, FPU_AREA, 4, get_ports, put_ports},
};

static const struct regset *find(uint32_t type)
{
    for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
        if (sets[i].type == type)
            return &sets[i];
    return NULL;
}

int regset_read(const struct tracee *x, uint32_t type, void *buf)
{
    const struct regset *s = find(type);
    int err = s->get(x, buf);

    return err ? err : s->size;
}

long ptrace_get_whole(struct tracee *x, uint32_t type, void __user *ubuf)
{
    uint8_t buf[SET_MAX] __attribute__((aligned(16)));
    int n = regset_read(x, type, buf);

    return n < 0 ? n : copy_to_user(ubuf, buf, (size_t)n);
}

static long put_part(struct tracee *x, const struct regset *s, const void __user *ubuf,
                     uint32_t size)
{
    uint8_t buf[SET_MAX] __attribute__((aligned(16)));

    if (copy_from_user(buf, ubuf, size))
        return -EFAULT;
    return s->put(x, buf, size);
}

long ptrace_put_whole(struct tracee *x, uint32_t type, const void __user *ubuf)
{
    const struct regset *s = find(type);

    return put_part(x, s, ubuf, s->size);
}

/* ---- By an iovec ---- */

struct user_iovec {
    uint32_t base, len;
};

/* The set, and how much of it is wanted. */
static int begin(uint32_t type, const void __user *uiov, const struct regset **s,
                 struct user_iovec *v)
{
    if (copy_from_user(v, uiov, sizeof(*v)))
        return -EFAULT;
    *s = find(type);
    if (!*s || v->len % (*s)->unit)
        return -EINVAL;
    if (v->len > (*s)->size)
        v->len = (*s)->size;
    return 0;
}

static long end(void __user *uiov, uint32_t len)
{
    return put_user_u32((char __user *)uiov + offsetof(struct user_iovec, len), len);
}

long ptrace_getregset(struct tracee *x, uint32_t type, void __user *uiov)
{
    uint8_t buf[SET_MAX] __attribute__((aligned(16)));
    const struct regset *s;
    struct user_iovec v;
    int err = begin(type, uiov, &s, &v);

    if (!err)
        err = s->get(x, buf);
    if (err)
        return err;
    return copy_to_user((void __user *)v.base, buf, v.len) ? -EFAULT : end(uiov, v.len);
}

long ptrace_setregset(struct tracee *x, uint32_t type, void __user *uiov)
{
    const struct regset *s;
    struct user_iovec v;
    long err = begin(type, uiov, &s, &v);

    if (!err)
        err = put_part(x, s, (const void __user *)v.base, v.len);
    return err ? err : end(uiov, v.len);
}
