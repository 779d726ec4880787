/*
 * The arguments of execve on their way from the old space to the new one: strings in a chain of
 * frames, in the order they will have in memory, and a table of their offsets, which becomes argv,
 * envp and the auxiliary vector once the place of the strings is known.
 */
#include "arch/uaccess.h"
#include "kernel/process/exec.h"
#include "libc/errno.h"
#include "libc/string.h"

#define MAX_STRING  (128u << 10) /* one string with its terminator */
#define ARG_MAX     (128u << 10) /* always allowed in all */
#define STRINGS_MAX (6u << 20)   /* never more than that, whatever the stack limit */

#define CHUNK_HEAD 4u /* the link to the next frame */

/* ---- Chains ---- */

static int chain_grow(struct chain *c)
{
    uint8_t *page = kalloc();

    if (!page)
        return -ENOMEM;
    *(uint8_t **)page = NULL;
    if (c->last)
        *(uint8_t **)c->last = page;
    else
        c->first = page;
    c->last = page;
    c->used = CHUNK_HEAD;
    return 0;
}

/* Room at the end: at least one byte, *n of them. NULL: no memory. */
static uint8_t *chain_room(struct chain *c, uint32_t *n)
{
    if ((!c->last || c->used == PAGE_SIZE) && chain_grow(c))
        return NULL;
    *n = PAGE_SIZE - c->used;
    return c->last + c->used;
}

static void chain_advance(struct chain *c, uint32_t n)
{
    c->used += n;
    c->size += n;
}

static int chain_append(struct chain *c, const void *data, uint32_t n)
{
    const uint8_t *from = data;

    while (n) {
        uint32_t room;
        uint8_t *to = chain_room(c, &room);

        if (!to)
            return -ENOMEM;
        if (room > n)
            room = n;
        memcpy(to, from, room);
        chain_advance(c, room);
        from += room;
        n -= room;
    }
    return 0;
}

static void chain_free(struct chain *c)
{
    while (c->first) {
        uint8_t *next = *(uint8_t **)c->first;

        kfree(c->first);
        c->first = next;
    }
}

static uint32_t chunk_size(const struct chain *c, const uint8_t *page)
{
    return (page == c->last ? c->used : PAGE_SIZE) - CHUNK_HEAD;
}

static int chain_store(const struct chain *c, struct vm_space *s, vaddr_t at)
{
    for (uint8_t *page = c->first; page; page = *(uint8_t **)page) {
        uint32_t n = chunk_size(c, page);

        if (vm_copy_to(s, at, page + CHUNK_HEAD, n) != (long)n)
            return -ENOMEM;
        at += n;
        sched_point();
    }
    return 0;
}

/* ---- Strings ---- */

void args_init(struct exec_args *a)
{
    uint32_t limit = proc_current()->rlimits[RLIMIT_STACK].cur / 4;

    memset(a, 0, sizeof(*a));
    if (limit > STRINGS_MAX)
        limit = STRINGS_MAX;
    a->limit = limit < ARG_MAX ? ARG_MAX : limit;
}

void args_free(struct exec_args *a)
{
    chain_free(&a->strings);
    chain_free(&a->table);
}

static int check_limit(const struct exec_args *a)
{
    return a->strings.size + a->nwords * 4 > a->limit ? -E2BIG : 0;
}

int args_add_words(struct exec_args *a, const uint32_t *words, uint32_t n)
{
    return chain_append(&a->table, words, n * sizeof(*words));
}

static int args_add_word(struct exec_args *a, uint32_t word)
{
    struct chain *c = &a->table;

    if (!c->last || c->used == PAGE_SIZE)
        return chain_append(c, &word, sizeof(word));
    *(uint32_t *)(c->last + c->used) = word;
    chain_advance(c, sizeof(word));
    return 0;
}

static int add_pointer(struct exec_args *a, uint32_t offset)
{
    a->nwords++;
    return args_add_word(a, offset);
}

