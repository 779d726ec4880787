/* Devices of characters, as /sys shows them. */
#ifndef FS_DEV_CLASS_H
#define FS_DEV_CLASS_H

#include <stdint.h>

/* Of a class that is known; others are left out. It stays for good. 0 or -ENOMEM. May sleep. */
int class_add(const char *name, uint32_t mode, uint32_t rdev);

#endif
