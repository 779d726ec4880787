/* Keyboard layouts: what a key types. Pure. */
#ifndef DRIVERS_LAYOUTS_H
#define DRIVERS_LAYOUTS_H

#include <stdbool.h>
#include <stdint.h>

enum layout_level { LAYOUT_PLAIN, LAYOUT_SHIFT, LAYOUT_ALTGR };

struct layout;

const struct layout *layout_find(const char *name); /* NULL: unknown */
/* In all of these NULL is the US layout. The right Alt key is AltGr where a layout has that level.
 */
bool layout_has_altgr(const struct layout *l);
/* What a scan code of set 1 types, 0 for nothing or a key that is the same everywhere. */
uint16_t layout_char(const struct layout *l, enum layout_level level, uint8_t code);
bool layout_is_dead(uint16_t c);
/* The letter with the accent on it, or with a space the accent alone; 0: there is no such one. */
uint16_t layout_compose(uint16_t accent, uint16_t letter);

#endif
