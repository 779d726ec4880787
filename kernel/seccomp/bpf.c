/*
 * Classic BPF as seccomp allows it: the checker, after which a program cannot but end, and the
 * machine that runs it: an accumulator, an index register, sixteen words of memory. man 2 seccomp,
 * man 7 bpf-helpers; "The BSD Packet Filter", 1993.
 */
#include "arch/uaccess.h"
#include "kernel/seccomp/seccomp.h"
#include "libc/errno.h"
#include "libc/string.h"

/* A code is a class and what it means in that class. */
#define CLASS(code) ((code)&0x07)
#define LD          0x00
#define LDX         0x01
#define ST          0x02
#define STX         0x03
#define ALU         0x04
#define JMP         0x05
#define RET         0x06
#define MISC        0x07
#define MODE(code)  ((code)&0xe0)
#define IMM         0x00
#define ABS         0x20
#define MEM         0x60
#define LEN         0x80
#define OP(code)    ((code)&0xf0)
#define X           0x08 /* the operand is the index register, not k */
#define A           0x10 /* RET: the accumulator */
#define TXA         0x80

enum {
    ADD = 0x00,
    SUB = 0x10,
    MUL = 0x20,
    DIV = 0x30,
    OR = 0x40,
    AND = 0x50,
    LSH = 0x60,
    RSH = 0x70,
    NEG = 0x80,
    XOR = 0xa0
};
enum { JA = 0x00, JEQ = 0x10, JGT = 0x20, JGE = 0x30, JSET = 0x40 };

#define WORDS 16u

#define WAYS_IN_PAGE (PAGE_SIZE / (uint32_t)sizeof(uint16_t))
#define WAY_PAGES    (BPF_MOST / WAYS_IN_PAGE)

static const struct bpf_instruction *at(const struct bpf_program *p, uint32_t pc)
{
    return &p->page[pc / BPF_IN_PAGE][pc % BPF_IN_PAGE];
}

/* ---- Loading ---- */

void bpf_free(struct bpf_program *p)
{
    for (uint32_t i = 0; i < BPF_PAGES; i++)
        kmfree(p->page[i]);
}

int bpf_load(struct bpf_program *p, const void __user *ucode, uint32_t length)
{
    uint32_t bytes = length * (uint32_t)sizeof(struct bpf_instruction);
    int err = 0;

    memset(p, 0, sizeof(*p));
    p->length = length;
    for (uint32_t i = 0; i * PAGE_SIZE < bytes && !err; i++) {
        uint32_t n = bytes - i * PAGE_SIZE < PAGE_SIZE ? bytes - i * PAGE_SIZE : PAGE_SIZE;

        p->page[i] = kmalloc(n);
        err = p->page[i]
                  ? copy_from_user(p->page[i], (const uint8_t __user *)ucode + i * PAGE_SIZE, n)
                  : -ENOMEM;
    }
    if (err)
        bpf_free(p);
    return err;
}

int bpf_store(const struct bpf_program *p, void __user *ucode)
{
    uint32_t bytes = p->length * (uint32_t)sizeof(struct bpf_instruction);
    int err = 0;

    for (uint32_t i = 0; i * PAGE_SIZE < bytes && !err; i++) {
        uint32_t n = bytes - i * PAGE_SIZE < PAGE_SIZE ? bytes - i * PAGE_SIZE : PAGE_SIZE;

        err = copy_to_user((uint8_t __user *)ucode + i * PAGE_SIZE, p->page[i], n);
    }
    return err;
}

/* ---- Checking ---- */

static bool is_alu(uint16_t code)
{
    switch (OP(code)) {
    case ADD:
    case SUB:
    case MUL:
    case DIV:
    case OR:
    case AND:
    case LSH:
    case RSH:
    case XOR:
        return (code & ~(OP(code) | X)) == ALU;
    default:
        return code == (ALU | NEG);
    }
}

static bool alu_is_valid(const struct bpf_instruction *i)
{
    if (!is_alu(i->code))
        return false;
    if (i->code == (ALU | DIV))
        return i->k != 0;
    return (i->code != (ALU | LSH) && i->code != (ALU | RSH)) || i->k < 32;
}

/* left: instructions behind it. */
static bool jump_is_valid(const struct bpf_instruction *i, uint32_t left)
{
    if (i->code == (JMP | JA))
        return i->k < left;
    if (OP(i->code) < JEQ || OP(i->code) > JSET || (i->code & ~(OP(i->code) | X)) != JMP)
        return false;
    return i->jt < left && i->jf < left;
}

static bool load_is_valid(const struct bpf_instruction *i)
{
    switch (i->code) {
    case LD | ABS:
        return i->k < SECCOMP_DATA_BYTES && i->k % 4 == 0;
    case LD | MEM:
    case LDX | MEM:
        return i->k < WORDS;
    case LD | IMM:
    case LDX | IMM:
    case LD | LEN:
    case LDX | LEN:
        return true;
    default:
        return false;
    }
}

static bool is_valid(const struct bpf_instruction *i, uint32_t left)
{
    switch (CLASS(i->code)) {
    case LD:
    case LDX:
        return load_is_valid(i);
    case ST:
    case STX:
        return i->code == CLASS(i->code) && i->k < WORDS;
    case ALU:
        return alu_is_valid(i);
    case JMP:
        return jump_is_valid(i, left);
    case RET:
        return i->code == RET || i->code == (RET | A);
    default:
        return i->code == MISC || i->code == (MISC | TXA);
    }
}

