; ChaCha20 with AVX2 (RFC 8439): two blocks at once, a row of each in the halves of a register. The caller has
; interrupts off, CR0.TS clear, CR4.OSXSAVE set, and no state of its own in ymm0-7.

%macro ROTATE 2                         ; register, bits
        vpslld ymm4, %1, %2
        vpsrld %1, %1, 32 - %2
        vpor %1, %1, ymm4
%endmacro

%macro ROUND 0
        vpaddd ymm0, ymm0, ymm1
        vpxor ymm3, ymm3, ymm0
        vpshufb ymm3, ymm3, ymm5
        vpaddd ymm2, ymm2, ymm3
        vpxor ymm1, ymm1, ymm2
        ROTATE ymm1, 12
        vpaddd ymm0, ymm0, ymm1
        vpxor ymm3, ymm3, ymm0
        vpshufb ymm3, ymm3, ymm6
        vpaddd ymm2, ymm2, ymm3
        vpxor ymm1, ymm1, ymm2
        ROTATE ymm1, 7
%endmacro

%macro TURN 3                           ; columns become diagonals, or the other way
        vpshufd ymm1, ymm1, %1
        vpshufd ymm2, ymm2, %2
        vpshufd ymm3, ymm3, %3
%endmacro

%macro PUT_ROW 2                        ; number, its row of the state, or of both
        vpaddd ymm%1, ymm%1, %2
        vmovdqu [edi + %1 * 16], xmm%1
        vextracti128 [edi + 64 + %1 * 16], ymm%1, 1
%endmacro

COUNTER equ 48

section .text

; They lie in the text, and are found from where it runs: the host's tests put it anywhere.
align 32
by_16:  times 2 db 2,3,0,1, 6,7,4,5, 10,11,8,9, 14,15,12,13 ; each word by so many bits to the left
by_8:   times 2 db 3,0,1,2, 7,4,5,6, 11,8,9,10, 15,12,13,14
second: dd 0,0,0,0, 1,0,0,0             ; the second block's counter is one more

; void chacha_avx2(void *out, uint32_t state[16], uint32_t pairs): pairs of blocks
global chacha_avx2
chacha_avx2:
        push edi
        mov edi, eax
        test ecx, ecx
        jz near .done
        call .here
.here:  pop eax
        vmovdqu ymm5, [eax + by_16 - .here]
        vmovdqu ymm6, [eax + by_8 - .here]
        vmovdqu ymm7, [eax + second - .here]
.pair:
        vbroadcasti128 ymm0, [edx]
        vbroadcasti128 ymm1, [edx + 16]
        vbroadcasti128 ymm2, [edx + 32]
        vbroadcasti128 ymm3, [edx + 48]
        vpaddd ymm3, ymm3, ymm7
%rep 10
        ROUND
        TURN 0x39, 0x4e, 0x93
        ROUND
        TURN 0x93, 0x4e, 0x39
%endrep
%assign i 0
%rep 3
        vbroadcasti128 ymm4, [edx + i * 16]
        PUT_ROW i, ymm4
%assign i i + 1
%endrep
        vbroadcasti128 ymm4, [edx + 48]
        vpaddd ymm4, ymm4, ymm7
        PUT_ROW 3, ymm4
        add dword [edx + COUNTER], 2
        add edi, 128
        dec ecx
        jnz near .pair
        vzeroupper                      ; programs have no upper halves
.done:
        pop edi
        ret
