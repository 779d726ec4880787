/*
 * Lists of supplementary groups: what several processes share, since fork copies nothing of them.
 */
#include "kernel/cred/cred.h"
#include "mm/mm.h"

struct group_list *groups_get(struct group_list *g)
{
    if (g)
        __atomic_fetch_add(&g->refs, 1, __ATOMIC_RELAXED);
    return g;
}

static void list_free(struct group_list *g)
{
    for (uint32_t i = 0; i < g->count; i += GROUPS_BLOCK)
        kmfree(g->blocks[i / GROUPS_BLOCK]);
    kmfree(g);
}

void groups_put(struct group_list *g)
{
    if (g && __atomic_sub_fetch(&g->refs, 1, __ATOMIC_ACQ_REL) == 0)
        list_free(g);
}

struct group_list *groups_new(uint32_t count)
{
    uint32_t blocks = (count + GROUPS_BLOCK - 1) / GROUPS_BLOCK;
    struct group_list *g = kzalloc(sizeof(*g) + blocks * sizeof(g->blocks[0]));
    bool whole = g != NULL;

    if (!g)
        return NULL;
    g->refs = 1;
    g->count = count;
    for (uint32_t i = 0; i < blocks && whole; i++) {
        uint32_t left = count - i * GROUPS_BLOCK;

        g->blocks[i] = kmalloc((left < GROUPS_BLOCK ? left : GROUPS_BLOCK) * sizeof(uint32_t));
        whole = g->blocks[i] != NULL;
    }
    if (!whole)
        groups_put(g);
    return whole ? g : NULL;
}

bool groups_have(const struct group_list *g, uint32_t gid)
{
    uint32_t from = 0, to = g->count;

    while (from < to) {
        uint32_t middle = (from + to) / 2;

        if (*group_at(g, middle) == gid)
            return true;
        if (*group_at(g, middle) < gid)
            from = middle + 1;
        else
            to = middle;
    }
    return false;
}
