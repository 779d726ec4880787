/*
 * Objects: what supplies pages by index. File systems and devices give one a pager; read, write and
 * mmap share its pages.
 *
 * Offsets and lengths are in bytes, indexes in pages. Errors are -errno. Unless it says "may
 * sleep", a function does not; none may be called with a spin lock held.
 */
#ifndef MM_OBJECT_H
#define MM_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/user.h"

struct vm_object;
struct frame;

/* What areas keep alive beside their object: the open file that they were mapped through. */
struct vm_backing {
    uint32_t areas; /* [v] that have it */
    /* The first area has it (true: [v], must not sleep); the last is gone (false: may sleep). */
    void (*hold)(struct vm_backing *b, bool held);
};

#define VM_RUN_MAX 16 /* pages in one piece of work for a pager */

/* Neighbouring pages of an object that a pager is at work on. */
struct vm_run {
    uint32_t index;         /* of the first page */
    unsigned count;         /* 1 to VM_RUN_MAX */
    void *page[VM_RUN_MAX]; /* the frames, by their kernel addresses; virt_to_phys() applies */
    bool fresh;             /* out, get(): the first page was made up (zeros): a minor fault */
    uint8_t turn;           /* put(): mm's own, see object_await_puts() */
};

/*
 * How pages get into an object and out of it. A pager is called by bring_in() and by write-back
 * only, never under a spin lock, and may sleep. Several runs of one object may be under way at
 * once, never the same page twice in the same direction; a page that is being put may be read and
 * written meanwhile, and is then put again.
 */
struct pager {
    const char *name;
    /*
     * Fills the pages of the run, whose contents are undefined; what lies past the end of the
     * object becomes zeros. Returns how many it filled, counted from the first, at least one; or
     * -errno for the first (-ENOSPC and -ENOMEM are passed on by file I/O, others are -EIO). What
     * it did not fill is asked for again when somebody needs it, so an error in the middle of a run
     * meets only who asked for that page. vm_object_pages() counts the pages of the run already.
     */
    int (*get)(struct vm_object *o, struct vm_run *run);
    /*
     * Writes dirty pages to where get() will find them. Returns how many it wrote, counted from the
     * first, at least one; or -errno for the first, which stays dirty. The object may have become
     * shorter since. NULL: the object's pages are their only home.
     */
    int (*put)(struct vm_object *o, const struct vm_run *run);
    /* The page is about to be written to for the first time: makes sure of a place where put() can
     * leave it. May be NULL. -ENOSPC, -EIO: the write fails, or the fault is SIGBUS. */
    int (*reserve)(struct vm_object *o, uint32_t index);
    /* A program writes to a page through a mapping, which had been clean or unmapped. [v], must not
     * sleep. May be NULL. */
    void (*written)(struct vm_object *o);
    /* For msync(MS_SYNC): the dirty pages, and all that finding them again takes, are on the medium
     * after. Without a lock, sleeps. NULL: put is enough. */
    int (*sync)(struct vm_object *o);
    /* How many pages a sequence of faults or reads is worth bringing in ahead; 0 and 1: none. */
    unsigned ahead;
    /* Whether get() would give zeros for this page and all that follow: then a hole may be punched
     * by dropping them, and read without making them. [v], must not sleep. May be NULL: no. */
    bool (*zero_behind)(const struct vm_object *o, uint32_t index);
    /* An area that mapped it is gone. May sleep. May be NULL; if not, its areas are never joined.
     */
    void (*unmapped)(struct vm_object *o);
    /* The last reference is gone and so are the pages. May be NULL. */
    void (*destroy)(struct vm_object *o);
    /* Writes the name shown in /proc/PID/maps into buf; gives inode and device numbers. May be
     * NULL. */
    void (*describe)(struct vm_object *o, char *buf, size_t size, uint32_t *ino, uint32_t *dev);
    bool shared_memory; /* memory that programs share, not a file's: counted apart */
};

