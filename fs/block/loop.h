/* Loop devices: files as disks. */
#ifndef FS_BLOCK_LOOP_H
#define FS_BLOCK_LOOP_H

void loop_init(void); /* /dev/loop-control, which makes them */

#endif
