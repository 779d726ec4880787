/* What the files of loop devices share. */
#ifndef FS_BLOCK_LOOP_IMPL_H
#define FS_BLOCK_LOOP_IMPL_H

#include "fs/block/internal.h"

#define NAME_BYTES 64u

#define FLAG_READ_ONLY 1u
#define FLAG_AUTOCLEAR 4u
#define FLAG_PARTSCAN  8u

struct loop {
    struct block_queue queue;
    unsigned number;
    struct mutex lock;        /* what follows, against changes; the thread reads it for those who
                                 have the device open, and then only they change it */
    struct file *file;        /* [and work_lock] NULL: free */
    struct vm_object *object; /* of the file or device behind */
    uint64_t offset, sizelimit;
    uint32_t flags;
    char name[NAME_BYTES];
    bool has_thread;
    bool removed; /* [loops_lock] nobody sees it */
    struct spinlock work_lock;
    uint32_t work; /* [work_lock] tags of requests for the thread */
    struct waitq wake;
};

struct file *loop_file(struct loop *l); /* a reference, or NULL */
/* /sys/block/loopN/loop, which is there while there is a file. */
void loop_sysfs_add(struct loop *l);
void loop_sysfs_remove(struct loop *l);

#endif
