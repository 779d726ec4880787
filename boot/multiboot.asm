; From the boot loader to C in the higher half.
;
; Owns: the multiboot 1 header, the first page tables, the boot stack, and copies of what the boot
; loader left in memory, so that nothing of it has to be reserved or mapped later.
;
; .boot is linked and loaded at 1 MiB (virtual = physical); everything else is linked KERNEL_BASE
; above where it is loaded. The loader enters with paging off and flat segments; every other piece
; of its state (CR0.CD under UEFI, CR4, EFER, GDTR, selectors) is written here as a whole.

KERNEL_BASE     equ 0x80000000
MB_MAGIC        equ 0x1BADB002
MB_LOADER_MAGIC equ 0x2BADB002
MB_FLAGS        equ 3                   ; modules page-aligned, memory map wanted

MBI_SIZE        equ 116                 ; up to the framebuffer fields
CMDLINE_SIZE    equ 2048
MAX_MODULES     equ 8
MMAP_SIZE       equ 4096

PTE_P           equ 0x001
PTE_W           equ 0x002

CR0_WHOLE       equ 0x80050033          ; PG AM WP NE ET MP PE; caches on
CR4_PSE         equ 0x10
MSR_EFER        equ 0xC0000080

KERNEL_CS       equ 0x60
KERNEL_DS       equ 0x68

%define phys(x) ((x) - KERNEL_BASE)

extern boot_main                        ; arch/i386/boot.c

; ---------------------------------------------------------------------------------------------------
section .boot progbits alloc exec nowrite align=16

        align 4
        dd MB_MAGIC
        dd MB_FLAGS
        dd -(MB_MAGIC + MB_FLAGS)

; In: eax = loader's magic, ebx = physical address of its information. No stack yet.
global multiboot_entry
multiboot_entry:
        cli
        cld
        mov esp, phys(boot_stack_top)
        mov [phys(boot_magic)], eax
        cmp eax, MB_LOADER_MAGIC
        jne .copied
        call copy_boot_info
.copied:
        lgdt [boot_gdt_pointer]
        call detect_cpuid
        call reset_efer
        call make_tables

        mov eax, [phys(boot_cpu_edx)]   ; CR4 exists where CPUID does
        test eax, eax
        jz .no_cr4
        shl eax, 1                      ; CPUID.1:EDX bit 3 is PSE
        and eax, CR4_PSE
        mov cr4, eax
.no_cr4:
        mov eax, phys(kernel_pgdir)
        mov cr3, eax
        mov eax, CR0_WHOLE
        mov cr0, eax
        jmp KERNEL_CS:higher_half

; In: ebx = multiboot information. Copies it, the command line, the module list and the memory map
; into .bss and leaves the counts in boot_mmap_len and boot_mods_count. Clobbers all but ebx, esp.
copy_boot_info:
        mov esi, ebx
        mov edi, phys(boot_mbi)
        mov ecx, MBI_SIZE
        rep movsb

        test dword [ebx], 1 << 2        ; command line
        jz .modules
        mov esi, [ebx + 16]
        mov edi, phys(boot_cmdline)
        mov ecx, CMDLINE_SIZE - 1
.cmdline:
        lodsb
        test al, al
        jz .modules
        stosb
        loop .cmdline

.modules:
        test dword [ebx], 1 << 3
        jz .memory
        mov ecx, [ebx + 20]
        cmp ecx, MAX_MODULES
        jbe .count_ok
        mov ecx, MAX_MODULES
.count_ok:
        mov [phys(boot_mods_count)], ecx
        shl ecx, 2                      ; an entry is four words
        mov esi, [ebx + 24]
        mov edi, phys(boot_mods)
        rep movsd

.memory:
        test dword [ebx], 1 << 6
        jz .done
        mov ecx, [ebx + 44]
        cmp ecx, MMAP_SIZE
        jbe .length_ok
        mov ecx, MMAP_SIZE
.length_ok:
        mov [phys(boot_mmap_len)], ecx
        mov esi, [ebx + 48]
        mov edi, phys(boot_mmap)
        rep movsb
.done:
        ret

; Leaves CPUID.1:EDX in boot_cpu_edx, or 0 when EFLAGS.ID cannot be changed: no CPUID.
detect_cpuid:
        pushfd
        pop eax
        mov ecx, eax
        xor eax, 1 << 21
        push eax
        popfd
        pushfd
        pop eax
        xor eax, ecx
        and eax, 1 << 21
        jz .none
        mov eax, 1
        cpuid
        mov [phys(boot_cpu_edx)], edx
.none:
        ret

; EFER exists where SYSCALL, NX or long mode does. A 64-bit firmware leaves bits set in it.
reset_efer:
        cmp dword [phys(boot_cpu_edx)], 0
        je .none
        mov eax, 0x80000000
        cpuid
        cmp eax, 0x80000001
        jb .none
        mov eax, 0x80000001
        cpuid
        test edx, (1 << 11) | (1 << 20) | (1 << 29)
        jz .none
        mov ecx, MSR_EFER
        xor eax, eax
        xor edx, edx
        wrmsr
.none:
        ret

; Maps the first 8 MiB, which hold the kernel image, at 0 and at KERNEL_BASE. The two tables stay in
; use for good: the image needs 4 KiB pages to be read-only in part.
make_tables:
        mov edi, phys(kernel_tables)
        mov eax, PTE_P | PTE_W
        mov ecx, 2048
.fill:
        stosd
        add eax, 4096
        loop .fill
        mov eax, phys(kernel_tables) + (PTE_P | PTE_W)
        mov edi, phys(kernel_pgdir)
        mov [edi], eax
        mov [edi + 4 * (KERNEL_BASE >> 22)], eax
        add eax, 4096
        mov [edi + 4], eax
        mov [edi + 4 * (KERNEL_BASE >> 22) + 4], eax
        ret

        align 8
boot_gdt:
        times 12 dq 0
        dq 0x00CF9A000000FFFF           ; 0x60: kernel code
        dq 0x00CF92000000FFFF           ; 0x68: kernel data
boot_gdt_end:
boot_gdt_pointer:
        dw boot_gdt_end - boot_gdt - 1
        dd boot_gdt

; ---------------------------------------------------------------------------------------------------
section .text

; Paging is on, the identity map still there (boot_main drops it).
higher_half:
        mov eax, KERNEL_DS
        mov ds, eax
        mov es, eax
        mov ss, eax
        xor eax, eax
        mov fs, eax
        mov gs, eax
        mov esp, boot_stack_top
        xor ebp, ebp                    ; backtraces end here
        push ebp
        call boot_main
        ud2

; ---------------------------------------------------------------------------------------------------
section .bss nobits alloc noexec write align=4096

global kernel_pgdir, kernel_tables, boot_stack_guard, boot_stack_top
kernel_pgdir:     resb 4096
kernel_tables:    resb 2 * 4096
boot_stack_guard: resb 4096             ; unmapped by boot_main
                  resb 8192
boot_stack_top:

global boot_magic, boot_cpu_edx, boot_mbi, boot_cmdline, boot_mods, boot_mods_count
global boot_mmap, boot_mmap_len
boot_magic:       resd 1
boot_cpu_edx:     resd 1
boot_mods_count:  resd 1
boot_mmap_len:    resd 1
boot_mbi:         resb 128
boot_mods:        resb MAX_MODULES * 16
boot_cmdline:     resb CMDLINE_SIZE
boot_mmap:        resb MMAP_SIZE
