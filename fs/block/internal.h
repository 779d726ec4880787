/* What the files of fs/block/ share among themselves. */
#ifndef FS_BLOCK_INTERNAL_H
#define FS_BLOCK_INTERNAL_H

#include "fs/block/driver.h"
#include "fs/vfs/text.h"

/* queue.c: makes the queue ready to take transfers; its driver's fields are filled in. */
void queue_init(struct block_queue *q);
/* recovery.c: tells the thread that resets disks of q, which stays; asks it to look. */
void recovery_add(struct block_queue *q);
void recovery_wake(void);
/* queue.c, for it: whether q wants a reset, which begins with this; ends it. */
bool queue_begin_reset(struct block_queue *q);
void queue_end_reset(struct block_queue *q, int err);
/* The figures of a device as they are now. */
void queue_stats(struct block_device *dev, struct block_stats *out);

/* device.c: makes a filled-in device known. names.c: its name and number. */
int device_add(struct block_device *dev);
/* Takes it off the lists; it goes with its last reference. */
void device_remove(struct block_device *dev);
/* A disk that nobody has open is not there any more, until device_add(). -EBUSY. */
int device_hide(struct block_device *dev);
/* object.c: it has another size, and other contents, now: its page cache is forgotten. May sleep.
 */
int device_resized(struct block_device *dev);
int name_disk(struct block_device *dev, enum block_kind kind);
int name_partition(struct block_device *dev);
unsigned name_minors(const struct block_device *disk);

/* The device after dev (NULL: the first) in order of their coming; takes a reference to it, drops
 * that to dev. */
struct block_device *device_next(struct block_device *dev);

/* partition.c: reads the table of a disk, whose partitions become known. -EBUSY while one is open.
 * May sleep. */
int partition_scan(struct block_device *disk);

void block_stats_text(struct text *t, struct block_device *dev); /* figures.c */

/* sysfs.c */
int block_sysfs_add(struct block_device *dev);
void block_sysfs_remove(struct block_device *dev);

#endif
