/*
 * What the rest of the kernel may know of sockets: limits, and a list for /proc.
 */
#ifndef FS_NET_H
#define FS_NET_H

#include <stddef.h>
#include <stdint.h>

struct net_limits {                  /* words, read without a lock: /proc/sys/net */
    uint32_t wmem_default, wmem_max; /* bytes */
    uint32_t rmem_default, rmem_max;
    uint32_t optmem_max;     /* control data of one call */
    uint32_t somaxconn;      /* connections that wait for accept */
    uint32_t max_dgram_qlen; /* datagrams in a queue; of sockets made from then on */
    uint32_t user_bytes;     /* under way of all sockets of a user; root: none */
};
extern struct net_limits net_limits;

/* The least that wmem_max and rmem_max may be. */
#define NET_SNDBUF_LEAST 4480u
#define NET_RCVBUF_LEAST 2240u

/* The line of /proc/net/unix for the first socket with a number >= *number, which is set to it: its
 * length, 0 when there is none. */
int net_unix_line(void *from, uint64_t *number, char *buf, size_t size);

#endif
