/*
 * Intrusive doubly linked lists. A list is a head and any number of nodes
 * embedded in their elements; both are a struct list.
 *
 *     struct job { int id; struct list link; };
 *     struct list jobs;                       list_init(&jobs);
 *     list_add_tail(&jobs, &job->link);
 *     struct job *j;
 *     list_for_each_entry(j, &jobs, link) use(j->id);
 *
 * A node that is on no list points to itself, so removing it again is harmless
 * and list_empty(&node) asks whether it is on one.
 */
#ifndef LIBC_LIST_H
#define LIBC_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include "libc/assert.h"

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(name)                                                                            \
    {                                                                                              \
        &(name), &(name)                                                                           \
    }

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

/* Insert node right after head: at the front. */
static inline void list_add(struct list *head, struct list *node)
{
    DEBUG_ASSERT(head->next->prev == head);
    node->next = head->next;
    node->prev = head;
    head->next->prev = node;
    head->next = node;
}

/* Insert node right before head: at the end. */
static inline void list_add_tail(struct list *head, struct list *node)
{
    list_add(head->prev, node);
}

static inline void list_remove(struct list *node)
{
    DEBUG_ASSERT(node->prev->next == node && node->next->prev == node);
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#define list_entry(node, type, member)       container_of(node, type, member)
#define list_first_entry(head, type, member) container_of((head)->next, type, member)
#define list_next_entry(pos, member)         container_of((pos)->member.next, __typeof__(*(pos)), member)

#define list_for_each_entry(pos, head, member)                                                     \
    for (pos = list_first_entry(head, __typeof__(*pos), member); &pos->member != (head);           \
         pos = list_next_entry(pos, member))

/* As above; pos itself may be removed in the body. */
#define list_for_each_entry_safe(pos, tmp, head, member)                                           \
    for (pos = list_first_entry(head, __typeof__(*pos), member),                                   \
        tmp = list_next_entry(pos, member);                                                        \
         &pos->member != (head); pos = tmp, tmp = list_next_entry(tmp, member))

#endif
