; The object and the places in it that the kernel needs, as the kernel sees them (kernel/process/vdso.h).

section .rodata progbits alloc noexec nowrite align=4

global vdso_image, vdso_image_end
vdso_image:
        incbin IMAGE
vdso_image_end:
align 4
%include PLACES

section .note.GNU-stack noalloc noexec nowrite progbits
