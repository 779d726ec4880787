; From the reset of a further processor to C in the higher half.
;
; All of this is copied to a frame below 1 MiB, where a processor starts in real mode at offset 0, cs
; being the frame. It runs there until it jumps to C, with the identity map of the first 4 MiB that
; processors.c lends it. The words from trampoline_gdt on are filled in there, for one processor at a time.

CR0_WHOLE       equ 0x80050033          ; PG AM WP NE ET MP PE; caches on
KERNEL_CS       equ 0x60
KERNEL_DS       equ 0x68

%define at(x) ((x) - trampoline_start)

section .rodata

global trampoline_start, trampoline_end, trampoline_protected, trampoline_gdt
global trampoline_gdt_base, trampoline_far, trampoline_cr4, trampoline_pgdir, trampoline_esp, trampoline_main

        align 16
bits 16
trampoline_start:
        cli
        cld
        mov ax, cs
        mov ds, ax
        xor ebx, ebx
        mov bx, ax
        shl ebx, 4                      ; where the frame is
        o32 lgdt [at(gdt_pointer)]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword far [at(trampoline_far)]

; ebx: the frame. eax: what further_main is given.
bits 32
trampoline_protected:
        mov eax, KERNEL_DS
        mov ds, eax
        mov es, eax
        mov ss, eax
        xor eax, eax
        mov fs, eax
        mov gs, eax
        mov eax, [ebx + at(trampoline_cr4)]
        test eax, eax                   ; without CPUID there is no CR4
        jz .no_cr4
        mov cr4, eax
.no_cr4:
        mov eax, [ebx + at(trampoline_pgdir)]
        mov cr3, eax
        mov eax, CR0_WHOLE
        mov cr0, eax
        mov esp, [ebx + at(trampoline_esp)]
        xor ebp, ebp                    ; backtraces end here
        push ebp
        jmp [ebx + at(trampoline_main)]

        align 8
trampoline_gdt:
        times 12 dq 0
        dq 0x00CF9A000000FFFF           ; 0x60: kernel code
        dq 0x00CF92000000FFFF           ; 0x68: kernel data
gdt_pointer:
        dw gdt_pointer - trampoline_gdt - 1
trampoline_gdt_base:
        dd 0                            ; physical
trampoline_far:
        dd 0                            ; of trampoline_protected, physical
        dw KERNEL_CS
        align 4
trampoline_cr4:   dd 0
trampoline_pgdir: dd 0                  ; physical
trampoline_esp:   dd 0
trampoline_main:  dd 0                  ; a C function without arguments
trampoline_end:
