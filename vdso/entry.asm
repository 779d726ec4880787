; The way into the kernel, and the way back from handlers, with what unwinders need to know of both.
; man 7 vdso. The kernel finds the places that it needs by the local labels (Makefile: VDSO_PLACES).

NR_sigreturn    equ 119
NR_rt_sigreturn equ 173

section .text progbits alloc exec nowrite align=16

; The call in eax, its arguments in ebx ecx edx esi edi ebp, as for int 0x80. sysenter says neither
; where it was nor with which stack: the stack is in ebp, the sixth argument on it, and the kernel
; comes back to .landing. A call to be started again is started by the int before that, whose
; arguments are all in their registers. Without sysenter the kernel puts four bytes of nothing at
; .enter.
global __kernel_vsyscall:function
__kernel_vsyscall:
.begin: push    ecx
.ecx:   push    edx
.edx:   push    ebp
.ebp:
.enter:
        mov     ebp, esp
        sysenter
        int     0x80
.landing:
        pop     ebp
.ebp_back:
        pop     edx
.edx_back:
        pop     ecx
.ecx_back:
        ret
.end:

; Debuggers know these by their very instructions.
align 16
        nop                             ; unwinders look up the address before the return address
global __kernel_sigreturn:function
__kernel_sigreturn:
        pop     eax
.popped:
        mov     eax, NR_sigreturn
        int     0x80
.end:

align 16
        nop
global __kernel_rt_sigreturn:function
__kernel_rt_sigreturn:
        mov     eax, NR_rt_sigreturn
        int     0x80
.end:

; ---- Unwinding [DWARF 4, 6.4; LSB 10.6] -----------------------------------------------------------

R_EAX   equ 0                           ; DWARF's numbers of registers
R_ECX   equ 1
R_EDX   equ 2
R_EBX   equ 3
R_ESP   equ 4
R_EBP   equ 5
R_ESI   equ 6
R_EDI   equ 7
R_EIP   equ 8

DW_CFA_def_cfa          equ 0x0c
DW_CFA_def_cfa_offset   equ 0x0e
DW_CFA_offset_extended_sf equ 0x11
%define DW_CFA_advance(n)  (0x40 | (n))
%define DW_CFA_offset(r)   (0x80 | (r))
%define DW_CFA_restore(r)  (0xc0 | (r))
PCREL_SDATA4            equ 0x1b

; %1: label of the CIE, %2: its augmentation. The initial frame is that of a call.
%macro CIE 2
align 4, db 0
%1:     dd      %%end - %%body
%%body: dd      0                       ; a CIE
        db      1, %2, 0
        db      1, 0x7c, R_EIP            ; factors of code (1) and data (-4), the return address
        db      1, PCREL_SDATA4
        db      DW_CFA_def_cfa, R_ESP, 4, DW_CFA_offset(R_EIP), 1
align 4, db 0
%%end:
%endmacro

; %1: its CIE, %2 to %3: the code. The instructions follow, then END_FDE.
%macro FDE 3
%push fde
align 4, db 0
        dd      %$end - %$body
%$body: dd      %$body - %1
        dd      %2 - $, %3 - (%2)
        db      0                       ; no augmentation data
%endmacro
%macro END_FDE 0
align 4, db 0
%$end:
%pop
%endmacro

; After so many bytes of code a register is pushed (popped), and the frame is so deep.
%macro PUSHED 3                         ; bytes, depth, register
        db      DW_CFA_advance(%1), DW_CFA_def_cfa_offset, %2, DW_CFA_offset(%3), %2 / 4
%endmacro
%macro POPPED 3
        db      DW_CFA_advance(%1), DW_CFA_restore(%3), DW_CFA_def_cfa_offset, %2
%endmacro

; Register %1 is %2 bytes above the frame's address (below 256); the factor of -4 makes it negative.
%macro SAVED 2
        db      DW_CFA_offset_extended_sf, %1, (-(%2) / 4) & 0x7f
%endmacro

; The registers that a handler's frame has from byte %1 on: struct user_sigcontext.
%macro SIGCONTEXT 1
        SAVED   R_EDI, %1 + 16
        SAVED   R_ESI, %1 + 20
        SAVED   R_EBP, %1 + 24
        SAVED   R_ESP, %1 + 28
        SAVED   R_EBX, %1 + 32
        SAVED   R_EDX, %1 + 36
        SAVED   R_ECX, %1 + 40
        SAVED   R_EAX, %1 + 44
        SAVED   R_EIP, %1 + 56
%endmacro

section .eh_frame progbits alloc noexec nowrite align=4

        CIE     call_cie, "zR"
        FDE     call_cie, __kernel_vsyscall, __kernel_vsyscall.end
        PUSHED  __kernel_vsyscall.ecx - __kernel_vsyscall.begin, 8, R_ECX
        PUSHED  __kernel_vsyscall.edx - __kernel_vsyscall.ecx, 12, R_EDX
        PUSHED  __kernel_vsyscall.ebp - __kernel_vsyscall.edx, 16, R_EBP
        POPPED  __kernel_vsyscall.ebp_back - __kernel_vsyscall.ebp, 12, R_EBP
        POPPED  __kernel_vsyscall.edx_back - __kernel_vsyscall.ebp_back, 8, R_EDX
        POPPED  __kernel_vsyscall.ecx_back - __kernel_vsyscall.edx_back, 4, R_ECX
        END_FDE

; S: the frame is a signal's, and its return address an instruction that has not run. Where the
; handler returns to, the stack begins with the number of the signal (sigreturn, which pops it), or
; with that and two pointers (rt_sigreturn).
        CIE     signal_cie, "zRS"
        FDE     signal_cie, __kernel_sigreturn - 1, __kernel_sigreturn.end
        db      DW_CFA_def_cfa, R_ESP, 0
        SIGCONTEXT 4
        db      DW_CFA_advance(__kernel_sigreturn.popped - __kernel_sigreturn + 1)
        db      DW_CFA_def_cfa, R_ESP, 0
        SIGCONTEXT 0
        END_FDE

; siginfo (128 bytes) and the head of the ucontext (20) lie between.
        FDE     signal_cie, __kernel_rt_sigreturn - 1, __kernel_rt_sigreturn.end
        db      DW_CFA_def_cfa, R_ESP, 0
        SIGCONTEXT 12 + 128 + 20
        END_FDE
        dd      0

section .note.linux note alloc noexec nowrite align=4
; Which Linux this is like: [LSB] the loader may refuse libraries that want a later one.
        dd      .desc - .name, 4, 0
.name:  db      "Linux", 0
align 4, db 0
.desc:  dd      6 << 16 | 1 << 8

section .note.GNU-stack noalloc noexec nowrite progbits
