; ChaCha20 with SSE2 (RFC 8439): a row of four words in each register, so that the four quarter rounds of
; a round are one. The caller has interrupts off and CR0.TS clear, and no state of its own in xmm0-4.

%macro ROTATE 2                         ; register, bits
        movdqa xmm4, %1
        pslld %1, %2
        psrld xmm4, 32 - %2
        por %1, xmm4
%endmacro

%macro ROTATE16 1                       ; the halves of each word change places
        pshuflw %1, %1, 0xb1
        pshufhw %1, %1, 0xb1
%endmacro

%macro ROUND 0
        paddd xmm0, xmm1
        pxor xmm3, xmm0
        ROTATE16 xmm3
        paddd xmm2, xmm3
        pxor xmm1, xmm2
        ROTATE xmm1, 12
        paddd xmm0, xmm1
        pxor xmm3, xmm0
        ROTATE xmm3, 8
        paddd xmm2, xmm3
        pxor xmm1, xmm2
        ROTATE xmm1, 7
%endmacro

%macro TURN 3                           ; columns become diagonals, or the other way
        pshufd xmm1, xmm1, %1
        pshufd xmm2, xmm2, %2
        pshufd xmm3, xmm3, %3
%endmacro

%macro PUT_ROW 2                        ; register, its offset: the sum with the state's row
        movdqu xmm4, [esi + %2]
        paddd %1, xmm4
        movdqu [edi + %2], %1
%endmacro

COUNTER equ 48

section .text

; void chacha_sse2(void *out, uint32_t state[16], uint32_t blocks)
global chacha_sse2
chacha_sse2:
        push esi
        push edi
        mov edi, eax
        mov esi, edx
        test ecx, ecx
        jz near .done
.block:
        movdqu xmm0, [esi]
        movdqu xmm1, [esi + 16]
        movdqu xmm2, [esi + 32]
        movdqu xmm3, [esi + 48]
%rep 10
        ROUND
        TURN 0x39, 0x4e, 0x93
        ROUND
        TURN 0x93, 0x4e, 0x39
%endrep
        PUT_ROW xmm0, 0
        PUT_ROW xmm1, 16
        PUT_ROW xmm2, 32
        PUT_ROW xmm3, 48
        inc dword [esi + COUNTER]
        add edi, 64
        dec ecx
        jnz near .block
.done:
        pop edi
        pop esi
        ret

; Keeps xmm0-7 of whoever they belong to: 128 bytes.
; void xmm_save(void *area), void xmm_load(const void *area)
%macro MOVE_ALL 1
%assign i 0
%rep 8
        %1 i
%assign i i + 1
%endrep
%endmacro
%macro SAVE 1
        movdqu [eax + %1 * 16], xmm%1
%endmacro
%macro LOAD 1
        movdqu xmm%1, [eax + %1 * 16]
%endmacro

global xmm_save
xmm_save:
        MOVE_ALL SAVE
        ret

global xmm_load
xmm_load:
        MOVE_ALL LOAD
        ret