/* Which words of memory are set on every way to an instruction. */
struct ways {
    uint16_t *set[WAY_PAGES]; /* by instruction; all, until a way there is known */
    uint16_t here;
};

static uint16_t *set_at(struct ways *w, uint32_t pc)
{
    return &w->set[pc / WAYS_IN_PAGE][pc % WAYS_IN_PAGE];
}

static void way_to(struct ways *w, uint32_t pc)
{
    *set_at(w, pc) &= w->here;
}

/* Follows one instruction; false: it loads a word that may not be set. */
static bool follow(struct ways *w, const struct bpf_instruction *i, uint32_t pc)
{
    w->here &= *set_at(w, pc);
    switch (CLASS(i->code)) {
    case ST:
    case STX:
        w->here |= (uint16_t)(1u << i->k);
        return true;
    case LD:
    case LDX:
        return MODE(i->code) != MEM || (w->here >> i->k & 1);
    case JMP:
        if (i->code == (JMP | JA)) {
            way_to(w, pc + 1 + i->k);
        } else {
            way_to(w, pc + 1 + i->jt);
            way_to(w, pc + 1 + i->jf);
        }
        w->here = UINT16_MAX;
        return true;
    default:
        return true;
    }
}

static int check_memory(const struct bpf_program *p, struct ways *w)
{
    for (uint32_t i = 0; i * WAYS_IN_PAGE < p->length; i++) {
        w->set[i] = kmalloc(PAGE_SIZE);
        if (!w->set[i])
            return -ENOMEM;
        memset(w->set[i], 0xff, PAGE_SIZE);
    }
    for (uint32_t pc = 0; pc < p->length; pc++)
        if (!follow(w, at(p, pc), pc))
            return -EINVAL;
    return 0;
}

int bpf_check(const struct bpf_program *p)
{
    struct ways w = {0};
    int err;

    for (uint32_t pc = 0; pc < p->length; pc++)
        if (!is_valid(at(p, pc), p->length - pc - 1))
            return -EINVAL;
    if (CLASS(at(p, p->length - 1)->code) != RET)
        return -EINVAL;
    err = check_memory(p, &w);
    for (uint32_t i = 0; i < WAY_PAGES; i++)
        kmfree(w.set[i]);
    return err;
}

/* ---- Running ---- */

struct machine {
    uint32_t a, x, word[WORDS];
    uint32_t pc;
    bool ended;
};

static void load(struct machine *m, const struct bpf_instruction *i, const struct seccomp_data *d)
{
    uint32_t value = i->k;

    if (MODE(i->code) == ABS)
        memcpy(&value, (const uint8_t *)d + i->k, sizeof(value));
    else if (MODE(i->code) == MEM)
        value = m->word[i->k];
    else if (MODE(i->code) == LEN)
        value = SECCOMP_DATA_BYTES;
    *(CLASS(i->code) == LD ? &m->a : &m->x) = value;
}

/* A division by zero ends the program, whose result is 0. */
static void calculate(struct machine *m, uint16_t code, uint32_t operand)
{
    switch (OP(code)) {
    case ADD:
        m->a += operand;
        break;
    case SUB:
        m->a -= operand;
        break;
    case MUL:
        m->a *= operand;
        break;
    case DIV:
        m->ended = operand == 0;
        m->a = operand ? m->a / operand : 0;
        break;
    case OR:
        m->a |= operand;
        break;
    case AND:
        m->a &= operand;
        break;
    case LSH:
        m->a <<= operand & 31;
        break;
    case RSH:
        m->a >>= operand & 31;
        break;
    case XOR:
        m->a ^= operand;
        break;
    case NEG:
        m->a = -m->a;
        break;
    }
}

static bool holds(uint16_t code, uint32_t a, uint32_t operand)
{
    switch (OP(code)) {
    case JEQ:
        return a == operand;
    case JGT:
        return a > operand;
    case JGE:
        return a >= operand;
    default:
        return a & operand;
    }
}

static void jump(struct machine *m, const struct bpf_instruction *i, uint32_t operand)
{
    if (i->code == (JMP | JA))
        m->pc += i->k;
    else
        m->pc += holds(i->code, m->a, operand) ? i->jt : i->jf;
}

static void step(struct machine *m, const struct bpf_instruction *i, const struct seccomp_data *d)
{
    uint32_t operand = i->code & X ? m->x : i->k;

    switch (CLASS(i->code)) {
    case LD:
    case LDX:
        load(m, i, d);
        break;
    case ST:
        m->word[i->k] = m->a;
        break;
    case STX:
        m->word[i->k] = m->x;
        break;
    case ALU:
        calculate(m, i->code, operand);
        break;
    case JMP:
        jump(m, i, operand);
        break;
    case RET:
        m->a = i->code == RET ? i->k : m->a;
        m->ended = true;
        break;
    default:
        *(i->code == MISC ? &m->x : &m->a) = i->code == MISC ? m->a : m->x;
    }
}

uint32_t bpf_run(const struct bpf_program *p, const struct seccomp_data *d)
{
    struct machine m = {0};

    while (!m.ended)
        step(&m, at(p, m.pc++), d);
    return m.a;
}
