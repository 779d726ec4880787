/*
 * A map from a sparse 32-bit index to pointers: a radix tree of 64-slot nodes, only as high as its
 * largest index needs. A one-page file costs no node at all.
 *
 * Node: 64 slots and the count of used ones. An empty node is freed at once, so that a tree without
 * items holds no memory.
 */
#include "libc/errno.h"
#include "mm/mm.h"

#define BITS       6u
#define SLOTS      (1u << BITS)
#define MAX_HEIGHT 6u /* 6 * 6 bits >= 32 */

struct node {
    void *slot[SLOTS];
    uint32_t used;
};

static bool in_reach(unsigned height, uint32_t index)
{
    return height * BITS >= 32 || index >> (height * BITS) == 0;
}

static unsigned slot_at(uint32_t index, unsigned level)
{
    return (index >> (level * BITS)) & (SLOTS - 1);
}

void *radix_get(const struct radix *r, uint32_t index)
{
    void *at = r->root;

    if (!in_reach(r->height, index))
        return NULL;
    for (unsigned level = r->height; at && level > 0; level--)
        at = ((struct node *)at)->slot[slot_at(index, level - 1)];
    return at;
}

void **radix_run(const struct radix *r, uint32_t index, uint32_t *run)
{
    void *at = r->root;

    *run = SLOTS - slot_at(index, 0);
    if (!at || !in_reach(r->height, index))
        return NULL;
    if (r->height == 0) {
        *run = 1;
        return (void **)&r->root;
    }
    for (unsigned level = r->height; at && level > 1; level--)
        at = ((struct node *)at)->slot[slot_at(index, level - 1)];
    return at ? &((struct node *)at)->slot[slot_at(index, 0)] : NULL;
}

/* One more level on top. An empty tree needs no node for that. */
static int raise(struct radix *r)
{
    if (r->root) {
        struct node *top = kzalloc(sizeof(*top));
        if (!top)
            return -ENOMEM;
        top->slot[0] = r->root;
        top->used = 1;
        r->root = top;
    }
    r->height++;
    return 0;
}

static void prune(struct radix *r, uint32_t index);

int radix_set(struct radix *r, uint32_t index, void *item)
{
    void **at;

    while (!in_reach(r->height, index)) {
        if (raise(r))
            return -ENOMEM;
    }
    at = &r->root;
    for (unsigned level = r->height; level > 0; level--) {
        struct node *n = *at;
        if (!n) {
            n = kzalloc(sizeof(*n));
            if (!n) {
                prune(r, index);
                return -ENOMEM;
            }
            *at = n;
            if (level != r->height)
                container_of(at - slot_at(index, level), struct node, slot[0])->used++;
        }
        at = &n->slot[slot_at(index, level - 1)];
    }
    KASSERT(!*at);
    if (r->height > 0)
        container_of(at - slot_at(index, 0), struct node, slot[0])->used++;
    *at = item;
    return 0;
}

/* Frees the nodes on the way to index that hold nothing, lowest first. */
static void prune(struct radix *r, uint32_t index)
{
    struct node *path[MAX_HEIGHT];
    unsigned level = r->height, depth = 0;
    void *at = r->root;

    while (level > 0 && at) {
        path[depth++] = at;
        at = ((struct node *)at)->slot[slot_at(index, --level)];
    }
    while (depth > 0 && path[depth - 1]->used == 0) {
        kmfree(path[--depth]);
        if (depth > 0) {
            path[depth - 1]->slot[slot_at(index, r->height - depth)] = NULL;
            path[depth - 1]->used--;
        } else {
            r->root = NULL;
        }
    }
    if (!r->root)
        r->height = 0;
}

void *radix_clear(struct radix *r, uint32_t index)
{
    void **at = &r->root, *item;

    if (!in_reach(r->height, index))
        return NULL;
    for (unsigned level = r->height; level > 0; level--) {
        if (!*at)
            return NULL;
        at = &((struct node *)*at)->slot[slot_at(index, level - 1)];
    }
    item = *at;
    if (!item)
        return NULL;
    *at = NULL;
    if (r->height > 0)
        container_of(at - slot_at(index, 0), struct node, slot[0])->used--;
    prune(r, index);
    return item;
}

void radix_replace(struct radix *r, uint32_t index, void *item)
{
    uint32_t run;
    void **at = radix_run(r, index, &run);

    KASSERT(at && *at);
    *at = item;
}

void *radix_next(const struct radix *r, uint32_t *index)
{
    uint64_t i = *index;

    if (!r->root)
        return NULL;
    while (i <= UINT32_MAX && in_reach(r->height, (uint32_t)i)) {
        void *at = r->root;
        unsigned level = r->height;
        while (at && level > 0)
            at = ((struct node *)at)->slot[slot_at((uint32_t)i, --level)];
        if (at) {
            *index = (uint32_t)i;
            return at;
        }
        i = ((i >> (level * BITS)) + 1) << (level * BITS);
    }
    return NULL;
}