/* private: the pager's own (a file system keeps its inode there); see vm_object_private(). */
struct vm_object *vm_object_create(const struct pager *pager, void *private, uint64_t size);
/* get and zero_behind of a pager with nothing behind it. */
int vm_zero_get(struct vm_object *o, struct vm_run *run);
bool vm_zero_behind(const struct vm_object *o, uint32_t index);
struct vm_object *vm_object_create_anon(uint64_t size); /* shared anonymous memory, zero-filled */
void *vm_object_private(const struct vm_object *o);
void vm_object_ref(struct vm_object *o);
void vm_object_unref(struct vm_object *o); /* may sleep (destroy) */
uint64_t vm_object_size(const struct vm_object *o);
uint32_t vm_object_pages(const struct vm_object *o);   /* that it has, in memory or in swap */
uint32_t vm_object_swapped(const struct vm_object *o); /* part of these: in swap */

/*
 * Sets the size. Shrinking unmaps and frees the pages past the end and zeroes the tail of the last
 * page; accesses through mappings then get SIGBUS. May sleep.
 */
int vm_object_resize(struct vm_object *o, uint64_t size);

/* Zeroes a range, giving frames back where the pager allows; the size stays. May sleep. */
int vm_object_punch(struct vm_object *o, uint64_t from, uint64_t len);
/* The first page at or after *index that was ever written to. */
bool vm_object_next_dirty(struct vm_object *o, uint32_t *index);
/* Makes a page that a hole is, a copy of page or zeros (NULL). -EEXIST: it is none; -EFAULT: it is
 * behind the end; -ENOMEM, -ENOSPC. May sleep. */
int vm_object_make(struct vm_object *o, uint32_t index, const void *page);
uint32_t vm_object_areas(struct vm_object *o);               /* how many map it */
void vm_object_set_locked(struct vm_object *o, bool locked); /* its pages stay in memory */
/* From now on -EPERM to map it shared and writable, or so that it could become; false, and nothing
 * changes, when somebody has. */
bool vm_object_deny_writers(struct vm_object *o);
bool vm_object_has_writers(struct vm_object *o); /* is mapped so, or could become */
/* Counts all of a shared object as promised memory, until it goes; false: too much of that. */
bool vm_object_promise(struct vm_object *o);
int vm_object_touch(struct vm_object *o, uint32_t index); /* makes a page resident; may sleep */
/* The same for ever: where the kernel finds it, NULL without memory. May sleep. */
void *vm_object_hold(struct vm_object *o, uint32_t index);
/*
 * Writes the dirty pages of [first, end) back, if there is where to, and waits until they are
 * there. The first error; what could not be written stays dirty. May sleep.
 */
int vm_object_sync_range(struct vm_object *o, uint32_t first, uint32_t end);
int vm_object_sync(struct vm_object *o); /* all of it */
/* What is on its way to the disk is there. Its errors are told, as by a sync. May sleep. */
int vm_object_await(struct vm_object *o);
/* The pages of [first, end) are no longer what is behind them: they go, dirty or not, once nothing
 * is at work on them. May sleep. */
void vm_object_forget(struct vm_object *o, uint32_t first, uint64_t end);

void vm_object_drop(struct vm_object *o); /* its clean pages that nobody maps */

/*
 * File I/O over the page cache: the very frames that mmap maps. ubuf is user memory. Return bytes
 * moved; a short count when a fault stopped it part-way, -EFAULT or -EIO, -ENOMEM when nothing was
 * moved. Reads stop at the end of the object; writes extend it. May sleep.
 */
long vm_object_read(struct vm_object *o, uint64_t offset, void __user *ubuf, size_t len);
long vm_object_write(struct vm_object *o, uint64_t offset, const void __user *ubuf, size_t len);
/* The same to and from kernel memory. */
long vm_object_read_kernel(struct vm_object *o, uint64_t offset, void *buf, size_t len);
long vm_object_write_kernel(struct vm_object *o, uint64_t offset, const void *buf, size_t len);

#endif
