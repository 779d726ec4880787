; Zeroing and copying, sixteen bytes at a time. Arguments come in eax, edx, ecx.
; xmm0 to xmm3 are in the end whoever's they were, and so is CR0.TS, which ebx keeps meanwhile. What interrupts
; this and uses them does the same, and a thread is switched to from neither.

%include "arch/i386/smap.inc"

CPU_SPIN_DEPTH  equ 16                  ; struct cpu, arch/cpu.h
CR0_TS          equ 8

%macro XMM_BORROW 0
        mov ebx, cr0
        test bl, CR0_TS
        jz %%ready
        clts
%%ready:
        sub esp, 64
        movups [esp], xmm0
        movups [esp + 16], xmm1
        movups [esp + 32], xmm2
        movups [esp + 48], xmm3
%endmacro

%macro XMM_RETURN 0
        movups xmm0, [esp]
        movups xmm1, [esp + 16]
        movups xmm2, [esp + 32]
        movups xmm3, [esp + 48]
        add esp, 64
        test bl, CR0_TS
        jz %%done
        mov cr0, ebx
%%done:
%endmacro

section .text

; void zero_wide(void *page)
global zero_wide
zero_wide:
        push ebx
        mov edx, eax
        XMM_BORROW
        xorps xmm0, xmm0
        mov ecx, -4096
        sub edx, ecx
.next:
%assign at 0
%rep 16
        movaps [edx + ecx + at], xmm0
%assign at at + 16
%endrep
        add ecx, 256
        jnz .next
        XMM_RETURN
        pop ebx
        ret

; An instruction whose fault goes on at %1: ecx has gone forward by what is done.
%macro MOVE 4                           ; where, mov or movups, to, from
%%site: %2 %3, %4
        section .extable progbits alloc noexec nowrite align=4
        dd %%site, %1
        section .text
%endmacro

; size_t copy_wide(void *dst, const void *src, size_t n): what was NOT copied, of a multiple of 256. Either may
; be the user's, in one page there: its first word may fault and have the page brought in; if it is gone again
; for the rest, that is not copied, as under a spin lock.
global copy_wide
copy_wide:
        push ebx
        push esi
        push edi
        lea edi, [eax + ecx]
        lea esi, [edx + ecx]
        neg ecx
        pushfd
        STAC
        MOVE untouched, mov, eax, [esi + ecx]
        MOVE untouched, mov, [edi + ecx], eax
        cli
        inc dword [fs:CPU_SPIN_DEPTH]
        XMM_BORROW
.next:
%assign at 0
%rep 4
%assign i 0
%rep 4
        MOVE copied, movups, xmm %+ i, [esi + ecx + at + 16 * i]
%assign i i + 1
%endrep
%assign i 0
%rep 4
        MOVE copied, movups, [edi + ecx + at + 16 * i], xmm %+ i
%assign i i + 1
%endrep
%assign at at + 64
%endrep
        add ecx, 256
        jnz .next
copied: XMM_RETURN
        dec dword [fs:CPU_SPIN_DEPTH]
untouched:
        popfd                           ; AC and IF as they were
        mov eax, ecx
        neg eax
        pop edi
        pop esi
        pop ebx
        ret

; size_t clear_wide(void *dst, size_t n): what was NOT zeroed, of a multiple of 256 in one page of the program's; in all
; else like copy_wide.
global clear_wide
clear_wide:
        push ebx
        push edi
        lea edi, [eax + edx]
        mov ecx, edx
        neg ecx
        xor eax, eax
        pushfd
        STAC
        MOVE clear_untouched, mov, [edi + ecx], eax
        cli
        inc dword [fs:CPU_SPIN_DEPTH]
        XMM_BORROW
        xorps xmm0, xmm0
.next:
%assign at 0
%rep 16
        MOVE cleared, movups, [edi + ecx + at], xmm0
%assign at at + 16
%endrep
        add ecx, 256
        jnz .next
cleared:
        XMM_RETURN
        dec dword [fs:CPU_SPIN_DEPTH]
clear_untouched:
        popfd
        mov eax, ecx
        neg eax
        pop edi
        pop ebx
        ret
