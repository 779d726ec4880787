/* The disk in compressed memory, for who sets it up at boot. */
#ifndef FS_BLOCK_ZRAM_H
#define FS_BLOCK_ZRAM_H

#include "fs/block/block.h"

/* The device with the size that the option's value asks for; NULL: nonsense, no memory, or it has
 * a size already. Borrowed. May sleep. */
struct block_device *zram_at_boot(const char *value);

#endif
