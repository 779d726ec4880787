/* assert(): prints the expression and aborts. */
#ifndef ASSERT_H
#define ASSERT_H

#include "libc/assert.h"

#define assert(cond) KASSERT(cond)

#endif
