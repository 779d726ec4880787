#ifndef CTYPE_H
#define CTYPE_H

#include "libc/ctype.h"

#endif
