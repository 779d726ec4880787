/* What uname and the banner say. Programs look for "Linux" and a release they know. */
#ifndef KERNEL_VERSION_H
#define KERNEL_VERSION_H

#define UTS_SYSNAME "Linux"
#define UTS_RELEASE "6.1.0-faultline"
#define UTS_VERSION "#1 Faultline 0.1"
#define UTS_MACHINE "i686"

#endif
