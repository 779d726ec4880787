/* Byte strings: the core shared with the kernel, and what needs a heap or errno. */
#ifndef STRING_H
#define STRING_H

#include "libc/string.h"

char *strncpy(char *restrict dst, const char *restrict src, size_t n);
char *strcat(char *restrict dst, const char *restrict src);
char *strncat(char *restrict dst, const char *restrict src, size_t n);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);
char *strpbrk(const char *s, const char *accept);
char *strtok_r(char *restrict s, const char *restrict sep, char **restrict save);
char *strtok(char *restrict s, const char *restrict sep);
int strcasecmp(const char *a, const char *b);
char *strdup(const char *s);
char *strndup(const char *s, size_t n);
char *strerror(int error);
const char *strsignal(int signo);

#endif
