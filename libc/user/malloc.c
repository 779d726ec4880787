/*
 * The heap: first fit over a list of free blocks in address order, on top of brk.
 *
 * Every block starts with a header and blocks follow each other without gaps unless somebody else
 * moved the break. Free neighbours are always joined, so the list never holds two that touch.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIGN     16
#define GROW_MIN  65536
#define MAX_ALLOC (0x7fffffffu - GROW_MIN)

struct block {
    size_t size;        /* bytes, header included; a multiple of ALIGN */
    struct block *next; /* the next free block, while this one is free */
    uint32_t pad[2];    /* what malloc returns is aligned too */
};

static struct block *free_list;

static struct block *after(struct block *b)
{
    return (struct block *)((char *)b + b->size);
}

/* Puts a block on the list, joining it with the free blocks that touch it. */
static void release(struct block *b)
{
    struct block *prev = NULL, *next = free_list;

    while (next && next < b) {
        prev = next;
        next = next->next;
    }
    b->next = next;
    if (next && after(b) == next) {
        b->size += next->size;
        b->next = next->next;
    }
    if (!prev) {
        free_list = b;
    } else if (after(prev) == b) {
        prev->size += b->size;
        prev->next = b->next;
    } else {
        prev->next = b;
    }
}

/* Adds at least size bytes of fresh memory to the list. */
static int grow(size_t size)
{
    uintptr_t start = (uintptr_t)sbrk(0), aligned = (start + ALIGN - 1) & -ALIGN;
    struct block *b = (struct block *)aligned;

    if (size < GROW_MIN)
        size = GROW_MIN;
    if (sbrk(size + (aligned - start)) == (void *)-1)
        return -1;
    b->size = size;
    release(b);
    return 0;
}

/* Takes size bytes off the block that *link points to. */
static struct block *take(struct block **link, size_t size)
{
    struct block *b = *link, *rest;

    if (b->size - size < 2 * sizeof(*b)) {
        *link = b->next;
        return b;
    }
    rest = (struct block *)((char *)b + size);
    rest->size = b->size - size;
    rest->next = b->next;
    *link = rest;
    b->size = size;
    return b;
}

void *malloc(size_t size)
{
    if (size > MAX_ALLOC) {
        errno = ENOMEM;
        return NULL;
    }
    size = (size + sizeof(struct block) + ALIGN - 1) & -ALIGN;
    do {
        for (struct block **link = &free_list; *link; link = &(*link)->next)
            if ((*link)->size >= size)
                return take(link, size) + 1;
    } while (grow(size) == 0);
    return NULL;
}

void free(void *p)
{
    if (p)
        release((struct block *)p - 1);
}

void *calloc(size_t n, size_t size)
{
    size_t bytes;
    void *p;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    p = malloc(bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void *realloc(void *p, size_t size)
{
    size_t have = p ? ((struct block *)p)[-1].size - sizeof(struct block) : 0;
    void *bigger;

    if (p && size <= have)
        return p;
    bigger = malloc(size);
    if (bigger && p) {
        memcpy(bigger, p, have);
        free(p);
    }
    return bigger;
}
