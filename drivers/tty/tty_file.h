/*
 * What the files of a terminal are made of: for tty_open.c, which puts it together, and the parts
 * that do the work.
 */
#ifndef DRIVERS_TTY_FILE_H
#define DRIVERS_TTY_FILE_H

#include "drivers/tty/tty.h"
#include "fs/vfs/vfs.h"

/* Device numbers. */
#define TTY_MAJOR    4
#define TTYAUX_MAJOR 5
#define PTM_MAJOR    128 /* masters: in tables alone, they have no nodes */
#define PTY_MAJOR    136 /* slaves */
#define PTY_MINORS   0x100000u
#define SERIAL_MINOR 64
#define AUX_TTY      0 /* minors of TTYAUX_MAJOR */
#define AUX_CONSOLE  1
#define AUX_PTMX     2

/* tty.c: the operations of a file whose private is a struct tty_file. */
long tty_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos);
long tty_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos);
uint32_t tty_poll(struct file *f, struct poll_table *pt);

/* What a read has taken goes to the user; how much of it counts as read. */
size_t tty_copy_out(void __user *ubuf, const char *s, size_t n);
/* A write that is whole towards others: who holds *flag is alone. Memory is copied in chunks, each
 * of which chunk() takes wholly, waiting unless the file must not: how much, or -errno. */
long tty_write_whole(struct file *f, const void __user *ubuf, size_t len, struct waitq *q,
                     bool *flag, long (*chunk)(struct file *f, const char *s, size_t len));

/* pty.c: the slave whose node in a devpts that is, a reference. -EIO when its master is gone. */
int pty_slave_of(struct inode *node, struct tty **out);
/* Makes a pseudo-terminal; f, which opens a ptmx, becomes its master. */
int pty_open_master(struct file *f);
/* pty_ioctl.c: whether that is for the master itself, and what comes of it; else it is as if the
 * slave was asked. */
bool pty_master_ioctl(struct file *f, uint32_t cmd, uint32_t arg, long *result);
/* /dev/ptmx and the file system of the slaves; /proc/tty. */
void pty_init(void);
void tty_proc_init(void);

#endif
