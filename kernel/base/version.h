/* What uname and the banner say. Programs look for "Linux" and a release they know. */
#ifndef KERNEL_VERSION_H
#define KERNEL_VERSION_H

#define UTS_SYSNAME "Linux"
#define UTS_RELEASE "6.1.0-faultline"
/* For programs that expect a 2.6: 60 and the minor number, then what follows the numbers. */
#define UTS_RELEASE_26 "2.6.61-faultline"
#define UTS_VERSION    "#1 Faultline 0.2"
#define UTS_MACHINE    "i686"

#endif
