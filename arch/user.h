/*
 * The mark of a pointer into a program's memory. `scripts/pointers` (sparse) refuses to
 * follow one, to mix one with a kernel pointer, and to cast the mark away; only arch/uaccess.h
 * touches what it points to. To the compiler the mark says nothing.
 */
#ifndef ARCH_USER_H
#define ARCH_USER_H

#ifdef __CHECKER__
#define __user  __attribute__((noderef, address_space(__user)))
#define __force __attribute__((force))
#else
#define __user
#define __force /* in a cast: the mark is dropped or added knowingly */
#endif

#endif
