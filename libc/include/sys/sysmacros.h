#ifndef SYS_SYSMACROS_H
#define SYS_SYSMACROS_H

#define major(dev) ((unsigned)((dev) >> 8) & 0xfff)
#define minor(dev) ((unsigned)(((dev)&0xff) | (((dev) >> 12) & 0xfff00)))

#endif
