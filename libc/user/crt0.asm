; Where a program starts, and its way into the kernel.

section .text

extern libc_start
extern errno

; On the stack: argc, the argument pointers, 0, the environment pointers, 0, auxiliary vector.
; %ebp = 0 ends backtraces. libc_start(&argc) does not return.
global _start
_start:
        xor     ebp, ebp
        mov     eax, esp
        and     esp, -16
        sub     esp, 12
        push    eax
        call    libc_start

; long syscall(long number, ...)
; On the stack: return address, number, up to six arguments. Always loads six: what is above them
; belongs to the caller's frames. An error -n of the kernel becomes errno = n and -1.
global syscall
syscall:
        push    ebp
        push    edi
        push    esi
        push    ebx
        mov     eax, [esp + 20]
        mov     ebx, [esp + 24]
        mov     ecx, [esp + 28]
        mov     edx, [esp + 32]
        mov     esi, [esp + 36]
        mov     edi, [esp + 40]
        mov     ebp, [esp + 44]
        int     0x80
        pop     ebx
        pop     esi
        pop     edi
        pop     ebp
        cmp     eax, -4095
        jb      .done
        neg     eax
        mov     [errno], eax
        mov     eax, -1
.done:
        ret

; A handler returns here; on the stack: what is left of its signal frame. The kernel makes the old
; frame, with the signal number still on top, unless the handler was installed with SA_SIGINFO.
global signal_restorer
signal_restorer:
        pop     eax
        mov     eax, 119                ; sigreturn
        int     0x80

global siginfo_restorer
siginfo_restorer:
        mov     eax, 173                ; rt_sigreturn
        int     0x80

section .note.GNU-stack noalloc noexec nowrite progbits
