; From the boot loader to C in the higher half.
;
; Owns: the headers of multiboot 1 and 2, the first page tables, the boot stack, and copies of what the
; boot loader left in memory, so that nothing of it has to be reserved or mapped later.
;
; .boot is linked and loaded at 1 MiB (virtual = physical); everything else is linked KERNEL_BASE
; above where it is loaded. The loader enters with paging off and flat segments; every other piece
; of its state (CR0.CD under UEFI, CR4, EFER, GDTR, selectors) is written here as a whole.

KERNEL_BASE     equ 0x80000000
MB_MAGIC        equ 0x1BADB002
MB_LOADER_MAGIC equ 0x2BADB002
MB_FLAGS        equ 3                   ; modules page-aligned, memory map wanted

MB2_MAGIC       equ 0xE85250D6
MB2_LOADER_MAGIC equ 0x36D76289
MB2_TAG_MAP     equ 6
MB2_TAG_SYMBOLS equ 9
MB2_TAG_EFI_MAP equ 17                  ; as long as it is useless: the memory map tells it all

MBI_SIZE        equ 116                 ; up to the framebuffer fields
CMDLINE_SIZE    equ 2048
MAX_MODULES     equ 8
MMAP_SIZE       equ 4096
TAGS_SIZE       equ 16384
MAP_SIZE        equ 8192                ; as much of a memory map of version 2 is kept

PTE_P           equ 0x001
PTE_W           equ 0x002

CR0_WHOLE       equ 0x80050033          ; PG AM WP NE ET MP PE; caches on
CR4_PSE         equ 0x10
MSR_EFER        equ 0xC0000080

KERNEL_CS       equ 0x60
KERNEL_DS       equ 0x68

%define phys(x) ((x) - KERNEL_BASE)

extern boot_main                        ; arch/i386/start/boot.c

; ---------------------------------------------------------------------------------------------------
section .boot progbits alloc exec nowrite align=16

        align 4
        dd MB_MAGIC
        dd MB_FLAGS
        dd -(MB_MAGIC + MB_FLAGS)

; Every wish is optional (flag 1): whatever is not there, the kernel does without.
        align 8
mb2_header:
        dd MB2_MAGIC, 0, mb2_header_end - mb2_header
        dd -(MB2_MAGIC + mb2_header_end - mb2_header)
        dw 1, 1                         ; wanted: command line, modules, memory map, framebuffer, ACPI
        dd 8 + 6 * 4
        dd 1, 3, 6, 8, 14, 15
        dw 4, 1                         ; the console may be text
        dd 12, 2, 0
        dw 5, 1                         ; or a framebuffer, of any size and depth
        dd 20, 0, 0, 0, 0
        dw 6, 1                         ; modules on pages of their own
        dd 8
        dw 0, 0
        dd 8
mb2_header_end:

; In: eax = loader's magic, ebx = physical address of its information. No stack yet.
global multiboot_entry
multiboot_entry:
        cli
        cld
        mov esp, phys(boot_stack_top)
        mov [phys(boot_magic)], eax
        cmp eax, MB2_LOADER_MAGIC
        je .tags
        cmp eax, MB_LOADER_MAGIC
        jne .copied
        call copy_boot_info
        jmp .copied
.tags:
        call copy_boot_tags
.copied:
        lgdt [boot_gdt_pointer]
        call refuse_386
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

; In: ebx = multiboot 2 information. Copies the tags one after the other into boot_tags, but for those of
; no use, those that do not fit any more, and the end of a very long memory map; leaves their length in
; boot_tags_len. Clobbers all but ebx, esp.
copy_boot_tags:
        mov edx, ebx
        add edx, [ebx]                  ; end of the information
        jc .done
        mov [phys(boot_tags_end)], edx
        lea esi, [ebx + 8]
        mov edi, phys(boot_tags)
.next:
        lea eax, [esi + 8]
        cmp eax, [phys(boot_tags_end)]
        ja .stop
        mov eax, [esi]                  ; type, 0 at the end
        test eax, eax
        jz .stop
        mov ecx, [esi + 4]              ; size without the padding to eight bytes
        cmp ecx, 8
        jb .stop
        add ecx, 7
        jc .stop
        and ecx, ~7
        lea ebp, [esi + ecx]
        cmp ebp, esi
        jb .stop
        cmp eax, MB2_TAG_EFI_MAP
        je .skip
        cmp eax, MB2_TAG_SYMBOLS
        je .skip
        xor edx, edx                    ; the size to write instead, if any
        cmp eax, MB2_TAG_MAP
        jne .whole
        cmp ecx, MAP_SIZE
        jbe .whole
        mov ecx, MAP_SIZE
        mov edx, ecx
.whole:
        mov eax, phys(boot_tags) + TAGS_SIZE
        sub eax, edi
        cmp ecx, eax
        ja .skip
        shr ecx, 2
        mov eax, edi
        rep movsd
        test edx, edx
        jz .skip
        mov [eax + 4], edx
.skip:
        mov esi, ebp
        jmp .next
.stop:
        sub edi, phys(boot_tags)
        mov [phys(boot_tags_len)], edi
.done:
        ret

; A 386 cannot change EFLAGS.AC. It lacks instructions that the kernel is made of (cmpxchg, xadd,
; bswap, invlpg), so it is told so on the screen and on the serial line, and stops here.
refuse_386:
        pushfd
        pop eax
        mov ecx, eax
        xor eax, 1 << 18
        push eax
        popfd
        pushfd
        pop eax
        push ecx
        popfd
        xor eax, ecx
        test eax, 1 << 18
        jz .refuse
        ret
.refuse:
        mov esi, .message
        mov edi, 0xb8000
        mov ah, 0x4f                    ; white on red
.char:
        lodsb
        test al, al
        jz .halt
        mov [edi], ax
        add edi, 2
        mov ecx, 100000                 ; as long as the slowest line takes for a character
.ready: dec ecx
        jz .send
        mov bl, al
        mov edx, 0x3fd
        in al, dx
        test al, 0x20
        mov al, bl
        jz .ready
.send:  mov edx, 0x3f8
        out dx, al
        jmp .char
.halt:  cli
        hlt
        jmp .halt
.message: db "Faultline needs an i486 or later: this processor is a 386.", 13, 10, 0

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
global boot_mmap, boot_mmap_len, boot_tags, boot_tags_len
boot_magic:       resd 1
boot_cpu_edx:     resd 1
boot_mods_count:  resd 1
boot_mmap_len:    resd 1
boot_tags_len:    resd 1
boot_tags_end:    resd 1                ; physical, while copying
boot_mbi:         resb 128
boot_mods:        resb MAX_MODULES * 16
boot_cmdline:     resb CMDLINE_SIZE
boot_mmap:                              ; multiboot 1
boot_tags:        resb TAGS_SIZE        ; multiboot 2
