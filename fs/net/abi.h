/*
 * Numbers and structures of the socket calls, as Linux i386 has them.
 */
#ifndef FS_NET_ABI_H
#define FS_NET_ABI_H

#include <stdint.h>
#include "arch/user.h"

#define AF_UNSPEC 0
#define AF_UNIX   1

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3 /* another name for SOCK_DGRAM in this family */
#define SOCK_SEQPACKET 5
#define SOCK_TYPE_MASK 15u
#define SOCK_TYPE_MOST 10u

#define SHUT_RD   0u
#define SHUT_RDWR 2u

#define SOL_SOCKET      1
#define SCM_RIGHTS      1
#define SCM_CREDENTIALS 2
#define SCM_MAX_FD      253u

#define MSG_OOB          0x1u
#define MSG_PEEK         0x2u
#define MSG_CTRUNC       0x8u
#define MSG_TRUNC        0x20u
#define MSG_DONTWAIT     0x40u
#define MSG_WAITALL      0x100u
#define MSG_NOSIGNAL     0x4000u
#define MSG_WAITFORONE   0x10000u
#define MSG_CMSG_CLOEXEC 0x40000000u

enum {
    SO_DEBUG = 1,
    SO_REUSEADDR,
    SO_TYPE,
    SO_ERROR,
    SO_DONTROUTE,
    SO_BROADCAST,
    SO_SNDBUF,
    SO_RCVBUF,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SO_NO_CHECK,
    SO_PRIORITY,
    SO_LINGER,
    SO_BSDCOMPAT,
    SO_REUSEPORT,
    SO_PASSCRED,
    SO_PEERCRED,
    SO_RCVLOWAT,
    SO_SNDLOWAT,
    SO_RCVTIMEO_OLD,
    SO_SNDTIMEO_OLD,
    SO_BINDTODEVICE = 25,
    SO_PEERNAME = 28,
    SO_TIMESTAMP_OLD = 29,
    SO_ACCEPTCONN = 30,
    SO_SNDBUFFORCE = 32,
    SO_RCVBUFFORCE = 33,
    SO_PASSSEC = 34,
    SO_TIMESTAMPNS_OLD = 35,
    SO_MARK = 36,
    SO_PROTOCOL = 38,
    SO_DOMAIN = 39,
    SO_RXQ_OVFL = 40,
    SO_PEEK_OFF = 42,
    SO_SELECT_ERR_QUEUE = 45,
    SO_COOKIE = 57,
    SO_PEERGROUPS = 59,
    SO_TIMESTAMP_NEW = 63,
    SO_TIMESTAMPNS_NEW = 64,
    SO_RCVTIMEO_NEW = 66,
    SO_SNDTIMEO_NEW = 67,
};

#define SIOCINQ   0x541bu /* FIONREAD */
#define SIOCOUTQ  0x5411u
#define FIOSETOWN 0x8901u
#define SIOCSPGRP 0x8902u
#define FIOGETOWN 0x8903u
#define SIOCGPGRP 0x8904u

#define SIOCATMARK 0x8905u

#define UNIX_PATH_MAX 108u
#define PATH_AT       2u   /* where the path begins in a sockaddr_un */
#define SOCKADDR_MOST 128u /* any family's */

struct sockaddr_un {
    uint16_t family;
    char path[UNIX_PATH_MAX];
};
#define SOCKADDR_UN_SIZE (PATH_AT + UNIX_PATH_MAX)

struct ucred {
    int32_t pid;
    uint32_t uid, gid;
};

struct msghdr {
    void __user *name;
    int32_t namelen;
    void __user *iov;
    uint32_t iovlen;
    void __user *control;
    uint32_t controllen;
    uint32_t flags;
};

struct mmsghdr {
    struct msghdr hdr;
    uint32_t len;
};

struct cmsghdr {
    uint32_t len; /* with this header */
    int32_t level, type;
};
#define CMSG_ALIGN(n) (((n) + 3u) & ~3u)

_Static_assert(sizeof(struct msghdr) == 28 && sizeof(struct mmsghdr) == 32, "Linux i386 layout");
_Static_assert(sizeof(struct sockaddr_un) == SOCKADDR_UN_SIZE, "Linux i386 layout");
_Static_assert(sizeof(struct cmsghdr) == 12, "Linux i386 layout");

#endif
