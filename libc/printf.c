/*
 * Formatting and number parsing, shared by the kernel and the programs. One pass over the
 * format into a bounded buffer; no allocation, no locale, no floating point.
 */
#include "libc/printf.h"

#include "libc/ctype.h"
#include "libc/string.h"

#include <stdbool.h>
#include <stdint.h>

/* Where the output goes; len counts what it would be without the bound. */
struct out {
    char *buf;
    size_t size, len;
};

struct spec {
    bool left, plus, space, alt, zero;
    int width, prec; /* prec < 0: none given */
    int size;        /* bytes of the integer argument, after default promotions for hh and h */
    char conv;
};

static void emit(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void emit_bytes(struct out *o, const char *s, int n)
{
    const size_t room = o->len + 1 < o->size ? o->size - 1 - o->len : 0;

    if (n <= 0)
        return;
    memcpy(o->buf + o->len, s, (size_t)n < room ? (size_t)n : room);
    o->len += (size_t)n;
}

static void pad(struct out *o, char c, int n)
{
    for (; n > 0; n--)
        emit(o, c);
}

/* Stops growing before it could overflow. */
static int parse_number(const char **fmt)
{
    int n = 0;

    for (; isdigit(**fmt); ++*fmt)
        if (n < __INT_MAX__ / 10 - 1)
            n = n * 10 + (**fmt - '0');
    return n;
}

static bool parse_flag(struct spec *s, char c)
{
    switch (c) {
    case '-':
        return s->left = true;
    case '+':
        return s->plus = true;
    case ' ':
        return s->space = true;
    case '#':
        return s->alt = true;
    case '0':
        return s->zero = true;
    default:
        return false;
    }
}

/* hh, h, l, ll, z, j and t; returns what is after them. long and size_t are the same size here. */
static const char *parse_size(struct spec *s, const char *fmt)
{
    s->size = sizeof(int);
    if (*fmt == 'h') {
        s->size = fmt[1] == 'h' ? 1 : 2;
        return fmt + (s->size == 1 ? 2 : 1);
    }
    if (*fmt == 'j' || (*fmt == 'l' && fmt[1] == 'l')) {
        s->size = sizeof(long long);
        return fmt + (*fmt == 'j' ? 1 : 2);
    }
    if (*fmt == 'l' || *fmt == 'z' || *fmt == 't') {
        s->size = sizeof(long);
        return fmt + 1;
    }
    return fmt;
}

static long long signed_arg(const struct spec *s, va_list *ap)
{
    if (s->size == sizeof(long long))
        return va_arg(*ap, long long);
    if (s->size == 1)
        return (signed char)va_arg(*ap, int);
    if (s->size == 2)
        return (short)va_arg(*ap, int);
    return s->size == sizeof(int) ? va_arg(*ap, int) : va_arg(*ap, long);
}

static unsigned long long unsigned_arg(const struct spec *s, va_list *ap)
{
    if (s->size == sizeof(long long))
        return va_arg(*ap, unsigned long long);
    if (s->size == 1)
        return (unsigned char)va_arg(*ap, int);
    if (s->size == 2)
        return (unsigned short)va_arg(*ap, int);
    return s->size == sizeof(int) ? va_arg(*ap, unsigned) : va_arg(*ap, unsigned long);
}

/* Writes the digits of v backwards, ending at end; 64-bit division only where it is needed. */
static char *digits(char *end, unsigned long long v, unsigned base, bool upper)
{
    const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned low;

    for (; v > ~0u; v /= base)
        *--end = set[v % base];
    for (low = v; low; low /= base)
        *--end = set[low % base];
    return end;
}

/* Blanks, prefix, zeros, digits, blanks. A precision is a least number of digits and turns the flag
 * 0 off; a zero with precision 0 has no digits at all. */
static void format_integer(struct out *o, const struct spec *s, unsigned long long v, unsigned base,
                           const char *prefix)
{
    char buf[24], *end = buf + sizeof(buf), *p = digits(end, v, base, s->conv == 'X');
    int n = end - p, plen = strlen(prefix), zeros = s->prec < 0 ? 1 - n : s->prec - n, blanks;

    if (base == 8 && s->alt && zeros <= 0)
        zeros = 1;
    if (zeros < 0)
        zeros = 0;
    blanks = s->width - plen - zeros - n;
    if (s->zero && !s->left && s->prec < 0 && blanks > 0) {
        zeros += blanks;
        blanks = 0;
    }
    if (!s->left)
        pad(o, ' ', blanks);
    emit_bytes(o, prefix, plen);
    pad(o, '0', zeros);
    emit_bytes(o, p, n);
    if (s->left)
        pad(o, ' ', blanks);
}

static void format_signed(struct out *o, const struct spec *s, long long v)
{
    const char *prefix = v < 0 ? "-" : s->plus ? "+" : s->space ? " " : "";

    format_integer(o, s, v < 0 ? -(unsigned long long)v : (unsigned long long)v, 10, prefix);
}

static void format_string(struct out *o, const struct spec *s, const char *str, int n)
{
    if (!s->left)
        pad(o, ' ', s->width - n);
    emit_bytes(o, str, n);
    if (s->left)
        pad(o, ' ', s->width - n);
}

static void format_text(struct out *o, const struct spec *s, const char *str)
{
    if (!str)
        str = "(null)";
    format_string(o, s, str, s->prec < 0 ? strlen(str) : strnlen(str, s->prec));
}

static void format_hex(struct out *o, const struct spec *s, unsigned long long v)
{
    format_integer(o, s, v, 16, !s->alt || !v ? "" : s->conv == 'X' ? "0X" : "0x");
}

static void format_pointer(struct out *o, struct spec *s, void *p)
{
    s->alt = true;
    format_hex(o, s, (uintptr_t)p);
}

static void format_one(struct out *o, struct spec *s, va_list *ap)
{
    char c;

    switch (s->conv) {
    case 'd':
    case 'i':
        format_signed(o, s, signed_arg(s, ap));
        break;
    case 'u':
        format_integer(o, s, unsigned_arg(s, ap), 10, "");
        break;
    case 'o':
        format_integer(o, s, unsigned_arg(s, ap), 8, "");
        break;
    case 'x':
    case 'X':
        format_hex(o, s, unsigned_arg(s, ap));
        break;
    case 'p':
        format_pointer(o, s, va_arg(*ap, void *));
        break;
    case 's':
        format_text(o, s, va_arg(*ap, const char *));
        break;
    case 'c':
        c = va_arg(*ap, int);
        format_string(o, s, &c, 1);
        break;
    default:
        emit(o, s->conv);
    }
}

/* Parses one conversion, after its '%'; returns what follows it. */
static const char *parse_spec(struct spec *s, const char *fmt, va_list *ap)
{
    *s = (struct spec){.prec = -1};
    while (parse_flag(s, *fmt))
        fmt++;
    if (*fmt == '*') {
        s->width = va_arg(*ap, int);
        fmt++;
    } else {
        s->width = parse_number(&fmt);
    }
    if (s->width < 0) {
        s->left = true;
        s->width = -s->width;
    }
    if (*fmt == '.') {
        fmt++;
        if (*fmt == '*') {
            s->prec = va_arg(*ap, int);
            fmt++;
        } else {
            s->prec = parse_number(&fmt);
        }
    }
    fmt = parse_size(s, fmt);
    s->conv = *fmt;
    return *fmt ? fmt + 1 : fmt;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    struct out o = {buf, size, 0};
    struct spec s;
    va_list ap;

    va_copy(ap, args);
    while (*fmt) {
        const char *run = fmt;

        while (*fmt && *fmt != '%')
            fmt++;
        emit_bytes(&o, run, (int)(fmt - run));
        if (!*fmt)
            break;
        fmt = parse_spec(&s, fmt + 1, &ap);
        if (s.conv)
            format_one(&o, &s, &ap);
    }
    va_end(ap);
    if (size)
        buf[o.len < size ? o.len : size - 1] = '\0';
    return o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

static int digit_value(int c)
{
    if (isdigit(c))
        return c - '0';
    return isalpha(c) ? tolower(c) - 'a' + 10 : 99;
}

/* The magnitude at s; *end is s itself where there is no digit. */
static unsigned long parse_magnitude(const char *s, const char **end, int base, bool *overflow)
{
    unsigned long v = 0;

    *end = s;
    *overflow = false;
    if ((base == 0 || base == 16) && s[0] == '0' && tolower(s[1]) == 'x' && isxdigit(s[2])) {
        s += 2;
        base = 16;
    }
    if (base == 0)
        base = *s == '0' ? 8 : 10;
    for (int d; (d = digit_value(*s)) < base; *end = ++s) {
        *overflow |= v > (~0ul - d) / base;
        v = v * base + d;
    }
    return v;
}

static const char *parse_sign(const char *s, bool *negative)
{
    while (isspace(*s))
        s++;
    *negative = *s == '-';
    return *s == '-' || *s == '+' ? s + 1 : s;
}

unsigned long strtoul(const char *s, char **end, int base)
{
    bool negative, overflow;
    const char *start = parse_sign(s, &negative), *stop;
    unsigned long v = parse_magnitude(start, &stop, base, &overflow);

    if (end)
        *end = (char *)(stop == start ? s : stop);
    return overflow ? ~0ul : negative ? -v : v;
}

long strtol(const char *s, char **end, int base)
{
    bool negative, overflow;
    const char *start = parse_sign(s, &negative), *stop;
    unsigned long v = parse_magnitude(start, &stop, base, &overflow);

    if (end)
        *end = (char *)(stop == start ? s : stop);
    if (overflow || v > __LONG_MAX__)
        return negative ? -__LONG_MAX__ - 1 : __LONG_MAX__;
    return negative ? -(long)v : (long)v;
}