int args_append(struct exec_args *a, const void *data, uint32_t n, uint32_t *offset)
{
    *offset = a->strings.size;
    return chain_append(&a->strings, data, n);
}

int args_add_string(struct exec_args *a, const char *s)
{
    uint32_t offset;
    size_t n = strlen(s) + 1;
    int err = n > MAX_STRING ? -E2BIG : args_append(a, s, n, &offset);

    if (!err)
        err = add_pointer(a, offset);
    return err ? err : check_limit(a);
}

/* Copies the string at ustr, as many pieces as there are frames to fill. */
static int add_user_string(struct exec_args *a, const char __user *ustr)
{
    uint32_t start = a->strings.size, room;
    int n;

    do {
        uint8_t *to = chain_room(&a->strings, &room);

        if (!to)
            return -ENOMEM;
        n = strncpy_from_user((char *)to, ustr, room);
        if (n >= 0)
            room = (uint32_t)n + 1;
        else if (n != -ENAMETOOLONG)
            return n;
        chain_advance(&a->strings, room);
        ustr += room;
        if (a->strings.size - start > MAX_STRING || check_limit(a))
            return -E2BIG;
        sched_point();
    } while (n < 0);
    return add_pointer(a, start);
}

static int list_entry_at(const struct string_list *l, uint32_t i, uint32_t *out)
{
    if (l->user)
        return get_user_u32(out, (const uint32_t __user *)l->at + i);
    *out = ((const uint32_t *)l->at)[i];
    return 0;
}

int list_count(const struct string_list *l)
{
    uint32_t s = 0;
    int n = 0;

    if (!l->at)
        return 0;
    for (;; n++) {
        if (list_entry_at(l, (uint32_t)n, &s))
            return -EFAULT;
        if (!s || n >= (int)(STRINGS_MAX / 4))
            return n;
        sched_point();
    }
}

int args_add_list(struct exec_args *a, const struct string_list *l, uint32_t skip)
{
    uint32_t s;
    int err;

    if (!l->at)
        return 0;
    for (uint32_t i = skip;; i++) {
        if (list_entry_at(l, i, &s))
            return -EFAULT;
        if (!s)
            return 0;
        err = l->user ? add_user_string(a, (const char __user *)s)
                      : args_add_string(a, (const char *)s);
        if (err)
            return err;
        sched_point();
    }
}

int args_end_argv(struct exec_args *a)
{
    a->argc = a->nwords;
    a->env_offset = a->strings.size;
    return args_add_word(a, ARG_NULL);
}

int args_end_envp(struct exec_args *a)
{
    a->env_end = a->strings.size;
    return args_add_word(a, ARG_NULL);
}

/* ---- The new stack ---- */

/* The first argc + 1 + envc + 1 words become addresses; what follows (the auxiliary vector) is so
 * already. */
static void relocate(struct exec_args *a, uint32_t strings_at)
{
    uint32_t left = a->nwords + 2;

    for (uint8_t *page = a->table.first; page && left; page = *(uint8_t **)page) {
        uint32_t *w = (uint32_t *)(page + CHUNK_HEAD);
        uint32_t n = chunk_size(&a->table, page) / 4;

        for (; n && left; n--, left--, w++)
            *w = *w == ARG_NULL ? 0 : *w + strings_at;
        sched_point();
    }
}

int args_store(struct exec_args *a, struct vm_space *s, uint32_t strings_at, uint32_t *esp)
{
    uint32_t sp = (strings_at - a->table.size - 4) & ~15u; /* [i386 ABI] aligned at the count */
    int err;

    relocate(a, strings_at);
    err = chain_store(&a->strings, s, strings_at);
    if (!err)
        err = chain_store(&a->table, s, sp + 4);
    if (!err && vm_copy_to(s, sp, &a->argc, 4) != 4)
        err = -ENOMEM;
    *esp = sp;
    return err;
}
